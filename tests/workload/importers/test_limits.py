"""A file of a few bytes that asks for any amount is refused by name before anything is computed."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_graphs import node, write

from pimlab.workload import ModelError
from pimlab.workload.importers import host_runtime, limits
from pimlab.workload.importers.onnx_split import OnnxModel

ANY = [node("ReduceMax", ["c"], "m", keepdims=0), node("Add", ["x", "m"])]
THOUSAND = np.array([1000, 1000, 1000])


@pytest.mark.parametrize(("nodes", "constants"), [
    ([node("ConstantOfShape", ["s"], "c")], {"s": THOUSAND}),
    ([node("Expand", ["o", "s"], "c")], {"o": np.float32(1), "s": THOUSAND}),
    ([node("Range", ["a", "b", "d"], "c")],
     {"a": np.float32(0), "b": np.float32(1e9), "d": np.float32(1)}),
    ([node("Mul", ["s", "t"], "u"), node("ConstantOfShape", ["u"], "c")],
     {"s": np.array([40000]), "t": np.array([40000])}),
    ([node("Add", ["a", "b"], "c")],
     {"a": np.ones((40000, 1), np.float32), "b": np.ones((1, 40000), np.float32)}),
])  # fmt: skip
def test_constants_made_of_a_shape_are_limited(tmp_path, nodes, constants):
    path = write(tmp_path / "big.onnx", [*nodes, *ANY], {"x": ("n", 4)}, constants)
    with pytest.raises(
        ModelError,
        match=r"big.onnx: node '\w+' \(\w+\) makes constant 'c' of [\d,]+ bytes, .* allowed: at "
        "most 1,073,741,824 bytes",
    ):
        OnnxModel(path)


@pytest.mark.parametrize("nodes", [
    [node("Tile", ["x", "s"], "c")],
    [node("Shape", ["x"], "p"), node("Mul", ["p", "s"], "q"), node("ConstantOfShape", ["q"], "c")],
])  # fmt: skip
def test_tensors_of_an_inference_are_limited(tmp_path, nodes):
    constants = {"s": np.array([40000, 40000])}
    path = write(tmp_path / "wide.onnx", [*nodes, *ANY], {"x": ("n", 4)}, constants)
    with pytest.raises(
        ModelError, match=r"wide.onnx: tensor 'c' is of [\d,]+ bytes, .* at most 4,294,967,296"
    ):
        OnnxModel(path)


def turning(inner=None):
    """A Loop over v, whose body adds one, or turns another loop."""
    step = inner or helper.make_node("Add", ["v", "one"], ["w"])
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["gone"]), step],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("gone", TensorProto.BOOL, []),
            helper.make_tensor_value_info("w", TensorProto.FLOAT, None),
        ],
        [numpy_helper.from_array(np.float32(1), "one")],
    )
    return helper.make_node("Loop", ["turns", "", "x"], ["y"], body=body, name="spin")


def test_turns_of_loops_are_limited(tmp_path):
    many = {"turns": np.array(2 * 10**9)}
    path = write(tmp_path / "long.onnx", [turning()], {"x": ("n", 4)}, many)
    with pytest.raises(
        ModelError,
        match=r"long.onnx: node 'spin' \(Loop\) turns 2,000,000,000 times; allowed: at most 100,000",
    ):
        OnnxModel(path)
    few = write(tmp_path / "few.onnx", [turning()], {"x": ("n", 4)}, {"turns": np.array(5)})
    model = OnnxModel(few)
    np.testing.assert_array_equal(model.execute(np.ones((2, 4)), model.exact), np.full((2, 4), 6))


def test_a_loop_that_depends_on_values_is_limited_in_time(tmp_path, monkeypatch):
    monkeypatch.setattr(host_runtime, "SECONDS", 0.3)
    nodes = [
        node("ReduceMax", ["x"], "m", keepdims=0),
        node("Mul", ["m", "big"], "f"),
        node("Cast", ["f"], "turns", to=TensorProto.INT64),
        turning(),
    ]
    path = write(tmp_path / "slow.onnx", nodes, {"x": ("n", 4)}, {"big": np.float32(2e9)})
    with pytest.raises(ModelError, match=r"slow.onnx: .* one inference takes longer than 0.3 s"):
        OnnxModel(path)


def test_nesting_is_limited():
    graph = helper.make_graph([], "inner", [], [helper.make_empty_tensor_value_info("x")])
    for depth in range(limits.NESTING + 2):
        branch = helper.make_node("If", ["p"], [f"o{depth}"], then_branch=graph, else_branch=graph)
        graph = helper.make_graph(
            [branch], "g", [], [helper.make_empty_tensor_value_info(f"o{depth}")]
        )
        graph = onnx.GraphProto.FromString(graph.SerializeToString())
        if depth > 4:  # one branch is enough, and two of each double the file
            del graph.node[0].attribute[1]
    with pytest.raises(ModelError, match="deep.onnx: branches and loops stand more than 16 deep"):
        limits.check_nesting(graph, "deep.onnx")


def function(name, *calls):
    nodes = [helper.make_node(call, ["a"], [f"t{i}"], domain="own") for i, call in enumerate(calls)]
    last = helper.make_node("Relu", ["a"], ["b"])
    return helper.make_function(
        "own", name, ["a"], ["b"], [*nodes, last],
        [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)],
    )  # fmt: skip


def calling(functions):
    graph = helper.make_graph(
        [helper.make_node("f0", ["x"], ["y"], domain="own")],
        "calls",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    return helper.make_model(graph, functions=functions, opset_imports=opsets, ir_version=9)


def test_functions_that_double_are_counted_before_they_are_written_out():
    doubling = [function(f"f{i}", f"f{i + 1}", f"f{i + 1}") for i in range(30)]
    with pytest.raises(ModelError, match="calls: .* nodes once its functions are written out"):
        OnnxModel(calling([*doubling, function("f30")]))
    assert OnnxModel(calling([function("f0", "f1"), function("f1")])).mac_ops == ()


def test_functions_that_call_themselves_are_refused():
    with pytest.raises(ModelError, match="function 'f0' calls itself"):
        limits.check_functions(calling([function("f0", "f1"), function("f1", "f0")]), "own.onnx")
