"""papers/neurram-efficiency: every target within its tolerance, held-out misses as the README says, and the figure draws."""

import numpy as np
import pytest
from paper_checks import *  # noqa: F403  # the checks of every paper


def test_constants_come_from_four_points_only(make):
    for quantity in ("throughput", *make.PARTS_OF_A_READ):
        assert len(make._fitted(quantity)) == 4


@pytest.mark.parametrize(
    ("quantity", "largest", "mean"), [("throughput", 0.022, 0.016), ("efficiency", 0.098, 0.048)]
)
def test_held_out_misses_are_those_of_the_readme(make, ds, targets, quantity, largest, mean):
    rows = {}
    for row in targets:
        if row.quantity == quantity and row.role == "held-out":
            inputs, outputs, mode = make.condition(row.condition)
            rows[inputs, outputs, mode if inputs > 4 else ""] = row
    misses = np.array([abs(make.found(ds, row) / row.value - 1) for row in rows.values()])
    assert len(misses) == 6
    assert misses.max() == pytest.approx(largest, abs=0.001)
    assert misses.mean() == pytest.approx(mean, abs=0.003)


def test_counts_by_hand(make):
    assert make.counts((8, 10, "two-phase")) == {
        "bits": 7,
        "integrations": 15 + 7,
        "ADC steps": 10 + 6,
        "phases": 2,
    }
    assert make.counts((6, 8, "one-phase")) == {
        "bits": 5,
        "integrations": 31,
        "ADC steps": 8,
        "phases": 1,
    }


def test_figure_draws(make, ds):
    assert len(make.draw(ds).axes) == 3
