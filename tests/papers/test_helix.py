"""papers/helix: the published optima are met and proved, and no authors' placement lies above our bound."""

from paper_checks import *  # noqa: F403  # the checks of every paper


def test_every_placement_is_proved(ds):
    assert (ds.bound / ds.value - 1 < 1e-6).all()


def test_ours_is_never_below_the_published_placement(ds):
    assert (ds.value >= ds.published * (1 - 1e-9)).all()
    assert (ds.bound >= ds.value * (1 - 1e-12)).all()
    assert float(ds.value.sel(problem="llama30b_l4")) > 1.17 * float(
        ds.published.sel(problem="llama30b_l4")
    )


def test_the_figure_draws(make, ds):
    assert len(make.draw(ds).axes) == 1
