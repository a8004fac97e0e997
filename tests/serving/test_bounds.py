"""Is what nobody can serve refused by name, and is the bound on the rate one?"""

import numpy as np
import pytest
from serving_examples import requests, times

import pimlab as pim
from pimlab.serving import Policy, serve
from pimlab.serving.bounds import Service, rate_bound, zero_load


@pytest.mark.parametrize(
    ("load", "other", "text"),
    [
        (
            ([0.0], [4000], [2000]),
            {},
            "request 0 of 'given' has 4000 tokens in and 2000 out, 6000 together; allowed: 5000, the longest context",
        ),
        (([0.0], [100], [1]), {"held": 64}, "allowed: 64, its cache"),
    ],
)
def test_requests_beyond_model_or_cache_are_refused(load, other, text):
    with pytest.raises(ValueError, match=text):
        serve(times(**other), requests(*load))


def test_a_rate_above_what_can_be_served_names_the_most():
    fast = pim.poisson(rate="100 Hz", count=50, input=100, output=10)
    with pytest.raises(
        ValueError, match="brings 100 requests a second; 2 x clock serves .* at most"
    ):
        serve(times(), fast, replicas=2)
    assert serve(times(), fast, replicas=2, policy=Policy(queue=3)).refused > 0


@pytest.mark.parametrize(
    ("bounds", "name"),
    [({"ttft": "1 s"}, "ttft"), ({"tpot": "1 s"}, "tpot"), ({"latency": "3 s"}, "latency")],
)
def test_an_slo_below_the_empty_service_names_its_bound(bounds, name):
    with pytest.raises(
        ValueError, match=f"Slo {name}=.* is below the {name} with no load, .* for the shortest"
    ):
        serve(times(), requests([0.0], [10], [3]), slo=pim.Slo(**bounds))


def test_a_burst_is_never_answered_faster_than_the_bound():
    load = requests(np.zeros(400), [20] * 400, [5] * 400)
    policy = Policy(batch=64, tokens=1000)
    bound = rate_bound(load, Service(times(held=10**6), 2, policy))
    reached = float(serve(times(held=10**6), load, policy=policy, replicas=2).throughput)
    assert 0.5 * bound < reached <= bound


def test_the_least_latencies_are_those_of_the_shortest_request():
    load = requests([0.0, 1.0], [10, 40], [3, 9])
    least = zero_load(load, Service(times(), 1, Policy()))
    alone = serve(times(), load.head(1))
    assert least["ttft"] == pytest.approx(alone.ttft.item())
    assert least["latency"] <= alone.latency.item()
    assert least["tpot"] <= alone.tpot.item()
