"""The split executor equals ONNX Runtime on the whole model, operator by operator."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx_graphs import node, write

from pimlab.machine.protocol import MacOp
from pimlab.workload import ModelError, load_data, load_model
from pimlab.workload.importers.onnx_split import OnnxModel, _saturated

RNG = np.random.default_rng(0)
SLOW = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def floats(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def agrees(model, x, rtol=2e-5):
    expected, found = model.oracle(x), model.execute(x, model.exact)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(
        found, expected, rtol=rtol, atol=rtol * max(1.0, float(np.abs(expected).max()))
    )


@SLOW
@given(
    axes=st.integers(1, 3),
    groups=st.sampled_from([1, 2, 4]),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 2),
    dilation=st.integers(1, 2),
    before=st.integers(0, 2),
    after=st.integers(0, 2),
    bias=st.booleans(),
)
def test_every_convolution_equals_onnx_runtime(
    tmp_path, axes, groups, kernel, stride, dilation, before, after, bias
):
    w, b = floats(4, 4 // groups, *[kernel] * axes), floats(4)
    attributes = {
        "group": groups,
        "strides": [stride] * axes,
        "dilations": [dilation] * axes,
        "pads": [before] * axes + [after] * axes,
    }
    layer = node("Conv", ["x", "w", *(["b"] if bias else [])], **attributes)
    model = OnnxModel(
        write(
            tmp_path / "conv.onnx",
            [layer],
            {"x": ("batch", 4, *[6] * axes)},
            {"w": w, "b": b} if bias else {"w": w},
        )
    )
    (op,) = model.mac_ops
    assert (op.k, op.n, op.groups, op.kind) == (
        4 // groups * kernel**axes,
        4 // groups,
        groups,
        "weights",
    )
    assert ("conv_1" in model.biases) is bias
    agrees(model, floats(3, 4, *[6] * axes))


@pytest.mark.parametrize("auto", ["SAME_UPPER", "SAME_LOWER", "VALID"])
def test_automatic_padding_equals_onnx_runtime(tmp_path, auto):
    layer = node("Conv", ["x", "w"], auto_pad=auto, strides=[2, 3])
    agrees(
        OnnxModel(
            write(tmp_path / "conv.onnx", [layer], {"x": ("n", 2, 7, 8)}, {"w": floats(3, 2, 2, 4)})
        ),
        floats(2, 2, 7, 8),
    )


@SLOW
@given(
    groups=st.sampled_from([1, 2]),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    pad=st.integers(0, 1),
    dilation=st.integers(1, 2),
    extra=st.integers(0, 1),
    bias=st.booleans(),
)
def test_every_transposed_convolution_equals_onnx_runtime(
    tmp_path, groups, kernel, stride, pad, dilation, extra, bias
):
    extra = min(extra, stride - 1)
    pad = min(pad, dilation * (kernel - 1))
    attributes = {
        "group": groups,
        "strides": [stride] * 2,
        "pads": [pad] * 4,
        "dilations": [dilation] * 2,
        "output_padding": [extra] * 2,
    }
    layer = node("ConvTranspose", ["x", "w", *(["b"] if bias else [])], **attributes)
    constants = {"w": floats(4, 6 // groups, kernel, kernel), **({"b": floats(6)} if bias else {})}
    model = OnnxModel(write(tmp_path / "up.onnx", [layer], {"x": ("n", 4, 5, 4)}, constants))
    assert model.mac_ops[0].m == 20
    assert (
        model.biases == {}
    )  # several products meet in one pixel: the bias is added after the scatter
    agrees(model, floats(2, 4, 5, 4))


def test_transposed_convolution_to_a_stated_shape(tmp_path):
    layer = node("ConvTranspose", ["x", "w"], strides=[2, 2], output_shape=[9, 8])
    agrees(
        OnnxModel(
            write(tmp_path / "up.onnx", [layer], {"x": ("n", 2, 4, 4)}, {"w": floats(2, 3, 3, 3)})
        ),
        floats(2, 2, 4, 4),
    )


@pytest.mark.parametrize(
    ("trans", "alpha", "beta", "c"),
    [(0, 1.0, 1.0, (5,)), (1, 0.5, 2.0, (1, 5)), (1, 1.0, 1.0, ()), (0, 2.0, 1.0, None)],
)
def test_gemm_with_its_factors(tmp_path, trans, alpha, beta, c):
    constants = {"w": floats(5, 6) if trans else floats(6, 5)} | (
        {} if c is None else {"c": floats(*c) if c else np.float32(0.3)}
    )
    layer = node(
        "Gemm", ["x", "w", *(["c"] if c is not None else [])], transB=trans, alpha=alpha, beta=beta
    )
    model = OnnxModel(write(tmp_path / "gemm.onnx", [layer], {"x": ("n", 6)}, constants))
    assert (model.biases["gemm_1"].shape == (5,)) if c is not None else not model.biases
    agrees(model, floats(4, 6))


def test_gemm_with_a_computed_addend_adds_it_on_the_host(tmp_path):
    nodes = [node("Relu", ["x"], "r"), node("Gemm", ["x", "w", "r"], beta=0.5)]
    model = OnnxModel(write(tmp_path / "gemm.onnx", nodes, {"x": ("n", 4)}, {"w": floats(4, 4)}))
    assert not model.biases
    agrees(model, floats(3, 4))


def test_a_convolution_knows_its_distinct_inputs(tmp_path):
    """3 x 3 windows overlap: nine inputs a pixel in the product, one pixel in memory; a stride of 2 skips half of 1 x 1's."""
    path, image = tmp_path / "conv.onnx", {"x": ("n", 4, 8, 8)}
    (op,) = OnnxModel(
        write(path, [node("Conv", ["x", "w"], pads=[1, 1, 1, 1])], image, {"w": floats(6, 4, 3, 3)})
    ).mac_ops
    assert (op.m, op.k, op.n, op.inputs) == (64, 36, 6, 4 * 64)
    (op,) = OnnxModel(
        write(path, [node("Conv", ["x", "w"], strides=[2, 2])], image, {"w": floats(6, 4, 1, 1)})
    ).mac_ops
    assert (op.m, op.k, op.n, op.inputs) == (16, 4, 6, 4 * 16)


