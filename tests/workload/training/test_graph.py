"""What comes back to a model's products from the loss?"""

import numpy as np
import pytest
from onnx_graphs import node, write

from pimlab.workload import load_model
from pimlab.workload.training import Graph
from pimlab.workload.training.graph import Operands

RNG = np.random.default_rng(8)
X = RNG.standard_normal((5, 3)).astype(np.float32)


@pytest.fixture
def linear(tmp_path):
    constants = {"w": RNG.standard_normal((3, 2)).astype(np.float32)}
    nodes = [node("MatMul", ["x", "w"], "y", name="fc")]
    return load_model(write(tmp_path / "m.onnx", nodes, {"x": ("n", 3)}, constants))


def test_gradients_of_one_product_are_matrices(linear):
    """d/dw of sum(g y) is x^T g."""
    graph = Graph(linear)
    graph.outputs(X, graph.exact)
    g = RNG.standard_normal((5, 2)).astype(np.float32)
    seen = graph.operands(g)["fc"]
    assert seen.weights[0] == pytest.approx(X.T @ g, rel=1e-5)
    assert seen.biases == pytest.approx(g.sum(axis=0), rel=1e-5)


def test_the_way_back_takes_noise_for_the_identity(linear):
    """A product that is made wrongly has the gradient of the right one."""
    graph = Graph(linear)
    plain = graph.outputs(X, graph.exact)
    loud = graph.outputs(X, lambda op, x, w, first: graph.exact(op, x, w, first) + 1)
    assert loud == pytest.approx(plain + 1, rel=1e-5)
    g = np.ones((5, 2), np.float32)
    assert graph.operands(g)["fc"].weights[0] == pytest.approx(X.T @ g, rel=1e-5)


def test_weights_are_copies(linear):
    graph = Graph(linear)
    graph.weights["fc"][:] = 0
    assert linear.weights["fc"].any()


def test_operands_of_groups():
    x, d = np.ones((2, 3, 4), np.float32), np.ones((2, 3, 5), np.float32)
    assert Operands(x, d).weights.shape == (2, 4, 5)
    assert Operands(x, d).biases.shape == (10,)


def test_what_is_no_network_cannot_be_trained():
    with pytest.raises(TypeError, match="cannot be trained; allowed: a network of an ONNX file"):
        Graph("fashion-cnn")
