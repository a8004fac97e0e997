"""npu.matmul against ONNX Runtime, plain integers and float64."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from pimlab import formats, npu
from pimlab.machine.protocol import Calibration, MacOp, Range


def run(nodes, inputs, outputs):
    """ONNX Runtime's answer to a few nodes; `inputs` name -> array, `outputs` (name, type)."""
    described = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
        for n, v in inputs.items()
    ]
    graph = helper.make_graph(
        nodes, "g", described, [helper.make_tensor_value_info(n, t, None) for n, t in outputs]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    ).run(None, inputs)


def test_equals_onnx_runtime_on_a_hundred_thousand_sums():
    rng = np.random.default_rng(0)
    x, w = (
        rng.integers(-128, 128, (330, 1500)).astype(np.int8),
        rng.integers(-128, 128, (1500, 320)).astype(np.int8),
    )
    x[:3], w[:, :3] = -128, -128
    (expected,) = run(
        [helper.make_node("MatMulInteger", ["x", "w"], ["y"])],
        {"x": x, "w": w},
        [("y", TensorProto.INT32)],
    )
    y = npu.matmul(x, w, "int8", "int8", "int32")
    assert y.dtype == np.int32
    assert np.count_nonzero(y != expected) == 0
    assert y.counts == {"x_clipped": 0, "w_clipped": 0, "overflowed": 0}


def test_int32_wraps_as_onnx_runtime_does():
    x, w = np.full((2, 140_000), -128, np.int8), np.full((140_000, 2), -128, np.int8)
    (expected,) = run(
        [helper.make_node("MatMulInteger", ["x", "w"], ["y"])],
        {"x": x, "w": w},
        [("y", TensorProto.INT32)],
    )
    y = npu.matmul(x, w, "int8", "int8", "int32")
    assert np.array_equal(y, expected)
    assert y.counts["overflowed"] == 4
    assert npu.matmul(x, w, "int8", "int8", "int48")[0, 0] == 140_000 * 2**14


def test_the_whole_layer_equals_onnx_runtime():
    """QuantizeLinear, QLinearMatMul with one scale a column, DequantizeLinear: 105,600 outputs, none different."""
    rng = np.random.default_rng(1)
    x, w = (
        rng.standard_normal((330, 96)).astype(np.float32),
        rng.standard_normal((96, 320)).astype(np.float32),
    )
    y = x @ w
    calibration = Calibration(
        x=Range(low=-3.0, high=2.5),
        y=Range(low=float(y.min()) / 2, high=float(y.max())),
        sample=x[:1],
        rule="minmax",
    )
    programmed = npu.chip("warboy").program(w, calibration=calibration)
    grid = formats.format("int8")
    sx, zx = formats.affine(-3.0, 2.5, grid)
    sy, zy = formats.affine(calibration.y.low, calibration.y.high, grid)
    inputs = {
        "x": x,
        "sx": np.float32(sx),
        "zx": np.int8(zx),
        "w": programmed.weights.codes,
        "sw": programmed.weights.scale,
        "zw": np.zeros(320, np.int8),
        "sy": np.float32(sy),
        "zy": np.int8(zy),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "sx", "zx"], ["q"]),
        helper.make_node("QLinearMatMul", ["q", "sx", "zx", "w", "sw", "zw", "sy", "zy"], ["c"]),
        helper.make_node("DequantizeLinear", ["c", "sy", "zy"], ["y"]),
    ]
    (expected,) = run(
        nodes,
        {name: np.asarray(value) for name, value in inputs.items()},
        [("y", TensorProto.FLOAT)],
    )
    got, counts = programmed.counted(x)
    assert np.count_nonzero(got != expected) == 0
    assert counts["inputs clipped"] > 0
    assert counts["outputs clipped"] > 0


@pytest.mark.parametrize(
    ("format_x", "format_w"),
    [
        ("int4", "int4"),
        ("int16", "int8"),
        ("uint8", "int8"),
        ("uint3", "int13"),
        ("int2", "uint16"),
    ],
)
def test_codes_of_any_width_are_exact(format_x, format_w):
    rng = np.random.default_rng(2)
    grids = [formats.format(name) for name in (format_x, format_w)]
    x = rng.integers(grids[0].lowest, grids[0].highest + 1, (40, 700))
    w = rng.integers(grids[1].lowest, grids[1].highest + 1, (700, 30))
    assert np.array_equal(npu.matmul(x, w, format_x, format_w, npu.Accumulator(bits=62)), x @ w)


