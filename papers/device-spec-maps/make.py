"""How good must a memory cell be? Which windows, programming errors, read noises and drifts keep a
network's accuracy, and how much error two ways to store weights forgive.

`python papers/device-spec-maps/make.py` writes the figure and the tables of README.md (some two
minutes).
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import pimlab as pim
from pimlab.studies.published import Row, fill
from pimlab.studies.spec_map import spec_machine

OUT = Path(__file__).with_name("device-spec-maps")
TARGETS = Path(__file__).with_name("targets.csv")
PROGRAMMING = (0.0, 0.02, 0.05, 0.1, 0.2)
READ, DRIFT, WINDOW = (0.0, 0.03, 0.1), (0.0, 0.05, 0.1), (10.0, 100.0)
CODINGS = ("differential", "offset")
TOLERANCE = 0.01
"""How much accuracy may be lost, relative to floating point."""


def compute(quick: bool = False) -> xr.Dataset:
    """The map of digits-mlp a year after programming (`pim.device_spec_map`: accuracy, exact and
    kept, unit 1), and `by_coding`: accuracy over coding, window, programming error and seed right
    after programming, without read noise and drift. quick : one seed, 150 images, few values.
    """
    model, data = pim.load_model("digits-mlp"), pim.load_data("digits", limit=150 if quick else 450)
    seeds = [0] if quick else [0, 1]
    window = WINDOW[1:] if quick else WINDOW
    axes = {"window": window, "programming": PROGRAMMING[::2] if quick else PROGRAMMING}
    ds = pim.device_spec_map(
        model,
        data,
        **axes,
        read=READ[:1] if quick else READ,
        drift=DRIFT[:1] if quick else DRIFT,
        seeds=seeds,
        tolerance=TOLERANCE,
    )
    machine, wide = spec_machine(), {"read": [0.0], "drift": [0.0], "seeds": seeds, "at": 0.0}
    by_coding = [
        pim.device_spec_map(model, data, **axes, **wide, machine=machine.but(coding=coding))
        for coding in CODINGS
    ]
    accuracy = xr.concat([one.accuracy.isel(read=0, drift=0) for one in by_coding], "coding")
    return ds.assign(
        by_coding=accuracy.drop_vars(("read", "drift")).assign_coords(coding=list(CODINGS))
    )


def tolerated(ds: xr.Dataset, coding: str, window: float) -> float:
    """Programming error (unit: of the largest conductance) at which the accuracy, on straight lines
    between the values tried, has lost `TOLERANCE`; NaN where it has at none.
    """
    accuracy = ds.by_coding.sel(coding=coding, window=window).mean("seed")
    lost = (1 - accuracy / ds.exact).values
    beyond = np.flatnonzero(lost > TOLERANCE)
    if not beyond.size or not beyond[0]:
        return float("nan") if not beyond.size else 0.0
    pair = slice(beyond[0] - 1, beyond[0] + 1)
    return float(np.interp(TOLERANCE, lost[pair], ds.programming.values[pair]))


def targets() -> list[dict[str, str]]:
    """The rows of targets.csv."""
    with TARGETS.open() as file:
        return list(csv.DictReader(file))


def found(ds: xr.Dataset, row: Row) -> float | None:
    """Tolerated programming error of proportional over that of offset mapping, at a window."""
    window = float(row.condition.split("=")[1])
    if window not in ds.window.values:
        return None
    proportional, offset = (tolerated(ds, coding, window) for coding in CODINGS)
    return proportional / offset if offset else float("nan")


def tables(ds: xr.Dataset) -> dict[str, str]:
    """Cells kept of those tried, by window and drift, and tolerated programming errors."""
    lines = ["| window | drift exponent | kept | of | least accuracy |", "| --- " * 5 + "|"]
    for window in ds.window.values:
        for drift in ds.drift.values:
            one = ds.sel(window=window, drift=drift)
            least, kept = float(one.accuracy.mean("seed").min()), int(one.kept.sum())
            lines.append(f"| {window:g} | {drift:g} | {kept} | {one.kept.size} | {least:.3f} |")
    errors = ["| window | proportional | offset |", "| --- " * 3 + "|"]
    for window in ds.window.values:
        both = [f"{100 * tolerated(ds, coding, window):.1f} %" for coding in CODINGS]
        errors.append(f"| {window:g} | {both[0]} | {both[1]} |")
    return {"kept": "\n".join(lines), "tolerated": "\n".join(errors)}


def draw(ds: xr.Dataset) -> Figure:
    """Accuracy lost over programming error and read noise, a panel a window and drift."""
    return pim.plot.spec_map(ds)


if __name__ == "__main__":
    answer = compute()
    pim.plot.save(draw(answer), OUT)
    fill(__file__, lambda row: found(answer, row), tables(answer))
