"""Do the books of a farm add up: money, joules, intervals, stages?"""

import farm_examples
import numpy as np
import pytest

from pimlab.farm.ledger import by_stage, counts, ledger, tokens
from pimlab.farm.planning import MWON, YEAR
from pimlab.farm.solving import solve


@pytest.fixture(scope="module")
def books():
    asked = farm_examples.question()
    built, found = solve(asked, gap=0.001, seconds=20)
    return asked, found, counts(asked, built, found)


def test_the_ledger_is_the_objective(books):
    asked, found, held = books
    assert ledger(asked, held).money.sum() / MWON == pytest.approx(found.objective, rel=1e-9)


def test_intervals_hold_the_nominal(books):
    asked, _, held = books
    low, mid, high = (ledger(asked, held, end).money.sum() for end in ("_low", "", "_high"))
    assert low < mid < high


def test_energy_of_requests_by_hand(books):
    asked, _, held = books
    joules = np.array([a.joules for a in asked.abilities])
    rate = np.array([100.0 if a.service == "vision" else 20.0 for a in asked.abilities])
    by_hand = (held.share.sum(axis=(1, 2)) * rate * joules).sum() * YEAR * asked.clouds[0].pue.value
    assert ledger(asked, held).dynamic.sum() == pytest.approx(by_hand)


def test_answers_are_tokens_and_inferences(books):
    asked, _, held = books
    assert tokens(asked, held).sum() == pytest.approx((100 * 1 + 20 * 10) * YEAR)
    assert by_stage(asked, tokens(asked, held))[1:].sum() == 0
