"""What do a chip's operators cost? Seconds and joules, each operator on the machine that runs it.

A chip is a machine and its hosts: an operator runs on the first of them that serves it, as in
`plan.planned`. All layers of a stage are placed together, because what stays on chip depends on all
of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from pimlab.constants import Constant
from pimlab.cost import Energy, Prices, price
from pimlab.machine.protocol import MacOp, Target, VectorOp

Op = MacOp | VectorOp


class Joules(NamedTuple):
    """Nominal energy, the ends of its interval, and what of it rests on assumed prices [J]."""

    nominal: float = 0.0
    low: float = 0.0
    high: float = 0.0
    assumed: float = 0.0

    def plus(self, other: Joules) -> Joules:
        """Both together [J]; ends add to ends, as `cost.prices` says."""
        return Joules(*(a + b for a, b in zip(self, other, strict=True)))

    def times(self, count: float) -> Joules:
        """So many of them [J]."""
        return Joules(*(count * one for one in self))


class Cost(NamedTuple):
    """Seconds, and energy without static power, of some operators in turn on one chip."""

    seconds: float = 0.0
    energy: Joules = Joules()

    @property
    def joules(self) -> float:
        """Nominal energy [J]."""
        return self.energy.nominal

    def plus(self, other: Cost) -> Cost:
        """Both, one after the other. Units: s and J."""
        return Cost(self.seconds + other.seconds, self.energy.plus(other.energy))

    def times(self, count: float) -> Cost:
        """So many of them, one after another. Units: s and J."""
        return Cost(count * self.seconds, self.energy.times(count))


def machines(chip: Target) -> tuple[Target, ...]:
    """The machine and its hosts."""
    found = [chip]
    while found[-1].host is not None:
        found.append(found[-1].host.as_host())
    return tuple(found)


def owner(chip: Target, op: Op) -> int:
    """Which of `machines(chip)` runs `op`; ValueError where none does. Counted from 0, unit:
    machines.
    """
    for i, machine in enumerate(machines(chip)):
        if machine.serves(op):
            return i
    raise ValueError(
        f"{chip.name} and its hosts do not execute {op.name!r} ({op}); write for example "
        f"{chip.name}.but(host=pimlab.target('rngd'))"
    )


@lru_cache(maxsize=1024)
def static_power(chip: Target) -> Joules:
    """J that the machine and its hosts draw each second. Unit: W."""
    total = Joules()
    for machine in machines(chip):
        total = total.plus(_summed(price(machine.static, machine.prices)))
    return total


def _summed(energy: Energy) -> Joules:
    parts = (energy.nominal, energy.low, energy.high, energy.assumed)
    return Joules(*(sum(part.values()) for part in parts))


def bit_joules(bit: Constant) -> Joules:
    """The energy of one bit over a link whose price is `bit` [J]."""
    return Joules(bit.value, bit.low, bit.high, bit.value if bit.status == "assumed" else 0.0)


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


@lru_cache(maxsize=4096)
def _prices(machine: Target) -> Prices:
    """Prices follow technology and format; looked up once a machine."""
    return machine.prices


@lru_cache(maxsize=65536)
def _one(machine: Target, op: Op) -> Cost:
    energy = price(machine.events(op), _prices(machine))
    joules = _summed(energy).times(machine.throttled(op))
    return Cost(sum(machine.latency(op).values()), joules)


def cost(chip: Target, where: Sequence[Target], ops: Sequence[Op]) -> Cost:
    """The cost of `ops` in turn on the placed machines `where` of `chip`. Units: s and J."""
    total = Cost()
    for op in ops:
        total = total.plus(_one(where[owner(chip, op)], op))
    return total


def calls(chip: Target, ops: Sequence[Op]) -> float:
    """Seconds [s] that a batch costs once on each of `machines(chip)` that runs some of `ops`."""
    return sum(machines(chip)[i].call for i in {owner(chip, op) for op in ops})


def occupancy(chip: Target, held: Sequence[tuple[MacOp, int]]) -> tuple[float, ...]:
    """Share of the memory of each of `machines(chip)` that the operators take up for good (unit
    1).
    """
    shares = [0.0] * len(machines(chip))
    for op, count in held:
        i = owner(chip, op)
        shares[i] += count * machines(chip)[i].occupancy(op)
    return tuple(shares)
