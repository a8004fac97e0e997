"""Which products do the linear models of ai.onnx.ml compute? One matrix product with a bias, and a
function of its scores (scikit-learn's regressions, written by skl2onnx).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pimlab.workload.importers.written import Nodes

_AFTER = {"NONE": "", "SOFTMAX": "Softmax", "LOGISTIC": "Sigmoid"}
"""post_transform -> the operator that it is."""


def _given(node: Any) -> dict[str, Any]:
    from onnx import helper

    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def _scores(place: Nodes, node: Any, given: dict[str, Any], rows: int) -> str:
    """x W' + b, of coefficients (rows, k)."""
    w = np.array(given["coefficients"], np.float32).reshape(rows, -1)
    x = place.add("Cast", node.input[0], to=1)
    y = place.add("MatMul", x, place.constant("weights", w.T.copy()), name=node.name)
    bias = np.array(given.get("intercepts") or np.zeros(rows), np.float32)
    return place.add("Add", y, place.constant("bias", bias))


def _after(place: Nodes, y: str, given: dict[str, Any], output: str) -> None:
    """The function of the scores, as the output."""
    named = given.get("post_transform", b"NONE").decode()
    if named not in _AFTER:
        raise place.error(f"has post_transform={named!r}; allowed: {', '.join(_AFTER)}")
    kind = _AFTER[named] or "Identity"
    axis: dict[str, Any] = {"axis": 1} if kind == "Softmax" else {}
    place.add(kind, y, output=output, **axis)


def regressor(place: Nodes, node: Any, constants: set[str]) -> bool:
    """Write a LinearRegressor; always done."""
    given = _given(node)
    y = _scores(place, node, given, int(given.get("targets", 1)))
    _after(place, y, given, node.output[0])
    return True


def classifier(place: Nodes, node: Any, constants: set[str]) -> bool:
    """Write a LinearClassifier with a score a class; always done."""
    given = _given(node)
    labels = given.get("classlabels_ints") or []
    rows = len(given.get("intercepts") or labels)
    if len(labels) != rows or rows < 2:
        raise place.error(
            f"has {rows} rows of scores for {len(labels)} classes of whole numbers; allowed: a "
            "row for each"
        )
    y = _scores(place, node, given, rows)
    best = place.add("ArgMax", y, axis=1, keepdims=0)
    classes = place.constant("classes", np.array(labels, np.int64))
    place.add("Gather", classes, best, axis=0, output=node.output[0])
    if len(node.output) > 1 and node.output[1]:
        _after(place, y, given, node.output[1])
    return True
