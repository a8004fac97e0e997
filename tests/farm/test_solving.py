"""Does the solver in steps find what the whole program finds, and is its bound one?"""

import farm_examples
import pytest

from pimlab import farm
from pimlab.farm.planning import program
from pimlab.farm.program import NoSolution
from pimlab.farm.rules import Rules
from pimlab.farm.solving import solve


@pytest.mark.parametrize(
    "rules",
    [
        Rules(),
        Rules(vendors=2, clouds=2, operations="10 PFLOPS"),
        Rules(spare="rack", domestic=0.5, clouds=3, operations="20 PFLOPS"),
    ],
)
def test_the_steps_find_the_optimum_within_the_gap(rules):
    asked = farm_examples.question(rules, services=farm_examples.services(cloud_loss=0.5))
    exact = program(asked).solve(gap=0)
    _, found = solve(asked, gap=0.01, seconds=30)
    assert found.gap <= 0.01 + 1e-9
    assert found.objective <= exact.objective * 1.0101
    assert found.bound <= exact.objective * (1 + 1e-6)


def test_better_rules_never_cost_more():
    sizes = [
        solve(farm_examples.question(Rules(operations=f"{pf} PFLOPS")), gap=0, seconds=30)[
            1
        ].objective
        for pf in (1, 20, 60)
    ]
    assert sizes == sorted(sizes)


def test_no_farm_is_said_to_be_none():
    with pytest.raises(NoSolution) as missing:
        solve(farm_examples.question(Rules(budget="1 Mwon")), gap=0.01, seconds=10)
    assert missing.value.proved


def test_clouds_of_different_cost_are_merged_into_a_bound():
    dear = farm.Cloud(name="dear", power="200 kW", racks=10, pue=1.8)
    asked = farm_examples.question(Rules(clouds=2), clouds=(*farm_examples.clouds(1), dear))
    _, found = solve(asked, gap=0.001, seconds=30)
    exact = program(asked).solve(gap=0)
    assert found.bound <= exact.objective <= found.objective * (1 + 1e-6)
