"""What does one inference cost on a machine and its host? Counts, energy and latency of every
operator, labelled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from pimlab.cost import Energy, price
from pimlab.machine.protocol import Target
from pimlab.studies.execution import machines, owner, placed

STATIC = "static"
"""The pseudo-layers "static <machine>" hold what each machine is charged by the second: leakage,
refresh, idle power.
"""
_ENERGIES = (
    ("energy", "nominal", "energy of one inference"),
    ("energy_low", "low", "energy of one inference at the low prices"),
    ("energy_high", "high", "energy of one inference at the high prices"),
)


def costs(model: Any, target: Target, integrals: Mapping[str, Mapping[str, float]]) -> xr.Dataset:
    """Dataset with events (layer, event), energy, energy_low, energy_high (layer, component) in J,
    latency (layer) in s, phase_latency (layer, phase) in s, executor (layer) and the scalar
    assumed_share; all for one inference. occupancy (layer): where the layers of one executor take
    up more than 1 of its banks, the model needs that many such machines.

    integrals : operator name -> value-dependent amounts of one inference, priced like counts.
    """
    operators, target = (*model.mac_ops, *model.vector_ops), placed(target, model)
    owners = {op.name: owner(target, op) for op in operators}
    counts = {op.name: dict(owners[op.name].events(op)) for op in operators}
    phases = {op.name: dict(owners[op.name].latency(op)) for op in operators}
    energies = {
        op.name: price({**counts[op.name], **integrals.get(op.name, {})}, owners[op.name].prices)
        for op in operators
    }
    total = sum(sum(part.values()) for part in phases.values())
    executor = {name: machine.name for name, machine in owners.items()}
    for machine in machines(target):
        layer = f"{STATIC} {machine.name}"
        energies[layer], executor[layer] = _static(machine, total), machine.name
    layers = list(energies)
    macs = {op.name: op.macs for op in model.mac_ops}
    answer = xr.Dataset(coords={"layer": ("layer", layers, {"long_name": "operator"})})
    answer["executor"] = (
        "layer",
        [executor[name] for name in layers],
        {"long_name": "machine that executes the operator"},
    )
    answer["events"] = _table(counts, layers, "event", "count of events in one inference", "1")
    for name, part, text in _ENERGIES:
        answer[name] = _table(
            {layer: getattr(e, part) for layer, e in energies.items()},
            layers,
            "component",
            text,
            "J",
        )
    answer["phase_latency"] = _table(phases, layers, "phase", "time of one inference by phase", "s")
    answer["latency"] = answer.phase_latency.sum("phase").assign_attrs(
        units="s", long_name="time of one inference (batch 1)"
    )
    answer["macs"] = (
        "layer",
        [macs.get(name, 0) for name in layers],
        {"units": "1", "long_name": "multiply-accumulates of one inference"},
    )
    occupancy = {op.name: owners[op.name].occupancy(op) for op in operators}
    text = (
        "share of the executor's banks that the operator takes up (0: its operands lie elsewhere)"
    )
    answer["occupancy"] = (
        "layer",
        [occupancy.get(name, 0.0) for name in layers],
        {"units": "1", "long_name": text},
    )
    answer["assumed_share"] = (
        (),
        _assumed_share(energies),
        {"units": "1", "long_name": "share of energy that rests on assumed prices"},
    )
    return answer.set_coords("executor")


def _static(machine: Target, seconds: float) -> Energy:
    return price({event: rate * seconds for event, rate in machine.static.items()}, machine.prices)


def _assumed_share(energies: Mapping[str, Energy]) -> float:
    total = sum(sum(e.nominal.values()) for e in energies.values())
    return sum(sum(e.assumed.values()) for e in energies.values()) / total if total else 0.0


def _table(
    rows: Mapping[str, Mapping[str, float]], layers: list[str], dim: str, text: str, unit: str
) -> xr.DataArray:
    names = sorted({name for row in rows.values() for name in row})
    values = np.array(
        [[rows.get(layer, {}).get(name, 0) for name in names] for layer in layers],
        dtype=np.int64 if unit == "1" else float,
    )
    attributes = {"units": unit, "long_name": text}
    return xr.DataArray(
        values.reshape(len(layers), len(names)),
        dims=("layer", dim),
        coords={dim: names},
        attrs=attributes,
    )


def sources(target: Target) -> tuple[str, ...]:
    """Keys in `sources.bib` of every published number behind the machine and its hosts."""
    keys: set[str] = set()
    for machine in machines(target):
        keys.update(machine.prices.sources)
        keys.update(getattr(machine, "sources", ()))
    return tuple(sorted(keys))
