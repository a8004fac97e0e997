"""Do weights and activations stand on the grid of their format, with the scale that fills it?"""

import numpy as np
import pytest

from pimlab import formats
from pimlab.npu import operands

RNG = np.random.default_rng(2)
W = RNG.normal(size=(48, 6)).astype(np.float32) * np.float32([1, 2, 0.1, 30, 5, 1e-3])


def test_integer_weights_fill_their_codes_column_by_column():
    held = operands.Weights(W, "int8")
    np.testing.assert_array_equal(np.abs(held.integers).max(axis=0), 127)
    np.testing.assert_allclose(held.scale, np.abs(W).max(axis=0) / 127, rtol=1e-6)
    np.testing.assert_array_equal(held.sums, held.integers.sum(axis=0))
    assert (np.abs(held.values - W) <= held.scale / 2 * 1.001).all()


def test_ternary_weights_share_the_mean_magnitude():
    held = operands.Weights(W, "ternary")
    assert set(np.unique(held.integers)) <= {-1, 0, 1}
    np.testing.assert_allclose(held.scale, np.abs(W).mean(), rtol=1e-6)


def test_groups_have_a_scale_each():
    held = operands.Weights(W, "int4_g16")
    spans = list(held.spans())
    assert [(rows.start, rows.stop) for rows, _ in spans] == [(0, 16), (16, 32), (32, 48)]
    for rows, scale in spans:
        np.testing.assert_allclose(held.integers[rows] * scale, held.values[rows], rtol=1e-6)
        assert (np.abs(held.values[rows] - W[rows]) <= scale / 2 * 1.001).all()


def test_codes_of_a_file_are_kept_as_they_are():
    codes = RNG.integers(-2000, 2000, (48, 6))
    scale = np.float32([1, 2, 3, 4, 5, 6])
    held = operands.Weights.of_codes(codes, scale)
    assert held.integers.dtype == np.int32
    np.testing.assert_array_equal(held.values, (codes * scale).astype(np.float32))
    assert operands.Weights.of_codes(codes // 100, scale).integers.dtype == np.int8
    parts = RNG.random((3, 6)).astype(np.float32)
    grouped = operands.Weights.of_groups(codes, parts, 16)
    np.testing.assert_allclose(grouped.values, codes * np.repeat(parts, 16, axis=0), rtol=1e-6)
    assert operands.Weights.of_groups(codes, parts[:1], None).group is None


def test_small_floats_are_scaled_to_their_range_and_wide_ones_are_not():
    grid = formats.format("fp8_e4m3")
    scaled, beyond = operands.rounded(W, "fp8_e4m3", None)
    full = np.abs(W).max(axis=1, keepdims=True) / grid.largest
    np.testing.assert_allclose(scaled, formats.cast(W / full, grid) * full, rtol=1e-6)
    assert beyond == 0
    half, beyond = operands.rounded(W, "fp16", None)
    np.testing.assert_array_equal(half, W.astype(np.float16).astype(np.float32))
    assert beyond == 0


def test_what_lies_beyond_a_calibrated_range_is_counted():
    _, beyond = operands.rounded(W, "fp8_e4m3", float(np.abs(W).max()) / 4)
    assert beyond == np.count_nonzero(np.abs(W) > np.abs(W).max() / 4 * 464 / 448)  # ties to even
    x = np.float32([[0.4, -0.6, 3.0]])
    codes, clipped = operands.quantised(x, np.float32([1 / 127]), 0, operands.grid_of("int8"))
    np.testing.assert_array_equal(codes, [[51, -76, 127]])
    assert clipped == 1


def test_only_integers_are_integers():
    assert operands.is_integer("int4")
    assert not operands.is_integer("fp16")
    assert not operands.is_integer(None)
    with pytest.raises(ValueError, match="not one of integers"):
        operands.grid_of("fp16")
