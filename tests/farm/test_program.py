"""Does a program find the optimum, its shadow prices, and the rules that contradict each other?"""

import numpy as np
import pytest

from pimlab.farm.program import NoSolution, Program


def knapsack(least=2.5, most=10.0):
    """Least cost 3 x + 2 y with x + y >= least, x >= 1 and y <= most; whole numbers."""
    program = Program()
    x = program.variable("x", cost=3.0, integer=True, upper=20)
    y = program.variable("y", cost=2.0, integer=True, upper=20)
    program.row([(x, 1.0), (y, 1.0)], low=least, rule="enough")
    program.row([(x, 4.0)], low=4.0, rule="some x")
    program.row([(y, 1.0)], high=most, rule="little y")
    return program


def test_whole_and_fractional_optimum_by_hand():
    program = knapsack()
    assert program.solve(gap=0).objective == 7  # x = 1, y = 2
    assert program.solve(gap=0, whole=False).objective == 6  # y = 1.5
    assert program.solve(gap=0).gap == 0


def test_shadow_prices_by_hand():
    prices = knapsack().shadow_prices()
    assert prices["enough"] == pytest.approx(2)  # one more unit is one more y
    assert prices["some x"] == pytest.approx(0.25)  # a unit of 4 x: one x instead of one y
    assert prices.get("little y", 0) == pytest.approx(0)
    tight = knapsack(most=1.0).shadow_prices()
    assert tight["little y"] == pytest.approx(-1)


def test_terms_of_one_variable_add_up_and_zeros_go():
    program = Program()
    x, y = program.variable("x", cost=1.0), program.variable("y", cost=1.0)
    program.row([(x, 1.0), (x, 1.0), (y, 2.0), (y, -2.0)], low=4.0)
    assert program.rows[0].coefficients == {x: 1.0}
    assert program.solve().values[x] == pytest.approx(2)


def test_an_irreducible_set_leaves_out_what_is_not_needed():
    program = knapsack()
    program.row([(program.index["x",], 1.0)], high=0.5, rule="no x")
    with pytest.raises(NoSolution):
        program.solve()
    assert program.conflict() == ("some x", "no x")
    assert knapsack().conflict() == ()


def test_a_conflict_of_whole_numbers_only():
    program = Program()
    x = program.variable("x", integer=True, upper=5)
    program.row([(x, 1.0)], low=1.2, rule="above")
    program.row([(x, 1.0)], high=1.8, rule="below")
    program.row([(x, 1.0)], high=4.0, rule="other")
    assert program.solve(whole=False).values[x] >= 1.2 - 1e-9
    assert program.conflict() == ("above", "below")


def test_rules_can_be_left_out():
    program = knapsack()
    assert program.solve(rules=["some x"], gap=0).objective == 3
    assert program.rules == ("enough", "some x", "little y")
    assert np.isfinite(program.solve(rules=[]).objective)


def test_the_most_of_what_is_asked_by_hand():
    program = knapsack(least=40.0)  # 20 x and 10 y are 30 of 40
    with pytest.raises(NoSolution):
        program.solve()
    before = len(program.costs), list(program.rows)
    assert program.most(["enough"]) == pytest.approx(0.75)
    assert (len(program.costs), program.rows) == before


def test_bounds_narrow_to_what_fractions_allow():
    program = knapsack()  # x >= 1, y <= 10, x + y >= 2.5, each up to 20
    program.row(enumerate(program.costs), high=12.0)  # 3 x + 2 y
    program.tighten([0, 1], seconds=10)
    assert (program.lower, program.upper) == ([1, 0], [4, 4])  # 3 + 2 y <= 12 lets y be 4.5
    assert program.solve(gap=0).objective == 7
    program.upper[1] = 0.0
    program.row([(0, 1.0)], high=1.0)
    with pytest.raises(NoSolution):
        program.tighten([0], seconds=10)
    assert program.costs == [3.0, 2.0]