@pytest.mark.parametrize(
    "name",
    [
        "int8",
        "int16",
        "fp16",
        "bf16",
        "tf32",
        "fp8_e4m3",
        "fp8_e5m2",
        "fp6_e2m3",
        "fp4_e2m1",
        "mxfp8_e4m3",
        "mxfp4",
        "mxint8",
    ],
)
def test_real_numbers_are_rounded_to_the_format_and_no_further(name):
    rng = np.random.default_rng(3)
    x, w = (
        rng.standard_normal((20, 320)).astype(np.float32),
        rng.standard_normal((320, 12)).astype(np.float32),
    )
    y = npu.matmul(x, w, name, name, npu.Accumulator(bits=48) if name == "int16" else None)
    exact = x.astype(np.float64) @ w
    noise = np.square(y - exact).mean() / np.square(exact).mean()
    bound = {
        "int8": 1.5e-4,
        "int16": 3e-9,
        "fp16": 2e-7,
        "bf16": 2e-5,
        "tf32": 2e-7,
        "fp8_e4m3": 2e-3,
        "fp8_e5m2": 8e-3,
        "fp6_e2m3": 4e-3,
        "fp4_e2m1": 0.08,
        "mxfp8_e4m3": 2.5e-3,
        "mxfp4": 0.04,
        "mxint8": 2e-4,
    }[name]
    assert bound / 10 < noise < bound


@pytest.mark.parametrize("order", ["sequence", "chunks", "tree"])
def test_float_sums_follow_the_stated_order(order):
    rng = np.random.default_rng(6)
    x, w = (
        rng.standard_normal((5, 37)).astype(np.float32),
        rng.standard_normal((37, 4)).astype(np.float32),
    )
    accumulator = formats.FloatAccumulator(
        format="fp16", order=order, chunk=8 if order == "chunks" else None
    )
    expected = formats.product(x, w, "fp8_e4m3", "fp16", accumulator)
    assert np.array_equal(npu.matmul(x, w, "fp8_e4m3", "fp16", accumulator), expected.y)


@np.errstate(over="ignore")  # uncompiled kernels warn where a sum becomes infinite
@pytest.mark.parametrize("overflow", ["wrap", "saturate"])
@pytest.mark.parametrize("bits", [2, 4, 16, 63, 64])
def test_accumulators_of_any_width_by_plain_integers(bits, overflow):
    rng = np.random.default_rng(bits)
    x, w = rng.integers(-128, 128, (3, 20)), rng.integers(-128, 128, (20, 4))
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    for chunk in (1, 3):
        held = npu.matmul(
            x, w, "int8", "int8", npu.Accumulator(bits=bits, overflow=overflow, chunk=chunk)
        )
        for i, j in np.ndindex(held.shape):
            total = 0
            for p in range(0, 20, chunk):
                total += sum(
                    int(a) * int(b)
                    for a, b in zip(x[i, p : p + chunk], w[p : p + chunk, j], strict=True)
                )
                total = (
                    min(max(total, low), high)
                    if overflow == "saturate"
                    else (total - low) % 2**bits + low
                )
            assert held[i, j] == total


def test_fp16_in_sequence_overflows_and_counts_it():
    """By hand: 300 products of 256 reach 65504 and pass it after 255 of them."""
    x, w = np.full((2, 300), 16.0), np.full((300, 3), 16.0)
    assert npu.matmul(x, w, "fp16", "fp16", "fp16").counts["overflowed"] == 6
    assert npu.matmul(x, w, "fp16", "fp16", "bf16").counts["overflowed"] == 0
    acc = np.float16(0)
    for _ in range(250):
        acc = np.float16(np.float32(acc) + np.float32(256))
    assert npu.matmul(x[:, :250], w[:250], "fp16", "fp16", "fp16")[0, 0] == acc


def test_values_beyond_a_float_format_are_clipped_and_counted():
    y = npu.matmul(np.array([[1000.0, -1.0]]), np.array([[1.0], [500.0]]), "fp8_e4m3", "fp8_e4m3")
    assert y.tolist() == [[0.0]]
    assert (y.counts["x_clipped"], y.counts["w_clipped"]) == (1, 1)


