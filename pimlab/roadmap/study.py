"""What do the three stages of the roadmap do to accuracy, energy and latency? The study behind
`pimlab reproduce`.

Every workload on every target, for several seeds (chips), and for the analog stage at several times
after programming. Machines that draw nothing give the same bits for every seed and time, so they
are computed once.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from pimlab import workload
from pimlab.machine import presets
from pimlab.plan.capacity import NEEDED
from pimlab.result import over_seeds
from pimlab.studies.compare import condensed
from pimlab.studies.explain import explain
from pimlab.studies.run import run
from pimlab.studies.sweep import Study, study, sweep
from pimlab.values import Value, integer
from pimlab.workload.zoo.pairs import DATA

WORKLOADS = ("fashion-cnn", "digits-mlp", "cancer-mlp", "magika", "small-lm", "llama2-7b")
"""Four classifiers, the project's own language model, and the shape of a large one, which has costs
alone.
"""
TARGETS = ("warboy", "hbm-pim", "pcm-hermes")
TIMES = ("0 s", "1 h", "1 day", "1 month", "1 year")
METRICS = ("accuracy", "perplexity")
EXPLAINED = ("fashion-cnn", "pcm-hermes", "1 year")
"""Workload, target and time of the accuracy waterfall."""


class Size(Value):
    """How large the study is: test samples of each workload at most, seeds and times, and the size
    of the waterfall.
    """

    samples: int = integer(1)
    files: int = integer(1, doc="samples of the byte CNN, whose inference is the most costly")
    windows: int = integer(1, doc="windows of text for a language model, 256 tokens or more each")
    seeds: int = integer(1)
    explained: int = integer(1, doc="samples of the waterfall")
    chips: int = integer(1, doc="seeds of the waterfall")
    times: tuple[str, ...] = TIMES

    def limit(self, name: str) -> int:
        """Test samples of the workload `name` at most."""
        return {"magika": self.files, "small-lm": self.windows, "smollm2-135m": self.windows}.get(
            name, self.samples
        )


FULL = Size(samples=800, files=20, windows=2, seeds=10, explained=250, chips=5)
QUICK = Size(
    samples=100,
    files=4,
    windows=1,
    seeds=2,
    explained=50,
    chips=2,
    times=("0 s", "1 day", "1 year"),
)
EXTRA = Size(samples=1, files=1, windows=1, seeds=1, explained=1, chips=1, times=("0 s", "1 day"))
"""The size at which a language model of an optional package joins."""


def roadmap(size: Size) -> Study:
    """The study of one workload on one target for one seed: accuracy or perplexity (at), energy
    (component), latency.
    """

    def point(workload: str, target: str, seed: int) -> xr.Dataset:
        fixed = workload not in DATA or not presets_vary(target)
        return _point(workload, target, 0 if fixed else seed, size)

    point.__name__ = f"roadmap_{size.samples}_{size.files}_{size.windows}_{len(size.times)}"
    return study(point)


@functools.lru_cache(maxsize=256)
def _point(name: str, target: str, seed: int, size: Size) -> xr.Dataset:
    model, data = load(name, size.limit(name))
    return condensed(
        run(model, presets.target(target), data, at=size.times, seed=seed, chips=NEEDED),
        METRICS,
        size.times,
    )


@functools.lru_cache(maxsize=16)
def load(name: str, samples: int) -> tuple[Any, Any]:
    """Model and test data of a workload of the study, at most `samples` samples; None as data of a
    shape without weights.
    """
    data = workload.load_data(DATA[name], split="test", limit=samples) if name in DATA else None
    return workload.load_model(name), data


def compute(
    size: Size = FULL,
    store: str | None = None,
    *,
    workloads: Sequence[str] = WORKLOADS,
    workers: int | None = None,
    progress: bool = True,
) -> xr.Dataset:
    """accuracy and perplexity (workload, target, seed, at), energy (workload, target, seed,
    component) in J, latency in s.

    A metric is NaN where the workload is scored by the other one, or by none.
    store, workers, progress : as in `sweep`. The energy of a stage depends on the seed only through
    cell values.
    """
    coordinates: dict[str, Any] = {
        "workload": workloads,
        "target": TARGETS,
        "seed": range(size.seeds),
    }
    return sweep(roadmap(size), store=store, workers=workers, progress=progress, **coordinates)


def waterfall(size: Size = FULL, store: str | None = None, *, progress: bool = True) -> xr.Dataset:
    """`explain` of the workload, target and time in `EXPLAINED` for several chips (seed), kept in
    `store` like the study.
    """
    name, target, at = EXPLAINED

    def point(seed: int) -> xr.Dataset:
        model, data = load(name, size.explained)
        return explain(model, presets.target(target), data, at=at, seed=seed).drop_vars(
            ["target", "model"]
        )

    point.__name__ = f"waterfall_{name}_{target}_{at}_{size.explained}".replace(" ", "-")
    return sweep(study(point), store=store, progress=progress, seed=range(size.chips))


def summary(ds: xr.Dataset) -> pd.DataFrame:
    """One row a workload, target and (for machines that vary) time: accuracy or perplexity, and
    energy, with intervals.

    The interval of a metric joins, in quadrature, the 95 % interval over test samples (mean over
    seeds) and the 95 % interval of the mean over seeds (normal). Energy low and high are those of
    the prices. NaN: not scored by that metric.
    """
    return pd.DataFrame(list(_rows(ds)))


def _rows(ds: xr.Dataset) -> Iterator[dict[str, Any]]:
    for name in ds.workload.values:
        for target in ds.target.values:
            one = ds.sel(workload=name, target=target)
            metric = scored_by(one)
            times = ds["at"].values if metric and presets_vary(str(target)) else ds["at"].values[:1]
            for at in times:
                yield {
                    "workload": name,
                    "target": target,
                    "stage": int(one.stage[0]),
                    "at_s": float(at),
                    "metric": metric or "none",
                    **{
                        key: value
                        for m in METRICS
                        for key, value in quality(one.sel(at=at), m).items()
                    },
                    **_costs(one),
                }


def scored_by(one: xr.Dataset) -> str | None:
    """The metric of one workload's Dataset that is not NaN; None when there is none."""
    return next((metric for metric in METRICS if bool(one[metric].notnull().any())), None)


def presets_vary(name: str) -> bool:
    """Whether the preset or its host depends on seed or time."""
    return presets.target(name).varies


def quality(one: xr.Dataset, metric: str) -> dict[str, float]:
    """`metric`, its _low, _high and _std_over_seeds of a Dataset with the dimension `seed`
    alone.
    """
    joined = over_seeds(one[[metric + end for end in ("", "_low", "_high")]], metric)
    value, low, high = (float(joined[metric + end]) for end in ("", "_low", "_high"))
    most = 1.0 if metric == "accuracy" else np.inf
    spread = float(one[metric].std(ddof=1)) if one.sizes["seed"] > 1 else 0.0 * value
    return {
        metric: value,
        f"{metric}_low": float(np.clip(low, 0.0, most)),
        f"{metric}_high": float(np.clip(high, 0.0, most)),
        f"{metric}_std_over_seeds": spread,
    }


def _costs(one: xr.Dataset) -> dict[str, float]:
    energies = {
        f"{v}_J": float(one[v].sum("component").mean("seed"))
        for v in ("energy", "energy_low", "energy_high")
    }
    return {
        **energies,
        "latency_s": float(one.latency.mean("seed")),
        "chips": int(one.chips.max()),
        "assumed_share": float(one.assumed_share.mean("seed")),
    }
