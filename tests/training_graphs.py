"""Small networks whose middle is the operator in question, and the check of their gradients."""

import numpy as np
from finite_differences import assert_gradients
from onnx_graphs import node, write

from pimlab.workload import load_model
from pimlab.workload.training import Graph

RNG = np.random.default_rng(11)


def weights(*shape):
    """Random numbers, float32, that keep the size of what they multiply."""
    return (RNG.standard_normal(shape) / np.sqrt(np.prod(shape[1:]) or 1)).astype(np.float32)


def integers(*values):
    """int64, shape (values,)."""
    return np.array(values, np.int64)


def between(*middle, width=6, read=6, constants=None, rank=2, last="b"):
    """x (n, width) or (n, 4, width), a product, the nodes from "a" to `last`, a second product."""
    held = {"w1": weights(width, 6), "w2": weights(read, 3), **(constants or {})}
    nodes = [
        node("MatMul", ["x", "w1"], "a", name="fc1"),
        *middle,
        node("MatMul", [last, "w2"], "y", name="fc2"),
    ]
    sizes = ("n", width) if rank == 2 else ("n", 4, width)
    return nodes, {"x": sizes}, held


def one(kind, *more, constants=None, **attributes):
    return between(node(kind, ["a", *more], "b", **attributes), constants=constants)


def of_three(*middle, **settings):
    return between(*middle, rank=3, **settings)


def assert_slopes(path, graph, step=2e-4):
    """A graph of `between` computes what ONNX Runtime does, and its gradients are slopes."""
    nodes, inputs, constants = graph
    model = load_model(write(path / "m.onnx", nodes, inputs, constants, opset=20))
    graph = Graph(model)
    shape, rng = (3, *next(iter(model.shapes.values()))), np.random.default_rng(7)
    x = rng.standard_normal(shape).astype(np.float32)
    np.testing.assert_allclose(graph.outputs(x, graph.exact), model.oracle(x), rtol=2e-5, atol=2e-6)
    assert_gradients(graph, x, rng, step=step)
