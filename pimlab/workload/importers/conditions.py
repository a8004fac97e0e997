"""Which way does a branch go, where sizes alone decide it?

Exporters write `If` for what they do not know, such as whether an axis has size 1. Once the inputs
have sizes the condition is a constant, but for the batch; small vectors of sizes are computed here
element by element, those that hang on the batch left open.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from pimlab.workload.importers.written import Nodes, ShapeError

Sizes = list[int | None]
"""The elements of a scalar or a vector of integers, None where one is not known."""
_DEEP = 64
"""Nodes in a row that are looked through at most."""
_SAME = ("Identity", "Unsqueeze", "Squeeze", "Cast", "Reshape")
"""Operators that keep the elements of a vector of integers."""
_BINARY: Mapping[str, Callable[[int, int], int]] = {
    "Add": operator.add,
    "Sub": operator.sub,
    "Mul": operator.mul,
    "Equal": lambda a, b: int(a == b),
    "Greater": lambda a, b: int(a > b),
    "Less": lambda a, b: int(a < b),
    "And": lambda a, b: int(bool(a) and bool(b)),
    "Or": lambda a, b: int(bool(a) or bool(b)),
}


def decided(place: Nodes, name: str) -> bool | None:
    """What a condition is; None where it hangs on values, or on sizes that are open."""
    found = _elements(place, name, 0)
    if found is None or len(found) != 1 or found[0] is None:
        return None
    return bool(found[0])


def _elements(place: Nodes, name: str, depth: int) -> Sizes | None:
    """Elements of a tensor; None where it is no small vector of integers that sizes give."""
    held = place.values.get(name)
    if held is not None:
        small = held.ndim <= 1 and held.dtype.kind in "iub"
        return [int(value) for value in held.reshape(-1)] if small else None
    node = place.makers.get(name)
    if node is None or depth > _DEEP:
        return None
    if node.op_type in ("Shape", "Size"):
        return _sizes(place, node)
    parts = [_elements(place, read, depth + 1) for read in node.input if read]
    return _computed(node, parts)


def _sizes(place: Nodes, node: Any) -> Sizes | None:
    """Elements of a Shape or Size."""
    from onnx import helper

    try:
        shape = place.shape(node.input[0])
    except ShapeError:
        return None
    if node.op_type == "Size":
        known = [size for size in shape if size is not None]
        return [math.prod(known)] if len(known) == len(shape) else None
    given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    return shape[given.get("start", 0) : given.get("end")]


def _computed(node: Any, parts: list[Sizes | None]) -> Sizes | None:
    """Elements of another operator from those that it reads."""
    first = parts[0] if parts else None
    if first is None:
        return None
    if node.op_type in _SAME:
        return first
    if node.op_type == "Not":
        return [None if one is None else int(not one) for one in first]
    if any(part is None for part in parts):
        return None
    known = [part for part in parts if part is not None]
    if node.op_type == "Concat":
        return [one for part in known for one in part]
    if node.op_type == "Gather":
        return [first[i] if i is not None and -len(first) <= i < len(first) else None
                for i in known[1]]  # fmt: skip
    if node.op_type in _BINARY and len(known) == 2:
        return _pairs(_BINARY[node.op_type], *known)
    return None


def _pairs(rule: Callable[[int, int], int], a: Sizes, b: Sizes) -> Sizes | None:
    """A rule element by element; a single element meets all of the other side."""
    count = max(len(a), len(b))
    if not (len(a) in (1, count) and len(b) in (1, count)):
        return None
    wide = zip(a * (count // len(a)), b * (count // len(b)), strict=True)
    return [None if x is None or y is None else rule(x, y) for x, y in wide]
