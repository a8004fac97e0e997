"""papers/adc-envelope: every target within its tolerance, the findings hold, and the figure draws."""

from paper_checks import *  # noqa: F403  # the checks of every paper


def test_the_median_is_far_above_the_envelope(ds):
    ratio = ds.energy.sel(model="median") / ds.energy.sel(model="envelope")
    assert (ratio > 10).all()
    assert float(ds.isaac.sel(claim="as surveyed")) > float(ds.isaac.sel(claim="charged"))


def test_figure_draws(make, ds):
    assert "band" in make.draw(ds).axes[0].get_title()
