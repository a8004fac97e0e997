"""Which machine suits which model? Every model on every machine, side by side in one Dataset."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from pimlab import units, workload
from pimlab.arguments import typed
from pimlab.machine import presets
from pimlab.machine.protocol import Target
from pimlab.plan.capacity import NEEDED
from pimlab.result import STATIC
from pimlab.studies import provenance
from pimlab.studies.run import Times, run
from pimlab.studies.sweep import study, sweep
from pimlab.values import digest, unknown
from pimlab.workload.zoo.pairs import DATA

HOST_WORK, HOST_STATIC = "host: operators", "host: static power"
"""Components that hold all energy of machines other than the target itself."""


@typed
def compare(
    models: Sequence[Any],
    targets: Sequence[str | Target],
    *,
    data: Mapping[str, Any] | None = None,
    at: Times = 0.0,
    seed: int = 0,
    limit: int | None = 200,
    rule: str = "minmax",
    store: str | None = None,
    progress: bool = False,
) -> xr.Dataset:
    """One Dataset of all `models` on all `targets`.

    models : names for `load_model`, or models.  targets : names for `target`, or machines.
    data : model name -> data (a name for `load_data`, or data), for models whose usual data
    (`workload.pairs.DATA`) are not wanted, or that have none; None as data leaves accuracy out.
    limit : test samples at most (of data given by name).
    at, seed, rule : as in `run`.  store, progress : as in `sweep`.

    Variables: one a metric, with _low and _high (model, target, [at]), NaN where a model is scored
    by another metric or has no data; energy, energy_low, energy_high (model, target, component) in
    J an inference; latency, chips (as many of the target as hold the model), assumed_share, macs,
    samples (model, target); stage (target). A component "host: ..." is the energy of the target's
    hosts.
    Raises ValueError for unknown and repeated names and as `run` does, TypeError for a name in
    `data` that is no model here.

    >>> both = pim.compare(["digits-mlp", "llama2-7b"], ["warboy", "hbm-pim"], limit=20)
    >>> both.energy.sum("component").dims
    ('model', 'target')
    >>> bool(both.accuracy.sel(model="llama2-7b").isnull().all())  # a shape without weights
    True
    """
    loaded = _by_name("models", models, workload.load_model)
    machines = _by_name("targets", targets, presets.target)
    given = dict(data or {})
    for name in given:
        if name not in loaded:
            raise TypeError(f"compare data: {unknown('model', name, loaded)}")
    scored = {name: _data(given.get(name, DATA.get(name)), limit) for name in loaded}
    metrics = list(dict.fromkeys(one.metric.name for one in scored.values() if one is not None))

    def point(model: str, target: str) -> xr.Dataset:
        return condensed(
            run(
                loaded[model],
                machines[target],
                scored[model],
                at=at,
                seed=seed,
                rule=rule,
                chips=NEEDED,
            ),
            metrics,
            at,
        )

    described = [
        (
            m.sha256,
            getattr(scored[name], "sha256", ""),
            getattr(scored[name], "split", ""),
            len(scored[name] or ()),
        )
        for name, m in loaded.items()
    ]
    asked = digest((tuple(described), machines, at, seed, rule))
    point.__name__ = f"compare_{asked[:12]}"
    found = sweep(
        study(point), store=store, progress=progress, model=list(loaded), target=list(machines)
    )
    return found.assign(stage=found.stage.isel(model=0).astype(int).assign_attrs(found.stage.attrs))


def _by_name(what: str, given: Sequence[Any], load: Callable[[str], Any]) -> dict[str, Any]:
    if isinstance(given, str):
        raise TypeError(f"compare {what}={given!r} is not a list; write {what}=[{given!r}]")
    found = [load(one) if isinstance(one, str) else one for one in given]
    for one in found:
        if not isinstance(getattr(one, "name", None), str):
            raise TypeError(f"compare {what}: {one!r} is neither a name nor one of the {what}")
    names = [one.name for one in found]
    if len(set(names)) < len(names):
        raise ValueError(
            f"compare {what}={names} repeats a name; give each variant its own, for a machine with "
            ".but(name=...)"
        )
    return dict(zip(names, found, strict=True))


def _data(named: Any, limit: int | None) -> Any:
    return workload.load_data(named, split="test", limit=limit) if isinstance(named, str) else named


def condensed(result: xr.Dataset, metrics: Sequence[str], at: Times) -> xr.Dataset:
    """A Dataset of `run` summed over layers: the named metrics (NaN where absent), energies by
    component, latency.

    Energy of machines other than the target is in the components "host: operators" and "host:
    static power". Units: J and s.
    """
    kept = xr.Dataset(
        {
            metric + end: _score(result, metric + end, at)
            for metric in metrics
            for end in ("", "_low", "_high")
        }
    )
    component = _components(result)
    for variable in ("energy", "energy_low", "energy_high"):
        kept[variable] = _by_component(result[variable], component)
    kept["latency"] = result.latency.sum("layer", keep_attrs=True)
    kept["macs"] = result.macs.sum("layer", keep_attrs=True)
    kept["chips"] = result.chips
    kept["assumed_share"] = result.assumed_share
    kept["stage"] = ((), result.attrs["stage"], {"units": "1", "long_name": "roadmap stage"})
    kept["samples"] = (
        (),
        result.attrs.get("samples", 0),
        {"units": "1", "long_name": "test samples"},
    )
    described = ("machine", "calibration", "seed", "sources", *provenance.stamp())
    return kept.reset_coords(drop=True).assign_attrs(
        {name: result.attrs[name] for name in described if name in result.attrs}
    )


def dynamic_by_component(result: xr.Dataset, variable: str) -> xr.DataArray:
    """J an inference (component) of what is not static power, as `condensed` names components
    [J].
    """
    static = is_static(result)
    names = _components(result)[~static]
    return _by_component(result[variable].isel(layer=~static), names)


def is_static(result: xr.Dataset) -> np.ndarray:
    """bool, shape (layers,): which rows hold what a machine draws by the second."""
    return np.char.startswith(result.layer.values.astype(str), f"{STATIC} ")


def _score(result: xr.Dataset, name: str, at: Times) -> xr.DataArray:
    if name in result:
        return result[name]
    absent = {
        "units": "1",
        "long_name": f"{name.replace('_', ', ')} (absent: the model is not scored by it)",
    }
    if isinstance(at, (str, float, int)):
        return xr.DataArray(np.nan, attrs=absent)
    times = [units.seconds(t) for t in at]
    return xr.DataArray(np.full(len(times), np.nan), dims="at", coords={"at": times}, attrs=absent)


def _components(result: xr.Dataset) -> np.ndarray:
    """(layer, component) -> name of the component a reader of the target's energy wants to see."""
    own = np.isin(result.executor.values.astype(str), result.attrs["target"].split(" + "))
    static = is_static(result)
    named = np.broadcast_to(
        result.component.values.astype(str), (len(own), result.sizes["component"])
    ).astype(object)
    named[~own & static], named[~own & ~static] = HOST_STATIC, HOST_WORK
    return named


def _by_component(energy: xr.DataArray, names: np.ndarray) -> xr.DataArray:
    labels = sorted(set(names.ravel().tolist()))
    total = [float(energy.values[names == label].sum()) for label in labels]
    component = ("component", np.array(labels, dtype=object), energy.component.attrs)
    return xr.DataArray(
        total, dims="component", coords={"component": component}, attrs=energy.attrs
    )
