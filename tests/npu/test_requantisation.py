"""Requantisation by ONNX's rule and by gemmlowp's, against ONNX Runtime and plain integers."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from pimlab import formats, npu
from pimlab.npu.requantisation import fixed_point


def qlinear_matmul(a, b, scale_a, zero_a, scale_b, zero_b, scale_y, zero_y):
    """ONNX Runtime's own answer (the oracle)."""
    names = ["a", "sa", "za", "b", "sb", "zb", "sy", "zy"]
    kinds = [
        TensorProto.INT8,
        TensorProto.FLOAT,
        TensorProto.INT8,
        TensorProto.INT8,
        TensorProto.FLOAT,
        TensorProto.INT8,
        TensorProto.FLOAT,
        TensorProto.INT8,
    ]
    values = [
        a,
        np.float32(scale_a),
        np.int8(zero_a),
        b,
        np.float32(scale_b),
        np.int8(zero_b),
        np.float32(scale_y),
        np.int8(zero_y),
    ]
    inputs = [
        helper.make_tensor_value_info(n, t, list(np.shape(v)))
        for n, t, v in zip(names, kinds, values, strict=True)
    ]
    graph = helper.make_graph(
        [helper.make_node("QLinearMatMul", names, ["y"])],
        "g",
        inputs,
        [helper.make_tensor_value_info("y", TensorProto.INT8, [a.shape[0], b.shape[1]])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, dict(zip(names, map(np.asarray, values), strict=True)))[0]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_equals_onnx_runtime_on_a_hundred_thousand_outputs(seed):
    rng = np.random.default_rng(seed)
    a, b = (
        rng.integers(-128, 128, (320, 77)).astype(np.int8),
        rng.integers(-128, 128, (77, 330)).astype(np.int8),
    )
    scale_a, scale_b, scale_y = (np.float32(s) for s in 2.0 ** rng.uniform(-9, -6, 3) * (1, 1, 80))
    zero_a, zero_b, zero_y = 5, 0, int(rng.integers(-100, 100))
    acc = ((a.astype(np.int64) - zero_a) @ (b.astype(np.int64) - zero_b)).astype(np.int32)
    expected = qlinear_matmul(a, b, scale_a, zero_a, scale_b, zero_b, scale_y, zero_y)
    got = npu.requantize(
        acc, np.float32(np.float32(scale_a * scale_b) / scale_y), zero_y, rule="onnx"
    )
    assert np.count_nonzero(got != expected) == 0
    assert got.counts["saturated"] <= np.count_nonzero((expected == -128) | (expected == 127))


def gemmlowp_one(acc, scale, zero_point):
    """The rule of gemmlowp's fixedpoint.h in Python's integers, for one sum."""
    mantissa, exponent = np.frexp(scale)
    multiplier = int(np.floor(mantissa * 2**31 + 0.5))
    product = int(acc) * multiplier
    nudge = 2**30 if product >= 0 else 1 - 2**30
    high = abs(product + nudge) // 2**31 * (1 if product + nudge >= 0 else -1)
    right = -int(exponent)
    remainder, threshold = high & (2**right - 1), (2**right - 1) // 2 + (high < 0)
    return min(max((high >> right) + (remainder > threshold) + zero_point, -128), 127)


@settings(deadline=None)
@given(st.integers(-(2**31), 2**31 - 1), st.floats(2.0**-28, 0.49), st.integers(-128, 127))
def test_gemmlowp_equals_plain_integers(acc, scale, zero_point):
    assert npu.requantize(np.array([acc], np.int32), scale, zero_point, rule="gemmlowp")[
        0
    ] == gemmlowp_one(acc, scale, zero_point)


@pytest.mark.parametrize(("signed", "bits"), [(True, 8), (False, 8), (True, 4)])
def test_gemmlowp_equals_plain_integers_on_a_hundred_thousand_outputs(signed, bits):
    """The high half to nearest, halves upward; then the shift to nearest, halves away from zero; both on magnitudes."""
    rng = np.random.default_rng(bits + signed)
    acc = (rng.uniform(-2, 2, (250, 400)) * 2.0 ** rng.uniform(3, 30, (250, 400))).astype(np.int32)
    acc[0, :3] = -(2**31), 2**31 - 1, 0
    scale = 2.0 ** rng.uniform(-30, -1, 400) * rng.choice([1, 0.5, 0.75], 400)
    scale[::7] = 2.0 ** np.rint(np.log2(scale[::7]))
    mantissa, exponent = np.frexp(scale)
    multiplier = np.floor(mantissa * 2.0**31 + 0.5).astype(np.int64)
    high = (
        (2 * (np.abs(acc.astype(np.int64)) * multiplier) + 2**31 - 2 * (acc < 0))
        // 2**32
        * np.where(acc < 0, -1, 1)
    )
    code = (np.abs(high) + (2 ** np.maximum(-exponent, 0) >> 1) >> -exponent) * np.sign(high) + 1
    grid = formats.IntegerFormat(width=bits, signed=signed)
    ours = npu.requantize(acc, scale, 1, rule="gemmlowp", bits=bits, signed=signed)
    np.testing.assert_array_equal(ours, np.clip(code, grid.lowest, grid.highest))
    assert ours.counts["saturated"] == np.count_nonzero(
        (code < grid.lowest) | (code > grid.highest)
    )


def test_the_two_rules_differ_seldom_and_by_one():
    acc = np.random.default_rng(0).integers(-60_000, 60_000, (1000, 1000)).astype(np.int32)
    onnx, gemmlowp = (
        npu.requantize(acc, 0.0013, 3, rule=rule).astype(int) for rule in ("onnx", "gemmlowp")
    )
    assert np.abs(onnx - gemmlowp).max() == 1
    assert 0 < np.count_nonzero(onnx != gemmlowp) / acc.size < 0.003


def test_ties_go_to_even_in_onnx_and_are_rounded_twice_in_gemmlowp():
    acc = np.array([-3, -1, 1, 3, 5], np.int32)
    assert npu.requantize(acc, 0.5, 0, rule="onnx").tolist() == [-2, 0, 0, 2, 2]
    assert npu.requantize(acc, 0.25, 0, rule="gemmlowp").tolist() == [-1, 0, 1, 1, 2]
    assert npu.requantize(2 * acc, 0.25, 0, rule="gemmlowp").tolist() == [-2, -1, 1, 2, 3]


@pytest.mark.parametrize("rule", ["onnx", "gemmlowp"])
def test_rounding_has_no_bias_and_the_variance_of_a_uniform_step(rule):
    """Bennett 1948: an error of variance 1/12 step^2; over 1e6 sums its mean is below five standard errors."""
    acc = np.random.default_rng(7).integers(-30_000, 30_000, (1000, 1000)).astype(np.int32)
    error = npu.requantize(acc, 0.00397, 0, rule=rule) - acc * 0.00397
    assert abs(error.mean()) < 5 * np.sqrt(1 / 12 / acc.size)
    assert error.var() == pytest.approx(1 / 12, rel=0.005)


def test_saturation_is_counted():
    got = npu.requantize(np.array([[-(2**31), 0, 2**31 - 1]], np.int32), 1.0, 0)
    assert got.tolist() == [[-128, 0, 127]]
    assert got.counts == {"saturated": 2}
    assert got[:1].counts == {}


def test_per_channel_scales_and_unsigned_codes():
    acc = np.full((2, 3), 100, np.int32)
    assert (
        npu.requantize(acc, np.array([1.0, 0.5, 4.0]), 10, signed=False).tolist()
        == [[110, 60, 255]] * 2
    )
    assert npu.requantize(acc, 1.0, 0, bits=4).tolist() == [[7, 7, 7]] * 2


@settings(deadline=None)
@given(st.floats(2.0**-30, 2.0**10))
def test_fixed_point_holds_31_bits_of_the_scale(scale):
    multiplier, shift = fixed_point(np.array([scale]))
    assert 2**30 <= multiplier[0] < 2**31
    assert float(multiplier[0]) * 2.0 ** (float(shift[0]) - 31) == pytest.approx(
        scale, rel=2.0**-30
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scale": 0.0}, "scale=0.0 is not one positive finite"),
        ({"scale": np.nan}, "positive finite"),
        ({"scale": -1.0}, "positive finite"),
        ({"scale": np.ones(3)}, "or 2 of them"),
        ({"zero_point": 128}, "outside -128..127"),
        ({"rule": "gemlowp"}, "did you mean 'gemmlowp'"),
        ({"rule": "gemmlowp", "scale": 1e10}, "outside 0..2\\^31"),
        ({"scale": 1e-60}, "scale=1e-60 is outside float32"),
        ({"scale": 1e60}, "scale=1e.60 is outside float32"),
    ],
)
def test_bad_arguments_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        npu.requantize(
            **{"acc": np.zeros((1, 2), np.int32), "scale": 1.0, "zero_point": 0, **change}
        )


