"""Does every layer send back the derivative of what it sent forward? Against central differences, and what it refuses."""

import numpy as np
import pytest
from finite_differences import assert_gradients
from onnx_graphs import node, write

from pimlab.workload import ModelError, load_model
from pimlab.workload.training import Adam, Graph, cross_entropy

RNG = np.random.default_rng(7)


def _w(*shape):
    return RNG.standard_normal(shape).astype(np.float32) / np.float32(
        np.sqrt(np.prod(shape[1:]) or 1)
    )


def _conv(name, x, y, shape, **attributes):
    return node("Conv", [x, f"{name}.w", f"{name}.b"], y, name=name, **attributes), {
        f"{name}.w": _w(*shape),
        f"{name}.b": _w(shape[0]),
    }


def _dense(name, x, y, k, n):
    return node("Gemm", [x, f"{name}.w", f"{name}.b"], y, name=name, transB=1), {
        f"{name}.w": _w(n, k),
        f"{name}.b": _w(n),
    }


def _graph(path, shape, *layers):
    constants = {}
    for _, held in layers:
        constants |= held
    return load_model(
        write(path / "m.onnx", [one for one, _ in layers], {"x": ("n", *shape)}, constants)
    )


def _image(path, *middle, conv=None, features=None):
    """Two convolutions, so that a gradient passes back through the second one and what lies between, and a dense layer."""
    first = _conv("conv1", "x", "a", (4, 2, 3, 3), pads=[1, 1, 1, 1])
    second = _conv("conv2", "b", "c", **(conv or {"shape": (6, 4, 3, 3)}))
    return _graph(
        path,
        (2, 6, 6),
        first,
        *middle,
        second,
        (node("Flatten", ["c"], "d"), {}),
        _dense("fc", "d", "y", features, 3),
    )


def _with(kind, **attributes):
    return lambda path: _image(
        path, (node(kind, ["a"], "b", **attributes), {}), features=attributes.pop("features", 96)
    )


def _residual(path):
    return _graph(
        path,
        (5,),
        _dense("fc1", "x", "a", 5, 5),
        (node("Relu", ["a"], "b"), {}),
        _dense("fc2", "b", "c", 5, 5),
        (node("Add", ["c", "a"], "d"), {}),
        (node("Softmax", ["d"], "e", axis=1), {}),
        (node("Add", ["e", "shift"], "f", name="add_2"), {"shift": _w(5)}),
        _dense("fc3", "f", "y", 5, 3),
    )


def _products(path):
    return _graph(
        path,
        (4, 6),
        (node("MatMul", ["x", "m.w"], "a", name="mm"), {"m.w": _w(6, 5)}),
        (node("Relu", ["a"], "b"), {}),
        (node("Reshape", ["b", "s"], "c"), {"s": np.array([-1, 20], np.int64)}),
        (node("Dropout", ["c"], "d"), {}),
        (node("Identity", ["d"], "e"), {}),
        _dense("fc", "e", "y", 20, 3),
    )


GRAPHS = {
    "convolution and Relu": _with("Relu"),
    "average over padding": lambda p: _image(
        p,
        (
            node(
                "AveragePool",
                ["a"],
                "b",
                kernel_shape=[2, 2],
                pads=[1, 1, 1, 1],
                count_include_pad=1,
            ),
            {},
        ),
        features=150,
    ),
    "average without padding": lambda p: _image(
        p,
        (
            node("AveragePool", ["a"], "b", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
            {},
        ),
        features=6,
    ),
    "largest, overlapping, padded": lambda p: _image(
        p,
        (node("MaxPool", ["a"], "b", kernel_shape=[3, 2], strides=[1, 2], pads=[1, 0, 1, 0]), {}),
        features=24,
    ),
    "convolution with stride, dilation, groups": lambda p: _image(
        p,
        (node("Identity", ["a"], "b"), {}),
        conv={
            "shape": (6, 2, 2, 2),
            "group": 2,
            "strides": [2, 1],
            "dilations": [1, 2],
            "pads": [1, 0, 0, 1],
        },
        features=90,
    ),
    "a value read twice, Softmax, a constant added": _residual,
    "rows of products, Reshape, Identity, Dropout": _products,
}


def _inputs(model, count):
    shape = (2, 6, 6) if "conv1" in model.weights else (4, 6) if "mm" in model.weights else (5,)
    return RNG.standard_normal((count, *shape)).astype(np.float32)


@pytest.mark.parametrize("name", GRAPHS)
def test_gradients_are_central_differences(tmp_path, name):
    model = GRAPHS[name](tmp_path)
    assert_gradients(Graph(model), _inputs(model, 3), RNG)


def test_every_layer_agrees_with_the_model_it_was_read_from(tmp_path):
    for name, make in GRAPHS.items():
        model = make(tmp_path)
        graph, inputs = Graph(model), _inputs(model, 2)
        np.testing.assert_allclose(
            graph.outputs(inputs, graph.exact),
            model.oracle(inputs),
            rtol=1e-5,
            atol=1e-6,
            err_msg=name,
        )


def test_cross_entropy_by_hand():
    loss, gradient = cross_entropy(
        np.log(np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]], np.float32)), np.array([2, 0])
    )
    assert loss == pytest.approx([-np.log(0.5), -np.log(0.6)], rel=1e-6)
    assert gradient == pytest.approx(np.array([[0.2, 0.3, -0.5], [-0.4, 0.3, 0.1]]), abs=1e-6)
    far, _ = cross_entropy(np.array([[1e4, -1e4]], np.float32), np.array([1]))
    assert far == pytest.approx([2e4])
    with pytest.raises(ValueError, match=r"labels 0\.\.3; allowed: 0\.\.2"):
        cross_entropy(np.zeros((2, 3), np.float32), np.array([0, 3]))
    with pytest.raises(ValueError, match=r"outputs \(2, 3\) and labels \(3,\)"):
        cross_entropy(np.zeros((2, 3), np.float32), np.array([0, 1, 2]))


