"""Which operators of a written-out loop are one? Those whose names differ in their step alone.

The products of a step with constant weights are rows of one operator; operators that are no product
are one with the elements of all. Products of two computed operands stay apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pimlab.machine.protocol import MacOp, VectorOp
from pimlab.workload.importers.products import Product

_STEP = re.compile(r"@\d+")


def base_name(name: str) -> str:
    """A name without its steps; the name itself where it has none."""
    return _STEP.sub("", name)


def shared_operators(products: list[Product], ops: Mapping[str, MacOp]) -> dict[str, MacOp]:
    """Operator by name, each of several steps once; their products get that name, and know how many
    rows come before theirs.
    """
    found: dict[str, MacOp] = {}
    of: dict[tuple[Any, ...], str] = {}
    for made in products:
        op, name = ops[made.name], base_name(made.name)
        if made.weights is None or name == made.name:
            found[made.name] = op
            continue
        key = (name, op.k, op.n, op.groups, made.weights.tobytes())
        shared = of.setdefault(key, name if name not in {*found, *ops} else made.name)
        before = found[shared].m if shared in found else 0
        found[shared] = op.but(name=shared, m=before + op.m)
        made.name, made.rows_before = shared, before
    return found


def merged(ops: Mapping[str, VectorOp], taken: set[str]) -> dict[str, VectorOp]:
    """First output -> operator, those of several steps being one with all their elements.

    taken : names that others have.
    """
    elements: dict[str, int] = {}
    for op in ops.values():
        name = base_name(op.name)
        elements[name] = elements.get(name, 0) + op.elements
    found = {}
    for output, op in ops.items():
        name = base_name(op.name)
        if name != op.name:
            shown = name if name not in taken else f"{name} (all steps)"
            op = op.but(name=shown, elements=elements[name])
        found[output] = op
    return found
