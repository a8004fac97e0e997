"""What accuracy, energy and latency does this model get on this machine with this data? One Dataset
answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import xarray as xr

from pimlab import units
from pimlab.keys import as_key
from pimlab.machine import presets
from pimlab.machine.protocol import Calibration, Target
from pimlab.studies import provenance
from pimlab.studies.costs import costs, sources
from pimlab.studies.execution import SAMPLED, Execution, machines, owner

_LONG_NAMES = {
    "event": "what is counted",
    "component": "part of the machine that spends",
    "phase": "part of the time",
    "overrun": "range that was left",
    "step": "non-idealities, added one after another",
    "cause": "non-ideality",
    "target": "machine",
    "model": "trained model",
    "seed": "seed of everything random",
}
Times = str | float | Sequence[str | float]


def run(
    model: Any,
    target: Target,
    data: Any = None,
    *,
    at: Times = 0.0,
    seed: int = 0,
    batch: int = 250,
    rule: str = "minmax",
) -> xr.Dataset:
    """Accuracy, energy, latency and counts of `model` on `target` with `data`, in one labelled
    Dataset.

    model : what `load_model` returns.  target : a machine; one without a host that lacks an
    operator of the model gets the preset "warboy" as host.  data : what `load_data` returns; None
    leaves accuracy and value-dependent energy out (the only way for models without weights).
    at : time(s) after programming, seconds or text such as "1 day"; a list makes a dimension `at`
    (energy that depends on values is then that of its last time).
    seed : integer; everything random is keyed by it.  batch : samples a chunk; it does not change
    the result.
    rule : how activation ranges are chosen on the data's calibration split ("minmax", "percentile",
    ...).

    Variables: the data's metric (say accuracy, with accuracy_low and accuracy_high, a 95 % interval
    over samples), energy, energy_low, energy_high (layer, component) in J an inference; latency
    (layer) in s at batch 1; events (layer, event); macs (layer); occupancy (layer), the share of
    its machine's banks that a layer takes up: where those of one executor add up to more than 1,
    the model needs as many machines, and this is the cost of them in turn; clipped (layer,
    overrun), values that left their range over all samples; assumed_share. Attributes name model,
    data, version, commit, lock and sources.
    Raises ValueError for an empty data set, a batch below 1, a bad time or seed; TypeError where an
    argument is of another kind.

    >>> model, data = pim.load_model("digits-mlp"), pim.load_data("digits", limit=50)
    >>> answer = pim.run(model, pim.target("pcm-hermes"), data, at=["0 s", "1 year"])
    >>> answer.accuracy.dims, answer.energy.dims
    (('at',), ('layer', 'component'))
    """
    checked(model, target, data, batch)
    target = hosted(model, target)
    if data is None:
        answer = costs(model, target, {}).assign_coords(target=target.name, model=model.name)
        return named(answer).assign_attrs(attributes(model, target, None, seed, rule))
    times = _times(at)
    execution = Execution(model, target, calibrations(model, target, data, rule), as_key(seed).seed)
    scores = xr.concat(_scores(execution, data, times, batch), "at", join="outer", fill_value=0)
    integrals = {op.name: execution.integrals(op) for op in model.mac_ops}
    answer = xr.merge(
        [costs(model, target, integrals), scores],
        combine_attrs="override",
        join="left",
        fill_value=0,
    )
    answer = answer.assign_coords(
        at=("at", times, {"units": "s", "long_name": "time after programming"})
    )
    if isinstance(at, str) or not np.iterable(at):
        answer = answer.isel(at=0)
    answer = answer.assign_coords(target=target.name, model=model.name, seed=as_key(seed).seed)
    return named(answer).assign_attrs(attributes(model, target, data, seed, rule))


def _times(at: Times) -> list[float]:
    times = [
        units.seconds(t) for t in (at if np.iterable(at) and not isinstance(at, str) else [at])
    ]
    if not times:
        raise ValueError(
            "at=[] names no time; allowed: one time or more, such as at=['1 h', '1 day']"
        )
    if len(set(times)) < len(times):
        raise ValueError(f"at={list(at)!r} repeats a time; allowed: each once")  # type: ignore
    return times


def named(answer: xr.Dataset) -> xr.Dataset:
    """With long names of coordinates, and with text of any length, for which files have one settled
    type.
    """
    texts = {
        name: answer[name].astype(object)
        for name in answer.coords
        if answer[name].dtype.kind == "U"
    }
    answer = answer.assign_coords(texts)
    for name, text in _LONG_NAMES.items():
        if name in answer.coords:
            answer[name].attrs["long_name"] = text
    if "seed" in answer.coords:
        answer.seed.attrs["units"] = "1"
    return answer


def hosted(model: Any, target: Target) -> Target:
    """`target`, with the preset host where it names none and does not execute every operator of
    `model` itself.
    """
    if target.host is not None or all(
        target.serves(op) for op in (*model.mac_ops, *model.vector_ops)
    ):
        return target
    return target.but(host=presets.target(presets.HOST))


def checked(model: Any, target: Any, data: Any, batch: int) -> None:
    """TypeError or ValueError for arguments that `run` and `explain` cannot take."""
    if not isinstance(target, Target):
        raise TypeError(
            f"target={target!r} is not a Target; write for example pimlab.target('warboy')"
        )
    for name, value, words in (
        ("model", model, ("execute", "mac_ops")),
        ("data", data, ("inputs", "metric")),
    ):
        if not (value is None and name == "data") and not all(
            hasattr(value, word) for word in words
        ):
            raise TypeError(
                f"{name}={value!r} is no {name}; write for example pimlab.load_{name}(...)"
            )
    if isinstance(batch, bool) or not hasattr(batch, "__index__") or batch < 1:
        raise ValueError(f"batch={batch!r}; allowed: an integer, 1 or more")
    if data is not None and len(data) == 0:
        raise ValueError(f"data {data.name!r} is empty; allowed: one sample or more")


def calibrations(model: Any, target: Target, data: Any, rule: str) -> dict[str, Calibration]:
    """Operator name -> Calibration on the data's calibration split, for the codes of the machine
    that executes it.
    """
    return {
        op.name: _calibrated(model, data, rule, owner(target, op).codes)[op.name]
        for op in model.mac_ops
    }


@lru_cache(maxsize=4)
def _calibrated(model: Any, data: Any, rule: str, codes: str) -> dict[str, Calibration]:
    """Found once for the last few models, data, rules and formats."""
    from pimlab.workload import calibrate

    return calibrate(model, data, rule, codes)


def _scores(execution: Execution, data: Any, times: list[float], batch: int) -> list[xr.Dataset]:
    if any(machine.varies for machine in machines(execution.target)):
        return [score(execution, data, at, batch) for at in times]
    return [score(execution, data, times[0], batch)] * len(times)


def score(execution: Execution, data: Any, at: float, batch: int) -> xr.Dataset:
    """The data's metric with its interval, and `clipped` (layer, overrun), `at` seconds after
    programming.
    """
    execution.forget()
    parts = [
        data.metric.contributions(
            execution.outputs(data.inputs[i : i + batch], i, at), data.labels[i : i + batch]
        )
        for i in range(0, len(data), batch)
    ]
    value, low, high = data.metric.summarise(np.concatenate(parts))
    name, text = data.metric.name, getattr(data.metric, "long_name", data.metric.name)
    found = xr.Dataset(
        {
            name: ((), value, {"units": "1", "long_name": text}),
            f"{name}_low": (
                (),
                low,
                {"units": "1", "long_name": f"{text}, lower end of the 95 % interval over samples"},
            ),
            f"{name}_high": (
                (),
                high,
                {"units": "1", "long_name": f"{text}, upper end of the 95 % interval over samples"},
            ),
        }
    )
    return found.assign(clipped=_clipped(execution.clipped))


def _clipped(counts: Mapping[str, Mapping[str, int]]) -> xr.DataArray:
    overruns = sorted({name for found in counts.values() for name in found})
    table = np.array(
        [[found.get(name, 0) for name in overruns] for found in counts.values()], dtype=np.int64
    )
    labels = {"layer": list(counts), "overrun": np.array(overruns, object)}
    attrs = {"units": "1", "long_name": "values that left their range, over all samples"}
    return xr.DataArray(
        table.reshape(len(counts), len(overruns)),
        dims=("layer", "overrun"),
        coords=labels,
        attrs=attrs,
    )


def attributes(model: Any, target: Target, data: Any, seed: int, rule: str) -> dict[str, Any]:
    """Where a result comes from: model, data, machine, seed, version, commit, lock, sources."""
    told = (
        {"data": "none", "value_dependent_energy": "left out: it needs data"}
        if data is None
        else {
            "data": data.name,
            "data_split": data.split,
            "data_sha256": data.sha256,
            "samples": len(data),
            "calibration": rule,
            "value_dependent_energy": f"mean over the first {min(len(data), SAMPLED)} samples",
        }
    )
    return {
        "model": model.name,
        "model_sha256": model.sha256,
        **told,
        "target": target.name,
        "stage": target.stage,
        "seed": as_key(seed).seed,
        **provenance.stamp(),
        "sources": ",".join(sources(target)),
    }
