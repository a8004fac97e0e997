"""papers/isaac-honest-adc: every target within its tolerance, the findings hold, and the figure draws."""

import pytest
from paper_checks import *  # noqa: F403  # the checks of every paper


def test_the_converter_is_most_of_the_tile(ds):
    charged = ds.power.sel(converter="charged")
    assert float(charged.sel(part="ADC") / charged.sum()) == pytest.approx(0.684, abs=0.002)
    assert ds.efficiency.sel(converter=["charged", "as surveyed"]).values == pytest.approx(
        [0.876, 0.643], abs=0.002
    )


def test_missing_bits_cost_half_of_the_precision_each(make, ds):
    assert ds.error.values == pytest.approx(sorted(ds.error.values, reverse=True))
    assert float(ds.error[0] / ds.error[1]) == pytest.approx(2, rel=0.1)
    assert float(ds.error.sel(enob=ds.surveyed_enob)) == pytest.approx(0.14, abs=0.015)
    assert make.noise_of(float(ds.surveyed_enob)) == pytest.approx(0.94, abs=0.01)


def test_figure_draws(make, ds):
    assert "12 times" in make.draw(ds).axes[0].get_title()