def test_adam_by_hand():
    moments, value = Adam().start(), np.array([1.0, -2.0], np.float32)
    moments.step({"w": value}, {"w": np.array([0.5, -1e-3], np.float32)}, 0.1)
    assert value == pytest.approx(
        [0.9, -1.9], rel=1e-4
    )  # the first step is the rate, whatever the gradient's size
    mean, square = (
        np.array([0.05 * 0.9 + 0.1 * 1, -1e-4 * 0.9 + 0]),
        np.array([0.25e-3 * 0.999 + 1e-3, 1e-9 * 0.999]),
    )
    moments.step({"w": value}, {"w": np.array([1.0, 0.0], np.float32)}, 0.1)
    step = 0.1 * (mean / (1 - 0.9**2)) / np.sqrt(square / (1 - 0.999**2))
    assert value == pytest.approx(np.array([0.9, -1.9]) - step, rel=1e-4)


REFUSED = {
    "Atan": (
        node("Atan", ["a"], "y", name="wave"),
        {},
        r"node 'wave' is a Atan, through which no loss can be followed back; allowed: Abs",
    ),
    "ceil": (
        node("MaxPool", ["a"], "y", name="pool", kernel_shape=[2, 2], ceil_mode=1),
        {},
        r"node 'pool' \(MaxPool\) has ceil_mode",
    ),
    "ConvTranspose": (
        node("ConvTranspose", ["a", "u"], "y", name="up"),
        {"u": np.ones((4, 2, 2, 2), np.float32)},
        "cannot be trained; allowed: Conv",
    ),
    "auto_pad": (
        node("Conv", ["a", "v"], "y", name="same", auto_pad="SAME_UPPER"),
        {"v": np.ones((2, 4, 3, 3), np.float32)},
        "node 'same' has auto_pad",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_operator_that_cannot_be_followed_back_is_named(tmp_path, name):
    last, held, message = REFUSED[name]
    model = _graph(tmp_path, (2, 6, 6), _conv("conv1", "x", "a", (4, 2, 3, 3)), (last, held))
    with pytest.raises(ModelError, match=message):
        Graph(model)


def test_what_is_no_network_with_weights_is_refused():
    with pytest.raises(TypeError, match="cannot be trained; allowed: a network of an ONNX file"):
        Graph(load_model("llama2-7b"))


def _dense_of(x, y, name, *held, **attributes):
    return node("Gemm", [x, *held], y, name=name, **attributes), {}


PLACELESS = {
    "scaled weights": (
        [_dense_of("x", "y", "fc", "w", "b", alpha=0.5)],
        "weights of 'fc' are not one float initialiser as it stands",
    ),
    "scaled bias": (
        [_dense_of("x", "y", "fc", "w", "b", beta=0.5)],
        "bias of 'fc' is not one float initialiser as it stands",
    ),
    "a bias for all": (
        [_dense_of("x", "y", "fc", "w", "one")],
        "bias of 'fc' is not one float initialiser as it stands",
    ),
    "shared weights": (
        [_dense_of("x", "a", "fc1", "w", "b"), _dense_of("a", "y", "fc2", "w", "c")],
        "initialiser 'w' serves two operators",
    ),
}


@pytest.mark.parametrize("name", PLACELESS)
def test_what_could_not_be_put_back_is_refused_before_training(tmp_path, name):
    layers, message = PLACELESS[name]
    held = {"w": _w(4, 4), "b": _w(4), "c": _w(4), "one": np.ones(1, np.float32)}
    used = {one for layer, _ in layers for one in layer.input}
    model = load_model(
        write(
            tmp_path / "m.onnx",
            [one for one, _ in layers],
            {"x": ("n", 4)},
            {k: v for k, v in held.items() if k in used},
        )
    )
    with pytest.raises(ModelError, match=message):
        Graph(model)
