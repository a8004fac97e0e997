"""Bodies that multiply, written out, against ONNX Runtime on the whole graph."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from pimlab.workload import OnnxModel
from pimlab.workload.model import ModelError
from tests.onnx_graphs import node, write

FLOAT = TensorProto.FLOAT
W = (np.random.default_rng(0).standard_normal((3, 3)) / 2).astype(np.float32)


def _info(name, kind=FLOAT, shape=None):
    return helper.make_tensor_value_info(name, kind, shape)


def _scan(back=False, axis=1):
    body = helper.make_graph(
        [
            node("MatMul", ["s", "w"], "m", name="product"),
            node("Add", ["m", "e"], "a", name="sum"),
            node("Tanh", ["a"], "next", name="bend"),
            node("Identity", ["next"], "out", name="copy"),
        ],
        "body",
        [_info("s"), _info("e")],
        [_info("next"), _info("out")],
        [numpy_helper.from_array(W, "w")],
    )
    return helper.make_node(
        "Scan", ["start", "x"], ["last", "y"], name="scan", body=body, num_scan_inputs=1,
        scan_input_axes=[axis], scan_input_directions=[int(back)], scan_output_axes=[1],
    )  # fmt: skip


def _agrees(path, shape, **options):
    model = OnnxModel(path, **options)
    x = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    np.testing.assert_allclose(model.execute(x, model.exact), model.oracle(x), atol=2e-6)
    model.graph.order([op.name for op in (*model.mac_ops, *model.vector_ops)])
    return model


@pytest.mark.parametrize("back", [False, True])
def test_a_scan_turns_once_an_element(tmp_path, back):
    first = node("ReduceMean", ["x"], "start", axes=[1], keepdims=0, name="first")
    path = write(tmp_path / "m.onnx", [first, _scan(back)], {"x": ("batch", 4, 3)})
    model = _agrees(path, (5, 4, 3))
    assert [(op.name, op.m, op.k, op.n) for op in model.mac_ops] == [("scan.product", 4, 3, 3)]
    assert model.weights["scan.product"].shape == (1, 3, 3)
    tanh = next(op for op in model.vector_ops if op.kind == "tanh")
    assert (tanh.name, tanh.elements) == ("scan.bend", 12)


def _loop(turns, stops=False):
    condition = ["i_bool"] if stops else ["go"]
    nodes = [node("Identity", condition, "go_on", name="keep")]
    if stops:
        nodes.insert(0, node("Cast", ["i"], "i_bool", to=TensorProto.BOOL, name="cast"))
    nodes += [
        node("MatMul", ["s", "v"], "m", name="product"),
        node("Relu", ["m"], "next", name="relu"),
    ]
    body = helper.make_graph(
        nodes,
        "body",
        [_info("i", TensorProto.INT64, []), _info("go", TensorProto.BOOL, []), _info("s")],
        [_info("go_on", TensorProto.BOOL), _info("next")],
    )
    return helper.make_node("Loop", [turns, "", "x"], ["y"], name="loop", body=body)


def test_a_loop_turns_as_often_as_a_constant_says(tmp_path):
    constants = {"n": np.array(3, np.int64), "v": W}  # the weights stand outside of the body
    path = write(tmp_path / "m.onnx", [_loop("n")], {"x": ("batch", 3)}, constants)
    model = _agrees(path, (4, 3))
    assert [(op.name, op.m) for op in model.mac_ops] == [("loop.product", 3)]


def test_a_loop_that_stops_by_itself_is_refused(tmp_path):
    constants = {"n": np.array(3, np.int64), "v": W}
    path = write(tmp_path / "m.onnx", [_loop("n", stops=True)], {"x": ("batch", 3)}, constants)
    with pytest.raises(ModelError, match=r"node 'loop' \(Loop\) multiplies, and stops by what it"):
        OnnxModel(path)


def test_both_branches_of_an_if_are_computed_and_one_is_chosen(tmp_path):
    def branch(name, factor):
        nodes = [node("MatMul", ["x", f"w{name}"], f"y{name}", name="product")]
        held = [numpy_helper.from_array(W * factor, f"w{name}")]
        return helper.make_graph(nodes, name, [], [_info(f"y{name}")], held)

    nodes = [
        node("ReduceSum", ["x"], "total", keepdims=0, name="total"),
        node("Greater", ["total", "zero"], "more", name="more"),
        helper.make_node("If", ["more"], ["y"], name="choice", then_branch=branch("a", 1.0),
                         else_branch=branch("b", -2.0)),
    ]  # fmt: skip
    constants = {"zero": np.zeros((), np.float32)}
    path = write(tmp_path / "m.onnx", nodes, {"x": (1, 3)}, constants)
    for sign in (1, -1):
        model = OnnxModel(path)
        x = sign * np.abs(np.random.default_rng(1).standard_normal((1, 1, 3))).astype(np.float32)
        x = x[:, 0] if model.inputs[0].leading else x
        np.testing.assert_allclose(model.execute(x, model.exact), model.oracle(x), atol=1e-6)
    assert [op.macs for op in model.mac_ops] == [9, 9]


def _branch(name, *nodes, output="r"):
    return helper.make_graph(list(nodes), name, [], [_info(output)])


def test_a_branch_that_sizes_choose_is_the_only_one_written(tmp_path):
    """An exporter's question whether the last axis has size 1; what follows needs the number of axes."""
    path = write(
        tmp_path / "if.onnx",
        [
            node("Shape", ["x"], "s"),
            node("Gather", ["s", "two"], "d"),
            node("Equal", ["d", "one"], "c"),
            helper.make_node(
                "If", ["c"], ["r"],
                then_branch=_branch("t", node("Squeeze", ["x", "two"], "r")),
                else_branch=_branch("e", node("Identity", ["x"], "r")),
            ),
            node("Unsqueeze", ["r", "zero"], "u"),
            node("LSTM", ["u", "W", "R"], "y", name="lstm", hidden_size=2),
        ],
        {"x": ("batch", 3, 1)},
        {
            "zero": np.array([0], np.int64), "one": np.array([1], np.int64),
            "two": np.array([2], np.int64),
            "W": np.random.default_rng(2).standard_normal((1, 8, 3)).astype(np.float32),
            "R": np.random.default_rng(3).standard_normal((1, 8, 2)).astype(np.float32),
        },
    )  # fmt: skip
    model = OnnxModel(path)
    assert [op.name for op in model.mac_ops] == ["lstm.W", "lstm.R"]
    assert not any(op.kind == "if" for op in model.vector_ops)
    _agrees(path, (1, 3, 1))
