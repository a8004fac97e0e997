"""What do the machines of a plan draw between requests, and what does it take to wake them with the
model's weights in place?
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from pimlab import catalogue
from pimlab.constants import Constant
from pimlab.cost import price
from pimlab.machine.power import ACTIVE, DRAM_MEMORY, IDLE, SRAM, STATES, PowerState
from pimlab.machine.protocol import Target
from pimlab.plan import Plan
from pimlab.result import HIGH, LOW, variable

ENDS = {"": "nominal", LOW: "low", HIGH: "high"}
_VALUE = {"": "value", LOW: "low", HIGH: "high"}
TINY = float(np.finfo(float).tiny)
"""W: what divides a share of no power at all."""
_NAMES = ("state_power", "wake_time", "wake_energy")


def state_table(plan: Plan) -> xr.Dataset:
    """state_power [W], wake_time in s and wake_energy in J (machine, state), each with _low and
    _high; state_assumed_share, how much of what a state draws, waking included, rests on assumed
    numbers. NaN for a state that a machine does not have.

    Waking from a state that forgot the weights loads them again: from DRAM where only SRAM forgot,
    else from storage. A decoder's cache is not kept between requests.
    """
    machines = list(plan.placed)
    found = xr.Dataset(
        coords={
            "machine": variable("machine", "machine", machines),
            "state": variable("state", "state", list(STATES)),
        }
    )
    found["state_assumed_share"] = variable(
        "state_assumed_share", ("machine", "state"), _assumed(list(plan.placed.values()))
    )
    for end in ENDS:
        tables = np.full((len(_NAMES), len(machines), len(STATES)), np.nan)
        for i, machine in enumerate(plan.placed.values()):
            for state in machine.states:
                at = STATES.index(state.name)
                tables[:, i, at] = _row(state, machine, weight_bits(plan, machine), end)
        for name, table in zip(_NAMES, tables, strict=True):
            found[name + end] = variable(name + end, ("machine", "state"), table)
    return found


def _assumed(machines: list[Target]) -> np.ndarray:
    """float64, shape (machines, states): share of the power that is assumed."""
    table = np.full((len(machines), len(STATES)), np.nan)
    for i, machine in enumerate(machines):
        for state in machine.states:
            constants = (state.power, state.wake_energy)
            share = float(any(one.status == "assumed" for one in constants))
            if state.name in (ACTIVE, IDLE):
                share = assumed_watts(machine) / max(state.power.value, TINY)
            table[i, STATES.index(state.name)] = share
    return table


def assumed_watts(machine: Target) -> float:
    """W of the machine's static power whose price is assumed [W]."""
    return sum(price(machine.static, machine.prices).assumed.values())


def weight_bits(plan: Plan, machine: Target) -> float:
    """Bits of the weights of all operators that the machine runs (unit: bits)."""
    mine = [op for op in plan.model.mac_ops if plan.owners[op.name] == machine.name]
    return machine.weight_bits * sum(op.groups * op.k * op.n for op in mine if op.kind == "weights")


def _row(state: PowerState, machine: Target, bits: float, end: str) -> tuple[float, float, float]:
    seconds, joules = _reload(state, machine, bits, end)
    return (
        _value(state.power, end),
        _value(state.wake_time, end) + seconds,
        _value(state.wake_energy, end) + joules,
    )


def _reload(state: PowerState, machine: Target, bits: float, end: str) -> tuple[float, float]:
    """Seconds [s] and joules of getting weights back that the state forgot."""
    if machine.holds not in state.forgets:
        return 0.0, 0.0
    seconds, counts = machine.refill(bits)
    joules = sum(getattr(price(counts, machine.prices), ENDS[end]).values()) if counts else 0.0
    if machine.holds == SRAM and DRAM_MEMORY not in state.forgets:
        return seconds, joules
    storage = catalogue.entry("power", "states")
    # a low energy and time come with a fast, frugal storage
    pace = storage["storage.bandwidth"]
    rate = {"": pace.value, LOW: pace.high, HIGH: pace.low}[end]
    return seconds + bits / rate, joules + bits * _value(storage["storage.bit"], end)


def _value(constant: Constant, end: str) -> float:
    return float(getattr(constant, _VALUE[end]))
