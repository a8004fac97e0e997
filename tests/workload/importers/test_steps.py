"""Operators whose names differ in their step alone are one."""

import numpy as np

from pimlab.machine.protocol import MacOp, VectorOp
from pimlab.workload.importers.products import ActivationProduct, WeightProduct
from pimlab.workload.importers.steps import base_name, merged, shared_operators


def _products(weights):
    return [
        WeightProduct(f"a@{t}", f"x{t}", f"y{t}", w.astype(np.float32))
        for t, w in enumerate(weights)
    ]


def test_rows_follow_each_other():
    made = _products([np.eye(2)] * 3)
    found = shared_operators(made, {p.name: MacOp(name=p.name, m=4, k=2, n=2) for p in made})
    assert [(op.name, op.m) for op in found.values()] == [("a", 12)]
    assert [(p.name, p.rows_before) for p in made] == [("a", 0), ("a", 4), ("a", 8)]


def test_other_weights_stay_other_operators():
    made = _products([np.eye(2), 2 * np.eye(2), np.eye(2)])
    found = shared_operators(made, {p.name: MacOp(name=p.name, m=1, k=2, n=2) for p in made})
    assert {name: op.m for name, op in found.items()} == {"a": 2, "a@1": 1}


def test_products_of_computed_operands_stay_apart():
    made = [ActivationProduct(f"a@{t}", ("x", "w"), f"y{t}") for t in range(2)]
    ops = {p.name: MacOp(name=p.name, m=1, k=2, n=2, kind="activations") for p in made}
    assert list(shared_operators(made, ops)) == ["a@0", "a@1"]


def test_elements_of_all_steps_are_one_operator():
    ops = {f"t{i}": VectorOp(name=f"b@{i}", kind="tanh", elements=5) for i in range(3)}
    ops["u"] = VectorOp(name="c", kind="add", elements=2)
    found = merged(ops, {"c"})
    assert {op.name: op.elements for op in found.values()} == {"b": 15, "c": 2}
    assert merged({"t": ops["t0"]}, {"b"})["t"].name == "b (all steps)"
    assert base_name("a@3.b@11") == "a.b"