def test_a_constant_vector_after_matmul_becomes_the_bias(tmp_path):
    nodes = [node("MatMul", ["x", "w"], "m"), node("Add", ["m", "b"], "s"), node("Relu", ["s"])]
    model = OnnxModel(
        write(tmp_path / "mlp.onnx", nodes, {"x": ("n", 7, 4)}, {"w": floats(4, 3), "b": floats(3)})
    )
    assert model.mac_ops == (MacOp(name="matmul_1", m=7, k=4, n=3),)
    assert model.biases["matmul_1"].shape == (3,)
    assert [op.kind for op in model.vector_ops] == ["relu"]
    assert model.vector_ops[0].elements == 21
    assert model.rectified == {"matmul_1"}
    agrees(model, floats(2, 7, 4))


def test_a_product_that_something_else_reads_too_keeps_its_own_result(tmp_path):
    nodes = [node("MatMul", ["x", "w"], "m"), node("Add", ["m", "b"], "s"), node("Mul", ["s", "m"])]
    model = OnnxModel(
        write(tmp_path / "two.onnx", nodes, {"x": ("n", 4)}, {"w": floats(4, 3), "b": floats(3)})
    )
    assert not model.biases
    assert not model.rectified
    agrees(model, floats(2, 4))


def test_a_constant_left_operand_multiplies_from_the_left(tmp_path):
    model = OnnxModel(
        write(
            tmp_path / "left.onnx",
            [node("MatMul", ["w", "x"])],
            {"x": ("n", 4, 6)},
            {"w": floats(5, 4)},
        )
    )
    assert (model.mac_ops[0].m, model.mac_ops[0].k, model.mac_ops[0].n) == (6, 4, 5)
    agrees(model, floats(3, 4, 6))


def test_stacked_weights_are_groups(tmp_path):
    model = OnnxModel(
        write(
            tmp_path / "heads.onnx",
            [node("MatMul", ["x", "w"])],
            {"x": ("n", 3, 5, 4)},
            {"w": floats(3, 4, 2)},
        )
    )
    assert model.mac_ops == (MacOp(name="matmul_1", m=5, k=4, n=2, groups=3),)
    agrees(model, floats(2, 3, 5, 4))


def test_products_of_activations_keep_samples_outermost(tmp_path):
    nodes = [node("Transpose", ["x"], "t", perm=[0, 1, 3, 2]), node("MatMul", ["x", "t"])]
    model = OnnxModel(write(tmp_path / "scores.onnx", nodes, {"x": ("n", 3, 5, 4)}))
    assert model.mac_ops == (MacOp(name="matmul_1", m=5, k=4, n=5, groups=3, kind="activations"),)
    x, seen = floats(2, 3, 5, 4), []

    def multiply(op, a, w, first):
        seen.append((a.shape, w.shape, first))
        return a @ w

    model.execute(x, multiply, 10)
    assert seen == [((6, 5, 4), (6, 4, 5), 50)]
    agrees(model, x)


