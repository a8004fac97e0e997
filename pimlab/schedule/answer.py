"""What does a schedule say? Its times, rates, bounds and energies as one labelled Dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from pimlab.cost import price
from pimlab.machine.protocol import Target
from pimlab.machine.work import HOST, MEMORY, OWNERS
from pimlab.plan import Plan, chips_text, machine_text
from pimlab.plan.costs import costs
from pimlab.result import STATIC, finished, metrics, variable
from pimlab.schedule.states import ENDS, assumed_watts, state_table
from pimlab.schedule.tasks import Tasks


def answer_of(
    plan: Plan,
    laid: Tasks,
    times: tuple[np.ndarray, np.ndarray],
    copies: Mapping[str, int],
    *,
    latency_alone: float,
    overlap: bool,
    answer: xr.Dataset | None,
) -> xr.Dataset:
    """The Dataset of `schedule`; ValueError where `answer` is another plan's."""
    start, finish = times
    alone = costs(plan)
    latency, interval = pace(finish, laid.interval_bound)
    if not overlap:
        # as a reader of `run` adds its layers up
        latency = interval = float(alone.latency.sum())
    charged = costs(plan, seconds=interval if overlap else None)
    found = _task_table(laid, start, finish)
    scalars = {
        "latency": latency,
        "latency_alone": latency_alone if overlap else latency,
        "latency_bound": min(laid.latency_bound, latency),
        "interval": interval,
        "interval_bound": min(laid.interval_bound, interval),
        "throughput": plan.batch / interval if interval else np.inf,
        "charged": interval / plan.batch,
    }
    for name, value in scalars.items():
        found[name] = variable(name, (), value)
    operators = _operators(plan, charged, copies, answer)
    found = found.merge(_units(laid, interval)).merge(operators)
    found = found.merge(_static(plan, interval / plan.batch)).merge(state_table(plan))
    found = found.merge(_dynamic(plan, found, charged if answer is None else answer))
    return finished(found.assign_attrs(_about(plan, overlap, len(start))), plan.cited)


def pace(finish: np.ndarray, bound: float) -> tuple[float, float]:
    """(latency, interval) in s of float64, shape (inferences, tasks): the first answer, and the
    time between answers from the first quarter to the last.
    """
    ends = np.sort(finish.max(axis=1))
    if len(ends) == 1:
        return float(ends[0]), float(ends[0])
    first, last = len(ends) // 4, len(ends) - 1 - len(ends) // 4
    return float(finish[0].max()), max(bound, float(ends[last] - ends[first]) / (last - first))


def _task_table(laid: Tasks, start: np.ndarray, finish: np.ndarray) -> xr.Dataset:
    inferences, count = start.shape
    layers, resources = np.array(laid.layers, object), np.array(laid.resources, object)
    inference = np.repeat(np.arange(inferences), count)
    columns = {
        "start": start.ravel(),
        "finish": finish.ravel(),
        "layer": np.tile(layers[laid.layer], inferences),
        "resource": np.tile(resources[laid.resource], inferences),
        "inference": inference,
        "slice": np.tile(laid.slice, inferences),
    }
    table = xr.Dataset({name: variable(name, "task", one) for name, one in columns.items()})
    return table.set_coords(["layer", "resource", "inference", "slice"])


def _units(laid: Tasks, interval: float) -> xr.Dataset:
    """What each resource works, and for which share of the interval."""
    found = xr.Dataset(coords={"unit": variable("unit", "unit", list(laid.resources))})
    found["work"] = variable("work", "unit", laid.work)
    found["places"] = variable("places", "unit", laid.places)
    used = laid.work / (laid.places * interval) if interval else np.zeros(len(laid.work))
    found["utilisation"] = variable("utilisation", "unit", used)
    return found


def _operators(
    plan: Plan, charged: xr.Dataset, copies: Mapping[str, int], answer: xr.Dataset | None
) -> xr.Dataset:
    if answer is not None:
        charged = _with_values(plan, charged, answer)
    ends = [name + end for name in metrics(charged) for end in ENDS if name + end in charged]
    wanted = [*["energy" + end for end in ENDS], *ends]
    found = charged[wanted].rename(layer="operator")
    ops = {op.name: op for op in plan.operators}
    count = [copies.get(name, 1) if name in ops else 0 for name in found.operator.values]
    held = [
        plan.machine(name).arrays_of(ops[name]) if name in ops else 0
        for name in found.operator.values
    ]
    found["replicas"] = variable("replicas", "operator", count)
    found["arrays"] = variable("arrays", "operator", np.array(count) * np.array(held))
    return found


