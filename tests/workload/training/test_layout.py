"""Does the gradient of an element that was moved come back to where it came from?"""

import numpy as np
import pytest
from onnx import helper
from onnx_graphs import node
from training_graphs import assert_slopes, between, integers, of_three, weights

GRAPHS = {
    "Transpose": of_three(
        node("Transpose", ["a"], "t", perm=[0, 2, 1]),
        node("Transpose", ["t"], "b", perm=[0, 2, 1], name="back"),
    ),
    "Reshape with 0 and -1": of_three(
        node("Reshape", ["a", "s"], "b"), constants={"s": integers(0, -1)}, read=24
    ),
    "Reshape by a computed shape": of_three(
        node("Shape", ["a"], "sizes", start=0, end=1),
        node("Concat", ["sizes", "rest"], "s", axis=0),
        node("Reshape", ["a", "s"], "b"),
        constants={"rest": integers(24)},
        read=24,
    ),
    "Flatten": of_three(node("Flatten", ["a"], "b"), read=24),
    "Unsqueeze and Squeeze": between(
        node("Unsqueeze", ["a", "one"], "u"),
        node("Squeeze", ["u", "one"], "b"),
        constants={"one": integers(1)},
    ),
    "Slice": of_three(
        node("Slice", ["a", "starts", "ends", "axes", "steps"], "b"),
        constants={
            "starts": integers(5),
            "ends": integers(0),
            "axes": integers(2),
            "steps": integers(-2),
        },
        read=3,
    ),
    "Split": between(
        helper.make_node("Split", ["a", "sizes"], ["l", "r"], name="split", axis=1),
        node("Concat", ["r", "l"], "b", axis=1),
        constants={"sizes": integers(2, 4)},
    ),
    "Gather": of_three(
        node("Gather", ["a", "i"], "b", axis=1), constants={"i": np.array(-1, np.int64)}
    ),
    "Gather of several": of_three(
        node("Gather", ["a", "i"], "b", axis=2), constants={"i": integers(0, 0, 5)}, read=3
    ),
    "Concat": between(node("Concat", ["a", "a"], "b", axis=1), read=12),
    "Where": between(
        node("Greater", ["a", "zero"], "up"),
        node("Where", ["up", "a", "c"], "b"),
        constants={"zero": np.float32(0), "c": weights(6)},
    ),
    "Expand": between(
        node("Unsqueeze", ["a", "one"], "u"),
        node("Expand", ["u", "shape"], "e"),
        node("ReduceMean", ["e", "one"], "b", keepdims=0),
        constants={"one": integers(1), "shape": integers(1, 3, 6)},
    ),
    "Cast": between(node("Cast", ["a"], "b", to=1)),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_gradients_are_central_differences(tmp_path, name):
    assert_slopes(tmp_path, GRAPHS[name])
