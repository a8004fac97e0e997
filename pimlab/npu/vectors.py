"""How many elementary operations does an operator that is no MAC cost? Counted by kind, never free.

The counts are those of `catalogue/energy/vector-operations.toml`: one addition, comparison,
multiplication or table look-up each. Kinds that only move or rename data cost none, but their
traffic counts.
"""

from __future__ import annotations

from pimlab import catalogue
from pimlab.machine.protocol import VectorOp


def operations(op: VectorOp) -> int:
    """Elementary operations of one inference of `op` (unit: operations); a kind that is not listed
    counts one a result.
    """
    table = catalogue.entry("energy", "vector-operations")
    return op.elements * (round(table[op.kind].value) if op.kind in table else 1)
