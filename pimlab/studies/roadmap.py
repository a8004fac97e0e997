"""What do the three stages of the roadmap do to accuracy, energy and latency? The study behind `pimlab reproduce`.

Every workload on every target, for several seeds (chips), and for the analog stage at several times after
programming. Machines that draw nothing give the same bits for every seed and time, so they are computed once.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from pimlab import presets, units, workload
from pimlab.studies.execution import machines
from pimlab.studies.explain import explain
from pimlab.studies.run import run
from pimlab.studies.sweep import Study, study, sweep
from pimlab.values import Value, integer

WORKLOADS = ("fashion-cnn", "digits-mlp", "cancer-mlp", "magika")
DATA = {"fashion-cnn": "fashion-mnist", "digits-mlp": "digits", "cancer-mlp": "breast-cancer", "magika": "magika-files"}
TARGETS = ("warboy", "hbm-pim", "pcm-hermes")
TIMES = ("0 s", "1 h", "1 day", "1 month", "1 year")
EXPLAINED = ("fashion-cnn", "pcm-hermes", "1 day")
"""Workload, target and time of the accuracy waterfall."""


class Size(Value):
    """How large the study is: test samples of each workload at most, seeds, samples of the waterfall."""

    samples: int = integer(1)
    files: int = integer(1, doc="samples of the byte CNN, whose inference is the most costly")
    seeds: int = integer(1)
    explained: int = integer(1)


FULL = Size(samples=1000, files=100, seeds=10, explained=1000)
QUICK = Size(samples=100, files=20, seeds=2, explained=200)


def roadmap(size: Size) -> Study:
    """The study of one workload on one target for one seed: accuracy (at), energy (component), latency of an inference."""

    def point(workload: str, target: str, seed: int) -> xr.Dataset:
        fixed = not any(machine.varies for machine in machines(presets.target(target)))
        return _point(workload, target, 0 if fixed else seed, size)

    point.__name__ = f"roadmap_{size.samples}_{size.files}"
    return study(point)


@functools.lru_cache(maxsize=256)
def _point(name: str, target: str, seed: int, size: Size) -> xr.Dataset:
    model, data = load(name, size.files if name == "magika" else size.samples)
    full = run(model, presets.target(target), data, at=TIMES, seed=seed)
    kept = full[["accuracy", "accuracy_low", "accuracy_high", "assumed_share"]]
    for variable in ("energy", "energy_low", "energy_high", "latency"):
        kept[variable] = full[variable].sum("layer", keep_attrs=True)
    kept["stage"] = ((), full.attrs["stage"], {"units": "1", "long_name": "roadmap stage"})
    kept["samples"] = ((), full.attrs["samples"], {"units": "1", "long_name": "test samples"})
    return kept.reset_coords(drop=True).assign_attrs(
        {name: full.attrs[name] for name in ("calibration", "pimlab", "commit", "lock", "sources")}
    )


@functools.lru_cache(maxsize=16)
def load(name: str, samples: int) -> tuple[Any, Any]:
    """Model and test data of a workload of the study, at most `samples` samples."""
    return workload.load_model(name), workload.load_data(DATA[name], split="test", limit=samples)


def compute(size: Size = FULL, store: str | None = None, *, workers: int | None = None, progress: bool = True) -> xr.Dataset:
    """accuracy (workload, target, seed, at), energy (workload, target, seed, component) in J, latency in s of the study.

    store, workers, progress : as in `sweep`. The energy of a stage depends on the seed only through cell values.
    """
    coordinates = {"workload": WORKLOADS, "target": TARGETS, "seed": range(size.seeds)}
    return sweep(roadmap(size), store=store, workers=workers, progress=progress, **coordinates)


def waterfall(size: Size = FULL, store: str | None = None, *, progress: bool = True) -> xr.Dataset:
    """`explain` of the workload, target and time in `EXPLAINED`, kept in `store` like the study itself."""
    name, target, at = EXPLAINED

    def point(at: str) -> xr.Dataset:
        model, data = load(name, size.explained)
        return explain(model, presets.target(target), data, at=at).drop_vars("at").reset_coords(["target", "model", "seed"], drop=True)

    point.__name__ = f"waterfall_{size.explained}"
    one = sweep(study(point), store=store, progress=progress, at=[at]).isel(at=0)
    return one.assign_coords(at=units.seconds(at), target=target, model=name)


def summary(ds: xr.Dataset) -> pd.DataFrame:
    """One row a workload, target and (for machines that vary) time: accuracy and energy with their intervals.

    The accuracy interval joins, in quadrature, the 95 % interval over test samples (mean over seeds) and the 95 %
    interval of the mean over seeds (normal). Energy low and high are those of the prices.
    """
    return pd.DataFrame(list(_rows(ds)))


def _rows(ds: xr.Dataset) -> Iterator[dict[str, Any]]:
    for name in ds.workload.values:
        for target in ds.target.values:
            one = ds.sel(workload=name, target=target)
            times = ds["at"].values if presets_vary(str(target)) else ds["at"].values[:1]
            for at in times:
                yield {
                    "workload": name,
                    "target": target,
                    "stage": int(one.stage[0]),
                    "at_s": float(at),
                    **accuracy(one.sel(at=at)),
                    **_costs(one),
                }


def presets_vary(name: str) -> bool:
    """Whether the preset or its host depends on seed or time."""
    return any(machine.varies for machine in machines(presets.target(name)))


def accuracy(one: xr.Dataset) -> dict[str, float]:
    """accuracy, accuracy_low, accuracy_high of a Dataset with the dimension `seed` alone."""
    mean = float(one.accuracy.mean())
    spread = float(one.accuracy.std(ddof=1)) if one.sizes["seed"] > 1 else 0.0
    of_mean = 1.96 * spread / np.sqrt(one.sizes["seed"])
    down = np.hypot(float((one.accuracy - one.accuracy_low).mean()), of_mean)
    up = np.hypot(float((one.accuracy_high - one.accuracy).mean()), of_mean)
    return {
        "accuracy": mean,
        "accuracy_low": max(0.0, mean - down),
        "accuracy_high": min(1.0, mean + up),
        "accuracy_std_over_seeds": spread,
    }


def _costs(one: xr.Dataset) -> dict[str, float]:
    energies = {f"{v}_J": float(one[v].sum("component").mean("seed")) for v in ("energy", "energy_low", "energy_high")}
    return {**energies, "latency_s": float(one.latency.mean("seed")), "assumed_share": float(one.assumed_share.mean("seed"))}
