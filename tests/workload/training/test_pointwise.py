"""Is the slope of every function of single elements that of what ONNX Runtime computes?"""

import numpy as np
import pytest
from onnx_graphs import node
from training_graphs import assert_slopes, between, integers, one, weights

SHAPES = (
    "Abs Celu Cos Elu Erf Exp Gelu HardSigmoid HardSwish LeakyRelu Mish Neg Selu Sigmoid Sin "
    "Softplus Softsign Tanh ThresholdedRelu"
)
POINTWISE = {kind: one(kind) for kind in SHAPES.split()}
SHIFT = {"c": np.full((6,), 6, np.float32)}
POSITIVE = {
    kind: between(node("Add", ["a", "c"], "p"), node(kind, ["p"], "b"), constants=SHIFT)
    for kind in ("Log", "Reciprocal", "Sqrt")
}
OF_TWO = {
    kind: between(
        node("Add", ["a", "c"], "p"),
        node(kind, ["p", "d"], "b"),
        constants={**SHIFT, "d": weights(1) + 2},
    )
    for kind in ("Sub", "Mul", "Div", "Pow", "Max", "Min")
}
APART = np.array([1, 11, 1, 11, 1, 11], np.float32)  # of their mean: no step crosses a kink
BOTH = {
    f"{kind} of two that move": between(
        node("Add", ["a", "c"], "p"),
        node("ReduceMean", ["p", "axes"], "m"),
        node(kind, ["p", "m"], "b"),
        constants={"c": APART if kind in ("Max", "Min") else SHIFT["c"], "axes": integers(-1)},
    )
    for kind in ("Sub", "Mul", "Div", "Pow", "Max", "Min")
}
CLIPS = {
    "Clip": one(
        "Clip", "low", "high", constants={"low": np.float32(-0.5), "high": np.float32(0.7)}
    ),
    "Clip above alone": one("Clip", "", "high", constants={"high": np.float32(0.3)}),
}
POINTWISE["PRelu"] = one("PRelu", "s", constants={"s": weights(6)})
GRAPHS = POINTWISE | POSITIVE | OF_TWO | BOTH | CLIPS


@pytest.mark.parametrize("name", GRAPHS)
def test_gradients_are_central_differences(tmp_path, name):
    assert_slopes(tmp_path, GRAPHS[name], step=2e-3 if name in BOTH else 2e-4)
