"""Which tensors of a graph are constant, and what codes do its integer weights hold?"""

import numpy as np
import onnx
from onnx_graphs import node, write

from pimlab.workload.importers import constants

RNG = np.random.default_rng(1)
CODES = RNG.integers(-128, 128, (6, 4)).astype(np.int8)


def graph(tmp_path, nodes, held, inputs=None):
    return onnx.load(write(tmp_path / "g.onnx", nodes, inputs or {"x": ["batch", 6]}, held)).graph


def test_integer_weights_keep_their_codes(tmp_path):
    scale, zero = RNG.random(4).astype(np.float32), np.array([1, 2, 3, 4], np.int8)
    nodes = [
        node("DequantizeLinear", ["q", "s", "z"], "w", axis=1),
        node("MatMul", ["x", "w"]),
    ]
    g = graph(tmp_path, nodes, {"q": CODES, "s": scale, "z": zero})
    codes, found = constants.stored_codes(g)["w"]
    np.testing.assert_array_equal(codes, CODES.astype(int) - zero)
    assert codes.dtype == np.int16
    np.testing.assert_array_equal(found, scale[None, :])
    np.testing.assert_allclose(constants.constants(g)["w"], codes * scale, rtol=1e-6)
    assert constants.constant_names(g) >= {"q", "s", "z", "w"}


def test_blocks_along_an_axis_repeat_their_scale(tmp_path):
    scale = RNG.random((3, 4)).astype(np.float32)
    nodes = [
        node("DequantizeLinear", ["q", "s"], "w", axis=0, block_size=2),
        node("MatMul", ["x", "w"]),
    ]
    path = write(
        tmp_path / "g.onnx", nodes, {"x": ["batch", 6]}, {"q": CODES, "s": scale}, opset=21
    )
    codes, found = constants.stored_codes(onnx.load(path).graph)["w"]
    np.testing.assert_array_equal(found, np.repeat(scale, 2, axis=0))
    np.testing.assert_array_equal(codes, CODES)


def test_cast_codes_times_a_scale_are_codes_too(tmp_path):
    nodes = [
        node("Cast", ["q"], "f", to=onnx.TensorProto.FLOAT),
        node("Mul", ["s", "f"], "w"),
        node("MatMul", ["x", "w"]),
    ]
    g = graph(tmp_path, nodes, {"q": CODES, "s": np.float32(0.5)})
    codes, scale = constants.stored_codes(g)["w"]
    np.testing.assert_array_equal(codes, CODES)
    assert scale == 0.5


def test_constant_parts_are_computed_and_products_stay(tmp_path):
    nodes = [
        node("Add", ["a", "b"], "w", name="sum"),
        node("MatMul", ["x", "w"], "m"),
        node("Add", ["m", "c"], "y", name="bias"),
    ]
    held = {name: RNG.random((6, 4)).astype(np.float32) for name in "ab"}
    model = onnx.load(
        write(tmp_path / "g.onnx", nodes, {"x": ["batch", 6]}, held | {"c": np.ones(4, np.float32)})
    )
    for made in (constants.folded(model), constants._computed(model)):
        assert [n.op_type for n in made.graph.node] == ["MatMul", "Add"]
        found = constants.constants(made.graph)
        weights = found[made.graph.node[0].input[1]]
        np.testing.assert_array_equal(weights, held["a"] + held["b"])
