"""Which tensors grow with the batch, and does each sample stand apart?"""

import numpy as np
import pytest
from onnx_graphs import node, write

from pimlab.workload import ModelError, load_model
from pimlab.workload.importers.traces import close

SHAPE = {"x": ("n", 3)}


def load(path, *nodes, constants=None, output="y"):
    w = np.random.default_rng(1).standard_normal((3, 3)).astype(np.float32)
    first = node("MatMul", ["x", "w"], "p", name="fc")
    return load_model(
        write(path / "m.onnx", [first, *nodes], SHAPE, {"w": w, **(constants or {})}, output)
    )


def test_a_sum_over_samples_is_refused_by_its_node(tmp_path):
    turn = node("Softmax", ["p"], "y", axis=0, name="mix")
    with pytest.raises(ModelError, match=r"'mix' \(Softmax\)"):
        load(tmp_path, turn)


def test_what_works_row_by_row_is_taken(tmp_path):
    load(tmp_path, node("Softmax", ["p"], "y", axis=1, name="row"))


def test_the_axis_that_grows_may_be_another_than_the_first(tmp_path):
    nodes = [
        node("Transpose", ["p"], "t", perm=[1, 0], name="turn"),
        node("Transpose", ["t"], "y", perm=[1, 0], name="back"),
    ]
    assert load(tmp_path, *nodes).execute(np.eye(3, dtype=np.float32), lambda *a: a[1]).shape == (
        3,
        3,
    )


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], True),
        ([1.0, 2.0, 3.001], [1.0, 2.0, 3.0], True),
        ([2.0, 1.0, 3.0], [1.0, 2.0, 3.0], False),
        ([np.nan, np.nan], [np.nan, np.nan], True),
        ([np.nan, np.nan], [1.0, 2.0], False),
    ],
)
def test_numbers_are_the_same_but_for_rounding(a, b, same):
    assert close(np.array(a), np.array(b), False) == same


def test_a_step_of_a_code_is_rounding_only_where_values_are_codes():
    b = np.zeros(400)
    b[::2] = 1.0
    a = b.copy()
    a[0] = 0.0
    assert close(a, b, True)
    assert not close(a, b, False)
    assert not close(a[:2], b, True)
