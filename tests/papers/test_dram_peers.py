"""papers/dram-peers: the cycles of the tool are met, and the figure draws."""

from paper_checks import *  # noqa: F403  # the checks of every paper


def test_nearly_all_streams_are_within_two_percent(make, ds):
    assert int((abs(ds.ours / ds.published - 1) <= 0.02).sum()) >= 48
    assert len(make.draw(ds).axes) == 1