def test_a_batch_that_is_not_the_first_axis_is_moved_there(tmp_path):
    nodes = [
        node("Transpose", ["x"], "t", perm=[1, 0, 2]),
        node("MatMul", ["t", "w"], "m"),
        node("Transpose", ["m"], perm=[1, 0, 2], name="b"),
    ]
    model = OnnxModel(write(tmp_path / "time.onnx", nodes, {"x": ("n", 5, 4)}, {"w": floats(4, 3)}))
    x, rows = floats(3, 5, 4), []

    def multiply(op, a, w, first):
        rows.append(a)
        return model.exact(op, a, w, first)

    model.execute(x, multiply)
    np.testing.assert_array_equal(rows[0].reshape(3, 5, 4), x)
    agrees(model, x)


@pytest.mark.parametrize("kinds", [(np.uint8, np.int8), (np.int8, np.int8), (np.uint8, np.uint8)])
def test_integer_products_are_exact(tmp_path, kinds):
    bounds = [np.iinfo(kind) for kind in kinds]
    w = RNG.integers(bounds[1].min, bounds[1].max, (40, 6), endpoint=True, dtype=kinds[1])
    element = {np.uint8: TensorProto.UINT8, np.int8: TensorProto.INT8}[kinds[0]]
    constants = {"w": w, "xz": kinds[0](3), "wz": kinds[1](5)}
    path = write(
        tmp_path / "q.onnx",
        [node("MatMulInteger", ["x", "w", "xz", "wz"])],
        {"x": (element, ("n", 9, 40))},
        constants,
        kind=TensorProto.INT32,
    )
    model = OnnxModel(path)
    x = RNG.integers(bounds[0].min, bounds[0].max, (4, 9, 40), endpoint=True, dtype=kinds[0])
    exact = (x.astype(np.int64) - 3) @ (w.astype(np.int64) - 5)
    np.testing.assert_array_equal(model.execute(x, model.exact), exact)
    if kinds != (np.uint8, np.int8):  # ONNX Runtime saturates u8 x s8 on processors without VNNI
        np.testing.assert_array_equal(model.oracle(x), exact)
    np.testing.assert_array_equal(model.weights["matmulinteger_1"][0], w.astype(np.float32) - 5)


def test_dynamic_quantisation_runs_sample_by_sample(tmp_path):
    quantise = helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"], name="dq")
    nodes = [
        quantise,
        node("MatMulInteger", ["q", "w", "z"], "i"),
        node("Cast", ["i"], "f", to=1),
        node("Mul", ["f", "s"]),
    ]
    model = OnnxModel(
        write(
            tmp_path / "dyn.onnx",
            nodes,
            {"x": ("n", 8)},
            {"w": RNG.integers(-9, 9, (8, 3), dtype=np.int8)},
        )
    )
    assert model.one_by_one
    agrees(model, floats(5, 8))


@pytest.mark.parametrize("way", ["cast", "dequantise"])
def test_integer_weights_are_seen_as_floats_with_their_codes_kept(tmp_path, way):
    codes, scale = RNG.integers(-127, 127, (6, 4), dtype=np.int8), np.abs(floats(1, 4))
    if way == "cast":
        nodes = [
            node("Cast", ["q"], "f", to=1),
            node("Mul", ["f", "s"], "w"),
            node("MatMul", ["x", "w"]),
        ]
    else:
        nodes, scale = (
            [node("DequantizeLinear", ["q", "s"], "w", axis=1), node("MatMul", ["x", "w"])],
            scale[0],
        )
    model = OnnxModel(
        write(tmp_path / "int8.onnx", nodes, {"x": ("n", 6)}, {"q": codes, "s": scale})
    )
    stored = model.stored["matmul_1"]
    np.testing.assert_array_equal(stored.codes[0], codes)
    np.testing.assert_array_equal(stored.codes * stored.scale, model.weights["matmul_1"])
    agrees(model, floats(3, 6))


