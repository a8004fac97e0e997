"""What may be one inference of a graph: the readings of its inputs, the likeliest first."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from pimlab.workload.importers.graph_inputs import declare, open_names, plans
from pimlab.workload.model import ModelError


def graph(kind=TensorProto.FLOAT, **inputs):
    given = [helper.make_tensor_value_info(name, kind, dims) for name, dims in inputs.items()]
    return helper.make_graph([], "g", given, [])


def read(dims=None, **inputs):
    return plans(graph(**inputs), dims or {}, "f.onnx")


def test_an_open_first_dimension_is_the_batch():
    (plan,) = read(x=["batch", 3, 4])
    (one,) = plan.inputs
    assert (one.shape, one.leading, one.symbol, one.kind) == ((3, 4), True, "batch", np.float32)
    assert (plan.open, plan.several, plan.size) == (True, True, 0)


def test_an_input_of_one_joins_the_batch_or_stays_whole():
    wide, narrow = read(x=["n", 3], mask=[1, 5])
    assert [one.leading for one in wide.inputs] == [True, True]
    assert [one.leading for one in narrow.inputs] == [True, False]
    assert (wide.several, narrow.several) == (True, False)
    assert narrow.inputs[1].shape == (1, 5)


def test_a_fixed_batch_may_be_one_and_the_file_may_mean_it_whole():
    batch, whole = read(x=[8, 3])
    assert (batch.size, batch.inputs[0].shape) == (8, (3,))
    assert (whole.inputs[0].shape, whole.several) == ((8, 3), False)
    assert [plan.size for plan in read(x=[1, 3])] == [0, 0, 0]


def test_other_open_dimensions_are_asked_for_by_name():
    with pytest.raises(ModelError, match="open dimension 'time' at axis 1.*dims="):
        read(x=["n", "time", 3])
    (plan,) = read({"time": 7}, x=["n", "time", 3])
    assert plan.inputs[0].shape == (7, 3)
    with pytest.raises(ModelError, match=r"x\[1\]"):
        read(x=["n", None])
    assert read({"x[1]": 4}, x=["n", None])[0].inputs[0].shape == (4,)
    (fixed,) = read({"n": 2}, x=["n", 3])
    assert (fixed.inputs[0].shape, fixed.inputs[0].leading) == ((2, 3), False)


@pytest.mark.parametrize(
    ("dims", "match"),
    [
        ({"tine": 7}, "open dimension 'time'.*tine"),
        ({"time": 0}, "1 or more"),
        ({"time": 7, "z": 1}, "names 'z'"),
    ],
)
def test_dims_that_do_not_fit_are_named(dims, match):
    with pytest.raises(ModelError, match=match):
        read(dims, x=["n", "time"])


def test_inputs_that_cannot_be_fed_are_named():
    with pytest.raises(ModelError, match="has no input"):
        read()
    with pytest.raises(ModelError, match="type string"):
        plans(graph(TensorProto.STRING, x=[1]), {}, "f.onnx")
    with pytest.raises(ModelError, match="complex64"):
        plans(graph(TensorProto.COMPLEX64, x=[1]), {}, "f.onnx")


def test_the_reading_is_written_into_the_model():
    model = helper.make_model(graph(x=[8, 3]))
    declare(model, read(x=[8, 3])[0].inputs)
    (given,) = model.graph.input
    assert [d.dim_param or d.dim_value for d in given.type.tensor_type.shape.dim] == ["batch", 3]
    assert isinstance(model, onnx.ModelProto)


def test_a_batch_that_stands_inside_a_state_is_fixed_everywhere_where_it_is_asked_for():
    """x (batch, 5) and a state (2, batch, 3): two samples would not fit a state of one."""
    (plan,) = read({"batch": 1}, x=["batch", 5], state=[2, "batch", 3])
    assert [(one.shape, one.leading) for one in plan.inputs] == [
        ((1, 5), False),
        ((2, 1, 3), False),
    ]
    (plan,) = read({"n": 4}, x=["n", "n"])
    assert [(one.shape, one.leading) for one in plan.inputs] == [((4,), True)]


def test_a_dimension_of_an_input_that_the_output_does_not_need_may_be_named():
    known = open_names(graph(x=["batch", "n"], lengths=["batch"]))
    assert known == {"batch", "n"}
    (plan,) = plans(graph(lengths=["batch"]), {"n": 16}, "f.onnx", known)
    assert plan.inputs[0].leading
    with pytest.raises(ModelError, match="dims names 'm', but no input has an open dimension"):
        plans(graph(lengths=["batch"]), {"m": 16}, "f.onnx", known)
