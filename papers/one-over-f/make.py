"""How much does an average over reads gain when noise has a 1/f spectrum? The spectrum's integral,
the parts that stand for it, and reads of a crossbar.

`python papers/one-over-f/make.py` writes the figure and the tables of README.md.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from scipy.special import sici

from pimlab.analog import Crossbar, device
from pimlab.analog.process import spectrum
from pimlab.keys import Key
from pimlab.plot.style import ALARM, PARTS, figure, for_print, save
from pimlab.studies.published import Row, fill

OUT = Path(__file__).with_name("one-over-f")
TARGETS = Path(__file__).with_name("targets.csv")
TIMES = {"1 s": 1.0, "1 day": 86400.0, "1 y": 365 * 86400.0}
READS = np.array([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000])
LAGS = np.array([1, 10, 100, 1000, 10_000, 1_000_000])
INTERVAL, READ_TIME, START = 0.5e-6, 250e-9, 20.0
"""Seconds from read to read, of one read, and age of a cell at time 0 (Joshi 2020)."""
KEYS = 12


def band(seconds: float) -> tuple[float, float]:
    """Lowest and highest frequency (Hz) of noise accumulated for `seconds` since programming."""
    return 1 / (seconds + START + READ_TIME), 1 / (2 * READ_TIME)


def correlation(lag: np.ndarray, seconds: float) -> np.ndarray:
    """Between reads `lag` (s) apart, of a spectrum 1/f between the ends of `band`: the integral of
    cos(2 pi f lag) / f over f, relative to that of 1 / f.
    """
    low, high = band(seconds)
    cosine = [sici(2 * np.pi * f * np.maximum(lag, 1e-12))[1] for f in (high, low)]
    return np.where(lag == 0, 1.0, (cosine[0] - cosine[1]) / np.log(high / low))


def by_parts(lag: np.ndarray, seconds: float) -> np.ndarray:
    """The same between reads `lag` (reads) apart, of the parts that the library draws."""
    shares = [
        share * np.maximum(1 - lag / hold, 0)
        for hold, share in spectrum(seconds + START, READ_TIME, INTERVAL)
    ]
    return np.where(lag == 0, 1.0, sum(shares, np.zeros(lag.shape)))


def kept(between: np.ndarray) -> np.ndarray:
    """Spread of the mean of n = 1, 2, ... reads over that of one, of correlations `between` reads
    0, 1, ... apart: (1 + 2 sum over l of (1 - l / n) rho(l)) / n, and its root.
    """
    n = np.arange(1, len(between) + 1)
    first = np.concatenate([[0.0], np.cumsum(between[1:])])
    second = np.concatenate([[0.0], np.cumsum(between[1:] * np.arange(1, len(between)))])
    return np.sqrt((1 + 2 * (first - second / n)) / n)


def machine() -> Crossbar:
    """Cells that are written exactly and do not drift: read noise alone."""
    cell = device("pcm-joshi2020").but(programming=None, drift=None)
    return Crossbar(cell=cell, interval=INTERVAL)


def drawn(seconds: float) -> np.ndarray:
    """float64, shape (reads,): spread of the mean of the first n reads of a crossbar over that of
    one, of 256 alike columns and `KEYS` sets of cells.
    """
    w = np.repeat(np.random.default_rng(1).standard_normal((256, 1)), 256, axis=1)
    x, w = np.ones((READS[-1], 256), np.float32), w.astype(np.float32)
    programmed, total = machine().program(w, 0), np.zeros(len(READS))
    exact = x[:1].astype(float) @ w.astype(float)
    for key in range(KEYS):
        read = programmed.matmul(x, Key(seed=key), at=seconds) - exact
        means = np.cumsum(read, axis=0)[READS - 1] / READS[:, None]
        total += np.square(means).mean(axis=1)
    return np.sqrt(total / total[0])


def compute(quick: bool = False) -> xr.Dataset:
    """Dataset over `time` (s), and over averaged `reads`: spread of the mean (unit 1: of one read),
    from the spectrum, from the parts and from draws; over `lag`, correlations of the first two.
    """
    times, reads = list(TIMES.values()), np.arange(READS[-1])
    exact = [kept(correlation(reads * INTERVAL, t))[READS - 1] for t in times]
    parts = [kept(by_parts(reads, t))[READS - 1] for t in times]
    found = {
        "exact": (("time", "reads"), exact),
        "parts": (("time", "reads"), parts),
        "drawn": (("time", "reads"), [drawn(t) for t in times]),
        "correlation": (("time", "lag"), [correlation(LAGS * INTERVAL, t) for t in times]),
        "correlation_of_parts": (("time", "lag"), [by_parts(LAGS, t) for t in times]),
    }
    return xr.Dataset(
        {name: (dims, np.array(values), {"units": "1"}) for name, (dims, values) in found.items()},
        coords={
            "time": ("time", times, {"units": "s"}),
            "reads": ("reads", READS, {"units": "1"}),
            "lag": ("lag", LAGS, {"units": "reads"}),
        },
        attrs={"sources": "nandakumar2019, joshi2020"},
    )


def targets() -> list[dict[str, str]]:
    """The rows of targets.csv."""
    with TARGETS.open() as file:
        return list(csv.DictReader(file))


def found(ds: xr.Dataset, row: Row) -> float:
    """Ours for a row of targets.csv: what is drawn, or what the parts say, at a time."""
    number, time = (part.split("=")[1] for part in row.condition.split(", "))
    if row.quantity == "correlation":
        one = ds.correlation_of_parts.sel(lag=int(number))
    else:
        one = ds.drawn.sel(reads=int(number))
    return float(one.sel(time=TIMES[time]))


def tables(ds: xr.Dataset) -> dict[str, str]:
    """What the mean of 16 and of 1,000 reads keeps of one read's spread."""
    lines = [
        "| after | mean of | spectrum | drawn | white noise | frozen noise |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, seconds in TIMES.items():
        for reads in (16, 1000):
            one = ds.sel(time=seconds, reads=reads)
            lines.append(
                f"| {name} | {reads} reads | {float(one.exact):.3f} | {float(one.drawn):.2f} | "
                f"{reads**-0.5:.3f} | 1 |"
            )
    return {"averages": "\n".join(lines)}


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Spread of an average against the number of reads, and correlation against their distance."""
    fig = figure(70)
    left, right = fig.subplots(1, 2)
    for colour, (name, seconds) in zip(PARTS, TIMES.items(), strict=False):
        one = ds.sel(time=seconds)
        left.plot(ds.reads, one.exact, "-", color=colour, label=f"{name}: spectrum")
        left.plot(ds.reads, one.drawn, "o", color=colour, label=f"{name}: drawn")
        lag = np.unique(np.geomspace(1, 1e9, 200).astype(int))
        right.plot(lag, correlation(lag * INTERVAL, seconds), "-", color=colour, label=name)
        right.plot(lag, by_parts(lag, seconds), "--", color=colour)
    left.plot(ds.reads, np.asarray(ds.reads) ** -0.5, ":", color=ALARM, label="white noise")
    left.set(
        xscale="log",
        xlabel="reads averaged",
        ylabel="spread of the mean (of one read)",
        ylim=(0, 1.05),
        title="Averaging reads back to back\nhardly helps against 1/f noise",
    )
    right.set(
        xscale="log",
        xlabel="distance of two reads (reads of 0.5 us)",
        ylabel="correlation",
        ylim=(-0.05, 1.05),
        title="Seven to ten parts (dashed)\nstand for the spectrum",
    )
    for axes in (left, right):
        axes.legend(frameon=False)
    return fig


if __name__ == "__main__":
    answer = compute()
    save(draw(answer), OUT)
    fill(__file__, lambda row: found(answer, row), tables(answer))
