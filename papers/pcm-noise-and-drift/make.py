"""Does our PCM cell reproduce its publication's curves: programming error, drift exponents, 1/f
read noise?

`python papers/pcm-noise-and-drift/make.py` writes the figure and the tables of README.md.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from pimlab.analog import device
from pimlab.keys import Key
from pimlab.plot.style import ALARM, PARTS, figure, for_print, save
from pimlab.studies.published import Row, fill

OUT = Path(__file__).with_name("pcm-noise-and-drift")
TARGETS = Path(__file__).with_name("targets.csv")
CELL = "pcm-joshi2020"
OTHER_FIT = "pcm-joshi2020-crosssim"
MICRO = 1e6
TIMES = {"1 s": 1.0, "1 h": 3600.0, "1 y": 365 * 86400.0}
FIRST, LAST = 1.0, 1e6
"""Seconds between which drift exponents are read off simulated conductances."""


def formula(quantity: str, g: np.ndarray, seconds: float = 0.0) -> np.ndarray:
    """The published laws, of g = G / 25 uS, written out apart from the library's catalogue
    (Nandakumar 2019; Joshi 2020).

    "programming" : uS before the cut at zero;  "exponent", "exponent spread" : 1;  "read" : sigma
    over conductance at that time
    """
    log = np.log(np.maximum(g, 1e-7))
    if quantity == "programming":
        return np.maximum(-1.1731 * g**2 + 1.9650 * g + 0.26348, 0)
    if quantity == "exponent":
        return np.clip(-0.0155 * log + 0.0244, 0.049, 0.1)
    if quantity == "exponent spread":
        return np.clip(-0.0125 * log - 0.0059, 0.008, 0.045)
    strength = np.minimum(0.0088 / np.maximum(g, 1e-7) ** 0.65, 0.2)
    return strength * np.sqrt(np.log((seconds + 20 + 250e-9) / (2 * 250e-9)))


def _cells(g: float, samples: int) -> np.ndarray:
    return np.full((samples // 500, 500), g * device(CELL).g_max)


def _programming(g: float, samples: int) -> tuple[float, float]:
    """Mean and spread of programmed cells, uS."""
    written = device(CELL).program(
        _cells(g, samples), Key(seed=1).child("programming", round(1000 * g))
    )
    return MICRO * written.mean(), MICRO * written.std()


def _exponents(g: float, samples: int) -> tuple[float, float]:
    """Mean and spread of -d ln G / d ln(1 + t / t0) of single cells."""
    cell, key = device(CELL).but(read_noise=None), Key(seed=2).child("drift", round(1000 * g))
    first, last = (cell.drifted(_cells(g, samples), seconds, key) for seconds in (FIRST, LAST))
    exponent = -np.log(last / first) / np.log((LAST + 20) / (FIRST + 20))
    return float(exponent.mean()), float(exponent.std())


def _read(g: float, seconds: float, samples: int) -> float:
    """Spread of reads of one conductance, over that conductance."""
    seen = (
        device(CELL)
        .but(drift=None)
        .read(_cells(g, samples), seconds, Key(seed=3).child("read", round(1000 * g)))
    )
    return float(seen.std() / (g * device(CELL).g_max))


def compute(quick: bool = False) -> xr.Dataset:
    """Dataset over conductance `g` (of 25 uS) of simulated moments and of the laws; quick takes 5e4
    instead of 1e6 cells.
    """
    samples = 50_000 if quick else 1_000_000
    g = (
        np.array([0.0, 0.1, 0.25, 0.5, 1.0])
        if quick
        else np.array([0.0, 0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0])
    )
    programmed = np.array([_programming(one, samples) for one in g])
    exponents = np.array([_exponents(one, samples) if one > 0 else (np.nan, np.nan) for one in g])
    read = np.array(
        [
            [_read(one, seconds, samples) if one > 0 else np.nan for seconds in TIMES.values()]
            for one in g
        ]
    )
    fits = [MICRO * device(name).programming.spread(g * 25e-6) for name in (CELL, OTHER_FIT)]
    return xr.Dataset(
        {
            "mean": ("g", programmed[:, 0], {"units": "uS"}),
            "programming": ("g", programmed[:, 1], {"units": "uS"}),
            "exponent": ("g", exponents[:, 0], {"units": "1"}),
            "exponent_spread": ("g", exponents[:, 1], {"units": "1"}),
            "read": (("g", "time"), read, {"units": "1"}),
            "fits": (("fit", "g"), np.array(fits), {"units": "uS"}),
        },
        coords={
            "g": ("g", g, {"units": "25 uS"}),
            "time": ("time", list(TIMES.values()), {"units": "s"}),
            "fit": [CELL, OTHER_FIT],
        },
        attrs={"samples": samples, "sources": "nandakumar2019, joshi2020, aihwkit, crosssim"},
    )


def targets() -> list[dict[str, str]]:
    """The rows of targets.csv."""
    with TARGETS.open() as file:
        return list(csv.DictReader(file))


def found(ds: xr.Dataset, row: Row) -> float:
    """Ours for a row of targets.csv: a moment of simulated cells, or how far two fits differ."""
    if row.quantity == "readings":
        g = np.linspace(0, 25e-6, 500)
        first, second = (device(str(name)).programming.spread(g) for name in ds.fit.values)
        return float(np.abs(first - second).max() / 25e-6 + 0 * ds.fits.values.sum())
    parts = row.condition.split(" ", 1)
    one = ds[row.quantity].sel(g=float(parts[0].removeprefix("g=")))
    return float(one.sel(time=TIMES[parts[1].removeprefix("t=")]) if len(parts) > 1 else one)


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Programming error, drift exponents and read noise against conductance: laws as lines,
    simulated cells as dots.
    """
    fig = figure(59)
    left, middle, right = fig.subplots(1, 3)
    fine, micro = np.linspace(1e-3, 1, 300), 25 * ds.g
    left.plot(
        25 * fine,
        formula("programming", fine),
        "-",
        color=PARTS[0],
        label="law (Nandakumar, Joshi)",
    )
    left.plot(
        micro,
        ds.fits.sel(fit=OTHER_FIT),
        "--",
        color=ALARM,
        label="another reading (CrossSim)",
    )
    left.plot(micro, ds.programming, "o", color=PARTS[0], label=f"{ds.attrs['samples']:,} cells")
    left.set(
        xlabel="target conductance (uS)",
        ylabel="programming error (uS)",
        ylim=(0, 1.3),
        title="Two readings of one figure agree;\ncells are cut at zero conductance",
    )
    middle.plot(25 * fine, formula("exponent", fine), "-", color=PARTS[0], label="mean")
    middle.plot(
        25 * fine, formula("exponent spread", fine), "-", color=PARTS[1], label="spread over cells"
    )
    middle.plot(micro, ds.exponent, "o", color=PARTS[0])
    middle.plot(micro, ds.exponent_spread, "o", color=PARTS[1])
    middle.set(
        xlabel="target conductance (uS)",
        ylabel="drift exponent",
        ylim=(0, 0.12),
        title="Low conductances drift\nfaster and less alike",
    )
    for colour, (name, seconds) in zip(PARTS, TIMES.items(), strict=False):
        right.plot(25 * fine, 100 * formula("read", fine, seconds), "-", color=colour, label=name)
        right.plot(micro, 100 * ds.read.sel(time=seconds), "o", color=colour)
    right.set(
        xlabel="conductance (uS)",
        ylabel="spread of reads (% of conductance)",
        yscale="log",
        title="Read noise grows with the root\nof the logarithm of time",
    )
    right.set_yticks([3, 10, 30, 100], ["3", "10", "30", "100"])
    right.minorticks_off()
    for axes, place in ((left, "lower right"), (middle, "upper right"), (right, "upper right")):
        axes.legend(loc=place)
    return fig


if __name__ == "__main__":
    answer = compute()
    save(draw(answer), OUT)
    fill(__file__, lambda row: found(answer, row))
