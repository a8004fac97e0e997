"""Do trained weights come back in the file they came from, recurrent ones gate by gate?"""

import numpy as np
import onnx
import pytest
import xarray as xr
from finite_differences import assert_gradients
from onnx_graphs import node, write

from pimlab.workload import load_model
from pimlab.workload.training import Graph, trained
from pimlab.workload.training.trained import places

RNG = np.random.default_rng(6)
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
STEPS, INPUT, HIDDEN = 3, 3, 4


def _model(path, kind, directions=1):
    gates = GATES[kind]
    constants = {
        "w": RNG.standard_normal((directions, gates * HIDDEN, INPUT)) / 2,
        "r": RNG.standard_normal((directions, gates * HIDDEN, HIDDEN)) / 2,
        "b": RNG.standard_normal((directions, 2 * gates * HIDDEN)) / 2,
        "o": RNG.standard_normal((directions * HIDDEN, 2)),
    }
    constants = {name: value.astype(np.float32) for name, value in constants.items()}
    constants["s"] = np.array([0, -1, directions * HIDDEN], np.int64)
    way = {"direction": "bidirectional"} if directions == 2 else {}
    nodes = [
        node("Transpose", ["z"], "x", perm=[1, 0, 2], name="turn"),
        node(kind, ["x", "w", "r", "b"], "h", hidden_size=HIDDEN, name="memory", **way),
        node("Transpose", ["h"], "t", perm=[2, 0, 1, 3], name="back"),
        node("Reshape", ["t", "s"], "f", name="flat"),
        node("MatMul", ["f", "o"], "y", name="out"),
    ]
    return load_model(write(path / "m.onnx", nodes, {"z": ("batch", STEPS, INPUT)}, constants))


@pytest.mark.parametrize(("kind", "directions"), [("LSTM", 1), ("GRU", 1), ("RNN", 1), ("LSTM", 2)])
def test_recurrent_steps_are_trained_and_put_back(tmp_path, kind, directions):
    model = _model(tmp_path, kind, directions)
    graph = Graph(model)
    x = RNG.standard_normal((2, STEPS, INPUT)).astype(np.float32)
    np.testing.assert_allclose(graph.outputs(x, graph.exact), model.oracle(x), atol=3e-6)
    assert_gradients(graph, x, RNG, step=1e-3)
    moved = {name: w + np.float32(0.1) for name, w in graph.weights.items()}
    biases = {name: b - np.float32(0.1) for name, b in graph.biases.items()}
    answer = trained(model, moved, biases, "moved", xr.Dataset())
    onnx.save(answer.whole, tmp_path / "moved.onnx")
    again = load_model(tmp_path / "moved.onnx")
    for name, w in moved.items():
        np.testing.assert_array_equal(again.weights[name], w)
    for name, b in biases.items():
        np.testing.assert_array_equal(again.biases[name], b)
    np.testing.assert_allclose(again.execute(x, again.exact), answer.oracle(x), atol=3e-6)


def test_each_gate_has_its_place(tmp_path):
    found = places(_model(tmp_path, "GRU"))
    assert found["memory.R.0"].part == (0, 0, 2 * HIDDEN)
    assert found["memory.R.2"].part == (0, 2 * HIDDEN, 3 * HIDDEN)
    assert found["out"].part is None


def _normalised(path):
    """A convolution with a batch normalisation of its own after it, as exporters leave them."""
    constants = {
        "w": RNG.standard_normal((4, 2, 3, 3)),
        "g": RNG.uniform(0.5, 2, 4),
        "s": RNG.standard_normal(4),
        "m": RNG.standard_normal(4),
        "v": RNG.uniform(0.5, 2, 4),
        "o": RNG.standard_normal((4, 3)),
    }
    nodes = [
        node("Conv", ["x", "w"], "c", name="conv"),
        node("BatchNormalization", ["c", "g", "s", "m", "v"], "n", name="bn"),
        node("Relu", ["n"], "r", name="relu"),
        node("GlobalAveragePool", ["r"], "p", name="pool"),
        node("Flatten", ["p"], "f", name="flat"),
        node("MatMul", ["f", "o"], "y", name="out"),
    ]
    held = {name: value.astype(np.float32) for name, value in constants.items()}
    return load_model(write(path / "m.onnx", nodes, {"x": ("batch", 2, 6, 6)}, held))


def test_a_convolution_is_trained_with_the_normalisation_after_it(tmp_path):
    """The two are one product: its weights are those of the convolution times gain over deviation."""
    model = _normalised(tmp_path)
    graph = Graph(model)
    x = RNG.standard_normal((2, 2, 6, 6)).astype(np.float32)
    assert_gradients(graph, x, RNG)
    moved = {name: w + np.float32(0.1) for name, w in graph.weights.items()}
    biases = {name: b - np.float32(0.1) for name, b in graph.biases.items()}
    answer = trained(model, moved, biases, "moved", xr.Dataset())
    onnx.save(answer.whole, tmp_path / "moved.onnx")
    again = load_model(tmp_path / "moved.onnx")
    for name, w in moved.items():
        np.testing.assert_array_equal(again.weights[name], w)
    np.testing.assert_array_equal(again.biases["conv"], biases["conv"])
    np.testing.assert_allclose(again.execute(x, again.exact), answer.oracle(x), atol=3e-6)
    kinds = [made.op_type for made in answer.whole.graph.node]
    assert "BatchNormalization" not in kinds
