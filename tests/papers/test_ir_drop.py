"""papers/ir-drop: every target within its tolerance, and the figure draws."""

from paper_checks import *  # noqa: F403  # the checks of every paper


def test_law_holds_while_the_loss_is_below_1_percent(ds):
    small = ds.ratio.where(ds.law < 0.01)
    assert float(abs(small - 1).max()) < 0.01


def test_figure_draws(make, ds):
    left, right = make.draw(ds).axes
    assert "r G" in left.get_title()
    assert right.get_ylabel() == "exact / first order"
