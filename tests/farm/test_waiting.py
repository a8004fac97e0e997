"""Is the wait in an M/D/1 queue what theory and a simulation say?"""

import itertools

import numpy as np
import pytest

from pimlab.farm.waiting import LONG, exceeds, most_utilisation


def test_short_waits_by_hand():
    assert exceeds(0, 0.6) == pytest.approx(0.6)
    assert exceeds(0.5, 0.6) == pytest.approx(1 - 0.4 * np.exp(0.3))
    by_hand = 1 - 0.4 * (np.exp(0.6 * 1.5) - 0.6 * 0.5 * np.exp(0.6 * 0.5))
    assert exceeds(1.5, 0.6) == pytest.approx(by_hand)


def test_a_queue_that_is_simulated():
    gaps = np.random.default_rng(1).exponential(1 / 0.8, 400_000)
    walk = np.concatenate([[0], np.cumsum(1 - gaps)])
    waits = walk - np.minimum.accumulate(walk)
    for wait in (0.5, 2, 6, 12):
        assert (waits > wait).mean() == pytest.approx(exceeds(wait, 0.8), abs=0.01)


@pytest.mark.parametrize("utilisation", [0.1, 0.5, 0.9, 0.99])
def test_both_formulas_meet(utilisation):
    before, after = exceeds(LONG - 1e-9, utilisation), exceeds(LONG, utilisation)
    assert after == pytest.approx(before, rel=1e-4, abs=1e-14)


def test_longer_waits_and_idle_machines_are_rarer():
    chances = [exceeds(wait, 0.7) for wait in np.linspace(0, 30, 61)]
    assert all(a > b for a, b in itertools.pairwise(chances))
    assert exceeds(3, 0.0) == 0


def test_most_utilisation_is_where_one_in_a_hundred_waits_too_long():
    for wait in (0.0, 0.4, 3.0, 20.0):
        found = most_utilisation(wait)
        assert exceeds(wait, found) == pytest.approx(0.01, rel=1e-6)
    assert most_utilisation(-0.1) == 0
    assert most_utilisation(1e6, most=0.9) == 0.9
