"""papers/neupims: what working at once gains, and for which batches."""

from paper_checks import *  # noqa: F403  # the checks of every paper


def test_large_batches_gain_and_small_ones_do_not(ds):
    turns = ds.latency.sel(way="npu and banks in turn")
    at_once = ds.latency.sel(way="npu and banks at once")
    gain = turns / at_once
    assert (gain.diff("batch") > 0).all()
    assert float(gain.sel(batch=32)) < 1 < float(gain.sel(batch=512))


def test_banks_attend_faster_than_the_arrays(make):
    for batch in make.BATCHES:
        assert make.in_banks(batch) < make.on_npu(batch)


def test_the_figure_draws(make, ds):
    assert len(make.draw(ds).axes) == 1
