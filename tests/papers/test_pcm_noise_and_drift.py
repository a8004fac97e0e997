"""papers/pcm-noise-and-drift: every target within its tolerance, and the figure draws."""

from paper_checks import *  # noqa: F403  # the checks of every paper


def test_low_conductances_drift_faster_and_less_alike(ds):
    assert float(ds.exponent.sel(g=0.1) / ds.exponent.sel(g=1.0)) > 1.2
    assert float(ds.exponent_spread.sel(g=0.1) / ds.exponent_spread.sel(g=1.0)) > 2.5


def test_figure_draws(make, ds):
    assert len(make.draw(ds).axes) == 3