@pytest.mark.parametrize("kind", ["Conv", "ConvTranspose", "Gemm", "MatMulInteger"])
def test_codes_are_laid_out_like_the_weights(tmp_path, kind):
    shape, axis = {
        "Conv": ((4, 2, 3, 3), 0),
        "ConvTranspose": ((4, 3, 2, 2), 1),
        "Gemm": ((5, 6), 0),
        "MatMulInteger": ((6, 5), 1),
    }[kind]
    codes, scale = RNG.integers(-128, 127, shape, dtype=np.int8), np.abs(floats(shape[axis])) + 0.1
    if kind == "MatMulInteger":
        path = write(
            tmp_path / "q.onnx",
            [node(kind, ["x", "q"])],
            {"x": (TensorProto.INT8, ("n", 6))},
            {"q": codes},
            kind=TensorProto.INT32,
        )
    else:
        zero = RNG.integers(-5, 5, len(scale), dtype=np.int8)
        layer = node(
            kind,
            ["x", "w"],
            **({"transB": 1} if kind == "Gemm" else {"group": 2 if kind == "Conv" else 1}),
        )
        nodes = [node("DequantizeLinear", ["q", "s", "z"], "w", axis=axis), layer]
        path = write(
            tmp_path / "q.onnx",
            nodes,
            {"x": ("n", 6) if kind == "Gemm" else ("n", 4, 5, 5)},
            {"q": codes, "s": scale, "z": zero},
        )
    model = OnnxModel(path)
    (stored,) = model.stored.values()
    assert stored.codes.shape == next(iter(model.weights.values())).shape
    np.testing.assert_allclose(
        stored.codes * stored.scale, next(iter(model.weights.values())), rtol=1e-6
    )
    assert np.issubdtype(stored.codes.dtype, np.integer)


def test_normalisation_after_a_convolution_is_folded_into_it(tmp_path):
    nodes = [
        node("Conv", ["x", "w"], "c"),
        node("BatchNormalization", ["c", "g", "b", "m", "v"], "n"),
        node("Relu", ["n"]),
    ]
    constants = {
        "w": floats(3, 2, 3, 3),
        "g": floats(3),
        "b": floats(3),
        "m": floats(3),
        "v": np.abs(floats(3)) + 0.5,
    }
    model = OnnxModel(write(tmp_path / "bn.onnx", nodes, {"x": ("n", 2, 5, 5)}, constants))
    assert model.biases["conv_1"].shape == (3,)
    assert [op.kind for op in model.vector_ops] == ["relu"]
    agrees(model, floats(2, 2, 5, 5))


def test_a_branch_without_products_runs_on_the_host(tmp_path):
    def branch(kind):
        return helper.make_graph(
            [helper.make_node(kind, ["m"], ["o"])],
            "b",
            [],
            [helper.make_tensor_value_info("o", 1, None)],
        )

    nodes = [
        node("MatMul", ["x", "w"], "m"),
        node("ReduceSum", ["x"], "t", keepdims=0),
        node("Greater", ["t", "zero"], "p"),
        node("If", ["p"], then_branch=branch("Relu"), else_branch=branch("Neg")),
    ]
    model = OnnxModel(
        write(
            tmp_path / "if.onnx", nodes, {"x": ("n", 3)}, {"w": floats(3, 2), "zero": np.float32(0)}
        )
    )
    agrees(model, np.ones((2, 3), np.float32))
    agrees(model, -np.ones((2, 3), np.float32))


def test_a_batch_fixed_in_the_file_is_opened(tmp_path):
    model = OnnxModel(
        write(
            tmp_path / "one.onnx", [node("MatMul", ["x", "w"])], {"x": (1, 6)}, {"w": floats(6, 2)}
        )
    )
    assert not model.one_by_one
    agrees(model, floats(5, 6))


def test_a_graph_that_insists_on_one_sample_runs_sample_by_sample(tmp_path):
    nodes = [node("Reshape", ["x", "shape"], "r"), node("MatMul", ["r", "w"])]
    model = OnnxModel(
        write(
            tmp_path / "baked.onnx",
            nodes,
            {"x": (1, 2, 3)},
            {"shape": np.array([1, 6]), "w": floats(6, 2)},
        )
    )
    assert model.one_by_one
    x = floats(4, 2, 3)
    np.testing.assert_allclose(
        model.execute(x, model.exact),
        x.reshape(4, 6) @ model.weights["matmul_1"][0],
        rtol=1e-4,
        atol=1e-5,
    )


