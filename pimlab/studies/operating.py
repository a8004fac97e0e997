"""What does an inference cost when one request comes, when few come, and when they never stop? A
machine at three operating points, with static and dynamic energy apart.

- "one request": operators one after another on a machine that is awake, as `run` adds them up.
- "1 % load": requests come evenly at a hundredth of the highest rate; in the gaps each machine
  waits in the state that costs least (`energy_at`).
- "saturation": requests keep coming, rows stream from operator to operator, weights stand again on
  free arrays (`schedule`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from pimlab.arguments import named
from pimlab.machine.protocol import Target
from pimlab.machine.work import OWNERS
from pimlab.plan import Plan, planned
from pimlab.result import HIGH, LOW, STATIC, finished, metrics, sources_of, variable
from pimlab.schedule.load import energy_at
from pimlab.schedule.schedule import schedule
from pimlab.studies.compare import dynamic_by_component
from pimlab.studies.run import Times, run

ONE, RARE, FULL = "one request", "1 % load", "saturation"
TRAFFIC = (ONE, RARE, FULL)
RARE_SHARE = 0.01
"""Share of the highest rate at "1 % load"."""
WAITING = f"{STATIC} waiting"
"""The component of what is drawn between requests, waking included."""
_ENDS = ("", LOW, HIGH)


@named
def operating_points(
    model: Any,
    target: Target | Plan,
    data: Any = None,
    *,
    at: Times = 0.0,
    seed: int = 0,
    batch: int = 1,
    chips: int | Mapping[str, int] | str | None = None,
    rule: str = "minmax",
    inferences: int = 64,
) -> xr.Dataset:
    """Energy, latency and rate of `model` on `target` for the traffic "one request", "1 % load" and
    "saturation", beside its quality.

    model, target, data, at, seed, batch, chips, rule : as `run` takes them.  inferences : as
    `schedule` takes it.

    Variables over `traffic`: energy, energy_low, energy_high (traffic, component) [J] an
    inference: dynamic components as `run` names them, what hosts spend under "host: operators", and
    static ones by who draws: "static array", "static chip", "static host", "static memory", and
    "static waiting" between requests, waking included; dynamic_energy with _low and _high, the sum
    of the first; charged, s an inference that machines are awake for; rate in inferences a second;
    latency in s: of the operators in turn, of a request that nobody expected, and of the first of
    many; assumed_share. interval_bound in s, the metrics of `run`, and chips, macs.
    Raises as `run` and `schedule` do.

    >>> busy = pim.operating_points(pim.load_model("fashion-cnn"), pim.target("pcm-hermes"))
    >>> joules = busy.energy.sum("component")
    >>> bool(joules.sel(traffic="saturation") < joules.sel(traffic="one request"))
    True
    """
    how: dict[str, Any] = {"at": at, "seed": seed, "batch": batch, "chips": chips, "rule": rule}
    answer = run(model, target, data, **how)
    busy = schedule(
        planned(model, target, batch),
        inferences=inferences,
        chips=chips,
        answer=None if data is None else answer,
    )
    return points_of(answer, busy)


def points_of(answer: xr.Dataset, busy: xr.Dataset) -> xr.Dataset:
    """The three points of what `run` and `schedule` answered of one plan, as `operating_points`
    says.
    """
    rare = energy_at(busy, RARE_SHARE * float(busy.throughput))
    found = xr.Dataset(coords={"traffic": variable("traffic", "traffic", list(TRAFFIC))})
    alone, batch = float(answer.latency.sum()), float(busy.attrs["batch"])
    awake = min(float(busy.latency_alone) / batch, 1 / float(rare.rate))
    charged = [alone / batch, awake, float(busy.charged)]
    scalars = {
        "rate": [batch / alone if alone else np.inf, float(rare.rate), float(busy.throughput)],
        "latency": [alone, float(rare.latency), float(busy.latency)],
        "charged": charged,
        "assumed_share": [float(one.assumed_share) for one in (answer, rare, busy)],
    }
    for name, values in scalars.items():
        found[name] = variable(name, "traffic", values)
    for end in _ENDS:
        dynamic = dynamic_by_component(answer, "energy" + end)
        table = _energy(dynamic, _static(busy, rare, charged, end))
        found["energy" + end] = table.assign_attrs(answer["energy" + end].attrs)
        total = np.full(len(TRAFFIC), float(dynamic.sum()))
        found["dynamic_energy" + end] = variable("dynamic_energy" + end, "traffic", total)
    kept = [name + end for name in metrics(answer) for end in _ENDS if name + end in answer]
    found = found.assign({name: answer[name] for name in [*kept, "chips"]})
    found["macs"] = answer.macs.sum("layer", keep_attrs=True)
    found["interval_bound"] = busy.interval_bound
    found = found.drop_vars(["executor"], errors="ignore").assign_attrs(answer.attrs)
    return finished(found, [*sources_of(answer), *sources_of(busy)])


def _static(
    busy: xr.Dataset, rare: xr.Dataset, charged: list[float], end: str
) -> dict[str, np.ndarray]:
    """Static component -> J an inference at each operating point."""
    watts = busy["static_power" + end].sum("machine")
    found = {
        f"{STATIC} {owner}": float(watts.sel(owner=owner)) * np.array(charged) for owner in OWNERS
    }
    waiting = float(rare["waiting_energy" + end].sum())
    return {**found, WAITING: np.array([0.0, waiting, 0.0])}


def _energy(dynamic: xr.DataArray, static: Mapping[str, np.ndarray]) -> xr.DataArray:
    """Both as one table (traffic, component)."""
    rows = {
        str(name): np.full(len(TRAFFIC), joules)
        for name, joules in zip(dynamic.component.values, dynamic.values, strict=True)
    }
    rows |= static
    return xr.DataArray(
        np.stack(list(rows.values()), axis=1),
        dims=("traffic", "component"),
        coords={"component": np.array(list(rows), dtype=object)},
    )
