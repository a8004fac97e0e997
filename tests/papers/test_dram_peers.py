"""papers/dram-peers: the cycles of the tool are met, and the figure draws."""

from paper_checks import *  # noqa: F403  # the checks of every paper


def test_all_streams_are_within_two_percent(make, ds):
    cycles = ds.isel(row=(ds.tool == "Ramulator2").values)
    assert cycles.sizes["row"] == 50
    assert (abs(cycles.ours / cycles.published - 1) <= 0.02).all()
    assert len(make.draw(ds).axes) == 1


def test_tables_kept_back_change_their_family(make):
    slow, fast = make.table("ddr5-3200c"), make.table("ddr5-6400an")
    assert (slow.tCCDLW, fast.tCCDLW) == (32, 64)
    assert slow.act_cycles == fast.act_cycles == 2
    assert make.table("lpddr5-16gb").tRFC > make.table("lpddr5").tRFC
