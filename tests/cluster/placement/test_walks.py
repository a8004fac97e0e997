"""Is a walk over neighbourhoods one that the links allow, and the longest that they allow?"""

import numpy as np
import pytest

from pimlab.cluster.placement import LayerPlacement, maximum_flow, solve
from pimlab.cluster.placement.assignment import Line
from pimlab.cluster.placement.walks import END, START, neighbourhoods, steps, walk

RATES = {1: 10.0, 2: 5.0}


def spokes(hubs=3, leaves=6, layers=7, source=("h0",), sink=("h1",)):
    """Hubs that are joined to every machine, and leaves that are joined to the hubs alone."""
    names = [f"h{i}" for i in range(hubs)] + [f"l{i}" for i in range(leaves)]
    links = {(a, b): 100.0 for a in names for b in names if a != b and "h" in (a + b)}
    return LayerPlacement(
        layers=layers,
        rates=dict.fromkeys(names, RATES),
        links=links,
        source=dict.fromkeys(source, 100.0),
        sink=dict.fromkeys(sink, 100.0),
    )


def test_machines_with_the_same_links_are_one_neighbourhood():
    homes = neighbourhoods(spokes(), 10.0)
    assert homes == [("h0",), ("h1",), ("h2",), tuple(f"l{i}" for i in range(6))]
    ways = set(steps(spokes(), 10.0, homes))
    assert {(START, 0), (1, END), (0, 3), (3, 1)} <= ways
    assert not {(3, 3), (START, 3), (0, 0)} & ways
    assert not steps(spokes(), 101.0, homes)


def test_leaves_stand_side_by_side_because_no_two_may_follow_each_other():
    """Three hubs and two stages of leaves between them: five stages. At 10 tokens/s a hub holds one
    layer, three leaves hold two layers at 5 each where two are enough: 3 + 2 x 2 = 7 layers.
    """
    problem = spokes()
    chain, parts = walk(problem, 10.0)
    assert [stage.layers for stage in chain.stages] == [1, 2, 1, 2, 1]
    assert [stage.width for stage in chain.stages] == [1, 2, 1, 2, 1]
    runs = Line(problem, chain, parts, 10.0).runs()
    assert maximum_flow(problem, runs)[0] == pytest.approx(10)
    assert walk(spokes(layers=8), 10.0) is None


def test_visits_that_the_source_does_not_reach_are_cut_off():
    """Two pairs of hubs, of which only one is joined to source and sink: its machines alone count."""
    rates = {name: {1: 10.0} for name in "abcd"}
    links = {("a", "b"): 50.0, ("b", "a"): 50.0, ("c", "d"): 50.0, ("d", "c"): 50.0}
    ends = {"a": 50.0, "b": 50.0}
    both = LayerPlacement(layers=2, rates=rates, links=links, source=ends, sink=ends)
    chain, _ = walk(both, 10.0)
    assert len(chain.stages) == 2
    assert walk(both.but(layers=3), 10.0) is None


def test_a_sparse_cluster_is_placed_at_once():
    rng = np.random.default_rng(1)
    names = [str(i) for i in range(20)]
    kinds = [{n: float(rate / n) for n in range(1, 5)} for rate in (40.0, 60.0, 90.0)]
    hubs = names[:7]
    links = {(a, b): 1e3 for a in names for b in names if a != b and (a in hubs or b in hubs)}
    problem = LayerPlacement(
        layers=30,
        rates={name: kinds[rng.integers(3)] for name in names},
        links=links,
        source=dict.fromkeys(names[5:10], 1e3),
        sink=dict.fromkeys(names[5:10], 1e3),
    )
    found = solve(problem, limit=0.0)
    assert found.value > 0.8 * found.bound
    assert maximum_flow(problem, found.runs)[0] == pytest.approx(found.value)