@pytest.mark.parametrize("weights", ["int4", "q4_0", "q8_0", "mxfp4", "fp8_e4m3"])
def test_narrow_weights_multiply_in_the_activations_format(weights):
    rng = np.random.default_rng(7)
    w, x = (
        rng.standard_normal((320, 12)).astype(np.float32),
        rng.standard_normal((9, 320)).astype(np.float32),
    )
    machine = npu.chip("h100", "fp16")
    mixed = machine.but(arithmetic=machine.arithmetic.but(weights=weights))
    assert mixed.arithmetic.mac == "fp16"
    y = mixed.program(w).matmul(x)
    noise = np.square(y - x.astype(np.float64) @ w).mean() / 320
    assert (
        {"q8_0": 1e-5, "fp8_e4m3": 1e-4}.get(weights, 2e-3)
        < noise
        < {"q8_0": 1e-4, "fp8_e4m3": 2e-3}.get(weights, 3e-2)
    )
    op = MacOp(name="fc", m=1, k=320, n=12)
    away = mixed.but(memory=mixed.memory.but(weights_in="dram"))
    filters = 320 * 12 * formats.format(weights).bits  # a cache keeps inputs, no weights
    assert away.events(op)["dram.read"] == np.ceil(filters)


def test_rows_and_columns_do_not_depend_on_their_neighbours():
    rng = np.random.default_rng(4)
    x, w = rng.standard_normal((9, 64)), rng.standard_normal((64, 7))
    for name in ("int8", "fp8_e4m3", "mxfp4"):
        whole = npu.matmul(x, w, name, name)
        assert np.array_equal(whole[4:6, 2:3], npu.matmul(x[4:6], w[:, 2:3], name, name))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("int8", "int8", "fp32"), "accumulator='fp32'; allowed for two integer formats"),
        (
            ("fp16", "int8", "int32"),
            "accumulator='int32'; allowed with a float format: a FloatAccumulator",
        ),
        (("int4", "int8"), r"codes -8\.\.8 lie outside -8\.\.7 of int4"),
        (("int99", "int8"), "width=99 is outside 2..16"),
        (("fp8_e4m4", "int8"), "cannot exist"),
        (("int8", "int8", "int99"), "bits=99 is outside 2..64"),
    ],
)
def test_bad_products_are_named(arguments, message):
    x, w = np.array([[-8, 8]]), np.ones((2, 1), int)
    with pytest.raises(ValueError, match=message):
        npu.matmul(x, w, *arguments)


def test_shapes_that_do_not_meet_and_values_that_are_not_finite_are_named():
    with pytest.raises(ValueError, match=r"x has shape \(1, 3\)"):
        npu.matmul(np.ones((1, 3)), np.ones((2, 1)))
    with pytest.raises(ValueError, match="with k, n >= 1"):
        npu.matmul(np.ones((4, 0), int), np.ones((0, 3), int))
    with pytest.raises(ValueError, match=r"x has shape \(1, 3\) and w \(2, 1\)"):
        npu.matmul(np.ones((1, 3), int), np.ones((2, 1), int))
    with pytest.raises(ValueError, match="non-finite"):
        npu.matmul(np.array([[np.inf]]), np.ones((1, 1)))


@pytest.mark.parametrize("kinds", [("uint8", "int8"), ("uint8", "uint8"), ("int8", "int8")])
def test_zero_points_equal_onnx_runtime(kinds):
    rng = np.random.default_rng(5)
    x, w = (
        rng.integers(0, 256, shape).astype(np.uint8).view(kind)
        for shape, kind in zip([(9, 70), (70, 11)], kinds, strict=True)
    )
    zero_x, zero_w = x[0, 0], w[0]
    inputs = {"x": x, "w": w, "a": np.asarray(zero_x), "b": np.asarray(zero_w)}
    y = npu.matmul(x, w, *kinds, zero_x=zero_x, zero_w=zero_w)
    if kinds != ("uint8", "int8"):  # there ONNX Runtime saturates on processors without VNNI
        nodes = [helper.make_node("MatMulInteger", ["x", "w", "a", "b"], ["y"])]
        (wanted,) = run(nodes, inputs, [("y", TensorProto.INT32)])
        np.testing.assert_array_equal(y, wanted)
    exact = (x.astype(int) - int(zero_x)) @ (w.astype(int) - zero_w.astype(int))
    np.testing.assert_array_equal(y, exact)
    rows = npu.matmul(x, w, *kinds, zero_x=x[:, 0], zero_w=zero_w)
    exact = (x.astype(int) - x[:, :1].astype(int)) @ (w.astype(int) - zero_w.astype(int))
    np.testing.assert_array_equal(rows, exact)


