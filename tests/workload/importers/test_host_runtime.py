"""Do the host's operators run as the standard says, in this process and another, and does nothing run for ever?"""

import pickle

import numpy as np
import onnx
import pytest
from onnx_graphs import node, write

from pimlab.workload.importers import host_runtime
from pimlab.workload.importers.host_runtime import HostError, Session

X = np.linspace(-2, 2, 6, dtype=np.float32).reshape(2, 3)


def model(tmp_path, *nodes, shape=("batch", 3), **more):
    return onnx.load(write(tmp_path / "g.onnx", list(nodes), {"x": list(shape)}, **more))


def test_a_session_runs_and_is_made_again_elsewhere(tmp_path):
    made = host_runtime.session(model(tmp_path, node("Relu", ["x"])))
    assert isinstance(made, Session)
    again = pickle.loads(pickle.dumps(made))
    for runner in (made, again):
        (y,) = host_runtime.timed(runner, ["y"], {"x": X})
        np.testing.assert_array_equal(y, np.maximum(X, 0))


def test_what_the_runtime_lacks_the_reference_runs(tmp_path):
    relu = model(tmp_path, node("Relu", ["x"]))
    made = host_runtime.session(relu, reference=True)
    np.testing.assert_array_equal(made.run(["y"], {"x": X})[0], np.maximum(X, 0))
    assert [one.name for one in made.get_inputs()] == ["x"]


def test_a_run_that_takes_too_long_is_stopped(tmp_path, monkeypatch):
    body = onnx.helper.make_graph(
        [
            onnx.helper.make_node("Identity", ["keep"], ["going"]),
            onnx.helper.make_node("Sin", ["value"], ["next"]),
        ],
        "body",
        [
            onnx.helper.make_tensor_value_info("turn", onnx.TensorProto.INT64, []),
            onnx.helper.make_tensor_value_info("keep", onnx.TensorProto.BOOL, []),
            onnx.helper.make_tensor_value_info("value", onnx.TensorProto.FLOAT, None),
        ],
        [
            onnx.helper.make_tensor_value_info("going", onnx.TensorProto.BOOL, []),
            onnx.helper.make_tensor_value_info("next", onnx.TensorProto.FLOAT, None),
        ],
    )
    loop = node("Loop", ["turns", "", "x"], body=body)
    endless = model(tmp_path, loop, constants={"turns": np.array(2**40)})
    monkeypatch.setattr(host_runtime, "SECONDS", 0.3)
    with pytest.raises(HostError, match=r"longer than 0\.3 s"):
        host_runtime.timed(host_runtime.session(endless), ["y"], {"x": X})


def test_what_nobody_runs_is_refused_in_one_line(tmp_path):
    wrong = model(tmp_path, node("Relu", ["x"]))
    wrong.graph.node[0].op_type = "Reluu"
    with pytest.raises(HostError) as said:
        host_runtime.session(wrong)
    assert "\n" not in str(said.value)
    with pytest.raises(HostError, match="Got invalid dimensions|INVALID_ARGUMENT"):
        host_runtime.timed(
            host_runtime.session(model(tmp_path, node("Relu", ["x"]))), ["y"], {"x": X[:, :2]}
        )
    assert host_runtime.first_line(KeyError()) == "KeyError"
