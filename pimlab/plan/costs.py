"""What does one batch of a plan cost? Counts, energy and latency of every operator, labelled."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from pimlab.cost import Energy, price
from pimlab.machine.protocol import Target
from pimlab.plan.plan import Plan
from pimlab.result import HIGH, LOW, STATIC, attrs, variable

Integrals = Mapping[str, Mapping[str, float]]
"""Operator name -> value-dependent amounts (SI) of one inference, priced like counts."""


def costs(
    plan: Plan, integrals: Integrals | None = None, seconds: float | None = None
) -> xr.Dataset:
    """Dataset of energy, energy_low, energy_high (layer, component) [J] an inference; latency
    (layer) and phase_latency (layer, phase) in s a batch; events (layer, event) of a batch; macs
    (layer) of an inference; occupancy (layer); executor (layer); the scalars throughput, in
    inferences a second when one batch follows another, and assumed_share.

    Pseudo-layers "static <machine>" hold what each machine of the plan draws by the second while
    the operators of a batch run one after another, or in `seconds` (s a batch) where given.
    """
    counts = {op.name: plan.counts(op) for op in plan.operators}
    phases = {op.name: plan.phases(op) for op in plan.operators}
    alone = sum(sum(part.values()) for part in phases.values())
    seconds = alone if seconds is None else seconds
    energies = _dynamic(plan, counts, integrals or {})
    executor = dict(plan.owners)
    for machine in plan.placed.values():
        layer = f"{STATIC} {machine.name}"
        energies[layer], executor[layer] = static(machine, seconds / plan.batch), machine.name
    layers = list(energies)
    macs = {op.name: op.macs for op in plan.model.mac_ops}
    held = {op.name: plan.machine(op).occupancy(op) for op in plan.operators}
    answer = xr.Dataset(coords={"layer": variable("layer", "layer", layers)})
    answer["executor"] = variable("executor", "layer", [executor[name] for name in layers])
    answer["events"] = _table("events", counts, layers, "event", np.int64)
    for name, part in (("energy", "nominal"), ("energy" + LOW, "low"), ("energy" + HIGH, "high")):
        amounts = {layer: getattr(one, part) for layer, one in energies.items()}
        answer[name] = _table(name, amounts, layers, "component", float)
    answer["phase_latency"] = _table("phase_latency", phases, layers, "phase", float)
    answer["latency"] = answer.phase_latency.sum("phase").assign_attrs(attrs("latency"))
    answer["throughput"] = variable("throughput", (), plan.batch / alone if alone else np.inf)
    answer["macs"] = variable("macs", "layer", [macs.get(name, 0) for name in layers])
    answer["occupancy"] = variable("occupancy", "layer", [held.get(n, 0.0) for n in layers])
    answer["chips"] = variable("chips", (), max(plan.chips.values(), default=1))
    answer["assumed_share"] = variable("assumed_share", (), _assumed_share(energies))
    return answer.set_coords("executor")


def _dynamic(
    plan: Plan, counts: Mapping[str, Mapping[str, int]], integrals: Integrals
) -> dict[str, Energy]:
    """Operator -> energy of one inference, from the counts of a batch and what depends on
    values.
    """
    prices = {name: plan.prices(name) for name in plan.placed}
    return {
        name: price({**shares, **integrals.get(name, {})}, prices[plan.owners[name]])
        for name, shares in _shares(plan, counts).items()
    }


def _shares(plan: Plan, counts: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, float]]:
    """Operator -> events of one inference, as they are priced: more where its machine slows."""
    own = {name: set(machine.prices) for name, machine in plan.placed.items()}
    found = {}
    for op in plan.operators:
        owner, drawn = plan.owners[op.name], plan.machine(op).throttled(op)
        found[op.name] = {
            event: count / plan.batch * (drawn if event in own[owner] else 1.0)
            for event, count in counts[op.name].items()
        }
    return found


def amounts(plan: Plan) -> dict[tuple[str, str], float]:
    """(machine, event) -> how much of it one inference takes, so that the sum over all of amount
    times price is the energy that `costs` gives without values. Unit: events, or s of static power.
    """
    counts = {op.name: plan.counts(op) for op in plan.operators}
    seconds = sum(sum(plan.phases(op).values()) for op in plan.operators) / plan.batch
    total: dict[tuple[str, str], float] = {}
    for name, shares in _shares(plan, counts).items():
        for event, amount in shares.items():
            key = plan.owners[name], event
            total[key] = total.get(key, 0.0) + amount
    for machine in plan.placed.values():
        for event, rate in machine.static.items():
            key = machine.name, event
            total[key] = total.get(key, 0.0) + rate * seconds
    return total


def static(machine: Target, seconds: float) -> Energy:
    """What `machine` draws in `seconds` (s), whatever runs on it [J] by component."""
    return price({event: rate * seconds for event, rate in machine.static.items()}, machine.prices)


def _assumed_share(energies: Mapping[str, Energy]) -> float:
    total = sum(sum(e.nominal.values()) for e in energies.values())
    return sum(sum(e.assumed.values()) for e in energies.values()) / total if total else 0.0


def _table(
    name: str, rows: Mapping[str, Mapping[str, float]], layers: list[str], dim: str, kind: type
) -> xr.DataArray:
    labels = sorted({label for row in rows.values() for label in row})
    values: np.ndarray = np.array(
        [[rows.get(layer, {}).get(label, 0) for label in labels] for layer in layers], dtype=kind
    )
    return xr.DataArray(
        values.reshape(len(layers), len(labels)),
        dims=("layer", dim),
        coords={dim: labels},
        attrs=attrs(name),
    )
