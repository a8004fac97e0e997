"""Does a plan of different machines say its stages, its memory, its bound and what each would do?"""

import math

import pytest
from cluster_examples import SMALL, Clock
from mixed_examples import Looker, racks

import pimlab as pim


def plan(objective="latency", mixed=None, **other):
    given = {"batch": 4, "context": 64, **other}
    return pim.parallelise(SMALL, mixed or racks(2, 2), objective, **given)


@pytest.mark.parametrize("objective", ["latency", "throughput", "energy", "cost"])
def test_the_plan_is_within_its_bound(objective):
    one = plan(objective, racks(2, 1), batch=1 if objective == "cost" else 2)
    assert sum(len(stage.layers) for stage in one.stages) == SMALL.layers
    assert one.gap < 0.011
    assert (one.value <= one.bound) == (objective == "throughput") or one.gap < 1e-9
    rows = one.alternatives
    alone = rows[objective].where(rows.racks != "all", drop=True)
    best = float(alone.max() if objective == "throughput" else alone.min())
    assert one.value <= best * 1.011 or objective == "throughput"
    assert one.value >= best * 0.989 or objective != "throughput"
    assert one.joules_low <= one.joules <= one.joules_high


def test_two_racks_hold_what_one_cannot():
    mixed = racks(2, 2, held=100_000, other=Clock(name="slow", held=100_000))
    one = plan(mixed=mixed)
    assert set(one.chips) == {"clock", "slow"}
    assert all(count > 0 for count in one.chips.values())
    text = " ".join(one.why)
    assert "clock alone cannot hold the model" in text
    assert "the fullest memory" in text
    assert all(held.share <= 1 for stage in one.stages for held in stage.memory)


def test_attention_aside_is_told():
    mixed = racks(4, 4, other=Looker(name="looker", each=1e-6)).but(between=pim.link("nvlink4"))
    one = plan(mixed=mixed, context=128)
    assert "their attention on" in one.why[0]
    assert one.stages[0].aside == "looker"
    assert [held.machine for held in one.stages[0].memory] == ["clock", "looker"]


def test_what_does_not_fit_is_refused_by_how_much():
    tiny = racks(1, 1, held=9_000, other=Clock(name="slow", held=9_000))
    with pytest.raises(ValueError, match=r"on 1 clock and 1 slow: they hold 0 of 6 layers"):
        plan(mixed=tiny)
    with pytest.raises(ValueError, match="no plan takes a step"):
        plan(within=1e-9)
    with pytest.raises(ValueError, match="needs the price of a chip"):
        plan("cost", mixed=racks(price=None))


def test_a_rack_without_a_price_costs_nan():
    assert math.isnan(plan(mixed=racks(price=None)).cost)