def test_the_outputs_do_not_depend_on_chunks(tmp_path):
    model = load_model("fashion-cnn")
    x = np.random.default_rng(3).random((9, 1, 28, 28), dtype=np.float32)

    def multiply(op, a, w, first):
        rows = np.arange(first, first + a.shape[1], dtype=np.float32)[None, :, None]
        return np.einsum("gmk,gkn->gmn", a, model.weights[op.name]) + np.sin(rows)

    whole = model.execute(x, multiply, 100)
    parts = [model.execute(x[i:j], multiply, 100 + i) for i, j in ((0, 1), (1, 5), (5, 9))]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    model._chunk = 2
    np.testing.assert_array_equal(model.execute(x, multiply, 100), whole)


def by_sample(model):
    """Exact products made one sample at a time, so that BLAS sees the same shapes in every chunk."""

    def multiply(op, a, w, first):
        rows = [
            model.exact(op, np.ascontiguousarray(a[:, i : i + op.m]), None, 0)
            for i in range(0, a.shape[1], op.m)
        ]
        return np.concatenate(rows, axis=1)

    return multiply


@pytest.mark.parametrize("source", ["magika", "tails"])
def test_operators_with_tails_give_the_same_bits_in_any_chunk(tmp_path, source):
    if source == "magika":
        model, x = load_model("magika"), load_data("magika-files", limit=4).inputs
    else:
        nodes = [
            node("MatMul", ["x", "w"], "m"),
            node("Exp", ["m"], "e"),
            node("ReduceSum", ["e", "axes"], "s", keepdims=0),
            node("Shape", ["x"], "shape"),
            node("Slice", ["shape", "zero", "axes"], "n"),
            node("Concat", ["n", "rest"], "to", axis=0),
            node("Reshape", ["s", "to"], "r"),
            node("MatMul", ["r", "v"], "o", name="second"),
            node("Tanh", ["o"]),
        ]
        constants = {
            "w": floats(4, 7),
            "axes": np.array([1]),
            "zero": np.array([0]),
            "rest": np.array([7]),
            "v": floats(7, 5),
        }
        model, x = (
            OnnxModel(write(tmp_path / "tails.onnx", nodes, {"x": ("n", 3, 4)}, constants)),
            floats(4, 3, 4),
        )
        agrees(model, x)
    whole = model.execute(x, by_sample(model))
    for chunk in (1, 3):
        model._chunk = chunk
        np.testing.assert_array_equal(model.execute(x, by_sample(model)), whole)
        parts = [
            model.execute(x[i : i + chunk], by_sample(model), i) for i in range(0, len(x), chunk)
        ]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize(("x", "message"), [
    (np.zeros((3, 28, 28)), r"input 'input' has shape \(3, 28, 28\), allowed \(n, 1, 28, 28\)"),
    (np.zeros((0, 1, 28, 28)), "n >= 1"),
    (np.full((1, 1, 28, 28), np.nan), "holds 784 non-finite values"),
])  # fmt: skip
def test_inputs_that_do_not_fit_are_refused(x, message):
    model = load_model("fashion-cnn")
    with pytest.raises(ValueError, match=message):
        model.execute(x, model.exact)


def test_a_node_without_a_name_is_called_after_its_output(tmp_path):
    nodes = [node("MatMul", ["x", "w"], "m", name=""), node("MatMul", ["m", "w"], name="m")]
    model = OnnxModel(write(tmp_path / "twice.onnx", nodes, {"x": ("n", 3)}, {"w": floats(3, 3)}))
    assert [op.name for op in model.mac_ops] == ["m", "m_1"]
    agrees(model, floats(2, 3))


def test_open_dimensions_are_fixed_by_name(tmp_path):
    path = write(
        tmp_path / "seq.onnx",
        [node("MatMul", ["x", "w"])],
        {"x": ("batch", "sequence", 4)},
        {"w": floats(4, 2)},
    )
    assert OnnxModel(path, dims={"sequence": 5}).mac_ops[0].m == 5
    with pytest.raises(
        ModelError,
        match=r"seq.onnx: input 'x' has the open dimension 'sequence' at axis 1; fix it with dims=",
    ):
        OnnxModel(path)
    with pytest.raises(
        ModelError, match=r"dims names 'sequense', but no input .*|did you mean 'sequense'"
    ):
        OnnxModel(path, dims={"sequense": 5})


