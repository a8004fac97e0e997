"""Is the bound an upper end, and exact where it can be counted by hand?"""

import pytest

from pimlab.cluster.placement.bound import covered, islands, upper_bound
from pimlab.cluster.placement.problem import LayerPlacement


def problem(rates, links=None, layers=4):
    names = list(rates)
    ends = dict.fromkeys(names, 1e4)
    every = {(a, b): 1e4 for a in names for b in names if a != b}
    return LayerPlacement(
        layers=layers, rates=rates, links=every if links is None else links, source=ends, sink=ends
    )


def test_equal_machines_share_the_layers():
    """Four layers on two machines of two layers each: what one of them takes."""
    held = {1: 40.0, 2: 20.0, 4: 8.0}
    assert upper_bound(problem({"a": held, "b": held})) == pytest.approx(20.0, rel=1e-6)
    assert covered(problem({"a": held, "b": held}), 20.0) == pytest.approx(4)


def test_machines_side_by_side_add_up():
    """Each holds all layers, so all of them take tokens."""
    held = {4: 8.0}
    assert upper_bound(problem({"a": held, "b": held, "c": held})) == pytest.approx(24.0, rel=1e-6)


def test_a_known_flow_that_cannot_be_raised_is_the_bound():
    held = {2: 20.0}
    found = upper_bound(problem({"a": held, "b": held}), known=20.0)
    assert found == pytest.approx(20.0, rel=1e-6)
    assert found >= 20.0


def test_slow_links_make_islands():
    cut = {("a", "b"): 50.0, ("b", "c"): 5.0}
    one = problem({key: {2: 20.0} for key in "abc"}, cut)
    assert sorted(islands(one, 10.0)) == [("a", "b"), ("c",)]
    assert islands(one, 5.0) == [("a", "b", "c")]
