"""papers/hermes-operating-points: every target within its tolerance, the findings hold, and the figure draws."""

import pytest
from paper_checks import *  # noqa: F403  # the checks of every paper


def test_power_does_not_depend_on_the_mode(ds):
    assert float(ds.power[0] / ds.power[1]) == pytest.approx(1, abs=0.005)
    assert abs(float(ds.overhead_time)) < 5


def test_most_of_the_energy_has_no_published_split(ds):
    share = ds.energy.sel(bound="nominal", component="rest of the macro") / ds.energy.sel(
        bound="nominal"
    ).sum("component")
    assert share.values == pytest.approx([0.94, 0.90], abs=0.01)


def test_figure_draws(make, ds):
    assert "phase" in make.draw(ds).axes[0].get_title()
