"""Linear models of ai.onnx.ml against ONNX Runtime's own kernels."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from pimlab.workload import OnnxModel
from pimlab.workload.model import ModelError

RNG = np.random.default_rng(2)
X = RNG.standard_normal((6, 4)).astype(np.float32)


def saved(path, kind, outputs, **given):
    made = helper.make_node(kind, ["X"], list(outputs), domain="ai.onnx.ml", name="linear", **given)
    kinds = {"label": TensorProto.INT64}
    values = [
        helper.make_tensor_value_info(name, kinds.get(name, TensorProto.FLOAT), shape)
        for name, shape in outputs.items()
    ]
    x = helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, 4])
    graph = helper.make_graph([made], "pipeline", [x], values)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    return path


@pytest.mark.parametrize("targets", [1, 3])
def test_a_regression_is_a_product(tmp_path, targets):
    given = {"coefficients": RNG.random(4 * targets).tolist(), "targets": targets}
    given |= {"intercepts": RNG.random(targets).tolist()}
    path = saved(tmp_path / "m.onnx", "LinearRegressor", {"y": [None, targets]}, **given)
    model = OnnxModel(path)
    assert [(op.name, op.k, op.n) for op in model.mac_ops] == [("linear", 4, targets)]
    np.testing.assert_allclose(model.execute(X, model.exact), model.oracle(X), rtol=1e-5)


CLASSES = {"coefficients": RNG.standard_normal(12).tolist(), "intercepts": [0.1, -0.2, 0.3],
           "classlabels_ints": [3, 5, 9]}  # fmt: skip
OUTPUTS = {"label": [None], "scores": [None, 3]}


@pytest.mark.parametrize("after", ["NONE", "SOFTMAX", "LOGISTIC"])
def test_a_classifier_gives_labels_and_scores(tmp_path, after):
    path = saved(tmp_path / "m.onnx", "LinearClassifier", OUTPUTS, post_transform=after, **CLASSES)
    for output in OUTPUTS:
        model = OnnxModel(path, output=output)
        y, wanted = model.execute(X, model.exact), model.oracle(X)
        np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-6)
    assert len(model.mac_ops) == 1


@pytest.mark.parametrize(("change", "words"), [
    ({"post_transform": "PROBIT"}, "has post_transform='PROBIT'; allowed: NONE, SOFTMAX, LOGISTIC"),
    ({"classlabels_ints": [0, 1], "intercepts": [0.1], "coefficients": [1.0, 2.0, 3.0, 4.0]},
     "has 1 rows of scores for 2 classes of whole numbers"),
])  # fmt: skip
def test_other_forms_are_refused_by_name(tmp_path, change, words):
    path = saved(tmp_path / "m.onnx", "LinearClassifier", OUTPUTS, **(CLASSES | change))
    with pytest.raises(ModelError, match=words):
        OnnxModel(path, output="scores")
