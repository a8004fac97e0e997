"""Does the search stop at a proved optimum, and refuse what no machines can hold?"""

import pytest

from pimlab.cluster.placement.problem import LayerPlacement
from pimlab.cluster.placement.solve import PROVED, solve

ENDS = dict.fromkeys("ab", 1e3)
TWO = LayerPlacement(
    layers=4,
    rates={key: {1: 40.0, 2: 20.0} for key in "ab"},
    links={("a", "b"): 1e3, ("b", "a"): 1e3},
    source=ENDS,
    sink=ENDS,
)


def test_two_machines_by_hand():
    answer = solve(TWO)
    assert answer.value == pytest.approx(20.0)
    assert answer.gap < PROVED
    assert sorted(answer.runs.values()) == [(0, 2), (2, 2)]


def test_a_slow_link_bounds_the_flow():
    answer = solve(TWO.but(links={("a", "b"): 3.0}), limit=0.5)
    assert answer.value == pytest.approx(3.0)
    assert answer.runs == {"a": (0, 2), "b": (2, 2)}


def test_machines_that_are_too_small_say_by_how_much():
    with pytest.raises(ValueError, match="hold 4 layers at most, the model has 6: 2 too few"):
        solve(TWO.but(layers=6))


@pytest.mark.parametrize("name", ["gap", "limit"])
def test_settings_are_not_negative(name):
    with pytest.raises(ValueError, match=f"solve {name}=-1"):
        solve(TWO, **{name: -1.0})
