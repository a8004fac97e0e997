"""Does a parallel plan say what it costs and why?"""

import math

import pytest
from cluster_examples import SMALL, cluster

import pimlab as pim
from pimlab.cluster.plans import shown


@pytest.fixture(scope="module")
def plan():
    return pim.parallelise(SMALL, cluster(4, price=3.6), batch=4, context=64)


def test_what_follows_from_the_step(plan):
    assert plan.latency == plan.step.seconds
    assert plan.throughput == pytest.approx(4 / plan.latency)
    assert plan.energy == pytest.approx(plan.step.joules / 4)
    assert plan.cost == pytest.approx(3.6 * plan.degrees.chips * plan.latency / 3600 / 4)
    assert plan.value == plan.latency


def test_layers_of_the_stages_follow_each_other(plan):
    layers = [layer for part, _ in plan.stages for layer in part]
    assert layers == list(range(SMALL.layers))
    assert all(len(chips) == plan.degrees.tensor for _, chips in plan.stages)


def test_the_same_step_again_and_another_batch(plan):
    assert plan.at().seconds == pytest.approx(plan.latency)
    assert plan.at(batch=1).seconds <= plan.latency
    assert plan.at(context=8).seconds <= plan.latency


def test_reasons_name_bound_shares_and_others(plan):
    first, shares, *rest = plan.why
    assert str(plan.degrees) in first
    assert "computing" in shares
    assert any("instead of" in line or "no plan with another" in line for line in rest)


def test_no_price_no_cost():
    assert math.isnan(pim.parallelise(SMALL, cluster(2), batch=1, context=16).cost)


def test_numbers_are_shown_with_their_unit():
    assert shown(12.5, "1/s") == "12.5 tokens a second"
    assert shown(2e-3, "s") == "2 ms"
    assert shown(0.25, "1") == "0.25"
