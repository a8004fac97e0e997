"""Are operators that are made of others written out as nodes?"""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from pimlab.workload import ModelError, load_model
from pimlab.workload.importers.functions import write_out

OPSETS = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]


def with_function(body):
    """A file whose node `Twice` is a function of its own."""
    function = helper.make_function("mine", "Twice", ["a"], ["b"], body, OPSETS[:1])
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])
    node = helper.make_node("Twice", ["x"], ["y"], domain="mine", name="twice")
    graph = helper.make_graph([node], "g", [x], [y])
    return helper.make_model(graph, functions=[function], opset_imports=OPSETS, ir_version=9)


ADD = [helper.make_node("Add", ["a", "a"], ["b"])]


def test_a_function_of_the_file_becomes_its_nodes():
    model = with_function(ADD)
    write_out(model, "m.onnx")
    assert [one.op_type for one in model.graph.node] == ["Add"]
    assert not model.functions


def test_it_computes_what_the_function_says(tmp_path):
    path = tmp_path / "m.onnx"
    onnx.save(with_function(ADD), path)
    model, x = load_model(path), np.float32([[1, -2]])
    assert model.execute(x, model.exact).tolist() == [[2, -4]]


def test_a_function_that_calls_itself_is_refused(tmp_path):
    body = [helper.make_node("Twice", ["a"], ["b"], domain="mine")]
    model = with_function(body)
    model.functions[0].opset_import.append(OPSETS[1])
    with pytest.raises(ModelError, match="m.onnx"):
        write_out(model, "m.onnx")


def test_a_file_without_functions_is_left_alone():
    model = with_function(ADD)
    write_out(model, "m.onnx")
    before = model.SerializeToString()
    write_out(model, "m.onnx")
    assert model.SerializeToString() == before
