"""What does a service take over its whole life? Joules of inference, idle power, programming and
refresh, and the wear of the cells.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import xarray as xr

from pimlab import units
from pimlab.arguments import typed
from pimlab.constants import Constant
from pimlab.machine.power import scaled
from pimlab.machine.protocol import MacOp, Target
from pimlab.machine.wrapped import Wrapped
from pimlab.plan import Plan
from pimlab.plan.costs import static
from pimlab.plan.plan import planned
from pimlab.result import HIGH, LOW, STATIC, finished, variable
from pimlab.studies.run import run

SPENT_ON = ("inference", "static", "programming", "refresh")
_ENDS = {"": "value", LOW: "low", HIGH: "high"}


@typed
def service_life(
    model: Any,
    target: Target | Plan,
    data: Any = None,
    *,
    rate: str | float,
    span: str | float = "5 years",
) -> xr.Dataset:
    """Energy over a service's life by what it is spent on, and the wear of cells that hold weights.

    rate : inferences a second (Hz or text);  span : the service's life (s or text);  data : as
    `pim.run` takes it, so that what depends on values is counted.
    Dataset: life_energy, life_energy_low, life_energy_high (spent_on) in J, where "programming" is
    the first write of all weights and "refresh" every later one; inferences, writes (of each cell)
    and wear, wear_low, wear_high: the share of the endurance used up (NaN where the cell's is not
    known, or nothing is written). Machines without cells write nothing. ValueError for a rate or a
    span of 0; KeyError for cells whose write energy is not known.

    >>> model, pcm = pim.load_model("digits-mlp"), pim.target("pcm-hermes")
    >>> life = pim.service_life(model, pcm, rate="100 Hz")
    >>> int(life.writes), bool(life.life_energy.sel(spent_on="inference") > 0)
    (1, True)
    """
    rate, seconds = units.parse(rate, "Hz", "rate"), units.seconds(span, "span")
    if rate <= 0 or seconds <= 0:
        raise ValueError(f"rate={rate:g} Hz, span={seconds:g} s; allowed: both above 0")
    answer, plan = run(model, target, data), planned(model, target)
    cells = _cells(plan)
    writes = max((_writes(machine, seconds) for machine, _ in cells), default=1)
    table = {
        end: _spent(plan, answer, cells, rate * seconds, seconds, end) for end in (LOW, "", HIGH)
    }
    life = xr.Dataset(coords={"spent_on": variable("spent_on", "spent_on", list(SPENT_ON))})
    for end in ("", LOW, HIGH):
        life["life_energy" + end] = variable("life_energy" + end, "spent_on", table[end])
    life["inferences"] = variable("inferences", (), rate * seconds)
    life["writes"] = variable("writes", (), writes if cells else 0)
    for end, worn in _wear(cells, writes).items():
        life["wear" + end] = variable("wear" + end, (), worn)
    return finished(life, answer.attrs["sources"].split(","))


def _cells(plan: Plan) -> list[tuple[Any, int]]:
    """(machine, cells that hold weights) of each machine of the plan that writes cells."""
    found = []
    for name, placed in plan.placed.items():
        machine = _unwrapped(placed)
        counted = getattr(machine, "cells_of", None)
        if counted is not None:
            ops = [op for op in plan.model.mac_ops if plan.owners[op.name] == name]
            found.append((machine, sum(counted(op) for op in ops if isinstance(op, MacOp))))
    return [(machine, number) for machine, number in found if number]


def _unwrapped(machine: Target) -> Target:
    """The machine whose cells these are: one that is streamed, or changed in another way that is
    handed on, writes as often as the machine itself.
    """
    while isinstance(machine, Wrapped):
        machine = machine.machine
    return machine


def _writes(machine: Any, seconds: float) -> int:
    """Times that each cell is written: once, and at each refresh."""
    refresh = getattr(machine, "refresh", None)
    return 1 if refresh is None else 1 + math.floor(seconds / refresh.period)


def _spent(
    plan: Plan,
    answer: xr.Dataset,
    cells: list[tuple[Any, int]],
    inferences: float,
    seconds: float,
    end: str,
) -> list[float]:
    """Joules on each of `SPENT_ON`, nominal or at one end."""
    table = answer["energy" + end]
    layers = [name for name in table.layer.values if not str(name).startswith(f"{STATIC} ")]
    part = {"": "nominal", LOW: "low", HIGH: "high"}[end]
    idle = [getattr(static(machine, seconds), part) for machine in plan.placed.values()]
    once = [
        (getattr(_written(machine, number), _ENDS[end]), _writes(machine, seconds))
        for machine, number in cells
    ]
    return [
        inferences * float(table.sel(layer=layers).sum()),
        sum(sum(one.values()) for one in idle),
        sum(joules for joules, _ in once),
        sum(joules * (writes - 1) for joules, writes in once),
    ]


def _written(machine: Any, cells: int) -> Constant:
    """Energy of writing `cells` cells once [J]."""
    pulse: Constant = machine.pair_cell.fact("write_energy")
    return scaled(pulse, cells, "J")


def _wear(cells: list[tuple[Any, int]], writes: int) -> dict[str, float]:
    """Share of the endurance that `writes` use up, of the machine whose cells wear most."""
    known = [
        machine.pair_cell.fact("endurance")
        for machine, _ in cells
        if "endurance" in dict(machine.pair_cell.facts)
    ]
    if not known:
        return dict.fromkeys(("", LOW, HIGH), np.nan)
    ends = {"": "value", LOW: "high", HIGH: "low"}
    return {end: max(writes / getattr(one, key) for one in known) for end, key in ends.items()}
