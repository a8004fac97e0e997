"""Does a loss pass normalisations and means, and does it reach their gains?"""

import numpy as np
import pytest
from finite_differences import assert_gradients
from onnx_graphs import node, write
from training_graphs import RNG, assert_slopes, between, integers, of_three, one, weights

from pimlab.workload import load_model
from pimlab.workload.training import Graph
from pimlab.workload.training.norms import Largest

GRAPHS = {
    "LayerNormalization": one(
        "LayerNormalization", "g", "s", constants={"g": 1 + weights(6), "s": weights(6)}
    ),
    "RMS by hand": between(
        node("Pow", ["a", "two"], "q"),
        node("ReduceMean", ["q", "axes"], "m"),
        node("Add", ["m", "small"], "s"),
        node("Sqrt", ["s"], "r"),
        node("Div", ["a", "r"], "b"),
        constants={
            "two": np.array(2, np.float32),
            "axes": integers(-1),
            "small": np.array(1e-5, np.float32),
        },
    ),
    "ReduceMax": of_three(
        node("ReduceMax", ["a", "axes"], "b", keepdims=0), constants={"axes": integers(1)}
    ),
    "ReduceMin": between(
        node("ReduceMin", ["a", "axes"], "m"),
        node("Sub", ["a", "m"], "b"),
        constants={"axes": integers(-1)},
    ),
    "ReduceSum without the axis": of_three(
        node("ReduceSum", ["a", "axes"], "b", keepdims=0), constants={"axes": integers(1)}
    ),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_gradients_are_central_differences(tmp_path, name):
    assert_slopes(tmp_path, GRAPHS[name])


def _images(*middle, constants=None, last="b", read=4):
    held = {"w1": weights(4, 2, 3, 3), "w2": weights(read, 3), **(constants or {})}
    nodes = [
        node("Conv", ["x", "w1"], "a", name="conv"),
        *middle,
        node("Flatten", [last], "f"),
        node("MatMul", ["f", "w2"], "y", name="fc"),
    ]
    return nodes, {"x": ("n", 2, 6, 6)}, held


@pytest.mark.parametrize("kind", ["GlobalAveragePool", "GlobalMaxPool"])
def test_images_pass_one_value_a_channel(tmp_path, kind):
    nodes, inputs, held = _images(node(kind, ["a"], "b"))
    rng = np.random.default_rng(5)  # of its own: where a maximum has kinks depends on the draws
    own = {name: rng.standard_normal(w.shape).astype(np.float32) / 4 for name, w in held.items()}
    graph = Graph(load_model(write(tmp_path / "m.onnx", nodes, inputs, own)))
    assert_gradients(graph, rng.standard_normal((2, 2, 6, 6)).astype(np.float32), rng)


def _assert_normalisation(model):
    """Outputs are ONNX Runtime's, and gain and shift have the gradients of finite differences."""
    graph = Graph(model)
    x = RNG.standard_normal((2, 2, 6, 6)).astype(np.float32)
    np.testing.assert_allclose(graph.outputs(x, graph.exact), model.oracle(x), rtol=1e-4, atol=1e-5)
    assert set(graph.parameters) == {"g", "s"}
    assert_gradients(graph, x, RNG)


def test_images_pass_instance_normalisation(tmp_path):
    nodes, inputs, held = _images(
        node("InstanceNormalization", ["a", "g", "s"], "i", name="norm"),
        node("Relu", ["i"], "r"),
        node("GlobalAveragePool", ["r"], "b"),
        constants={"g": 1 + weights(4), "s": weights(4)},
    )
    _assert_normalisation(load_model(write(tmp_path / "m.onnx", nodes, inputs, held)))


def test_equal_elements_share_the_slope_of_their_maximum():
    layer = Largest("m", ("x",), "y", axes=(1,))
    assert layer.forward(np.array([[2.0, 2.0, 1.0]], np.float32)).tolist() == [[2.0]]
    assert layer.backward(np.array([[3.0]], np.float32))[0].tolist() == [[1.5, 1.5, 0.0]]


def test_images_pass_batch_normalisation_and_the_mean_of_their_pixels(tmp_path):
    constants = {"g": 1 + weights(4), "s": weights(4), "m": weights(4), "v": 1 + np.abs(weights(4))}
    nodes, inputs, held = _images(
        node("Relu", ["a"], "r"),
        node("BatchNormalization", ["r", "g", "s", "m", "v"], "n", name="bn"),
        node("GlobalAveragePool", ["n"], "b"),
        constants=constants,
    )
    _assert_normalisation(load_model(write(tmp_path / "m.onnx", nodes, inputs, held)))
