"""Is every node of an ONNX file read as a layer, and the first that has no way back named?"""

import numpy as np
import pytest
from finite_differences import assert_gradients
from onnx import TensorProto
from onnx_graphs import node, write
from training_graphs import RNG, between, weights

from pimlab.workload import ModelError, load_model
from pimlab.workload.training import Graph


def test_embeddings_are_trained(tmp_path):
    nodes = [
        node("Gather", ["table", "x"], "e", name="embed"),
        node("MatMul", ["e", "w1"], "a", name="fc1"),
        node("Tanh", ["a"], "t"),
        node("MatMul", ["t", "w2"], "y", name="fc2"),
    ]
    held = {"table": weights(7, 5), "w1": weights(5, 4), "w2": weights(4, 3)}
    tokens = {"x": (TensorProto.INT64, ("n", 3))}
    path = write(tmp_path / "m.onnx", nodes, tokens, held)
    graph = Graph(load_model(path))
    assert list(graph.parameters) == ["table"]
    assert_gradients(graph, np.array([[1, 1, 6], [0, 2, 1]]), RNG)


REFUSED = {
    "an operator without a slope": (
        [node("Atan", ["a"], "b", name="wave")],
        r"node 'wave' is a Atan, through which no loss can be followed back; allowed: Abs, Add",
    ),
    "a cast to halves": (
        [
            node("Cast", ["a"], "h", name="half", to=10),
            node("Cast", ["h"], "b", name="whole", to=1),
        ],
        r"node 'half' \(Cast\) goes to type 10; allowed: float32",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_loss_passes_is_named(tmp_path, name):
    middle, message = REFUSED[name]
    nodes, inputs, held = between(*middle)
    with pytest.raises(ModelError, match=message):
        Graph(load_model(write(tmp_path / "m.onnx", nodes, inputs, held)))
