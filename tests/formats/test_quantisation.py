"""Integer codes: ONNX's rule, scales per tensor, channel and group, and the properties every quantiser has."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pimlab import formats

FLOATS = st.floats(-(2.0**100), 2.0**100, width=32, allow_nan=False)
ARRAYS = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=1, max_dims=3, max_side=8), elements=FLOATS
)


def test_by_hand():
    q = formats.quantize(np.array([[-127.0, 1.0], [63.5, 2.0]]), "int8")
    assert q.codes.tolist() == [[-127, 1], [64, 2]]  # 63.5 is a tie: to even
    assert q.scale.shape == (1, 1)
    assert q.scale.item() == 1.0
    assert q.codes.dtype == np.int8


@pytest.mark.parametrize(
    ("axis", "group", "shape"),
    [
        (None, None, (1, 1)),
        (1, None, (1, 8)),
        (0, None, (64, 1)),
        (0, 16, (4, 8)),
        (-1, 4, (64, 2)),
    ],
)
def test_scales_per_tensor_channel_and_group(axis, group, shape):
    w = np.random.default_rng(0).standard_normal((64, 8)).astype(np.float32)
    q = formats.quantize(w, "int4", axis, group)
    assert q.scale.shape == shape
    assert q.saturated == 0
    steps = np.abs(q.dequantize() - w) / np.repeat(
        np.repeat(q.scale, 64 // shape[0], 0), 8 // shape[1], 1
    )
    assert steps.max() <= 0.5 + 1e-6


@pytest.mark.parametrize("name", ["uint8", "int8"])
def test_onnx_quantizes_alike(name):
    import onnx
    from onnx.reference import ReferenceEvaluator

    x = np.random.default_rng(1).uniform(-3, 5, 2000).astype(np.float32)
    q = formats.quantize(x, name, symmetric=False)
    kind = onnx.TensorProto.UINT8 if name == "uint8" else onnx.TensorProto.INT8
    node = onnx.helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"])
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [node],
        "g",
        [info("x", 1, [2000]), info("s", 1, []), info("z", kind, [])],
        [info("y", kind, [2000])],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 19)])
    y = ReferenceEvaluator(model).run(
        None,
        {"x": x, "s": q.scale.reshape(()), "z": q.zero_point.astype(q.codes.dtype).reshape(())},
    )[0]
    np.testing.assert_array_equal(q.codes, y)


@settings(max_examples=60, deadline=None)
@given(ARRAYS, st.integers(2, 16), st.booleans(), st.booleans())
def test_error_is_half_a_step_and_idempotent(x, width, signed, symmetric):
    fmt = formats.IntegerFormat(width=width, signed=signed)
    if symmetric and not signed:
        x = np.abs(x)
    q = formats.quantize(x, fmt, symmetric=symmetric)
    bound = (
        (0.5 if symmetric else 1.0) * np.float64(q.scale.item()) + 2e-6 * np.abs(x).max() + 1e-38
    )
    assert np.abs(q.dequantize().astype(np.float64) - x).max() <= bound
    again = formats.quantize(q.dequantize(), fmt, scale=q.scale, zero_point=q.zero_point)
    np.testing.assert_array_equal(again.codes, q.codes)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 11))
def test_more_bits_are_never_worse(seed, width):
    x = np.random.default_rng(seed).standard_normal(4096).astype(np.float32)
    errors = [
        np.mean((formats.quantize(x, f"int{w}").dequantize() - x) ** 2) for w in (width, width + 1)
    ]
    assert errors[1] < errors[0]


@settings(max_examples=30, deadline=None)
@given(ARRAYS)
def test_monotone(x):
    q = formats.quantize(x, "int5")
    order = np.argsort(x.ravel())
    assert (np.diff(q.codes.ravel()[order].astype(int)) >= 0).all()


def test_zero_points_a_channel():
    x = np.array([[-1.0, 0.0, 2.0], [-4.0, 4.0, 8.0]], np.float32)
    q = formats.quantize(
        x, "uint8", axis=0, scale=np.array([0.5, 2.0]), zero_point=np.array([2, 7])
    )
    assert q.codes.tolist() == [[0, 2, 6], [5, 9, 11]]
    np.testing.assert_array_equal(q.dequantize(), x)


def test_saturation_is_counted():
    q = formats.quantize(np.array([300.0, -129.0, -128.0, 127.4]), "int8", scale=1.0)
    assert q.codes.tolist() == [127, -128, -128, 127]
    assert q.saturated == 2


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda x: formats.quantize(x, "int8", axis=0, group=5),
            "group=5 does not divide axis 0 of length 4",
        ),
        (lambda x: formats.quantize(x, "int8", group=2), "needs axis"),
        (lambda x: formats.quantize(x, "int8", axis=2), "axis=2 is outside -2..1"),
        (lambda x: formats.quantize(x, "int8", scale=0.0), "not a positive finite"),
        (lambda x: formats.quantize(x, "int8", scale=np.nan), "not a positive finite"),
        (lambda x: formats.quantize(x, "int8", scale=1.0, zero_point=200), "outside -128..127"),
        (lambda x: formats.quantize(x * np.nan, "int8"), "8 non-finite"),
        (lambda x: formats.quantize(x[:0], "int8"), "at least one element"),
        (lambda x: formats.quantize(x, "int17"), "width=17 is outside 2..16"),
        (lambda x: formats.quantize(x, "imt8"), "did you mean 'int8'"),
    ],
)
def test_bad_input(call, text):
    with pytest.raises((ValueError, TypeError), match=text.replace("(", r"\(")):
        call(np.ones((4, 2), np.float32))


def test_ternary_weights_have_their_mean_magnitude_as_scale():
    """BitNet b1.58, eqs. 1 to 3."""
    w = np.array([[0.1, -0.9, 0.5, -0.1], [2.0, 0.3, -0.4, 0.0]], np.float32)
    held = formats.quantize(w, "ternary")
    mean = np.float32(np.abs(w).mean())
    assert held.scale.reshape(()) == mean
    assert held.codes.tolist() == np.clip(np.rint(w / mean), -1, 1).tolist()
    by_row = formats.quantize(w, "ternary", axis=0)
    np.testing.assert_array_equal(by_row.scale[:, 0], np.abs(w).mean(axis=1))
    with pytest.raises(ValueError, match="symmetric"):
        formats.quantize(w, "ternary", symmetric=False)
