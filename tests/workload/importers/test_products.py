"""Products in every form that ONNX writes them equal ONNX Runtime's."""

import numpy as np
import pytest
from onnx import TensorProto
from onnx_graphs import node, write

from pimlab.workload.importers.onnx_split import OnnxModel
from pimlab.workload.importers.products import _less_zero

RNG = np.random.default_rng(7)


def floats(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def agrees(model, x):
    found, expected = model.execute(x, model.exact), model.oracle(x)
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(
        found, expected, rtol=2e-5, atol=2e-5 * max(1, np.abs(expected).max())
    )


@pytest.mark.parametrize("extra", [0, 1, -1])
def test_a_transposed_convolution_of_a_wanted_size(tmp_path, extra):
    """3 x 3 pixels with stride 2 and a kernel of 3 reach 7 pixels: more of them are empty."""
    layer = node(
        "ConvTranspose", ["x", "w", "b"], strides=[2, 2], output_shape=[7 + extra, 7 + extra]
    )
    constants = {"w": floats(2, 3, 3, 3), "b": floats(3)}
    model = OnnxModel(write(tmp_path / "up.onnx", [layer], {"x": ("n", 2, 3, 3)}, constants))
    x = floats(2, 2, 3, 3)
    assert model.execute(x, model.exact).shape == (2, 3, 7 + extra, 7 + extra)
    agrees(model, x)


@pytest.mark.parametrize(("left", "right"), [
    (("n", 4, 6), (6,)), (("n", 4, 6), (2, 3, 6, 5)), ((4,), (4, 3)), ((4,), (2, 4, 3)), ((4,), (4,)),
    ((1, 4, 6), (3, 6, 2)), ((5, 6), (3, 6, 2)),
])  # fmt: skip
def test_constant_right_operands_of_any_rank(tmp_path, left, right):
    path = write(
        tmp_path / "m.onnx", [node("MatMul", ["x", "w"])], {"x": left}, {"w": floats(*right)}
    )
    if left[0] == "n" and len(right) == 4:
        path = write(
            tmp_path / "m.onnx",
            [node("MatMul", ["x", "w"])],
            {"x": ("n", 1, 3, 4, 6)},
            {"w": floats(*right)},
        )
        left = ("n", 1, 3, 4, 6)
    model = OnnxModel(path)
    assert model.mac_ops[0].kind == "weights"
    agrees(model, floats(*(3 if d == "n" else d for d in left)))


@pytest.mark.parametrize(
    ("left", "right"),
    [((4,), ("n", 4, 3)), ((2, 4), (4,)), ((4,), (4, 5)), ((3, 2, 4), (3, 4, 5))],
)
def test_constant_left_operands(tmp_path, left, right):
    model = OnnxModel(
        write(tmp_path / "m.onnx", [node("MatMul", ["w", "x"])], {"x": right}, {"w": floats(*left)})
    )
    agrees(model, floats(*(3 if d == "n" else d for d in right)))


@pytest.mark.parametrize("alpha", [1.0, 0.5])
@pytest.mark.parametrize("turned", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_gemm_of_two_computed_operands(tmp_path, turned, alpha):
    a = (6, 4) if turned[0] else (4, 6)
    b = (3, 6) if turned[1] else (6, 3)
    layer = node("Gemm", ["a", "b", "c"], transA=turned[0], transB=turned[1], alpha=alpha, beta=2.0)
    model = OnnxModel(write(tmp_path / "g.onnx", [layer], {"a": a, "b": b, "c": (3,)}))
    assert [(op.kind, op.m, op.k, op.n) for op in model.mac_ops] == [("activations", 4, 6, 3)]
    feeds = {"a": floats(*a), "b": floats(*b), "c": floats(3)}
    np.testing.assert_allclose(
        model.execute(feeds, model.exact), model.oracle(feeds), rtol=1e-5, atol=1e-5
    )


def test_a_computed_kernel_is_a_product_of_activations(tmp_path):
    nodes = [node("Relu", ["k"], "r"), node("Conv", ["x", "r", "b"], group=2)]
    path = write(tmp_path / "m.onnx", nodes, {"x": ("n", 4, 5, 5), "k": (6, 2, 3, 3), "b": (6,)})
    model = OnnxModel(path)
    (op,) = model.mac_ops
    assert (op.groups, op.m, op.k, op.n, op.kind) == (2, 9, 18, 3, "activations")
    feeds = {"x": floats(2, 4, 5, 5), "k": floats(2, 6, 2, 3, 3), "b": floats(2, 6)}
    answers = model.execute(feeds, model.exact)
    np.testing.assert_allclose(answers, model.oracle(feeds), rtol=1e-4, atol=1e-4)
    assert answers.shape == (2, 6, 3, 3)


@pytest.mark.parametrize("zeros", [(), ("xz",), ("xz", "wz")])
def test_integer_convolutions_are_exact(tmp_path, zeros):
    w = RNG.integers(0, 255, (3, 2, 3, 3), dtype=np.uint8)
    constants = {"w": w, "xz": np.uint8(7), "wz": np.uint8(9)}
    layer = node("ConvInteger", ["x", "w", *zeros], pads=[1, 1, 1, 1])
    path = write(
        tmp_path / "q.onnx",
        [layer],
        {"x": (TensorProto.UINT8, ("n", 2, 6, 6))},
        {name: constants[name] for name in ("w", *zeros)},
        kind=TensorProto.INT32,
    )
    model = OnnxModel(path)
    x = RNG.integers(0, 255, (2, 2, 6, 6), dtype=np.uint8)
    wide = x.astype(np.int64) - (7 if zeros else 0)
    kernel = w.astype(np.int64) - (9 if len(zeros) > 1 else 0)
    padded = np.pad(wide, ((0, 0), (0, 0), (1, 1), (1, 1)))
    expected = sum(
        np.einsum("nchw,oc->nohw", padded[:, :, i : i + 6, j : j + 6], kernel[:, :, i, j])
        for i in range(3)
        for j in range(3)
    )
    np.testing.assert_array_equal(model.execute(x, model.exact), expected)


def test_each_output_channel_may_have_its_zero_point():
    codes = RNG.integers(0, 255, (3, 2, 3, 3), dtype=np.uint8)
    zeros = np.array([1, 2, 3], np.uint8)
    layer = node("ConvInteger", ["x", "w", "", "z"])
    found = _less_zero(layer, 3, {"w": codes, "z": zeros}, "layer")
    np.testing.assert_array_equal(found, codes.astype(int) - zeros[:, None, None, None])


def test_integer_products_of_two_computed_operands_are_exact(tmp_path):
    layer = node("MatMulInteger", ["a", "b", "az", "bz"])
    path = write(
        tmp_path / "q.onnx",
        [layer],
        {"a": (TensorProto.UINT8, (4, 9)), "b": (TensorProto.UINT8, (9, 3))},
        {"az": np.uint8(12), "bz": np.uint8(5)},
        kind=TensorProto.INT32,
    )
    model = OnnxModel(path)
    a, b = (RNG.integers(0, 255, shape, dtype=np.uint8) for shape in ((4, 9), (9, 3)))
    np.testing.assert_array_equal(
        model.execute({"a": a, "b": b}, model.exact), (a.astype(int) - 12) @ (b.astype(int) - 5)
    )