def test_sizes_of_dimensions_are_positive_integers(tmp_path):
    path = write(
        tmp_path / "seq.onnx",
        [node("MatMul", ["x", "w"])],
        {"x": ("batch", "sequence", 4)},
        {"w": floats(4, 2)},
    )
    for size in (0, -1, 2.5, "5", True):
        with pytest.raises(
            ModelError, match=r"seq.onnx: dims 'sequence'=.*; allowed: an integer, 1 or more"
        ):
            OnnxModel(path, dims={"sequence": size})


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.INT32])
def test_products_keep_the_type_that_the_graph_has(tmp_path, kind):
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    w = (8 * floats(6, 4)).astype(dtype)
    path = write(
        tmp_path / "typed.onnx",
        [node("MatMul", ["x", "w"], "h"), node("Identity", ["h"])],
        {"x": (kind, ("n", 6))},
        {"w": w},
        kind=kind,
    )
    model = OnnxModel(path)
    assert model.mac_ops[0].kind == "weights"
    agrees(model, (8 * floats(3, 6)).astype(dtype), rtol=2e-3 if dtype.itemsize == 2 else 2e-5)


def test_a_half_precision_convolution_equals_onnx_runtime(tmp_path):
    half = TensorProto.FLOAT16
    nodes = [node("Conv", ["x", "w"], "h"), node("Relu", ["h"])]
    path = write(
        tmp_path / "half.onnx",
        nodes,
        {"x": (half, ("n", 3, 6, 6))},
        {"w": floats(4, 3, 3, 3).astype(np.float16)},
        kind=half,
    )
    agrees(OnnxModel(path), floats(2, 3, 6, 6).astype(np.float16), rtol=2e-3)


def test_an_output_without_a_shape_is_found_by_running(tmp_path):
    graph = helper.make_graph(
        [node("MatMul", ["x", "w"])],
        "bare",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(floats(6, 2), "w")],
    )
    whole = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    before = whole.SerializeToString()
    agrees(OnnxModel(whole), floats(3, 6))
    assert whole.SerializeToString() == before  # a caller's model is not changed


@pytest.mark.parametrize(
    ("last", "apart", "taken"),
    [
        ("Sigmoid", 3e-8, True),
        ("Softmax", 1e-7, True),
        ("Sigmoid", 3e-7, False),
        ("Relu", 3e-8, False),
    ],
)
def test_a_sigmoid_that_says_nothing_may_round_either_way(last, apart, taken):
    """PP-OCRv4 finds no text in noise: 0, 3e-8 or 6e-8 by the path that computes exp(-17)."""
    nodes = [node("MatMul", ["x", "w"], "m"), node(last, ["m"], "s"), node("Identity", ["s"], "y")]
    whole = np.full((2, 3), 6e-8, np.float32)
    assert _saturated(nodes, "y", whole - np.float32(apart), whole) is taken
    assert not _saturated(nodes, "y", whole[:1], whole)


@pytest.mark.parametrize("factor", [1.0, 1.5])
def test_sums_that_cancel_are_not_called_misread(tmp_path, monkeypatch, factor):
    """Weights of 1e7 whose sum is near 0, as a Gaussian process of scikit-learn has, added backwards."""
    w = (np.random.default_rng(1).standard_normal((512, 1)) * 1e7).astype(np.float32)
    w[-1] = -w[:-1].sum(dtype=np.float64)
    nodes = [
        node("Mul", ["z", "none"], "flat"), node("Add", ["flat", "one"], "x"),
        node("MatMul", ["x", "w"], name="sums"),
    ]  # fmt: skip
    constants = {"one": np.ones(512, np.float32), "none": np.full(512, 1e-9, np.float32), "w": w}
    path = write(tmp_path / "m.onnx", nodes, {"z": ("batch", 512)}, constants)

    def backwards(model, op, x, right, first):
        steps = x[0, :, ::-1] * model.weights[op.name][0, ::-1, 0]
        return np.float32(factor) * np.cumsum(steps, axis=1, dtype=np.float32)[None, :, -1:]

    monkeypatch.setattr(OnnxModel, "exact", backwards)
    if factor > 1:  # beyond rounding: more than the sum of sizes could leave
        w[:] = np.abs(w)
        path = write(tmp_path / "m.onnx", nodes, {"z": ("batch", 512)}, constants)
        with pytest.raises(ModelError, match="node 'sums' is misread"):
            OnnxModel(path)
        return
    model = OnnxModel(path)
    assert model.macs == 512
    with pytest.raises(ModelError, match="'y' hangs on the order in which float32 sums are added"):
        model.execute(floats(2, 512), model.exact)
