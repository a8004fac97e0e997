"""Is a placement problem that cannot be refused by name?"""

import math

import pytest

from pimlab.cluster.placement.problem import LayerPlacement, Placed

GOOD = {
    "layers": 3,
    "rates": {"a": {1: 30.0, 2: 15.0}, "b": {1: 30.0, 2: 15.0}, "c": {3: 5.0}},
    "links": {("a", "b"): 10.0},
    "source": {"a": 99.0},
    "sink": {"b": 99.0},
}


def test_machines_of_one_kind_are_interchangeable():
    kinds = LayerPlacement(**GOOD).kinds
    assert sorted(kinds.values()) == [("a", "b"), ("c",)]


@pytest.mark.parametrize(("run", "whole", "partial"), [((1, 2), True, True), ((0, 2), False, True)])
def test_where_tokens_may_enter(run, whole, partial):
    """Behind layer 0: at the beginning of a run, or with partial inference at any layer of it."""
    problem = LayerPlacement(**GOOD)
    assert problem.follows((0, 1), run) == whole
    assert problem.but(partial=True).follows((0, 1), run) == partial


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rates": {}}, "names no machine"),
        ({"rates": GOOD["rates"] | {"c": {}}}, "machine 'c' holds no number of layers"),
        ({"rates": GOOD["rates"] | {"c": {1: -1.0}}}, "'c' with 1 layers at -1.0"),
        ({"rates": GOOD["rates"] | {"c": {0: 1.0}}}, "'c' with 0 layers"),
        ({"source": {}}, "no machine is joined to it"),
        ({"sink": {"d": 1.0}}, "sink: machine 'd' is not there"),
        ({"links": {("a", "b"): math.inf}}, "link a to b has capacity inf"),
        ({"layers": 0}, "layers=0"),
    ],
)
def test_what_cannot_be(wrong, message):
    with pytest.raises(ValueError, match=message):
        LayerPlacement(**{**GOOD, **wrong})


def test_the_gap_is_relative_to_the_value():
    assert Placed(80.0, 100.0, {}, {}, 0.0).gap == pytest.approx(0.25)
    assert Placed(0.0, 100.0, {}, {}, 0.0).gap == math.inf
