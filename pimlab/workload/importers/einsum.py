"""Which matrix products does an Einsum make? Its operands two by two, each pair as one product of
stacked matrices.

A letter of both operands and the result is an axis of the stack, one of both that the result lacks
is summed, one of a single operand is a row or column. What an operand alone sums is summed first.
"""

from __future__ import annotations

import math
import string
from typing import Any

import numpy as np

from pimlab.workload.importers.written import Nodes


def written(place: Nodes, node: Any, constants: set[str]) -> bool:
    """Write an Einsum of two operands or more as MatMul; whether it was one. One operand is summed
    and turned on the host.
    """
    from onnx import helper

    equation = helper.get_attribute_value(node.attribute[0]).decode().replace(" ", "")
    operands, result = _terms(place, equation, list(node.input))
    if len(node.input) == 1 or any(len(set(term)) < len(term) for term in operands):
        return len(node.input) > 1 and _refuse(place, equation)
    tensors = list(zip(operands, node.input, strict=True))
    while len(tensors) > 1:
        (left, a), (right, b), *rest = tensors
        needed = set(result).union(*(term for term, _ in rest))
        kept = "".join(c for c in dict.fromkeys(left + right) if c in needed)
        last = not rest
        name = place.label if last else f"{place.label}.{len(rest)}"
        made = _pair(place, left, a, right, b, result if last else kept, name)
        tensors = [(result if last else kept, made), *rest]
    place.add("Identity", tensors[0][1], output=node.output[0])
    return True


def _refuse(place: Nodes, equation: str) -> bool:
    raise place.error(f"{equation!r} takes a diagonal of an operand; allowed: each letter once")


def _terms(place: Nodes, equation: str, names: list[str]) -> tuple[list[str], str]:
    """Letters of each operand and of the result; dots become letters of their own."""
    left, arrow, result = equation.partition("->")
    terms = left.split(",")
    free = [c for c in string.ascii_letters if c not in equation]
    dots = [
        len(place.shape(name)) - len(term.replace("...", "")) if "..." in term else 0
        for term, name in zip(terms, names, strict=True)
    ]
    shared = "".join(free[: max(dots)])
    terms = [
        term.replace("...", shared[len(shared) - n :]) for term, n in zip(terms, dots, strict=True)
    ]
    if not arrow:
        every = "".join(terms).translate(str.maketrans("", "", shared))
        return terms, shared + "".join(sorted(c for c in set(every) if every.count(c) == 1))
    return terms, result.replace("...", shared)


def _pair(place: Nodes, left: str, a: str, right: str, b: str, result: str, name: str) -> str:
    """The tensor `result` of two operands with their letters."""
    if a in place.values and b not in place.values:
        left, a, right, b = right, b, left, a
    left, a = _summed(place, left, a, right + result)
    right, b = _summed(place, right, b, left + result)
    stack = [c for c in left if c in right and c in result]
    inner = [c for c in left if c in right and c not in result]
    rows, columns = [c for c in left if c not in right], [c for c in right if c not in left]
    # the batch stays before a stack of constant matrices, which it shares
    first = rows[:1] if stack and _constant(place, b) is not None and left[0] in rows else []
    rows, outer = rows[len(first) :], [*first, *stack]
    x = _laid_out(place, left, a, [*outer, *rows, *inner], len(rows), len(inner), len(outer))
    w = _laid_out(place, right, b, [*stack, *inner, *columns], len(inner), len(columns), len(stack))
    y = place.add("MatMul", x, w, name=name)
    made = [*outer, *rows, *columns]
    if len(rows) != 1 or len(columns) != 1:
        y = _unflattened(place, y, left, a, right, b, outer, rows, columns)
    perm = [made.index(c) for c in result]
    return y if perm == sorted(perm) else place.add("Transpose", y, perm=perm)


def _constant(place: Nodes, name: str) -> np.ndarray | None:
    return place.constants.get(name, place.values.get(name))


def _summed(place: Nodes, term: str, name: str, needed: str) -> tuple[str, str]:
    """An operand without the letters that nobody needs."""
    axes = [i for i, c in enumerate(term) if c not in needed]
    if not axes:
        return term, name
    kept = "".join(c for c in term if c in needed)
    if (value := _constant(place, name)) is not None:
        return kept, place.constant("summed", value.sum(axis=tuple(axes), dtype=value.dtype))
    if place.version < 13:
        return kept, place.add("ReduceSum", name, axes=axes, keepdims=0)
    wanted = place.constant("axes", np.array(axes, np.int64))
    return kept, place.add("ReduceSum", name, wanted, keepdims=0)


def _laid_out(
    place: Nodes, term: str, name: str, order: list[str], first: int, second: int, stack: int
) -> str:
    """An operand as stacked matrices whose rows are `first` letters and whose columns are `second`
    ones.
    """
    perm = [term.index(c) for c in order]
    if (held := _constant(place, name)) is not None:
        value = held.transpose(perm)
        at = stack + first
        ends = math.prod(value.shape[stack:at]), math.prod(value.shape[at:])
        shape = (*value.shape[:stack], *ends)
        return place.constant("laid_out", np.ascontiguousarray(value.reshape(shape)))
    turned = name if perm == sorted(perm) else place.add("Transpose", name, perm=perm)
    if first == second == 1:
        return turned
    sizes = place.add("Shape", turned)
    parts = [*([place.slice(sizes, 0, 0, stack)] if stack else [])]
    parts += [_length(place, sizes, stack, stack + first)]
    parts += [_length(place, sizes, stack + first, stack + first + second)]
    return place.add("Reshape", turned, place.add("Concat", *parts, axis=0))


def _length(place: Nodes, sizes: str, start: int, end: int) -> str:
    """The product of some sizes, as a tensor of one."""
    if start == end:
        return place.constant("one", np.array([1], np.int64))
    part = place.slice(sizes, 0, start, end)
    if end == start + 1:
        return part
    if place.version < 18:
        return place.add("ReduceProd", part, axes=[0], keepdims=1)
    axis = place.constant("axes", np.array([0], np.int64))
    return place.add("ReduceProd", part, axis, keepdims=1)


def _unflattened(
    place: Nodes,
    y: str,
    left: str,
    a: str,
    right: str,
    b: str,
    stack: list[str],
    rows: list[str],
    columns: list[str],
) -> str:
    """A product with an axis a letter again."""
    parts = [_size(place, left, a, c) for c in (*stack, *rows)]
    parts += [_size(place, right, b, c) for c in columns]
    if not parts:
        return place.reshaped(y, [])
    return place.add("Reshape", y, place.add("Concat", *parts, axis=0))


def _size(place: Nodes, term: str, name: str, letter: str) -> str:
    """The size of an operand along a letter, as a tensor of one."""
    at = term.index(letter)
    return place.slice(place.add("Shape", name), 0, at, at + 1)