def _dynamic(plan: Plan, found: xr.Dataset, priced: xr.Dataset) -> xr.Dataset:
    """Joules [J] of an inference without static power, and which share of them, and of the whole,
    rests on assumed prices.

    priced : the answer of `costs` or of `run` that the energies of the operators are from.
    """
    dynamic = {end: float(_without_static(found["energy" + end]).sum()) for end in ENDS}
    share = _assumed_of_dynamic(plan, priced)
    watts = sum(assumed_watts(machine) for machine in plan.placed.values())
    total = float(found.energy.sum())
    whole = (share * dynamic[""] + watts * float(found.charged)) / total if total else 0.0
    scalars = {"dynamic_energy" + end: joules for end, joules in dynamic.items()}
    scalars |= {"dynamic_assumed_share": share, "assumed_share": min(1.0, whole)}
    return xr.Dataset({name: variable(name, (), value) for name, value in scalars.items()})


def _assumed_of_dynamic(plan: Plan, priced: xr.Dataset) -> float:
    """Share of the joules [J] without static power whose prices are assumed."""
    total = float(priced.energy.sum())
    dynamic = float(_without_static(priced.energy, "layer").sum())
    nominal = float(_static_only(priced.energy).sum())
    watts = sum(sum(price(m.static, m.prices).nominal.values()) for m in plan.placed.values())
    seconds = nominal / watts if watts else 0.0
    static = seconds * sum(assumed_watts(machine) for machine in plan.placed.values())
    joules = float(priced.assumed_share) * total - static
    return min(1.0, max(0.0, joules / dynamic)) if dynamic else 0.0


def _without_static(energy: xr.DataArray, dim: str = "operator") -> xr.DataArray:
    return energy.isel({dim: [not is_static(name) for name in energy[dim].values]})


def _static_only(energy: xr.DataArray) -> xr.DataArray:
    return energy.isel(layer=[is_static(name) for name in energy.layer.values])


def is_static(layer: object) -> bool:
    """Whether a layer stands for what a machine draws by the second."""
    return str(layer).startswith(f"{STATIC} ")


def _with_values(plan: Plan, charged: xr.Dataset, answer: xr.Dataset) -> xr.Dataset:
    """`charged` with the quality of `answer`, and its energies of operators, which know the values
    that were multiplied.
    """
    _check_answer(plan, charged, answer)
    ops = [op.name for op in plan.operators]
    found = charged.reindex(component=sorted({*charged.component.values, *answer.component.values}))
    for end in ENDS:
        table = found["energy" + end].fillna(0.0)
        known = answer["energy" + end].reindex(component=found.component, fill_value=0.0)
        for name in ops:
            table.loc[{"layer": name}] = known.sel(layer=name)
        found["energy" + end] = table.assign_attrs(charged["energy" + end].attrs)
    names = [name + end for name in metrics(answer) for end in ENDS if name + end in answer]
    return found.assign({name: answer[name] for name in names})


def _check_answer(plan: Plan, charged: xr.Dataset, answer: xr.Dataset) -> None:
    if not isinstance(answer, xr.Dataset) or "energy" not in answer or "layer" not in answer.dims:
        raise TypeError(
            f"schedule answer={type(answer).__name__} is not a Dataset that run returned"
        )
    same = answer.attrs.get("model_sha256") == plan.model.sha256
    same &= answer.attrs.get("machine") == machine_text(plan)
    if not same:
        raise ValueError(
            f"schedule: answer is of {answer.attrs.get('model')!r} on "
            f"{answer.attrs.get('target')!r}, not of {plan.model.name!r} on {plan.name!r} as given"
        )


def _static(plan: Plan, charged: float) -> xr.Dataset:
    """Watts of each machine by who draws them, and joules [J] of an inference that is charged for
    `charged` s of them.
    """
    machines = list(plan.placed)
    found = xr.Dataset(
        coords={
            "machine": variable("machine", "machine", machines),
            "owner": variable("owner", "owner", list(OWNERS)),
        }
    )
    for end, part in ENDS.items():
        watts = np.array([_watts(m, part, m.name != machines[0]) for m in plan.placed.values()])
        found["static_power" + end] = variable("static_power" + end, ("machine", "owner"), watts)
        joules = watts * charged
        found["static_energy" + end] = variable("static_energy" + end, ("machine", "owner"), joules)
    return found


def _watts(machine: Target, part: str, host: bool) -> list[float]:
    """W of a machine by owner; all of a host's is the host's, but for its memory's."""
    drawn = dict.fromkeys(OWNERS, 0.0)
    for event, rate in machine.static.items():
        owner = machine.static_owners[event]
        owner = HOST if host and owner != MEMORY else owner
        drawn[owner] += sum(getattr(price({event: rate}, machine.prices), part).values())
    return [drawn[owner] for owner in OWNERS]


def _about(plan: Plan, overlap: bool, inferences: int) -> dict[str, Any]:
    return {
        "model": plan.model.name,
        "model_sha256": plan.model.sha256,
        "target": plan.name,
        "machine": machine_text(plan),
        "stage": plan.stage,
        "batch": plan.batch,
        "chips": chips_text(plan),
        "inferences": inferences,
        "overlap": str(overlap),
    }
