"""Einsum as matrix products, against ONNX Runtime and numpy.einsum."""

import numpy as np
import pytest

from pimlab.workload import OnnxModel
from pimlab.workload.model import ModelError
from tests.onnx_graphs import node, write

SIZES = dict(zip("bijkhdt", (3, 4, 5, 6, 2, 7, 3), strict=True))


def _model(path, equation, shapes, constants):
    nodes = [node("Einsum", [*shapes, *constants], equation=equation, name="einsum")]
    return OnnxModel(write(path, nodes, shapes, constants))


@pytest.mark.parametrize("equation", [
    "bij,jk->bik", "bij,kj->bik", "bij,jhd->bihd", "bhij,hjd->bihd", "bij,ik->bjk", "bij,j->bi",
    "bij,dk->bijdk", "...j,jk->...k", "bij,jk", "bij,ijk->bk", "bij,jkt->bik",
])  # fmt: skip
def test_a_constant_operand_becomes_weights(tmp_path, equation):
    left, right = equation.split("->")[0].split(",")
    shape = [SIZES[c] for c in left.replace("...", "bi")]
    w = np.random.default_rng(0).standard_normal([SIZES[c] for c in right]).astype(np.float32)
    model = _model(tmp_path / "m.onnx", equation, {"x": ("batch", *shape[1:])}, {"w": w})
    x = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    y = model.execute(x, model.exact)
    np.testing.assert_allclose(y, np.einsum(equation, x, w), atol=2e-5)
    np.testing.assert_allclose(y, model.oracle(x), atol=2e-5)
    assert len(model.mac_ops) == 1


@pytest.mark.parametrize("equation", ["bhid,bhjd->bhij", "bij,bjk->bik", "bid,bjd->bij"])
def test_two_computed_operands_multiply_sample_by_sample(tmp_path, equation):
    terms = equation.split("->")[0].split(",")
    shapes = {
        name: ("batch", *(SIZES[c] for c in term[1:]))
        for name, term in zip("xw", terms, strict=True)
    }
    model = _model(tmp_path / "m.onnx", equation, shapes, {})
    rng = np.random.default_rng(1)
    feeds = {n: rng.standard_normal((2, *s[1:])).astype(np.float32) for n, s in shapes.items()}
    y = model.execute(feeds, model.exact)
    np.testing.assert_allclose(y, np.einsum(equation, *feeds.values()), atol=2e-5)
    assert [op.kind for op in model.mac_ops] == ["activations"]


def test_three_operands_are_two_products(tmp_path):
    rng = np.random.default_rng(0)
    constants = {"v": rng.standard_normal((5, 6)), "w": rng.standard_normal((6, 7))}
    constants = {name: w.astype(np.float32) for name, w in constants.items()}
    shapes = {"x": ("batch", 4, 5)}
    model = _model(tmp_path / "m.onnx", "bij,jk,kd->bid", shapes, constants)
    x = rng.standard_normal((2, 4, 5)).astype(np.float32)
    wanted = np.einsum("bij,jk,kd->bid", x, *constants.values())
    np.testing.assert_allclose(model.execute(x, model.exact), wanted, atol=5e-5)
    assert [(op.k, op.n) for op in model.mac_ops] == [(5, 6), (6, 7)]


def test_a_diagonal_is_refused(tmp_path):
    w = np.ones((4, 4), np.float32)
    with pytest.raises(ModelError, match=r"'bij,jj->bi' takes a diagonal of an operand"):
        _model(tmp_path / "m.onnx", "bij,jj->bi", {"x": ("batch", 3, 4)}, {"w": w})
