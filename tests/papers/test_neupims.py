"""papers/neupims: what working at once gains, and for which batches."""

import pytest
from paper_checks import *  # noqa: F403  # the checks of every paper


def test_large_batches_gain_and_small_ones_do_not(ds):
    one = ds.latency.sel(model="gpt3-13b", data="ShareGPT")
    gain = one.sel(way="npu and banks in turn") / one.sel(way="npu and banks at once")
    assert (gain.diff("batch") > -0.01).all()
    assert float(gain.sel(batch=64)) < 1 < float(gain.sel(batch=512))


def test_banks_attend_faster_than_the_arrays_where_requests_are_long(make):
    for model in make.MODELS.values():
        for batch in make.BATCHES:
            assert make.in_banks(model, 300, batch) < make.on_npu(model, 300, batch)


def test_tiles_of_weights_follow_each_other_in_the_arrays(make):
    # 256 tiles in eight arrays: 32 rounds of 512 rows, and 255 cycles until the last sum leaves
    assert make.product(512, 2048, 2048) == pytest.approx((32 * 512 + 255) * 1e-9)


def test_the_figure_draws(make, ds):
    assert len(make.draw(ds).axes) == 1
