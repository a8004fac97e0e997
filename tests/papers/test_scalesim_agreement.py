"""papers/scalesim-agreement: every count equals the tool's, and the figure draws."""

from paper_checks import *  # noqa: F403  # the checks of every paper


def test_every_count_equals_the_tools(make, ds, targets):
    assert len(targets) == ds.same.size == 588
    assert all(row.tolerance == 0 for row in targets)
    assert (ds.corrected >= 1).all()
    assert len(make.draw(ds).axes) == 1
