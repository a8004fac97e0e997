"""Edges of ONNX graphs, against ONNX Runtime: rows that an edge does not name must not matter."""

import numpy as np
import onnxruntime
import pytest

from pimlab.workload import OnnxModel
from tests.onnx_graphs import node, write

ROWS = 12


def _model(tmp_path, reader, constants=None, shape=("batch", 2, ROWS, 5)):
    """A convolution that changes nothing, and one node that reads it."""
    nodes = [node("Conv", ["x", "one"], "a", name="maker"), reader]
    one = np.eye(2, dtype=np.float32)[:, :, None, None]
    path = write(tmp_path / "m.onnx", nodes, {"x": shape}, {"one": one, **(constants or {})})
    return path, OnnxModel(path)


def _run(path, x):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def _kernel(rows, channels=2, dims=2):
    rng = np.random.default_rng(3)
    return rng.random((4, channels, rows, *[3] * (dims - 1))).astype(np.float32) + 0.1


WINDOWS = {
    "conv 3": (("Conv", {"pads": [1, 1, 1, 1]}), 3),
    "conv 3 stride 2": (("Conv", {"pads": [1, 1, 1, 1], "strides": [2, 2]}), 3),
    "conv 5 without padding": (("Conv", {"pads": [0, 1, 0, 1]}), 5),
    "conv 3 dilated": (("Conv", {"pads": [2, 1, 2, 1], "dilations": [2, 1]}), 3),
    "conv 4 SAME_UPPER": (("Conv", {"auto_pad": "SAME_UPPER"}), 4),
    "conv 4 SAME_LOWER stride 3": (("Conv", {"auto_pad": "SAME_LOWER", "strides": [3, 1]}), 4),
    "max pool": (("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}), None),
    "average pool": (
        ("AveragePool", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}),
        None,
    ),
    "relu": (("Relu", {}), None),
    "softmax over columns": (("Softmax", {"axis": 3}), None),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_later_rows_do_not_matter_and_the_last_one_needed_does(tmp_path, name):
    (kind, attributes), rows = WINDOWS[name]
    constants = {} if rows is None else {"w": _kernel(rows)}
    reader = node(kind, ["a", *constants], name="reader", **attributes)
    path, model = _model(tmp_path, reader, constants)
    (edge,) = model.graph.edges
    assert (edge.maker, edge.reader, edge.whole) == ("maker", "reader", False)
    x = np.random.default_rng(1).random((1, 2, ROWS, 5)).astype(np.float32) + 1
    y = _run(path, x)
    assert model.graph.rows == {"maker": ROWS, "reader": y.shape[2]}
    for row in range(y.shape[2]):
        last = edge.needed(row, ROWS)
        later, at = x.copy(), x.copy()
        later[:, :, last + 1 :] += 7
        at[:, :, last] += 7
        np.testing.assert_array_equal(_run(path, later)[:, :, row], y[:, :, row])
        if last == row * edge.stride + edge.reach:  # else the window ends in padding
            assert not np.array_equal(_run(path, at)[:, :, row], y[:, :, row]), (name, row)


def _edges(tmp_path, nodes, shape, constants=None):
    path = write(tmp_path / "m.onnx", nodes, {"x": shape}, constants)
    return {(e.maker, e.reader): e for e in OnnxModel(path).graph.edges}


def test_a_residual_connection_has_both_its_edges(tmp_path):
    w = np.eye(2, dtype=np.float32)[:, :, None, None]
    nodes = [
        node("Conv", ["x", "w"], "a", name="first"),
        node("Conv", ["a", "w"], "b", name="second"),
        node("Add", ["a", "b"], "y", name="sum"),
    ]
    found = _edges(tmp_path, nodes, ("batch", 2, 6, 6), {"w": w})
    assert set(found) == {("first", "second"), ("first", "sum"), ("second", "sum")}
    assert not any(edge.whole for edge in found.values())


def test_what_is_flattened_or_pooled_over_all_is_needed_whole(tmp_path):
    w = np.eye(2, dtype=np.float32)[:, :, None, None]
    nodes = [
        node("Conv", ["x", "w"], "a", name="conv"),
        node("GlobalAveragePool", ["a"], "b", name="pool"),
        node("Flatten", ["a"], "c", name="flat"),
        node("Flatten", ["b"], "d", name="flat2"),
        node("Gemm", ["c", "v"], "e", name="wide"),
        node("Gemm", ["d", "u"], "f", name="narrow"),
        node("Add", ["e", "f"], "y", name="sum"),
    ]
    constants = {"w": w, "v": np.ones((72, 3), np.float32), "u": np.ones((2, 3), np.float32)}
    found = _edges(tmp_path, nodes, ("batch", 2, 6, 6), constants)
    assert set(found) == {
        ("conv", "pool"),
        ("conv", "wide"),
        ("pool", "narrow"),
        ("wide", "sum"),
        ("narrow", "sum"),
    }
    assert all(edge.whole for edge in found.values())


def test_tokens_follow_one_another_and_attention_waits_for_all_keys(tmp_path):
    w = np.eye(4, dtype=np.float32)
    nodes = [
        node("MatMul", ["x", "w"], "q", name="q"),
        node("MatMul", ["x", "u"], "k", name="k"),
        node("Transpose", ["k"], "kt", name="turn", perm=[0, 2, 1]),
        node("MatMul", ["q", "kt"], "s", name="scores"),
        node("Softmax", ["s"], "p", name="softmax", axis=-1),
        node("MatMul", ["p", "k"], "y", name="values"),
    ]
    found = _edges(tmp_path, nodes, ("batch", 5, 4), {"w": w, "u": 2 * w})
    assert {pair: edge.whole for pair, edge in found.items()} == {
        ("q", "scores"): False,
        ("k", "turn"): False,
        ("turn", "scores"): True,
        ("scores", "softmax"): False,
        ("softmax", "values"): False,
        ("k", "values"): True,
    }


def test_a_node_named_after_the_product_before_it_is_another_operator(tmp_path):
    w = np.eye(4, dtype=np.float32)
    nodes = [
        node("MatMul", ["x", "w"], "half", name=""),  # it is called after its output
        node("Relu", ["half"], "y", name="half"),
    ]
    model = OnnxModel(write(tmp_path / "m.onnx", nodes, {"x": ("batch", 3, 4)}, {"w": w}))
    assert [op.name for op in (*model.mac_ops, *model.vector_ops)] == ["half", "half_1"]
    assert [(e.maker, e.reader) for e in model.graph.edges] == [("half", "half_1")]
