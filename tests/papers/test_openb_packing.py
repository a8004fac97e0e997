"""papers/openb-packing: allocation within one point of the published curves. Two policies here."""

from paper_checks import *  # noqa: F403  # the checks of every paper


def test_best_fit_is_within_half_a_point_everywhere(make, ds):
    assert float(make.worst(ds).sel(policy="best fit").max()) < 0.5


def test_the_random_policy_is_within_a_point_everywhere(make, ds):
    assert float(make.worst(ds).sel(policy="random").max()) < 1


def test_the_cluster_is_the_published_one(make):
    assert make.nodes().cards.sum() == 6212
    assert len(make.nodes().cpu) == 1213
    assert len(make.requests("default").cpu) == 8152


def test_the_figure_draws(make, ds):
    assert len(make.draw(ds).axes) == 2
