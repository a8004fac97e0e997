"""Does a loss pass products of two computed operands?"""

import numpy as np
from onnx_graphs import node
from training_graphs import assert_slopes, of_three, weights

ATTENTION = of_three(
    node("MatMul", ["a", "wq"], "q", name="q"),
    node("MatMul", ["a", "wk"], "k", name="k"),
    node("Transpose", ["k"], "kt", perm=[0, 2, 1]),
    node("MatMul", ["q", "kt"], "s", name="scores"),
    node("Mul", ["s", "scale"], "z"),
    node("Softmax", ["z"], "p", axis=-1),
    node("MatMul", ["p", "a"], "b", name="values"),
    constants={"wq": weights(6, 5), "wk": weights(6, 5), "scale": np.float32(0.4)},
)


def test_gradients_are_central_differences(tmp_path):
    assert_slopes(tmp_path, ATTENTION)