def test_large_scales_shift_to_the_left_and_saturate():
    acc = np.array([-3, 0, 5, 2**30], np.int32)
    assert npu.requantize(acc, 8.0, 0, rule="gemmlowp").tolist() == [-24, 0, 40, 127]
    assert npu.requantize(acc, 2.0**-40, 0, rule="gemmlowp").tolist() == [0, 0, 0, 0]


def test_sums_that_are_no_32_bit_integers_are_refused():
    with pytest.raises(TypeError, match="float64"):
        npu.requantize(np.zeros(2), 1.0, 0)
    with pytest.raises(TypeError, match="32-bit"):
        npu.requantize(np.array([2**31]), 1.0, 0)
    with pytest.raises(TypeError, match="zero_point=0.5 is not an integer"):
        npu.requantize(np.array([1]), 1.0, 0.5)


def test_a_zero_point_for_each_output_is_refused_by_name():
    with pytest.raises(TypeError, match=r"zero_point=array\(\[1, 2\]\) is not an integer"):
        npu.requantize(np.zeros((1, 2), np.int32), 1.0, np.array([1, 2]))


def test_the_smallest_scale_that_has_a_multiplier_is_2_to_the_minus_32():
    multiplier, shift = fixed_point(np.array([0.75 * 2.0**-31, 0.75 * 2.0**-32]))
    assert multiplier.tolist() == [round(0.75 * 2**31), 0]
    assert shift.tolist() == [-31, -31]
