"""Do prefill and decoding add up, together and apart, and is the best pair of all kept?"""

import itertools
import math

import pytest
from cluster_examples import LINK, SMALL, Clock, cluster

import pimlab as pim
from pimlab.cluster import RequestPlan, Requests
from pimlab.cluster.requests import Planner, free, undominated

GIVEN = {"batch": 4, "context": 96, "output": 32, "phase": "both"}


def plan(rack=None, objective="latency", **other):
    return pim.parallelise(SMALL, rack or cluster(6), objective, **{**GIVEN, **other})


def test_together_on_one_chip_is_the_sum_of_its_steps():
    one = plan(cluster(1))
    assert isinstance(one, RequestPlan)
    assert one.arrangement == "together"
    prompt = pim.parallelise(
        SMALL, cluster(1), batch=one.prefill.sequences, context=64, phase="prefill"
    )
    token = pim.parallelise(SMALL, cluster(1), batch=4, context=80)
    seconds = one.prefill.passes * prompt.latency + 32 * token.latency
    assert one.latency == one.interval == pytest.approx(seconds)
    joules = one.prefill.passes * prompt.step.joules + 32 * token.step.joules
    assert one.joules.nominal == pytest.approx(joules)
    assert one.transfer == one.gap == 0


def test_apart_the_longest_phase_sets_the_interval():
    one = plan(arrangement="apart", objective="throughput")
    parts = one.prefill.seconds, one.transfer, one.decode.seconds
    assert one.interval == max(parts)
    assert one.latency == pytest.approx(sum(parts))
    assert one.prefill.degrees.chips + one.decode.degrees.chips <= 6
    links = min(one.prefill.degrees.chips, one.decode.degrees.chips)
    bytes_held = SMALL.kv_bytes(64, 4, 2.0)
    assert one.transfer == pytest.approx(LINK.seconds(bytes_held / links))
    chips = one.prefill.degrees.chips + one.decode.degrees.chips
    dynamic = one.prefill.dynamic + one.decode.dynamic
    link = 8 * bytes_held * LINK.bit.value
    assert one.joules.nominal == pytest.approx(dynamic + link + chips * one.interval)


@pytest.mark.parametrize("objective", ["latency", "throughput", "energy", "cost"])
def test_no_pair_of_sides_is_better(objective):
    rack = cluster(4, price=2.0)
    best = plan(rack, objective)
    planner = Planner(SMALL, rack, Requests(4, 64, 32))
    first, second = planner.sides("prefill"), planner.sides("decode")
    sign = -1 if objective == "throughput" else 1
    least = math.inf
    for one, two in itertools.product(first, second):
        if one.degrees.chips + two.degrees.chips <= 4:
            priced = planner.priced(one, two, True)
            least = min(least, sign * priced.value(rack, objective, 128))
    for one, two in planner.together(first, second):
        least = min(least, sign * planner.priced(one, two, False).value(rack, objective, 128))
    assert sign * best.value == pytest.approx(least)
    assert sign * best.bound <= sign * best.value
    assert best.value == pytest.approx(float(best.alternatives[objective][0]))


def test_undominated_sides_keep_the_fastest_and_the_most_frugal():
    sides = Planner(SMALL, cluster(4), Requests(4, 64, 32)).sides("decode")
    kept = undominated(sides)
    assert min(s.seconds for s in kept) == min(s.seconds for s in sides)
    assert min(s.dynamic for s in kept) == min(s.dynamic for s in sides)
    assert len(kept) < len(sides)


def test_racks_of_two_kinds_share_the_phases():
    slow = Clock(name="slow", each=1e-8)
    mixed = cluster(2).but(beside=[pim.Cluster(chip=slow, chips=2, link=LINK)], between=LINK)
    one = plan(mixed, "throughput", output=8)
    names = {mixed.racks[side.rack].chip.name for side in (one.prefill, one.decode)}
    assert names == {"clock", "slow"}
    assert one.throughput > plan(cluster(2), "throughput", output=8).throughput
    text = " ".join(one.why)
    assert "times as bad" in text
    assert "sets the interval" in text
    assert free(mixed).beside[0].link.bandwidth == 1e30


def test_bad_requests_are_refused_by_name():
    for given, text in (
        ({"output": 96}, "output=96 is outside 1..95"),
        ({"output": 0}, "output=0 is outside"),
        ({"arrangement": "appart"}, "did you mean 'apart'"),
        ({"within": "1 ns"}, "no plan answers a batch"),
        ({"context": 129}, "context=129 is outside 1..128"),
        ({"phase": "decode"}, "belong to phase='both'"),
    ):
        with pytest.raises(ValueError, match=text):
            plan(**given)
    with pytest.raises(TypeError, match="phase='both' needs output="):
        plan(output=None)
    with pytest.raises(TypeError, match="tensor cannot be kept"):
        plan(tensor=2)
    with pytest.raises(ValueError, match="does not fit on 2 clock"):
        plan(cluster(2, machine=Clock(held=20_000)))
    with pytest.raises(ValueError, match="arrangement='apart'"):
        plan(cluster(1), arrangement="apart")
