"""Products on codes against ONNX Runtime's own kernels, and the codes that a machine finds in them."""

import numpy as np
import pytest
from onnx import TensorProto

from pimlab.workload import OnnxModel
from tests.onnx_graphs import node, write

UINT8 = TensorProto.UINT8
RNG = np.random.default_rng(0)
X = {"xs": np.float32(0.02), "xz": np.uint8(120)}
Y = {"ys": np.float32(0.11), "yz": np.uint8(130)}


def _codes(*shape):
    return RNG.integers(0, 256, shape).astype(np.uint8)


def _near(model, x, steps=1):
    y, wanted = model.execute(x, model.exact), model.oracle(x)
    assert y.dtype == wanted.dtype
    assert np.abs(y.astype(int) - wanted.astype(int)).max() <= steps
    assert (y != wanted).mean() < 0.01


@pytest.mark.parametrize("columns", [1, 5])
def test_qlinear_matmul(tmp_path, columns):
    scale = np.full(columns, 0.01, np.float32) if columns > 1 else np.float32(0.01)
    zero = np.full(columns, 128, np.uint8) if columns > 1 else np.uint8(128)
    constants = X | Y | {"w": _codes(20, 5), "ws": scale, "wz": zero}
    names = ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"]
    path = write(tmp_path / "m.onnx", [node("QLinearMatMul", names, name="product")],
                 {"x": (UINT8, ("batch", 4, 20))}, constants, kind=UINT8, opset=19)  # fmt: skip
    model = OnnxModel(path)
    _near(model, _codes(6, 4, 20))
    held = model.quantised["product"] if model.quantised else None
    assert model.stored["product"].codes.shape == (1, 20, 5)
    assert held is None or held.y.zero_point == 130


def test_qlinear_convolution_with_its_bias(tmp_path):
    signed = RNG.integers(-60, 61, (4, 3, 3, 3)).astype(np.int8)
    constants = (
        X | Y | {"w": signed, "ws": np.full(4, 0.01, np.float32), "wz": np.zeros(4, np.int8)}
    )
    constants["b"] = RNG.integers(-500, 500, 4).astype(np.int32)
    names = ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"]
    conv = node("QLinearConv", names, name="conv", pads=[1, 1, 1, 1])
    path = write(tmp_path / "m.onnx", [conv], {"x": (UINT8, ("batch", 3, 6, 6))}, constants,
                 kind=UINT8, opset=17)  # fmt: skip
    _near(OnnxModel(path), _codes(3, 3, 6, 6))


def test_qgemm_of_onnx_runtime(tmp_path):
    constants = X | Y | {"w": _codes(5, 20), "ws": np.float32(0.01), "wz": np.uint8(99)}
    constants["b"] = RNG.integers(-500, 500, 5).astype(np.int32)
    names = ["x", "xs", "xz", "w", "ws", "wz", "b", "ys", "yz"]
    gemm = node("QGemm", names, name="gemm", transB=1, domain="com.microsoft")
    path = write(tmp_path / "m.onnx", [gemm], {"x": (UINT8, ("batch", 20))}, constants,
                 kind=UINT8, domains=("com.microsoft",))  # fmt: skip
    _near(OnnxModel(path), _codes(7, 20))


