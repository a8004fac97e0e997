"""Does a loss pass every operator that is listed, with the slope of what ONNX Runtime computes?"""

import numpy as np
import pytest
from finite_differences import assert_gradients
from onnx import TensorProto, helper
from onnx_graphs import node, write

from pimlab.workload import ModelError, load_model
from pimlab.workload.training import Graph

RNG = np.random.default_rng(11)


def _w(*shape):
    return (RNG.standard_normal(shape) / np.sqrt(np.prod(shape[1:]) or 1)).astype(np.float32)


def _ints(*values):
    return np.array(values, np.int64)


def between(*middle, width=6, read=6, constants=None, rank=2, last="b"):
    """x (n, width) or (n, 4, width), a product, the nodes from "a" to `last`, a second product."""
    held = {"w1": _w(width, 6), "w2": _w(read, 3), **(constants or {})}
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


POINTWISE = {
    kind: one(kind)
    for kind in ("Abs", "Elu", "Erf", "Exp", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu")
    + ("Neg", "Sigmoid", "Softplus", "Tanh")
}
SHIFT = {"c": np.full((6,), 6, np.float32)}
POSITIVE = {
    kind: between(node("Add", ["a", "c"], "p"), node(kind, ["p"], "b"), constants=SHIFT)
    for kind in ("Log", "Reciprocal", "Sqrt")
}
OF_TWO = {
    kind: between(
        node("Add", ["a", "c"], "p"), node(kind, ["p", "d"], "b"), constants={**SHIFT, "d": _w(1) + 2}
    )
    for kind in ("Sub", "Mul", "Div", "Pow", "Max", "Min")
}
BOTH = {
    f"{kind} of two that move": between(
        node("Add", ["a", "c"], "p"),
        node("ReduceMean", ["p", "axes"], "m"),
        node(kind, ["p", "m"], "b"),
        constants={**SHIFT, "axes": _ints(-1)},
    )
    for kind in ("Sub", "Mul", "Div", "Pow", "Max", "Min")
}
NORMS = {
    "LayerNormalization": one(
        "LayerNormalization", "g", "s", constants={"g": 1 + _w(6), "s": _w(6)}
    ),
    "RMS by hand": between(
        node("Pow", ["a", "two"], "q"),
        node("ReduceMean", ["q", "axes"], "m"),
        node("Add", ["m", "small"], "s"),
        node("Sqrt", ["s"], "r"),
        node("Div", ["a", "r"], "b"),
        constants={
            "two": np.array(2, np.float32),
            "axes": _ints(-1),
            "small": np.array(1e-5, np.float32),
        },
    ),
    "ReduceSum without the axis": of_three(
        node("ReduceSum", ["a", "axes"], "b", keepdims=0), constants={"axes": _ints(1)}
    ),
}
CLIPS = {
    "Clip": one("Clip", "low", "high", constants={"low": np.float32(-0.5), "high": np.float32(0.7)}),
    "Clip above alone": one("Clip", "", "high", constants={"high": np.float32(0.3)}),
}
MOVED = {
    "Transpose": of_three(
        node("Transpose", ["a"], "t", perm=[0, 2, 1]),
        node("Transpose", ["t"], "b", perm=[0, 2, 1], name="back"),
    ),
    "Reshape with 0 and -1": of_three(
        node("Reshape", ["a", "s"], "b"), constants={"s": _ints(0, -1)}, read=24
    ),
    "Reshape by a computed shape": of_three(
        node("Shape", ["a"], "sizes", start=0, end=1),
        node("Concat", ["sizes", "rest"], "s", axis=0),
        node("Reshape", ["a", "s"], "b"),
        constants={"rest": _ints(24)},
        read=24,
    ),
    "Flatten": of_three(node("Flatten", ["a"], "b"), read=24),
    "Unsqueeze and Squeeze": between(
        node("Unsqueeze", ["a", "one"], "u"),
        node("Squeeze", ["u", "one"], "b"),
        constants={"one": _ints(1)},
    ),
    "Slice": of_three(
        node("Slice", ["a", "starts", "ends", "axes", "steps"], "b"),
        constants={"starts": _ints(5), "ends": _ints(0), "axes": _ints(2), "steps": _ints(-2)},
        read=3,
    ),
    "Split": between(
        helper.make_node("Split", ["a", "sizes"], ["l", "r"], name="split", axis=1),
        node("Concat", ["r", "l"], "b", axis=1),
        constants={"sizes": _ints(2, 4)},
    ),
    "Gather": of_three(
        node("Gather", ["a", "i"], "b", axis=1), constants={"i": np.array(-1, np.int64)}
    ),
    "Gather of several": of_three(
        node("Gather", ["a", "i"], "b", axis=2), constants={"i": _ints(0, 0, 5)}, read=3
    ),
    "Concat": between(node("Concat", ["a", "a"], "b", axis=1), read=12),
    "Where": between(
        node("Greater", ["a", "zero"], "up"),
        node("Where", ["up", "a", "c"], "b"),
        constants={"zero": np.float32(0), "c": _w(6)},
    ),
    "Expand": between(
        node("Unsqueeze", ["a", "one"], "u"),
        node("Expand", ["u", "shape"], "e"),
        node("ReduceMean", ["e", "one"], "b", keepdims=0),
        constants={"one": _ints(1), "shape": _ints(1, 3, 6)},
    ),
    "Cast": between(node("Cast", ["a"], "b", to=1)),
}
ATTENTION = {
    "attention": of_three(
        node("MatMul", ["a", "wq"], "q", name="q"),
        node("MatMul", ["a", "wk"], "k", name="k"),
        node("Transpose", ["k"], "kt", perm=[0, 2, 1]),
        node("MatMul", ["q", "kt"], "s", name="scores"),
        node("Mul", ["s", "scale"], "z"),
        node("Softmax", ["z"], "p", axis=-1),
        node("MatMul", ["p", "a"], "b", name="values"),
        constants={"wq": _w(6, 5), "wk": _w(6, 5), "scale": np.float32(0.4)},
    )
}
GRAPHS = POINTWISE | POSITIVE | OF_TWO | BOTH | NORMS | CLIPS | MOVED | ATTENTION


def _model(path, name):
    nodes, inputs, constants = GRAPHS[name]
    return load_model(write(path / "m.onnx", nodes, inputs, constants, opset=20))


@pytest.mark.parametrize("name", GRAPHS)
def test_gradients_are_central_differences(tmp_path, name):
    model = _model(tmp_path, name)
    graph = Graph(model)
    shape = (3, *next(iter(model.shapes.values())))
    inputs = RNG.standard_normal(shape).astype(np.float32)
    np.testing.assert_allclose(
        graph.outputs(inputs, graph.exact), model.oracle(inputs), rtol=2e-5, atol=2e-6
    )
    assert_gradients(graph, inputs, RNG, step=2e-3 if name in BOTH else 2e-4)


def _images(*middle, constants=None, last="b", read=4):
    held = {"w1": _w(4, 2, 3, 3), "w2": _w(read, 3), **(constants or {})}
    nodes = [
        node("Conv", ["x", "w1"], "a", name="conv"),
        *middle,
        node("Flatten", [last], "f"),
        node("MatMul", ["f", "w2"], "y", name="fc"),
    ]
    return nodes, {"x": ("n", 2, 6, 6)}, held


def test_images_pass_batch_normalisation_and_the_mean_of_their_pixels(tmp_path):
    constants = {"g": 1 + _w(4), "s": _w(4), "m": _w(4), "v": 1 + np.abs(_w(4))}
    nodes, inputs, held = _images(
        node("Relu", ["a"], "r"),
        node("BatchNormalization", ["r", "g", "s", "m", "v"], "n", name="bn"),
        node("GlobalAveragePool", ["n"], "b"),
        constants=constants,
    )
    model = load_model(write(tmp_path / "m.onnx", nodes, inputs, held))
    graph = Graph(model)
    x = RNG.standard_normal((2, 2, 6, 6)).astype(np.float32)
    np.testing.assert_allclose(graph.outputs(x, graph.exact), model.oracle(x), rtol=1e-4, atol=1e-5)
    assert set(graph.parameters) == {"g", "s"}
    assert_gradients(graph, x, RNG)


def test_embeddings_are_trained(tmp_path):
    nodes = [
        node("Gather", ["table", "x"], "e", name="embed"),
        node("MatMul", ["e", "w1"], "a", name="fc1"),
        node("Tanh", ["a"], "t"),
        node("MatMul", ["t", "w2"], "y", name="fc2"),
    ]
    held = {"table": _w(7, 5), "w1": _w(5, 4), "w2": _w(4, 3)}
    tokens = {"x": (TensorProto.INT64, ("n", 3))}
    path = write(tmp_path / "m.onnx", nodes, tokens, held)
    graph = Graph(load_model(path))
    assert list(graph.parameters) == ["table"]
    assert_gradients(graph, np.array([[1, 1, 6], [0, 2, 1]]), RNG)


REFUSED = {
    "an operator without a slope": (
        [node("Sin", ["a"], "b", name="wave")],
        r"node 'wave' is a Sin, through which no loss can be followed back; allowed: Abs, Add",
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
