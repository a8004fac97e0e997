"""What becomes of a cell's conductance? Its distributions after programming and over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from pimlab import units
from pimlab.plot.style import PARTS, figure, for_print

TIMES: tuple[str | float, ...] = ("1 min", "1 h", "1 day", "1 month", "1 year")
LEVELS = 5
"""Targets that are drawn, evenly over the range."""
CELLS = 400


@for_print
def cells(device: Any, at: Sequence[str | float] = TIMES, seed: int = 0) -> Figure:
    """Conductances of a cell's targets as they are read, against time: median and the middle 68 %
    and 95 % of many cells.

    device : a `Device`.  at : times after programming, s or text; as many as one likes.  seed : of
    the cells. TypeError for what is no device. Unit: S.
    """
    if not hasattr(device, "program") or not hasattr(device, "g_max"):
        raise TypeError(f"cells takes a device, not {type(device).__name__}; write pim.device(...)")
    if isinstance(at, str) or not np.iterable(at) or not len(at):
        raise TypeError(f"cells at={at!r:.60}; allowed: a list of times, one or more")
    seconds = np.array([units.seconds(time) for time in at], float)
    goals = np.linspace(device.g_min, device.g_max, LEVELS)
    fig = figure(55, 1)
    ax = fig.subplots()
    for goal, colour in zip(goals, PARTS, strict=False):
        bands = _bands(device, float(goal), at, seed)
        ax.fill_between(seconds, bands[0], bands[4], color=colour, alpha=0.15, lw=0)
        ax.fill_between(seconds, bands[1], bands[3], color=colour, alpha=0.3, lw=0)
        ax.plot(seconds, bands[2], color=colour, marker=".", lw=1)
        ax.axhline(goal, color=colour, lw=0.6, ls=":")
    ax.set_xscale("log")
    ax.set_xticks(seconds, [str(time) for time in at])
    ax.minorticks_off()
    ax.yaxis.set_major_formatter(EngFormatter("S", sep=" "))
    ax.set_xlabel("time after programming (dotted: targets;\nbands: 68 % and 95 % of cells)")
    ax.set_ylabel("conductance as read")
    ax.set_title(f"{device.name}: {LEVELS} targets, {CELLS} cells each", fontsize="medium")
    return fig


def _bands(device: Any, goal: float, at: Sequence[str | float], seed: int) -> np.ndarray:
    """float64, shape (5, times), S: percentiles 2.5, 16, 50, 84, 97.5 of cells of one target."""
    written = device.program(np.full(CELLS, goal), seed)
    reads = [device.read(np.maximum(written, 0.0), time, seed + 1) for time in at]
    return np.percentile(reads, [2.5, 16, 50, 84, 97.5], axis=1)
