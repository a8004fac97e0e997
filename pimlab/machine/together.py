"""What do several equal chips answer that hold one model together? The same work, with more room
and more static power.

Each operator runs on the chip (or the chips) that holds its weights, one operator after another, so
counts and latency are those of one chip; what crosses between chips is the plan's to charge.
"""

from __future__ import annotations

from collections.abc import Mapping

from pimlab.machine.protocol import MacOp, Target, VectorOp
from pimlab.machine.work import ARRAY
from pimlab.machine.wrapped import Wrapped
from pimlab.values import integer


class Together(Wrapped):
    """`chips` times `machine`; `counted` of them are in the machine's own numbers already."""

    chips: int = integer(1)
    counted: int = integer(1, default=1)

    def occupancy(self, op: MacOp | VectorOp) -> float:
        """Share of the memory of all chips (unit 1)."""
        return self.machine.occupancy(op) * self.counted / self.chips

    @property
    def array_count(self) -> int | None:
        """Arrays of all chips (unit: arrays)."""
        there = self.machine.array_count
        return None if there is None else there * self.chips // self.counted

    @property
    def static(self) -> Mapping[str, float]:
        """What all chips draw; arrays that the machine counts already are not counted twice. Unit
        of an amount: that of the event, by second.
        """
        owners = self.machine.static_owners
        return {
            event: rate * self.chips / (self.counted if owners[event] == ARRAY else 1)
            for event, rate in self.machine.static.items()
        }


def together(machine: Target, chips: int) -> Target:
    """As many of `machine` that hold one model together: so many times the memory, the arrays and
    the static power.
    """
    if chips == 1:
        return machine
    wide = machine.spread(chips)
    return Together(machine=wide, chips=chips, counted=1 if wide is machine else chips)
