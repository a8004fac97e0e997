"""What do the three stages of the roadmap do to accuracy, energy and latency? The study behind
`pimlab reproduce`.

Every workload on every target at three operating points (one request, 1 % load, saturation), for
several seeds (chips), and for the analog stage at several times after programming. Machines that
draw nothing give the same bits for every seed and time, so they are computed once.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from pimlab import workload
from pimlab.machine import presets
from pimlab.machine.protocol import Target
from pimlab.plan import planned
from pimlab.plan.capacity import NEEDED
from pimlab.result import metrics, over_seeds
from pimlab.schedule import schedule
from pimlab.studies.compare import condensed
from pimlab.studies.explain import explain
from pimlab.studies.operating import TRAFFIC, points_of
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
ENDS = ("", "_low", "_high")
COSTS = (
    *("energy" + end for end in ENDS),
    *("dynamic_energy" + end for end in ENDS),
    "latency",
    "rate",
    "charged",
    "assumed_share",
)
"""What a point of the study keeps of each operating point."""
EXACT = "_exact"
"""What the name of a metric of the float model ends with."""
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
        """Test samples of the workload `name` at most (unit: samples)."""
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
    """The study of one workload on one target for one seed: accuracy or perplexity (at), and energy
    (traffic, component), latency and rate (traffic).
    """

    def point(workload: str, target: str, seed: int) -> xr.Dataset:
        fixed = workload not in DATA or not presets_vary(target)
        return _point(workload, target, 0 if fixed else seed, size)

    point.__name__ = f"roadmap_{size.samples}_{size.files}_{size.windows}_{len(size.times)}"
    return study(point)


@functools.lru_cache(maxsize=256)
def _point(name: str, target: str, seed: int, size: Size) -> xr.Dataset:
    model, data = load(name, size.limit(name))
    machine = silicon(target)
    answer = run(model, machine, data, at=size.times, seed=seed, chips=NEEDED)
    busy = schedule(model, machine, chips=NEEDED, answer=None if data is None else answer)
    kept = condensed(answer, METRICS, size.times).drop_dims("component")
    points = points_of(answer, busy).reset_coords(drop=True)[list(COSTS)]
    kept = kept.drop_vars([one for one in COSTS if one in kept]).merge(points)
    exact = dict.fromkeys(METRICS, np.nan)
    exact.update(exact_quality(name, size.limit(name)))
    return kept.assign(
        {
            metric + EXACT: ((), value, {"units": "1", "long_name": f"{metric} of the float model"})
            for metric, value in exact.items()
        }
    )


def silicon(name: str) -> Target:
    """The preset without its driver's call. What a call takes was measured for Warboy's board alone
    (MLPerf); nobody has timed a driver of the other two, which are research chips. Leaving it out
    puts the three stages on one footing.
    """
    return presets.target(name).as_host()


@functools.lru_cache(maxsize=16)
def exact_quality(name: str, samples: int) -> Mapping[str, float]:
    """Metric -> its value for the workload in float32 arithmetic; {} for a shape without
    weights. In the unit of each metric.
    """
    model, data = load(name, samples)
    if data is None:
        return {}
    found = run(model, planned(model, silicon(TARGETS[0])).with_causes(()), data)
    return {metric: float(found[metric]) for metric in metrics(found)}


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
    """accuracy and perplexity (workload, target, seed, at), with _exact, that of the float model;
    energy (workload, target, seed, traffic, component) in J, latency in s and rate in inferences a
    second (..., traffic).

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
    """One row a workload, target, operating point and (for machines that vary) time: accuracy or
    perplexity, and energy, with intervals.

    The interval of a metric joins, in quadrature, the 95 % interval over test samples (mean over
    seeds) and the 95 % interval of the mean over seeds (normal). Energy low and high are those of
    the prices; dynamic_J is without static power. NaN: not scored by that metric.
    """
    return pd.DataFrame(list(_rows(ds)))


def _rows(ds: xr.Dataset) -> Iterator[dict[str, Any]]:
    for name in ds.workload.values:
        for target in ds.target.values:
            one = ds.sel(workload=name, target=target)
            metric = scored_by(one)
            times = ds["at"].values if metric and presets_vary(str(target)) else ds["at"].values[:1]
            for at in times:
                scores = {
                    key: value for m in METRICS for key, value in quality(one.sel(at=at), m).items()
                }
                for traffic in TRAFFIC:
                    yield {
                        "workload": name,
                        "target": target,
                        "stage": int(one.stage[0]),
                        "at_s": float(at),
                        "metric": metric or "none",
                        **scores,
                        "traffic": traffic,
                        **_costs(one.sel(traffic=traffic)),
                    }


def scored_by(one: xr.Dataset) -> str | None:
    """The metric of one workload's Dataset that is not NaN; None when there is none."""
    return next((metric for metric in METRICS if bool(one[metric].notnull().any())), None)


def presets_vary(name: str) -> bool:
    """Whether the preset or its host depends on seed or time."""
    return presets.target(name).varies


def quality(one: xr.Dataset, metric: str) -> dict[str, float]:
    """`metric`, its _low, _high and _std_over_seeds of a Dataset with the dimension `seed`
    alone. In the unit of the metric.
    """
    joined = over_seeds(one[[metric + end for end in ENDS]], metric)
    value, low, high = (float(joined[metric + end]) for end in ENDS)
    most = 1.0 if metric == "accuracy" else np.inf
    spread = float(one[metric].std(ddof=1)) if one.sizes["seed"] > 1 else 0.0 * value
    return {
        metric: value,
        f"{metric}_low": float(np.clip(low, 0.0, most)),
        f"{metric}_high": float(np.clip(high, 0.0, most)),
        f"{metric}_std_over_seeds": spread,
        metric + EXACT: float(one[metric + EXACT].mean("seed")),
    }


def _costs(one: xr.Dataset) -> dict[str, float]:
    return {
        **{
            f"energy{end}_J": float(one["energy" + end].sum("component").mean("seed"))
            for end in ENDS
        },
        **{f"dynamic{end}_J": float(one["dynamic_energy" + end].mean("seed")) for end in ENDS},
        "latency_s": float(one.latency.mean("seed")),
        "rate_Hz": float(one.rate.mean("seed")),
        "chips": int(one.chips.max()),
        "assumed_share": float(one.assumed_share.mean("seed")),
    }
