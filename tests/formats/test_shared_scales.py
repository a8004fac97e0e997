"""Blocks and groups whose scale is a number of its own: rules written out with ml_dtypes, tables recomputed."""

import ml_dtypes
import numpy as np
import pytest
from scipy.special import ndtri

from pimlab import formats
from pimlab.formats.shared_scales import NF4


def _weights(rows=40, columns=200):
    rng = np.random.default_rng(11)
    return (rng.standard_normal((rows, columns)) * 10.0 ** rng.uniform(-2, 2, (rows, 1))).astype(
        np.float32
    )


def _blocks(x, size):
    return [(i, slice(j, j + size)) for i in range(len(x)) for j in range(0, x.shape[1], size)]


def test_nvfp4_is_two_levels_of_scales():
    x, wanted = _weights(), np.empty((40, 200), np.float32)
    tensor = np.float32(np.abs(x).max() / (6.0 * 448.0))
    for i, span in _blocks(x, 16):
        peak = np.abs(x[i, span]).max()
        scale = np.float32(peak / np.float32(6) / tensor).astype(ml_dtypes.float8_e4m3fn)
        step = np.float32(scale) * tensor
        numbers = np.clip(x[i, span] / step, -6, 6) if step > 0 else 0 * x[i, span]
        codes = numbers.astype(ml_dtypes.float4_e2m1fn).astype(np.float32)
        wanted[i, span] = codes * np.float32(scale) * tensor
    held = formats.quantize(x, "nvfp4")
    np.testing.assert_array_equal(held.dequantize(), wanted)
    np.testing.assert_array_equal(formats.quantize(x.T, "nvfp4", axis=0).dequantize(), wanted.T)
    assert held.scale.shape == (40, 13)
    assert formats.format("nvfp4").bits == 4.5


def test_nvfp4_with_the_scale_of_a_larger_tensor():
    x = _weights()
    held = formats.quantize(x, "nvfp4", scale=np.abs(x).max(axis=1, keepdims=True) / 2688)
    alone = [formats.quantize(row[None], "nvfp4").dequantize()[0] for row in x]
    np.testing.assert_array_equal(held.dequantize(), np.stack(alone))
    with pytest.raises(ValueError, match=r"allowed: positive finite numbers"):
        formats.quantize(x, "nvfp4", scale=0.0)


def test_a_block_far_below_the_tensor_becomes_zeros():
    x = np.full((1, 32), 1e6, np.float32)
    x[0, 16:] = 1e-6
    y = formats.quantize(x, "nvfp4").dequantize()
    assert y[0, :16].tolist() == [1e6] * 16
    assert not y[0, 16:].any()
    assert not formats.quantize(0 * x, "nvfp4").dequantize().any()


def test_nf4_is_the_quantiles_of_a_normal_distribution():
    """QLoRA, appendix E: 8 positive, 7 negative quantiles from 0.9677083 on, and 0, over the largest."""
    ends = 0.9677083
    positive = ndtri(np.linspace(ends, 0.5, 9)[:-1])
    negative = -ndtri(np.linspace(ends, 0.5, 8)[:-1])
    table = np.sort(np.concatenate([positive, [0.0], negative])) / positive.max()
    np.testing.assert_allclose(NF4, table, atol=2e-7)


def test_nf4_takes_the_nearest_value_of_the_table():
    x = _weights()
    wanted = np.empty_like(x)
    for i, span in _blocks(x, 64):
        peak = np.abs(x[i, span]).max()
        apart = np.abs(np.float64(x[i, span])[:, None] / np.float64(peak) - np.array(NF4))
        wanted[i, span] = np.array(NF4, np.float32)[apart.argmin(axis=1)] * peak
    np.testing.assert_array_equal(formats.quantize(x, "nf4").dequantize(), wanted)
    assert formats.format("nf4").bits == 4.5


@pytest.mark.parametrize(("name", "rows"), [("fp8_e4m3_1x128", 1), ("fp8_e4m3_128x128", 128)])
def test_fp8_in_blocks(name, rows):
    x = _weights(300, 260)
    wanted = np.empty_like(x)
    for i in range(0, 300, rows):
        for j in range(0, 260, 128):
            block = x[i : i + rows, j : j + 128]
            scale = np.float32(np.float64(np.abs(block).max()) / 448)
            near = np.clip(block / scale, -448, 448).astype(ml_dtypes.float8_e4m3fn)
            wanted[i : i + rows, j : j + 128] = near.astype(np.float32) * scale
    held = formats.quantize(x, name)
    np.testing.assert_array_equal(held.dequantize(), wanted)
    assert held.scale.shape == (-(-300 // rows), 3)
    if rows > 1:
        with pytest.raises(ValueError, match=r"allowed: a matrix"):
            formats.quantize(x[0], name)


@pytest.mark.parametrize("name", ["int4_g64", "uint4_g64", "uint3_g32"])
def test_groups_of_integers(name):
    x, grid = _weights() + np.float32(0.3), formats.format(name)
    held = formats.quantize(x, name)
    assert held.scale.dtype == np.float32
    np.testing.assert_array_equal(held.scale, held.scale.astype(np.float16))
    assert held.codes.min() >= grid.element.lowest
    assert held.codes.max() <= grid.element.highest
    for i, span in _blocks(x, grid.group):
        group, scale = x[i, span], held.scale[i, span.start // grid.group]
        zero = held.zero_point[i, span.start // grid.group]
        if grid.element.signed:
            assert zero == 0
            assert scale == np.float16(np.abs(group).max() / 7)
        else:
            low, high = min(group.min(), 0), max(group.max(), 0)
            assert scale == pytest.approx((high - low) / grid.element.highest, rel=1e-3)
            assert zero == np.rint(-low / scale)
        y = held.dequantize()[i, span]
        np.testing.assert_array_equal(y, (held.codes[i, span].astype(np.float32) - zero) * scale)
        assert np.abs(y - group).max() <= 0.51 * scale + 2e-3 * np.abs(group).max()


def test_zero_points_spend_no_codes_on_values_that_are_not_there():
    x = np.random.default_rng(3).random((30, 128), np.float32)
    loss = [
        float(np.mean((formats.quantize(x, name).dequantize() - x) ** 2))
        for name in ("uint4_g128", "int4_g128")
    ]
    assert loss[0] < loss[1] / 3


def test_bits_count_scales_and_zero_points():
    assert formats.format("uint4_g128").bits == 4 + 20 / 128
    assert formats.format("int4_g128").bits == 4 + 16 / 128
    assert formats.format("fp8_e4m3_1x128").bits == 8 + 32 / 128


def test_a_scale_beyond_binary16_is_refused():
    with pytest.raises(ValueError, match=r"beyond 65504"):
        formats.quantize(np.full((1, 8), 1e9, np.float32), "int4_g8")
