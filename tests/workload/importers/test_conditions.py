"""Conditions that sizes decide: which branch an exporter's If takes, and which stay open."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from pimlab.workload.importers.conditions import decided
from pimlab.workload.importers.written import Nodes

NUMBERS = {"zero": 0, "one": 1, "two": 2, "three": 3}


def place(*nodes):
    """Nodes after x (batch, 3, 1), with the numbers as constants."""
    graph = helper.make_graph(
        [helper.make_node(*node) if isinstance(node, tuple) else node for node in nodes],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 1])],
        [helper.make_tensor_value_info("c", TensorProto.BOOL, None)],
        [numpy_helper.from_array(np.array([n], np.int64), name) for name, n in NUMBERS.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    return Nodes(model, "f.onnx", set())


def picked(index):
    return ("Shape", ["x"], ["s"]), ("Gather", ["s", index], ["d"])


@pytest.mark.parametrize(
    ("index", "kind", "other", "found"),
    [
        ("two", "Equal", "one", True),
        ("one", "Equal", "one", False),
        ("one", "Greater", "two", True),
        ("two", "Less", "one", False),
        ("zero", "Equal", "one", None),
    ],
)
def test_a_size_that_is_known_decides_and_the_batch_does_not(index, kind, other, found):
    assert decided(place(*picked(index), (kind, ["d", other], ["c"])), "c") is found


def test_ranks_sums_and_negations():
    rank = ("Shape", ["x"], ["s"]), ("Size", ["s"], ["r"])
    assert decided(place(*rank, ("Equal", ["r", "three"], ["c"])), "c") is True
    same = ("Equal", ["r", "three"], ["e"])
    assert decided(place(*rank, same, ("Not", ["e"], ["c"])), "c") is False
    twice = ("Add", ["d", "d"], ["t"]), ("Equal", ["t", "two"], ["c"])
    assert decided(place(*picked("two"), *twice), "c") is True
    assert decided(place(*picked("zero"), *twice), "c") is None


def test_parts_of_shapes_and_of_what_was_joined():
    tail = helper.make_node("Shape", ["x"], ["s"], start=1)
    first = ("Gather", ["s", "zero"], ["d"]), ("Equal", ["d", "three"], ["c"])
    assert decided(place(tail, *first), "c") is True
    joined = helper.make_node("Concat", ["d", "two"], ["j"], axis=0)
    second = ("Gather", ["j", "one"], ["k"]), ("Equal", ["k", "two"], ["c"])
    assert decided(place(*picked("two"), joined, *second), "c") is True


def test_values_decide_nothing():
    assert decided(place(("ReduceMax", ["x"], ["m"]), ("Greater", ["m", "m"], ["c"])), "c") is None
    beyond = ("Gather", ["zero", "three"], ["d"]), ("Equal", ["d", "one"], ["c"])
    assert decided(place(*beyond), "c") is None
