"""papers/pim-simulators: targets are met at the quick size, and the figure draws."""

from paper_checks import *  # noqa: F403  # the checks of every paper


def test_by_jedecs_rules_no_run_is_a_percent_shorter(make, ds):
    assert (ds.right >= 0.99 * ds.published).all()
    assert len(make.draw(ds).axes) == 1
