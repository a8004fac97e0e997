"""Is a product in another form written as nodes that compute the same?"""

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator
from onnx_graphs import node, write

from pimlab.workload.importers import lowering
from pimlab.workload.model import ModelError

RNG = np.random.default_rng(2)


@pytest.mark.parametrize("opset", [13, 17])
@pytest.mark.parametrize("turned", [(0, 0), (1, 0), (0, 1), (1, 1)])
@pytest.mark.parametrize(
    ("alpha", "beta", "added"),
    [(1.0, 1.0, False), (0.5, 2.0, True), (2.0, 1.0, True), (1.0, 3.0, False)],
)
def test_a_gemm_of_two_activations_is_a_product_and_a_sum(
    tmp_path, opset, turned, alpha, beta, added
):
    a, b = ([5, 3][:: -1 if turned[0] else 1], [3, 4][:: -1 if turned[1] else 1])
    inputs = {"a": a, "b": b} | ({"c": [4]} if added else {})
    made = node("Gemm", list(inputs), transA=turned[0], transB=turned[1], alpha=alpha, beta=beta)
    model = onnx.load(write(tmp_path / "g.onnx", [made], inputs, opset=opset))
    feeds = {name: RNG.random(shape).astype(np.float32) for name, shape in inputs.items()}
    wanted = ReferenceEvaluator(model).run(None, feeds)[0]
    lowering.lowered(model, "g.onnx")
    assert "Gemm" not in {n.op_type for n in model.graph.node}
    assert any(n.op_type == "MatMul" and n.name == "gemm_1" for n in model.graph.node)
    np.testing.assert_allclose(ReferenceEvaluator(model).run(None, feeds)[0], wanted, rtol=1e-5)


def test_a_gemm_with_constant_weights_is_split_as_it_is(tmp_path):
    made = node("Gemm", ["a", "w"])
    model = onnx.load(
        write(tmp_path / "g.onnx", [made], {"a": [5, 3]}, {"w": np.ones((3, 4), np.float32)})
    )
    assert lowering.lowered(model, "g.onnx").graph.node[0].op_type == "Gemm"


def test_forms_that_never_end_are_refused(tmp_path, monkeypatch):
    model = onnx.load(
        write(tmp_path / "g.onnx", [node("Gemm", ["a", "b"])], {"a": [5, 3], "b": [3, 4]})
    )
    monkeypatch.setattr(lowering, "_once", lambda *_: True)
    with pytest.raises(ModelError, match="deep in one another"):
        lowering.lowered(model, "g.onnx")
