"""Why do two results differ? Settings of their machines and runs, and the joules that other counts
and other prices of each event make.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from pimlab.arguments import typed
from pimlab.machine import presets
from pimlab.plan import Plan
from pimlab.result import STATIC, finished, metrics, sources_of, variable
from pimlab.studies.provenance import target_of

_NOT_SETTINGS = {"machine", "machines", "sources", "timing", "target"}
_PARTS = ("count", "price")
_OTHER = "by other means"
_LESS = "b less a"


@typed
def compare_results(a: xr.Dataset, b: xr.Dataset, model: Any = None) -> xr.Dataset:
    """Why the result `b` differs from `a`: by setting, by event and price, by phase of time.

    a, b : what `run` returned, one machine and one time each.  model : the model of results that
    were computed on a plan.

    Variables: setting_a, setting_b (setting), text of what is not the same: attributes, and fields
    of the machine by path; metric_change (metric), b less a; energy_change (reason, part) [J] an
    inference, latency_change (phase) [s] a batch, both b less a. A reason is an event of a machine:
    part "count" is what other counts make at the mean price, "price" what another price makes at
    the mean count, so that the two add up exactly. What is no count times price (static power,
    energy that depends on values, a machine that slows down) is "static ..." or "by other means".
    energy_change adds up to the whole difference. The largest come first.
    ValueError for results without energies by layer, or of several machines or times.

    >>> mlp = pim.load_model("digits-mlp")
    >>> one, two = (pim.run(mlp, pim.target(name)) for name in ("warboy", "rngd"))
    >>> why = pim.compare_results(one, two)
    >>> bool(np.isclose(why.energy_change.sum(), two.energy.sum() - one.energy.sum()))
    True
    """
    for name, one in (("a", a), ("b", b)):
        if "layer" not in one.dims or "events" not in one or one.latency.dims != ("layer",):
            raise ValueError(
                f"compare_results {name}: allowed: what run returned for one machine and one time"
            )
    settings = list(_settings(a, b, model))
    energy = _by_reason(a, b, model)
    names = [one for one in metrics(a) if one in metrics(b) and a[one].ndim == b[one].ndim == 0]
    changes = [float(b[one]) - float(a[one]) for one in names]
    phases = _by_phase(a, b)
    text = {"setting": [s for s, _, _ in settings], "reason": list(energy), "metric": names}
    why = xr.Dataset(
        {
            "setting_a": ("setting", np.array([x for _, x, _ in settings], object)),
            "setting_b": ("setting", np.array([x for _, _, x in settings], object)),
            "metric_change": variable("metric_change", "metric", changes, meaning=_LESS, unit="1"),
            "energy_change": variable(
                "energy_change", ("reason", "part"), np.array(list(energy.values())).reshape(-1, 2),
                meaning="energy of one inference, b less a", unit="J",
            ),
            "latency_change": variable(
                "latency_change", "phase", list(phases.values()),
                meaning="time of one batch, b less a", unit="s",
            ),
        },
        coords={
            **{name: (name, np.array(labels, object)) for name, labels in text.items()},
            "part": ("part", np.array(_PARTS, object)),
            "phase": ("phase", np.array(list(phases), object)),
        },
    )  # fmt: skip
    return finished(why, [*sources_of(a), *sources_of(b)])


def _settings(a: xr.Dataset, b: xr.Dataset, model: Any) -> Iterator[tuple[str, str, str]]:
    """(setting, in a, in b) of what is not the same."""
    times = {"at": [str(one["at"].item()) if "at" in one.coords else "" for one in (a, b)]}
    for name in sorted({*a.attrs, *b.attrs} - _NOT_SETTINGS):
        times[name] = [str(one.attrs.get(name, "")) for one in (a, b)]
    fields = [dict(_flat(json.loads(one.attrs["machine"]), "")) for one in (a, b)]
    for path in dict.fromkeys((*fields[0], *fields[1])):
        times[path] = [one.get(path, "absent") for one in fields]
    for name, (first, second) in times.items():
        if first != second:
            yield name, first, second


def _flat(form: Any, path: str) -> Iterator[tuple[str, str]]:
    """(path, text) of every leaf of a canonical form; where a number comes from is no setting."""
    if isinstance(form, dict):
        for name, part in form.items():
            if name not in ("origins", "sources", "where", "reason", "cited", "printed"):
                yield from _flat(part, f"{path}.{name}" if path else name)
    elif isinstance(form, list):
        for i, part in enumerate(form):
            yield from _flat(part, f"{path}[{i}]")
    else:
        yield path, str(form)


def _by_phase(a: xr.Dataset, b: xr.Dataset) -> dict[str, float]:
    parts = [
        dict(zip(one.phase.values, one.phase_latency.sum("layer").values, strict=True))
        for one in (a, b)
    ]
    names = dict.fromkeys((*parts[0], *parts[1]))
    changes = {str(n): float(parts[1].get(n, 0.0) - parts[0].get(n, 0.0)) for n in names}
    return dict(sorted(changes.items(), key=lambda one: -abs(one[1])))


def _by_reason(a: xr.Dataset, b: xr.Dataset, model: Any) -> dict[str, tuple[float, float]]:
    """Reason -> joules by other counts, and by another price; the largest first."""
    (first, rest_a), (second, rest_b) = _priced(a, model), _priced(b, model)
    found = {}
    for reason in dict.fromkeys((*first, *second)):
        count_a, price_a = first.get(reason, (0.0, second.get(reason, (0.0, 0.0))[1]))
        count_b, price_b = second.get(reason, (0.0, price_a))
        found[reason] = (
            (count_b - count_a) * (price_a + price_b) / 2,
            (price_b - price_a) * (count_a + count_b) / 2,
        )
    for reason in dict.fromkeys((*rest_a, *rest_b)):
        found[reason] = 0.0, rest_b.get(reason, 0.0) - rest_a.get(reason, 0.0)
    found = {reason: parts for reason, parts in found.items() if any(parts)}
    return dict(sorted(found.items(), key=lambda one: -abs(sum(one[1]))))


def _priced(one: xr.Dataset, model: Any) -> tuple[dict[str, tuple[float, float]], dict[str, float]]:
    """Machine and event -> count of an inference and price [J]; and the joules of the rest."""
    prices = _prices(target_of(one, model))
    executor, batch = one.executor.values, float(one.attrs["batch"])
    found: dict[str, tuple[float, float]] = {}
    rest: dict[str, float] = {}
    joules = one.energy.sum("component").values
    for i, (layer, owner) in enumerate(zip(one.layer.values, executor, strict=True)):
        own = prices.get(str(owner), {})
        counted = 0.0
        for event, count in zip(one.event.values, one.events.values[i], strict=True):
            if count and event in own:
                reason, amount = f"{owner}: {event}", count / batch
                found[reason] = found.get(reason, (0.0, 0.0))[0] + amount, own[event]
                counted += amount * own[event]
        reason = str(layer) if str(layer).startswith(f"{STATIC} ") else _OTHER
        rest[reason] = rest.get(reason, 0.0) + float(joules[i]) - counted
    whole = abs(joules).sum()
    return found, {reason: left for reason, left in rest.items() if abs(left) > 1e-12 * whole}


def _prices(machine: Any) -> dict[str, dict[str, float]]:
    """Name of a machine, of its hosts too -> event -> joules."""
    if isinstance(machine, Plan):
        return {
            name: {event: one.constant.value for event, one in machine.prices(name).items()}
            for name in machine.placed
        }
    host = presets.target(presets.HOST)  # stands in where a machine has none
    found = {host.name: {event: p.constant.value for event, p in host.prices.items()}}
    while machine is not None:
        found[machine.name] = {event: p.constant.value for event, p in machine.prices.items()}
        machine = machine.host
    return found
