"""How wrong is an analog product hours, days and years after programming, with and without
compensation, for four devices?

`python papers/mvm-error-over-time/make.py` writes the figure and the tables of README.md.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from pimlab.analog import Crossbar, DriftCompensation, device
from pimlab.plot.style import PARTS, figure, for_print, save
from pimlab.studies.published import Row, fill, markdown

OUT = Path(__file__).with_name("mvm-error-over-time")
TARGETS = Path(__file__).with_name("targets.csv")
DEVICES = ("pcm-joshi2020", "pcm-hermes-pair", "reram-wan2022", "sonos-agrawal2022")
TIMES = {
    "0": 0.0,
    "1 s": 1.0,
    "1 h": 3600.0,
    "1 d": 86400.0,
    "30 d": 30 * 86400.0,
    "1 y": 365 * 86400.0,
}
LAST = {"reram-wan2022": 2 * 86400.0, "sonos-agrawal2022": 5 * 86400.0}
"""Seconds after which nothing was measured: later points hold the last measured spread."""


def _operands(size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian weights cut at 2.5 sigma and Gaussian inputs."""
    rng = np.random.default_rng(seed)
    w = np.clip(rng.standard_normal((size, size)), -2.5, 2.5).astype(np.float32)
    return w, rng.standard_normal((64, size)).astype(np.float32)


def _errors(name: str, compensation: DriftCompensation | None, size: int, seed: int) -> list[float]:
    """Relative L2 error of a product at each time."""
    w, x = _operands(size, seed)
    machine = Crossbar(
        rows=size, cols=size, cell=device(name), scaling="layer", compensation=compensation
    )
    programmed, exact = machine.program(w, seed), x @ w
    return [
        float(np.linalg.norm(programmed.matmul(x, seed, at) - exact) / np.linalg.norm(exact))
        for at in TIMES.values()
    ]


def _targets() -> np.ndarray:
    """The published errors (compensation, time) of the PCM model, NaN where there is none."""
    with TARGETS.open() as file:
        listed = {row["condition"]: float(row["published"]) for row in csv.DictReader(file)}
    return np.array(
        [
            [listed.get(f"pcm-joshi2020 compensation={rule} t={time}", np.nan) for time in TIMES]
            for rule in ("none", "global")
        ]
    )


def compute(quick: bool = False) -> xr.Dataset:
    """Dataset of the error over `device`, `compensation`, `time` and `seed`; quick takes one seed
    of 256 x 256.
    """
    seeds, size = ([1], 256) if quick else ([1, 2, 3, 4, 5], 512)
    rules = {"none": None, "global": DriftCompensation()}
    error = [
        [[_errors(name, rule, size, seed) for seed in seeds] for rule in rules.values()]
        for name in DEVICES
    ]
    unit = {"units": "1", "long_name": "relative L2 error of a product"}
    return xr.Dataset(
        {
            "error": (("device", "compensation", "seed", "time"), np.array(error), unit),
            "target": (("compensation", "time"), _targets(), unit),
        },
        coords={
            "device": list(DEVICES),
            "compensation": list(rules),
            "seed": seeds,
            "time": ("time", list(TIMES.values()), {"units": "s"}),
        },
        attrs={
            "sources": ", ".join(sorted({key for name in DEVICES for key in device(name).sources}))
        },
    )


def found(ds: xr.Dataset, row: Row) -> float:
    """Ours for a row of targets.csv: relative error, mean over the seeds."""
    name, rule, time = row.condition.split(" ", 2)
    one = ds.error.sel(device=name, compensation=rule.split("=")[1])
    return float(one.sel(time=TIMES[time.split("=")[1]]).mean("seed"))


def tables(ds: xr.Dataset) -> dict[str, str]:
    """Relative error by device, compensation and time, mean over the seeds."""
    mean = ds.error.mean("seed")
    lines = [
        [name, rule, *(f"{x:.3f}" for x in mean.sel(device=name, compensation=rule).values)]
        for name in ds.device.values
        for rule in ds.compensation.values
    ]
    return {"errors": markdown(["device", "compensation", *TIMES], lines)}


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Left: nothing done. Right: one digital gain a layer."""
    fig = figure(77)
    axes = fig.subplots(1, 2, sharey=True)
    age = np.maximum(ds.time.values, 0.1)
    for axis, rule in zip(axes, ds.compensation.values, strict=True):
        for colour, name in zip(PARTS, ds.device.values, strict=False):
            one = ds.error.sel(device=name, compensation=rule)
            known = ds.time.values <= LAST.get(name, np.inf)
            mean, low, high = one.mean("seed"), one.min("seed"), one.max("seed")
            axis.fill_between(age, low, high, color=colour, alpha=0.25, lw=0)
            axis.plot(age[known], mean[known], "o-", color=colour, ms=3, label=name)
            axis.plot(age[~known], mean[~known], "o", color=colour, ms=3, mfc="none")
        axis.plot(
            age,
            ds.target.sel(compensation=rule),
            "x",
            color="black",
            ms=5,
            label="PCM, reference table",
        )
        axis.set(xscale="log", xlabel="time after programming (s); 0 drawn at 0.1")
    axes[0].set(
        ylabel="relative error of a 512 x 512 product",
        ylim=(0, None),
        title="Left alone, PCM loses half\nof the product in a year",
    )
    axes[1].set(title="One gain a layer gives most of it back;\nReRAM spreads instead of drifting")
    axes[0].plot([], [], "o", color="0.3", ms=3, mfc="none", label="after the last measured time")
    axes[0].legend(frameon=False)
    return fig


if __name__ == "__main__":
    answer = compute()
    save(draw(answer), OUT)
    fill(__file__, lambda row: found(answer, row), tables(answer))