@pytest.mark.parametrize(
    ("zeros", "message"),
    [
        ({"zero_x": 300}, "zero_x"),
        ({"zero_w": -129}, "zero_w"),
        ({"zero_w": np.zeros(3, int)}, "one integer, or 2 of them"),
        ({"zero_x": 0.5}, "one integer"),
    ],
)
def test_zero_points_out_of_range_are_refused(zeros, message):
    codes = np.ones((2, 2), np.int8)
    with pytest.raises(ValueError, match=message):
        npu.matmul(codes, codes, "int8", "int8", **zeros)
    with pytest.raises(ValueError, match="allowed where both operands are integer codes"):
        npu.matmul(codes.astype(float), codes, "int8", "int8", zero_x=3)


@pytest.mark.parametrize("weights", ["uint4_g32", "int4_g32", "ternary"])
@pytest.mark.parametrize("activations", ["int8", "fp16"])
def test_a_machine_multiplies_codes_in_groups(weights, activations):
    rng = np.random.default_rng(6)
    x, w = rng.standard_normal((5, 80)), rng.standard_normal((80, 7)) + 0.5
    x, w = x.astype(np.float32), w.astype(np.float32)
    machine = npu.chip("warboy")
    arithmetic = machine.arithmetic.but(weights=weights, activations=activations, outputs=None)
    y = machine.but(arithmetic=arithmetic).program(w).matmul(x)
    held = formats.quantize(w, weights, **({} if weights == "ternary" else {"axis": 0}))
    if activations == "int8":
        step = np.abs(x).max(axis=1, keepdims=True) / np.float32(127)
        x = np.rint(x / step) * step
    else:
        x = x.astype(np.float16)
    wanted = x.astype(np.float64) @ held.dequantize().astype(np.float64)
    np.testing.assert_allclose(y, wanted, rtol=3e-6, atol=3e-6 * np.abs(wanted).max())


def test_sums_of_a_group_with_a_zero_point_are_exact_integers():
    """Two groups by hand: steps 1 and 2, zero points 0 and 15."""
    w = np.concatenate([np.arange(16), -2.0 * np.arange(16)])[:, None].astype(np.float32)
    x = np.array([[*range(16), *range(16)]], np.float32) * 8
    x[0, 0] = 127
    machine = npu.chip("warboy")
    machine = machine.but(arithmetic=machine.arithmetic.but(weights="uint4_g16", outputs=None))
    held = formats.quantize(w, "uint4_g16", axis=0)
    assert held.zero_point[:, 0].tolist() == [0, 15]
    assert machine.program(w).matmul(x)[0, 0] == (x @ w)[0, 0]


@pytest.mark.parametrize("name", ["nvfp4", "fp8_e4m3_1x128"])
def test_a_row_of_activations_does_not_depend_on_its_batch(name):
    rng = np.random.default_rng(7)
    x = (rng.standard_normal((6, 64)) * 10.0 ** np.arange(-3, 3)[:, None]).astype(np.float32)
    machine = npu.chip("warboy")
    arithmetic = machine.arithmetic.but(weights=name, activations=name, outputs=None)
    programmed = machine.but(arithmetic=arithmetic).program(
        rng.standard_normal((64, 9)).astype(np.float32)
    )
    whole = programmed.matmul(x)
    for i in range(6):
        np.testing.assert_array_equal(programmed.matmul(x[i : i + 1])[0], whole[i])


def test_blocks_that_mix_a_batch_are_refused_for_activations():
    with pytest.raises(ValueError, match=r"mix 128 rows of a batch; allowed.*fp8_e4m3_1x128"):
        npu.chip("warboy").arithmetic.but(activations="fp8_e4m3_128x128")
