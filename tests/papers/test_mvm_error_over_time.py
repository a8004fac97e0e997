"""papers/mvm-error-over-time: every target within its tolerance, the findings hold, and the figure draws."""

from paper_checks import *  # noqa: F403  # the checks of every paper


def test_only_drifting_cells_gain_from_compensation(ds):
    last = ds.error.isel(time=-1).mean("seed")
    gained = last.sel(compensation="global") / last.sel(compensation="none")
    assert (gained.sel(device=["pcm-joshi2020", "pcm-hermes-pair"]) < 0.6).all()
    assert 0.9 < gained.sel(device="sonos-agrawal2022") < 0.97
    assert gained.sel(device="reram-wan2022") > 0.95


def test_figure_draws(make, ds):
    assert "PCM" in make.draw(ds).axes[0].get_title()
