"""What does a machine draw between requests, what does it forget meanwhile, and what does waking
cost? Its power states.

A chip with gated arrays keeps what is in its DRAM and forgets its SRAM; a DRAM in self refresh
keeps everything; without power both forget, and non-volatile cells keep their weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pimlab import catalogue
from pimlab.constants import Constant, derive
from pimlab.machine.work import ARRAY, CHIP, MEMORY
from pimlab.values import Value, choice, part

SRAM, DRAM_MEMORY, CELLS = "SRAM", "DRAM", "cells"
ACTIVE, IDLE, GATED, OFF = "active", "idle", "gated", "off"
STATES = (ACTIVE, IDLE, GATED, OFF)

_SHARES = {CHIP: "gated.share", MEMORY: "self_refresh.share", ARRAY: "array.share"}
_WAKES = {
    (CHIP, GATED): "gated.wake",
    (MEMORY, GATED): "self_refresh.wake",
    (ARRAY, GATED): "array.wake",
    (CHIP, OFF): "off.wake",
    (MEMORY, OFF): "memory.off.wake",
    (ARRAY, OFF): "array.off.wake",
}
_FORGETS: dict[tuple[str, str], tuple[str, ...]] = {
    (CHIP, GATED): (SRAM,),
    (CHIP, OFF): (SRAM, DRAM_MEMORY),
    (MEMORY, OFF): (DRAM_MEMORY,),
}


class PowerState(Value):
    """What a machine draws in a state, and what it takes to leave it."""

    name: str = choice(*STATES)
    power: Constant = part(Constant, doc="W, whatever runs")
    wake_time: Constant = part(Constant, doc="s until it can work")
    wake_energy: Constant = part(Constant, doc="J of waking, without loading weights again")
    forgets: tuple[str, ...] = ()
    """Memories that lose what they hold: "SRAM", "DRAM"."""


def power_states(watts: Mapping[str, Constant]) -> tuple[PowerState, ...]:
    """The states of a machine that draws `watts` [W] when nothing runs, by who draws it: active and
    idle draw all of it, gated the shares of catalogue `power/states`, off nothing. Waking is as
    slow as the slowest part and draws idle power all the while.
    """
    if not watts:
        return ()
    owners = tuple(watts)
    idle = total("idle power", watts.values())
    none = idle.but(name="no time", unit="s", value=0.0, low=0.0, high=0.0)
    found = [
        PowerState(name=name, power=idle, wake_time=none, wake_energy=none.but(unit="J"))
        for name in (ACTIVE, IDLE)
    ]
    table = catalogue.entry("power", "states")
    gated = [_product("gated power", one, table[_SHARES[owner]]) for owner, one in watts.items()]
    nothing = idle.but(name="off", value=0.0, low=0.0, high=0.0)
    for name, power in ((GATED, total("gated power", gated)), (OFF, nothing)):
        wake = _slowest([table[_WAKES[owner, name]] for owner in owners])
        forgets = {memory for owner in owners for memory in _FORGETS.get((owner, name), ())}
        found.append(
            PowerState(
                name=name,
                power=power,
                wake_time=wake,
                wake_energy=_product("waking", idle, wake).but(unit="J"),
                forgets=tuple(sorted(forgets)),
            )
        )
    return tuple(found)


def total(name: str, constants: Iterable[Constant]) -> Constant:
    """The sum of constants of one unit, ends with ends."""
    parts = list(constants)
    return derive(
        name, lambda *values: float(sum(values)), *parts, unit=parts[0].unit, reason="sum of parts"
    )


def scaled(constant: Constant, factor: float, unit: str) -> Constant:
    """`factor` (>= 0) times a constant, in `unit`."""
    return constant.but(
        value=factor * constant.value,
        low=factor * constant.low,
        high=factor * constant.high,
        unit=unit,
    )


def _product(name: str, one: Constant, other: Constant) -> Constant:
    return derive(name, lambda a, b: a * b, one, other, unit=one.unit, reason="product")


def _slowest(times: list[Constant]) -> Constant:
    return derive(
        "waking",
        lambda *values: max(values),
        *times,
        unit="s",
        reason="the slowest part",
    )
