"""What do a chip's operators cost? Seconds and joules, each operator on the machine that runs it.

A chip is a machine and its hosts: an operator runs on the first of them that serves it, as in
`plan.planned`. All layers of a stage are placed together, because what stays on chip depends on all
of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from pimlab.cost import price
from pimlab.machine.protocol import MacOp, Target, VectorOp

Op = MacOp | VectorOp


class Cost(NamedTuple):
    """Seconds, and joules without static power, of some operators in turn on one chip."""

    seconds: float
    joules: float

    def plus(self, other: Cost) -> Cost:
        """Both, one after the other."""
        return Cost(self.seconds + other.seconds, self.joules + other.joules)

    def times(self, count: float) -> Cost:
        """So many of them, one after another."""
        return Cost(count * self.seconds, count * self.joules)


def machines(chip: Target) -> tuple[Target, ...]:
    """The machine and its hosts."""
    found = [chip]
    while found[-1].host is not None:
        found.append(found[-1].host)
    return tuple(found)


def owner(chip: Target, op: Op) -> int:
    """Which of `machines(chip)` runs `op`; ValueError where none does."""
    for i, machine in enumerate(machines(chip)):
        if machine.serves(op):
            return i
    raise ValueError(
        f"{chip.name} and its hosts do not execute {op.name!r} ({op}); write for example "
        f"{chip.name}.but(host=pimlab.target('rngd'))"
    )


def static_watts(chip: Target) -> float:
    """W that the machine and its hosts draw by the second."""
    return sum(sum(price(m.static, m.prices).nominal.values()) for m in machines(chip))


@lru_cache(maxsize=4096)
def placed(chip: Target, held: tuple[tuple[MacOp, int], ...]) -> tuple[Target, ...]:
    """The machines of `chip` with their data where they live, when each operator of `held` runs so
    many times with data of its own.
    """
    found = []
    for i, machine in enumerate(machines(chip)):
        mine = tuple(op for op, count in held for _ in range(count) if owner(chip, op) == i)
        found.append(machine.placed(mine))
    return tuple(found)


@lru_cache(maxsize=65536)
def _one(machine: Target, op: Op) -> Cost:
    energy = price(machine.events(op), machine.prices)
    return Cost(sum(machine.latency(op).values()), sum(energy.nominal.values()))


def cost(chip: Target, where: Sequence[Target], ops: Sequence[Op]) -> Cost:
    """The cost of `ops` in turn on the placed machines `where` of `chip`."""
    total = Cost(0.0, 0.0)
    for op in ops:
        total = total.plus(_one(where[owner(chip, op)], op))
    return total


def occupancy(chip: Target, held: Sequence[tuple[MacOp, int]]) -> tuple[float, ...]:
    """Share of the memory of each of `machines(chip)` that the operators take up for good."""
    shares = [0.0] * len(machines(chip))
    for op, count in held:
        i = owner(chip, op)
        shares[i] += count * machines(chip)[i].occupancy(op)
    return tuple(shares)
