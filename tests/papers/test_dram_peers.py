"""papers/dram-peers: the cycles of the tool are met, and the figure draws."""

from paper_checks import *  # noqa: F403  # the checks of every paper


def test_nearly_all_streams_are_within_two_percent(make, ds):
    cycles = ds.isel(row=(ds.tool == "Ramulator2").values)
    assert int((abs(cycles.ours / cycles.published - 1) <= 0.02).sum()) >= 49
    assert len(make.draw(ds).axes) == 1
