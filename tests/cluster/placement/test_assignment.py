"""Do machines stand where their links carry the flow?"""

import itertools

import numpy as np
import pytest

from pimlab.cluster.placement.assignment import Line, assigned, transported
from pimlab.cluster.placement.chains import chains, groups
from pimlab.cluster.placement.problem import LayerPlacement

RATES = {key: {1: 30.0} for key in "abcd"}


def test_what_givers_bring_to_takers_is_the_least_cut():
    links = {("a", "c"): 5.0, ("a", "d"): 9.0, ("b", "c"): 7.0}
    assert transported({"a": 10.0, "b": 10.0}, {"c": 10.0, "d": 20.0}, links) == 17.0
    assert transported({"a": 10.0}, {"c": 10.0}, links) == 5.0
    assert transported({"b": 10.0}, {"d": 10.0}, links) == 0.0


def problem(fast):
    """Four machines in a row: only one order has fast links."""
    links = {(a, b): 1.0 for a in "abcd" for b in "abcd" if a != b}
    links |= dict.fromkeys(itertools.pairwise(fast), 30.0)
    ends = dict.fromkeys("abcd", 30.0)
    return LayerPlacement(layers=4, rates=RATES, links=links, source=ends, sink=ends)


@pytest.mark.parametrize("fast", ["abcd", "dbca", "cadb"])
def test_the_one_fast_order_is_found(fast):
    one = problem(fast)
    chain = next(chains(one, 30.0))
    value, runs, flow = assigned(one, chain, groups(one, 30.0), 30.0, np.random.default_rng(0))
    assert value == pytest.approx(30.0)
    assert runs == {name: (layer, 1) for layer, name in enumerate(fast)}
    assert flow[fast[0], fast[1]] == pytest.approx(30.0)


def test_joints_add_up_to_what_is_wanted_where_links_suffice():
    one = problem("abcd")
    line = Line(one, next(chains(one, 1.0)), groups(one, 1.0), 1.0)
    joints = range(len(line.places) + 1)
    assert line.carried(joints) == pytest.approx(line.wanted)
