"""papers/macro-energy: every target within its tolerance, the findings hold, and the figure draws."""

import numpy as np
import pytest
from paper_checks import *  # noqa: F403  # the checks of every paper


def test_one_constant_a_voltage_curve_and_three_for_the_values(ds):
    fitted = {
        str(name): int(ds.fitted.values[ds.series.values == name].sum())
        for name in np.unique(ds.series)
    }
    assert fitted.pop("sinangil2021 output") == 3
    assert set(fitted.values()) == {1}


def test_one_energy_for_all_values_is_far_off(ds):
    outputs = ds.isel(point=np.flatnonzero(ds.series == "sinangil2021 output"))
    assert float(outputs.published.max() / outputs.published.min()) == pytest.approx(2.32, abs=0.01)
    assert float(ds.fixed / outputs.published.min()) == pytest.approx(1.72, abs=0.01)


def test_counts_by_hand(make):
    assert make.counts(0) == {"access": 1, "active access": 0, "unit of output": 0}
    assert make.counts(7.5) == {"access": 1, "active access": 1, "unit of output": 7.5}


def test_figure_draws(make, ds):
    assert "2.3 times" in make.draw(ds).axes[0].get_title()
