"""Does a farm say what stands where, why, and what other rules would do?"""

import farm_examples
import numpy as np
import pytest

import pimlab as pim
from pimlab import farm
from pimlab.farm.rules import Rules


@pytest.fixture(scope="module")
def plan():
    return pim.provision(
        farm_examples.services(), farm_examples.offers(), farm_examples.clouds(),
        Rules(vendors=2, clouds=2, operations="20 PFLOPS"),
        abilities=farm_examples.abilities(), baseline=(), seconds=20,
    )  # fmt: skip


def test_the_table_has_every_pool(plan):
    assert plan.table.cards.sum() == plan.answer.cards.sum()
    assert plan.table.bought.sum() == plan.answer.bought.sum()
    assert (plan.table.racks >= 1).all()


def test_sentences_say_who_serves_and_what_it_costs(plan):
    text = "\n".join(plan.why)
    assert "vision by" in text
    assert "chat by" in text
    assert "rests on assumed numbers" in text
    assert "the rule 'operations in 2025'" in text


def test_units_and_sources(plan):
    assert plan.answer.cost.attrs["units"] == "won"
    assert plan.answer.energy.attrs["units"] == "J"
    assert pim.cite(plan.answer)
    assert float(plan.answer.cost.sum()) == pytest.approx(plan.cost)
    assert float(plan.answer.operations[0]) >= 20e15
    assert float(plan.answer.peak_power.sum()) > 0


def test_a_shadow_price_is_near_what_solving_again_says(plan):
    price = plan.shadow["operations in 2025"]
    more = plan.instead(operations="30 PFLOPS")
    assert more.value - plan.value == pytest.approx(price * 1e6 * 10, rel=0.3)


def test_one_vendor_less_never_costs_more(plan):
    found = farm.changes(plan)
    slack = 0.011 * plan.value
    assert (found.difference.fillna(0) <= slack).all()
    assert np.isfinite(found.difference.sel(change="one vendor less"))


def test_changed_rules_are_refused_as_rules_are(plan):
    with pytest.raises(TypeError, match="did you mean 'vendors'"):
        plan.instead(vendor=1)
    with pytest.raises(farm.ContradictionError):
        plan.instead(budget="1 Mwon")


def test_it_reads_as_a_line(plan):
    assert "cards in 3 clouds" in repr(plan)