@pytest.mark.parametrize(("bits", "with_zeros"), [(4, True), (4, False), (8, True)])
def test_matmul_nbits_of_onnx_runtime(tmp_path, bits, with_zeros):
    k, n, block = 64, 6, 32
    constants = {
        "w": _codes(n, k // block, block * bits // 8),
        "s": (RNG.random(n * k // block) / 10).astype(np.float32),
    }
    if with_zeros:
        constants["z"] = _codes(n * (k // block) * bits // 8)
    made = node("MatMulNBits", ["x", *constants], name="product", domain="com.microsoft", K=k, N=n,
                bits=bits, block_size=block)  # fmt: skip
    path = write(tmp_path / "m.onnx", [made], {"x": ("batch", k)}, constants,
                 domains=("com.microsoft",))  # fmt: skip
    model = OnnxModel(path)
    x = RNG.standard_normal((3, k)).astype(np.float32)
    np.testing.assert_allclose(model.execute(x, model.exact), model.oracle(x), rtol=1e-4, atol=1e-4)
    assert model.weights["product"].shape == (1, k, n)
    held = model.held["product"]
    assert (held.part, held.scale.shape) == (block, (1, k // block, n))
    assert held.holds(model.weights["product"][0])


@pytest.mark.parametrize("block", [0, 8])
def test_integers_of_four_bits_become_weights(tmp_path, block):
    from onnx import helper, numpy_helper, save

    codes = RNG.integers(-8, 8, (16, 5))
    scale = (RNG.random((2, 5)) + 0.1).astype(np.float32) if block else np.float32(0.3)
    given = {"axis": 0, "block_size": block} if block else {}
    nodes = [
        node("DequantizeLinear", ["w", "s"], "v", name="floats", **given),
        node("MatMul", ["x", "v"], name="product"),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 16])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 5])
    held = [
        helper.make_tensor("w", TensorProto.INT4, [16, 5], codes.reshape(-1).tolist()),
        numpy_helper.from_array(np.asarray(scale), "s"),
    ]
    graph = helper.make_graph(nodes, "four", [x], [y], held)
    opsets = [helper.make_opsetid("", 21)]
    save(helper.make_model(graph, opset_imports=opsets, ir_version=10), tmp_path / "m.onnx")
    model = OnnxModel(tmp_path / "m.onnx")
    wanted = codes * (np.repeat(scale, block, axis=0) if block else scale)
    np.testing.assert_allclose(model.weights["product"][0], wanted, rtol=1e-6)
    held = model.held["product"]
    assert (held.part, held.bits) == (block or None, 4)
    np.testing.assert_array_equal(held.codes[0], codes)
    x = RNG.standard_normal((3, 16)).astype(np.float32)
    np.testing.assert_allclose(model.execute(x, model.exact), model.oracle(x), rtol=1e-4, atol=1e-4)


def test_scales_and_zero_points_of_the_file_are_known_to_machines(tmp_path):
    constants = X | Y | {"w": _codes(20, 5), "ws": np.float32(0.01), "wz": np.uint8(128)}
    nodes = [
        node("QuantizeLinear", ["f", "xs", "xz"], "x", name="in"),
        node("QLinearMatMul", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"], "q", name="product"),
        node("DequantizeLinear", ["q", "ys", "yz"], "y", name="out"),
    ]
    path = write(tmp_path / "m.onnx", nodes, {"f": ("batch", 20)}, constants)
    model = OnnxModel(path)
    assert model.quantised["product"].x.zero_point == 120
    assert model.quantised["product"].y.scale == pytest.approx(0.11)
    x = RNG.standard_normal((8, 20)).astype(np.float32)
    np.testing.assert_allclose(model.execute(x, model.exact), model.oracle(x), atol=0.111)


@pytest.mark.parametrize(("kind", "two", "given"), [
    ("QLinearAdd", True, {}), ("QLinearMul", True, {}), ("QLinearSigmoid", False, {}),
    ("QLinearLeakyRelu", False, {"alpha": 0.2}), ("QLinearSoftmax", False, {"axis": 1, "opset": 13}),
    ("QLinearGlobalAveragePool", False, {}), ("QLinearConcat", True, {"axis": 1}),
    ("QLinearAveragePool", False, {"kernel_shape": [2, 2]}),
])  # fmt: skip
def test_operators_on_codes_that_are_no_products(tmp_path, kind, two, given):
    """Beside a convolution, as quantisers in the QOperator form write residual networks."""
    scales = {"a": 0.02, "b": 0.03, "c": 0.01, "w": 0.004}
    constants = {f"{name}s": np.float32(scale) for name, scale in scales.items()}
    constants |= {f"{name}z": np.uint8(128) for name in "abcw"} | {"w": _codes(3, 3, 1, 1)}
    x, y = (["a", "as", "az"], ["b", "bs", "bz"])
    names = [*x, *y] if two else y
    end = ["cs", "cz"]
    names = [*end, *names] if kind == "QLinearConcat" else [*names, *end]
    nodes = [
        node("QuantizeLinear", ["x", "as", "az"], "a", name="in"),
        node("QLinearConv", ["a", "as", "az", "w", "ws", "wz", "bs", "bz"], "b", name="conv"),
        node(kind, names, "c", name="host", domain="com.microsoft", **given),
        node("DequantizeLinear", ["c", "cs", "cz"], "y", name="out"),
    ]
    path = write(tmp_path / "m.onnx", nodes, {"x": ("batch", 3, 4, 4)}, constants,
                 domains=("com.microsoft",))  # fmt: skip
    model = OnnxModel(path)
    x = RNG.standard_normal((3, 3, 4, 4)).astype(np.float32)
    wanted = model.oracle(x)
    np.testing.assert_allclose(model.execute(x, model.exact), wanted, atol=0.011)  # a step
    assert wanted.std() > 0
    assert len(model.quantised) == 1


def test_channels_that_stand_last_are_refused(tmp_path):
    from pimlab.workload.model import ModelError

    constants = X | Y
    nodes = [node("QLinearGlobalAveragePool", ["x", "xs", "xz", "ys", "yz"], name="pool",
                  domain="com.microsoft", channels_last=1)]  # fmt: skip
    path = write(tmp_path / "m.onnx", nodes, {"x": (UINT8, ("batch", 4, 4, 3))}, constants,
                 kind=UINT8, domains=("com.microsoft",))  # fmt: skip
    with pytest.raises(ModelError, match=r"'pool'.*has its channels last"):
        OnnxModel(path)
