"""Do chains of stages carry the wanted flow through every layer?"""

import math
from itertools import pairwise

import pytest

from pimlab.cluster.placement.chains import chains, groups, stages
from pimlab.cluster.placement.problem import LayerPlacement

HELD = {1: 40.0, 2: 20.0}


def problem(names, links, layers):
    ends = dict.fromkeys(names, 1e4)
    return LayerPlacement(
        layers=layers, rates=dict.fromkeys(names, HELD), links=links, source=ends, sink=ends
    )


def everyone(names, rate=1e4):
    return {(a, b): rate for a in names for b in names if a != b}


def test_groups_are_kinds_of_an_island():
    cut = {("a", "b"): 1e4, ("c", "d"): 1e4}
    parts = groups(problem("abcd", cut, 4), 10.0)
    assert [(part.island, part.names) for part in parts] == [(0, ("a", "b")), (1, ("c", "d"))]


def test_smallest_stages_that_take_the_flow():
    """30 tokens/s: one machine with a layer, or two side by side with two."""
    parts = groups(problem("abc", everyone("abc"), 4), 30.0)
    found = sorted((one.layers, one.width) for one in stages(parts, 30.0))
    assert found == [(1, 1), (2, 2)]
    assert {one.width for one in stages(parts, 30.0, width=2)} == {2}


def test_a_chain_holds_every_layer_and_no_machine_twice():
    one = problem("abcd", everyone("abcd"), 5)
    for flow in (20.0, 30.0):
        found = list(chains(one, flow))
        for chain in found:
            assert sum(stage.layers for stage in chain.stages) == 5 + chain.spare
            assert sum(stage.width for stage in chain.stages) <= 4
        assert bool(found) == (flow == 20.0)


def test_a_crossing_needs_machines_side_by_side():
    """Two islands, joined by links of 10: 20 tokens/s cross over two links."""
    inside = everyone("abc") | everyone("def")
    between = {(a, b): 10.0 for a in "abc" for b in "def"}
    found = list(chains(problem("abcdef", inside | between, 8), 20.0))
    assert found
    for chain in found:
        crossing = [a.width * b.width for a, b in pairwise(chain.stages) if a.island != b.island]
        assert crossing
        assert min(crossing) >= 2


@pytest.mark.parametrize("layers", [9, 100])
def test_too_many_layers_have_no_chain(layers):
    assert not list(chains(problem("abcd", everyone("abcd"), layers), 20.0))


def test_a_limit_of_slow_links_widens_a_stage():
    parts = groups(problem("abcd", everyone("abcd"), 4), 20.0)
    assert min(one.width for one in stages(parts, 20.0, 10.0)) == 2
    assert min(one.width for one in stages(parts, 20.0, math.inf)) == 1
