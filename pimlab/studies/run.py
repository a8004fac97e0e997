"""What accuracy, energy and latency does this model get on this machine with this data? One Dataset answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from pimlab import units
from pimlab.keys import as_key
from pimlab.protocol import Target
from pimlab.studies import provenance
from pimlab.studies.costs import costs, sources
from pimlab.studies.execution import SAMPLED, Execution, machines

Times = str | float | Sequence[str | float]


def run(model: Any, target: Target, data: Any, *, at: Times = 0.0, seed: int = 0, batch: int = 250, rule: str = "minmax") -> xr.Dataset:
    """Accuracy, energy, latency and counts of `model` on `target` with `data`, in one labelled Dataset.

    model : what `load_model` returns.  data : what `load_data` returns.
    at : time(s) after programming, seconds or text such as "1 day"; a list makes a dimension `at`.
    seed : integer; everything random is keyed by it.  batch : samples a chunk; it does not change the result.
    rule : how activation ranges are chosen on the data's calibration split ("minmax", "percentile", ...).

    Variables: the data's metric (say accuracy, with accuracy_low and accuracy_high, a 95 % interval over samples),
    energy, energy_low, energy_high (layer, component) in J an inference; latency (layer) in s at batch 1;
    count (layer, event); macs (layer); assumed_share. Attributes name model, data, version, commit, lock and sources.
    Raises ValueError for an empty data set, a batch below 1, a bad time or seed; TypeError where an argument is of
    another kind.
    """
    _checked(model, target, data, batch)
    times = [units.seconds(t) for t in ([at] if isinstance(at, (str, float, int)) else at)]
    if not times:
        raise ValueError("at=[] names no time; allowed: one time or more, such as at=['1 h', '1 day']")
    execution = Execution(model, target, _calibrations(model, data, rule), as_key(seed).seed)
    scores = xr.concat(_scores(execution, data, times, batch), "at")
    integrals = {op.name: execution.integrals(op, len(data)) for op in model.mac_ops}
    answer = xr.merge([scores, costs(model, target, integrals)], combine_attrs="drop")
    answer = answer.assign_coords(at=("at", times, {"units": "s", "long_name": "time after programming"}))
    if isinstance(at, (str, float, int)):
        answer = answer.isel(at=0)
    answer = answer.assign_coords(target=target.name, model=model.name, seed=as_key(seed).seed)
    return answer.assign_attrs(_attributes(model, target, data, seed, rule))


def _checked(model: Any, target: Any, data: Any, batch: int) -> None:
    if not isinstance(target, Target):
        raise TypeError(f"target={target!r} is not a Target; write for example pimlab.target('warboy')")
    for name, value, words in (("model", model, ("execute", "mac_ops")), ("data", data, ("inputs", "metric"))):
        if not all(hasattr(value, word) for word in words):
            raise TypeError(f"{name}={value!r} is no {name}; write for example pimlab.load_{name}(...)")
    if isinstance(batch, bool) or not hasattr(batch, "__index__") or batch < 1:
        raise ValueError(f"batch={batch!r}; allowed: an integer, 1 or more")
    if len(data) == 0:
        raise ValueError(f"data {data.name!r} is empty; allowed: one sample or more")


def _calibrations(model: Any, data: Any, rule: str) -> Any:
    from pimlab.workload import calibrate

    return calibrate(model, data, rule)


def _scores(execution: Execution, data: Any, times: list[float], batch: int) -> list[xr.Dataset]:
    if any(machine.varies for machine in machines(execution.target)):
        return [_score(execution, data, at, batch) for at in times]
    return [_score(execution, data, times[0], batch)] * len(times)


def _score(execution: Execution, data: Any, at: float, batch: int) -> xr.Dataset:
    execution.forget()
    parts = [
        data.metric.contributions(execution.outputs(data.inputs[i : i + batch], i, at), data.labels[i : i + batch])
        for i in range(0, len(data), batch)
    ]
    value, low, high = data.metric.summarise(np.concatenate(parts))
    name, text = data.metric.name, getattr(data.metric, "long_name", data.metric.name)
    return xr.Dataset(
        {
            name: ((), value, {"units": "1", "long_name": text}),
            f"{name}_low": ((), low, {"units": "1", "long_name": f"{text}, lower end of the 95 % interval over samples"}),
            f"{name}_high": ((), high, {"units": "1", "long_name": f"{text}, upper end of the 95 % interval over samples"}),
        }
    )


def _attributes(model: Any, target: Target, data: Any, seed: int, rule: str) -> dict[str, Any]:
    return {
        "model": model.name, "model_sha256": model.sha256, "data": data.name, "data_split": data.split, "data_sha256": data.sha256,
        "samples": len(data), "target": target.name, "stage": target.stage, "seed": as_key(seed).seed, "calibration": rule,
        "value_dependent_energy": f"mean over the first {min(len(data), SAMPLED)} samples",
        **provenance.stamp(), "sources": ",".join(sources(target)),
    }  # fmt: skip
