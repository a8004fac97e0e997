"""What of an operator crosses a link, and what does that cost? Bits in and out, and seconds."""

from __future__ import annotations

from pimlab.machine.links import Link
from pimlab.machine.protocol import MacOp, VectorOp


def sides(
    op: MacOp | VectorOp, between: Link, crosses: tuple[bool, bool] = (True, True)
) -> tuple[int, int]:
    """Bits of an operator's inputs and of its outputs, 0 for those that do not cross (unit:
    bits).
    """
    if isinstance(op, VectorOp):
        values = (op.elements, op.elements)
    else:
        values = (op.groups * op.m * op.k, op.groups * op.m * op.n)
    there, back = (
        count * between.word if over else 0 for count, over in zip(values, crosses, strict=True)
    )
    return there, back


def transferred(
    op: MacOp | VectorOp, between: Link, crosses: tuple[bool, bool] = (True, True)
) -> int:
    """Bits of an operator's activations, in and out, that cross (unit: bits)."""
    return sum(sides(op, between, crosses))


def link_seconds(
    op: MacOp | VectorOp, between: Link, crosses: tuple[bool, bool] = (True, True)
) -> float:
    """Time of an operator's transfers over the link, inputs and outputs, as far as they cross
    [s].
    """
    return sum(crosses) * between.delay + transferred(op, between, crosses) / between.bandwidth
