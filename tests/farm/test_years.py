"""Do the stages' shares follow from the plan, and the ranges from the assumed numbers?"""

import farm_examples
import numpy as np
import pytest

from pimlab import farm
from pimlab.farm.rules import Period, Rules
from pimlab.farm.years import CARRIED


def study(**rules):
    stage2 = farm.offer("atom-aim").but(year=2026)
    more = [
        a.but(offer="atom-aim", rate=a.rate * 3)
        for a in farm_examples.abilities()
        if a.offer == "atom"
    ]
    periods = [
        Period(name=str(y), start=y, end=y, rules=Rules(spare="none", **rules))
        for y in (2025, 2026)
    ]
    growing = [s.but(growth=1.0) for s in farm_examples.services()]
    return farm.roadmap(
        growing, [*farm_examples.offers(), stage2], farm_examples.clouds(1), periods,
        abilities=[*farm_examples.abilities(), *more],
    )  # fmt: skip


@pytest.fixture(scope="module")
def found():
    return study()


def test_shares_add_up_and_lie_in_their_intervals(found):
    np.testing.assert_allclose(found.share.sum("stage"), 1)
    assert (found.share_low <= found.share).all()
    assert (found.share <= found.share_high).all()
    assert found.carried.values.tolist() == list(CARRIED)


def test_a_stage_enters_in_its_year(found):
    assert float(found.share.sel(stage=2, period="2025").max()) == 0
    assert float(found.share.sel(stage=2, period="2026", carried="answers")) > 0


def test_answers_are_the_demand_whatever_the_prices(found):
    answers = found.sel(carried="answers")
    np.testing.assert_allclose(answers.total, [x * (100 + 200) * 31557600 for x in (1, 2)])
    assert (found.spent.sel(end="low") <= found.spent.sel(end="high") + 1e-6).all()


def test_a_higher_price_costs_more(found):
    nominal = float(found.total.sel(carried="cost").sum())
    price = found.spent.sel(assumption="price of stage 1")
    assert price.sel(end="low") < nominal < price.sel(end="high")


def test_rules_that_cannot_be_kept_are_named():
    with pytest.raises(farm.ContradictionError, match="budget of 2026"):
        study(budget="1 Mwon")
