"""What accuracy, energy and latency does this model get on this machine with this data? One Dataset
answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import lru_cache
from typing import Any

import numpy as np
import xarray as xr

from pimlab import units
from pimlab.arguments import named
from pimlab.keys import as_key
from pimlab.machine.protocol import Calibration, Target
from pimlab.plan import Plan, chips_text, machine_text, planned, with_chips
from pimlab.plan.costs import costs
from pimlab.progress import Bar, progress
from pimlab.result import HIGH, LOW, attrs, finished, variable
from pimlab.studies import provenance
from pimlab.studies.execution import SAMPLED, Execution
from pimlab.studies.interrupted import going_on
from pimlab.units import is_integer

Times = str | float | Sequence[str | float]


@named
def run(
    model: Any,
    target: Target | Plan,
    data: Any = None,
    *,
    at: Times = 0.0,
    seed: int = 0,
    batch: int = 1,
    chips: int | Mapping[str, int] | str | None = None,
    rule: str = "minmax",
    chunk: int = 250,
) -> xr.Dataset:
    """Accuracy, energy, latency and counts of `model` on `target` with `data`, in one labelled
    Dataset.

    model : what `load_model` returns.  target : a machine, or a plan (`pim.Plan`, `pim.place`) that
    says which machine runs which operator; a machine without a host that lacks an operator of the
    model gets the preset "warboy" as host.  data : what `load_data` returns; None leaves accuracy
    and value-dependent energy out (the only way for models without weights).
    at : time(s) after programming, seconds or text such as "1 day"; a list makes a dimension `at`
    (energy that depends on values is then that of its last time).
    seed : integer; everything random is keyed by it.  batch : inferences that a machine takes at
    once: they share the weights that are read.  chips : how many of a machine hold the model where
    it does not fit on one (a number, machine -> number, or "needed"): each draws its static power,
    and what changes chips crosses PCIe.
    rule : how activation ranges are chosen on the data's calibration split ("minmax", "percentile",
    ...).  chunk : samples that this computer takes at once; it does not change the result.

    Variables: the data's metric (say accuracy, with accuracy_low and accuracy_high, a 95 % interval
    over samples), energy, energy_low, energy_high (layer, component) [J] an inference; latency
    (layer) in s a batch; throughput in inferences a second; events (layer, event) of a batch; macs
    (layer); of a language model token_rate in tokens a second, and tpot, the time of a token, or of
    a prompt (`model.at(prompt=...)`) ttft, the time to its first token; occupancy (layer), the
    share of its machine's memory that a layer takes up; clipped (layer, overrun), values that left
    their range over all samples; assumed_share. Attributes name
    model, data, machine, chips, version, commit, lock and sources; `timing` says of each machine
    whether its times are computed, a bound, or fitted, and on which rows; `weights`, of a model
    whose file holds codes, which machine computes with them and which with their values in a format
    of its own.
    Raises CapacityError (a ValueError) that says how many chips the model needs where it does not
    fit; ValueError for an empty data set, a batch below 1, a bad time or seed; TypeError where an
    argument is of another kind.
    Ctrl-C keeps the times that are finished: the same call goes on from there.

    >>> model, data = pim.load_model("digits-mlp"), pim.load_data("digits", limit=50)
    >>> answer = pim.run(model, pim.target("pcm-hermes"), data, at=["0 s", "1 year"])
    >>> answer.accuracy.dims, answer.energy.dims
    (('at',), ('layer', 'component'))
    """
    checked(model, target, data, chunk)
    plan, times = with_chips(planned(model, target, batch), chips), _times(at)
    if data is None:
        answer = _with_tokens(costs(plan), plan).assign_coords(target=plan.name, model=model.name)
        return finished(answer.assign_attrs(attributes(plan, None, seed, rule)), plan.cited)
    about = attributes(plan, data, seed, rule)
    what, each = f"run {plan.model.name} on {plan.name}", len(data)
    moments = times if plan.varies else times[:1]
    with going_on((about, times), what, len(moments), "time", each) as (kept, bar):
        execution = Execution(plan, calibrations(plan, data, rule), as_key(seed).seed)
        for time in moments:
            if time not in kept or time == times[-1]:  # the last one's operands are needed too
                kept[time] = score(execution, data, time, chunk, bar)
    parts = [kept[time] for time in moments] * (len(times) // len(moments))
    scores = xr.concat(parts, "at", join="outer", fill_value=0)
    integrals = {op.name: execution.integrals(op, times[-1]) for op in model.mac_ops}
    answer = xr.merge(
        [_with_tokens(costs(plan, integrals), plan), scores],
        combine_attrs="override",
        join="left",
        fill_value=0,
    )
    answer = answer.assign_coords(at=variable("at", "at", times))
    if isinstance(at, str) or not np.iterable(at):
        answer = answer.isel(at=0)
    answer = answer.assign_coords(target=plan.name, model=model.name, seed=as_key(seed).seed)
    if held := execution.weights_as:
        about["weights"] = held
    return finished(answer.assign_attrs(about), plan.cited)


def _with_tokens(answer: xr.Dataset, plan: Plan) -> xr.Dataset:
    """`answer` with what a step of a language model says of tokens."""
    prompt = getattr(plan.model, "prompt", None)
    if prompt is None:
        return answer
    step = "tpot" if prompt == 1 else "ttft"
    rate = float(answer.throughput) * plan.model.batch * prompt
    meaning = "output tokens a second" if prompt == 1 else "tokens of prompts read a second"
    answer["token_rate"] = variable("token_rate", (), rate, meaning=meaning)
    answer[step] = variable(step, (), float(answer.latency.sum()))
    return answer


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


def checked(model: Any, target: Any, data: Any, chunk: int) -> None:
    """TypeError or ValueError for arguments that `run` and `explain` cannot take."""
    if not isinstance(target, (Target, Plan)):
        raise TypeError(
            f"target={target!r:.80} is neither a Target nor a Plan; write for example "
            "pimlab.target('warboy')"
        )
    for name, value, words in (
        ("model", model, ("execute", "mac_ops")),
        ("data", data, ("inputs", "metric")),
    ):
        if not (value is None and name == "data") and not all(
            hasattr(value, word) for word in words
        ):
            raise TypeError(
                f"{name}={value!r:.80} is no {name}; write for example pimlab.load_{name}(...)"
            )
    if not is_integer(chunk) or chunk < 1:
        raise ValueError(f"chunk={chunk!r}; allowed: an integer, 1 or more")
    if data is not None and len(data) == 0:
        raise ValueError(f"data {data.name!r} is empty; allowed: one sample or more")


def calibrations(plan: Plan, data: Any, rule: str) -> dict[str, Calibration]:
    """Operator name -> Calibration on the data's calibration split, for the codes of its
    machine.
    """
    if not isinstance(rule, str):
        raise TypeError(f"rule={rule!r:.60} is not a name of a calibration rule, such as 'minmax'")
    return {
        op.name: _calibrated(plan.model, data, rule, plan.machine(op).codes)[op.name]
        for op in plan.model.mac_ops
    }


@lru_cache(maxsize=4)
def _calibrated(model: Any, data: Any, rule: str, codes: str) -> dict[str, Calibration]:
    """Found once for the last few models, data, rules and formats."""
    from pimlab.workload import calibrate

    return calibrate(model, data, rule, codes)


def score(
    execution: Execution, data: Any, at: float, chunk: int, bar: Bar | None = None
) -> xr.Dataset:
    """The data's metric with its interval, and `clipped` (layer, overrun), `at` seconds [s] after
    programming. Each sample is a step of `bar`.
    """
    execution.forget()
    parts = []
    with nullcontext(bar) if bar else progress("score", len(data), "sample") as shown:
        for i in range(0, len(data), chunk):
            x, labels = data.inputs[i : i + chunk], data.labels[i : i + chunk]
            parts.append(data.metric.contributions(execution.outputs(x, i, at), labels))
            shown.step(len(labels))
    values = data.metric.summarise(np.concatenate(parts))
    name, text = data.metric.name, getattr(data.metric, "long_name", data.metric.name)
    found = xr.Dataset()
    for end, value in zip(("", LOW, HIGH), values, strict=True):
        meaning = f"{text}, 95 % over samples" if end else text
        said = {**attrs(name + end, meaning=meaning, unit="1"), "better": data.metric.better}
        found[name + end] = ((), value, said)
    return found.assign(clipped=_clipped(execution.clipped))


def _clipped(counts: Mapping[str, Mapping[str, int]]) -> xr.DataArray:
    overruns = sorted({name for found in counts.values() for name in found})
    table = np.array(
        [[found.get(name, 0) for name in overruns] for found in counts.values()], dtype=np.int64
    )
    labels = {"layer": list(counts), "overrun": np.array(overruns, object)}
    return xr.DataArray(
        table.reshape(len(counts), len(overruns)),
        dims=("layer", "overrun"),
        coords=labels,
        attrs=attrs("clipped"),
    )


def attributes(plan: Plan, data: Any, seed: int, rule: str) -> dict[str, Any]:
    """Where a result comes from: model, data, machine, seed, version, commit and lock."""
    about_data = (
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
        "model": plan.model.name,
        "model_sha256": plan.model.sha256,
        **about_data,
        "target": plan.name,
        "machine": machine_text(plan),
        "stage": plan.stage,
        "timing": "; ".join(f"{name}: {m.timing_source}" for name, m in plan.placed.items()),
        "batch": plan.batch,
        "chips": chips_text(plan),
        "seed": as_key(seed).seed,
        **provenance.stamp(),
    }
