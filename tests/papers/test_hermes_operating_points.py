"""papers/hermes-operating-points: every target within its tolerance, the findings hold, and the figure draws."""

import pytest
from paper_checks import *  # noqa: F403  # the checks of every paper


def test_power_does_not_depend_on_the_mode(ds):
    assert float(ds.power[0] / ds.power[1]) == pytest.approx(1, abs=0.005)
    assert abs(float(ds.overhead_time)) < 5


def test_all_but_cells_follows_the_time_of_a_read(ds):
    """So constants that meet one point meet the other."""
    ratio = ds.energy.sel(bound="nominal").isel(mode=0) / ds.energy.sel(bound="nominal").isel(
        mode=1
    )
    assert ratio.sel(component=["ADC", "DAC", "rest of the macro"]).values == pytest.approx(4)


def test_figure_draws(make, ds):
    assert "phase" in make.draw(ds).axes[0].get_title()
