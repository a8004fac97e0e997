"""Do rounds of guesses cost what a hand counts, give what the formula says, and fit in memory?"""

import numpy as np
import pytest
from cluster_examples import SMALL, Clock, cluster
from hypothesis import given, settings
from hypothesis import strategies as st
from serving_examples import requests, times

import pimlab as pim
from pimlab.cluster import Work
from pimlab.cluster.steps import Pricer
from pimlab.serving import Apart, Policy, Speculation, most_rate, of_plan, serve, single_shot
from pimlab.serving.bounds import rate_bound
from pimlab.serving.serve import service_of

DRAFT = single_shot({1: 0.1})
FLAT = np.array([[[0.0] * 5] * 2] * 2)


def guessing(acceptance, ahead=2, draft=DRAFT, **other):
    one = Speculation(draft=draft, ahead=ahead, acceptance=acceptance, seed=3)
    return Policy(**{"batch": 4, "tokens": 64, **other}, speculation=one)


def test_rounds_by_hand():
    out = serve(times(), requests([0.0], [10], [6]), policy=guessing(1.0))
    # the draft reads the prompt too; then three tokens and, at the end, two of three
    assert out.ttft.item() == pytest.approx(2.0 + 0.1)
    rounds = (1 + 0.3 + 0.013 + 2 * 0.1) + (1 + 0.3 + 0.016 + 2 * 0.1)
    assert out.latency.item() == pytest.approx(2.1 + rounds)
    assert (out.rounds.item(), out.round_tokens.item()) == (2, 2.5)
    never = serve(times(), requests([0.0], [10], [6]), policy=guessing(0.0))
    assert (never.rounds.item(), never.round_tokens.item()) == (5, 1.0)


def test_guesses_that_cost_nothing_and_never_hold_change_no_time():
    flat = times(tokens=[1], rest=times().rest[:1])
    free = single_shot({1: 0.0})
    load = pim.poisson(rate="0.1 Hz", count=30, input=[5, 30], output=[1, 9])
    # of attention only the guesses themselves are more
    plain = serve(flat.but(decode=FLAT), load, policy=Policy(batch=4, tokens=64))
    with_guesses = serve(flat.but(decode=FLAT), load, policy=guessing(0.0, draft=free))
    assert with_guesses.latency.values == pytest.approx(plain.latency.values)


@pytest.mark.parametrize("acceptance", [0.3, 0.8])
def test_tokens_of_a_round_and_speed_are_the_published_formulas(acceptance):
    flat = times(
        tokens=[1], rest=times().rest[:1], decode=FLAT, longest=10**6, held=10**6, token_bytes=0.0
    )
    load = requests([0.0], [10], [20_001])
    ahead, share = 3, 0.1 / 1.1
    out = serve(flat, load, policy=guessing(acceptance, ahead))
    plain = serve(flat, load, policy=Policy(batch=4, tokens=64))
    tokens = (1 - acceptance ** (ahead + 1)) / (1 - acceptance)
    assert Speculation(draft=DRAFT, ahead=3, acceptance=acceptance).expected == pytest.approx(
        tokens
    )
    assert out.round_tokens.item() == pytest.approx(tokens, rel=0.02)
    # theorem 3.8: tokens over ahead c + 1, with c the draft's step over the model's
    faster = plain.tpot.item() / out.tpot.item()
    assert faster == pytest.approx(tokens / (ahead * share + 1), rel=0.02)


@settings(max_examples=15, deadline=None)
@given(st.floats(0, 1), st.integers(1, 4), st.booleans(), st.booleans(), st.integers(0, 99))
def test_invariants(acceptance, ahead, mixed, apart, seed):
    rng = np.random.default_rng(seed)
    load = requests(
        np.cumsum(rng.exponential(3.0, 20)), rng.integers(1, 40, 20), rng.integers(1, 30, 20)
    )
    policy = guessing(acceptance, ahead, mixed=mixed, page=4, batch=3)
    decoders = Apart(times=times(held=96), link=pim.link("pcie4-x16")) if apart else None
    out = serve(times(held=96), load, policy=policy, apart=decoders)
    further = load.output - 1
    assert not np.isnan(out.latency.values).any()
    given_whole = out.preempted.values == 0
    assert (out.rounds.values[given_whole] >= -(-further[given_whole] // (1 + ahead))).all()
    assert (out.rounds.values <= further).all()
    assert (out.pages.values <= 24 * (1 + apart) + 1e-9).all()
    assert out.identical(serve(times(held=96), load, policy=policy, apart=decoders))


def test_what_holds_depends_on_the_request_alone():
    load = pim.poisson(rate="0.1 Hz", count=40, input=[5, 30], output=[2, 20])
    few, many = (serve(times(), load, policy=guessing(0.6, batch=n)) for n in (1, 8))
    assert few.latency.mean() > many.latency.mean()
    assert few.preempted.sum() == many.preempted.sum() == 0
    assert few.rounds.equals(many.rounds)
    other = guessing(0.6, batch=8)
    other = other.but(speculation=other.speculation.but(seed=4))
    assert not many.rounds.equals(serve(times(), load, policy=other).rounds)


def test_the_bound_on_the_rate_holds_and_the_rate_is_found_under_it():
    load = requests(np.zeros(400), [20] * 400, [21] * 400)
    policy = guessing(0.7, batch=16, tokens=1000)
    large = times(held=10**6)
    bound = rate_bound(load, service_of(large, policy))
    reached = float(serve(large, load, policy=policy).throughput)
    assert 0.4 * bound < reached <= bound
    some = pim.poisson(rate="0.1 Hz", count=50, input=20, output=20)
    most = most_rate(large, some, pim.Slo(latency="60 s"), policy=policy, tolerance=0.1)
    assert 0 < most.rate <= most.rate_bound
    assert "leviathan2023" in most.attrs["sources"]
    assert most.attrs["speculation"].startswith("2 tokens ahead")


def test_the_draft_takes_room_and_guesses_take_tokens():
    draft = DRAFT.but(token_bytes=1000.0, weight_bytes=2e6)
    service = service_of(times(), guessing(0.5, draft=draft))
    assert service.times.held == (10_000 * 1000 - 2_000_000) // 2000
    assert service.token_bytes == 2000
    with pytest.raises(ValueError, match="leaves no room for a cache beside 'clock'"):
        service_of(times(), guessing(0.5, draft=draft.but(weight_bytes=1e7)))
    with pytest.raises(ValueError, match="tokens=8 is below batch=4: .*needs 3 tokens of a step"):
        guessing(0.5, tokens=8)
    with pytest.raises(ValueError, match="4990 tokens in and 9 out, 5001 together, with 2 gu"):
        serve(times(), requests([0.0], [4990], [9]), policy=guessing(0.5))
    with pytest.raises(ValueError, match="acceptance=1.2 is outside"):
        guessing(1.2)


def test_a_plan_checks_all_guesses_in_one_step():
    large = cluster(1, machine=Clock(held=4_000_000))
    plan = pim.parallelise(SMALL, large, batch=2, context=64)
    found = of_plan(plan, batch=2, tokens=64, queries=3)
    step = Pricer(SMALL, plan.cluster).step(Work(batch=2, context=32, queries=3), plan.degrees)
    assert found.decode[1, 5, 0] == pytest.approx(step.attention)
    assert found.tokens[:4].tolist() == [1, 2, 4, 6]
    policy = guessing(1.0, draft=plan)
    out = serve(plan, requests([0.0], [8], [7]), policy=policy)
    assert out.rounds.item() == 2
    assert out.energy_low <= out.energy <= out.energy_high
