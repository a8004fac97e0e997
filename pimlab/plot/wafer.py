"""How different are chips of one design? A map of dies, one programmed chip each."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from pimlab.arguments import typed
from pimlab.plot.style import ALARM, expected, figure, for_print
from pimlab.result import better, metrics

EDGE = 1.08
"""Radius of the wafer over that of its farthest die."""


@for_print
@typed
def wafer(ds: xr.Dataset, metric: str | None = None, least: float | None = None) -> Figure:
    """A die for each seed, coloured by a metric, on a round wafer; and how the values are spread.

    ds : a sweep over `seed` with a metric and no other dimension.  metric : which (default: the
    first).  least : the value that a good chip keeps; worse dies are crossed, and the title says
    the yield. Cells are independent draws: where a die lies on the wafer means nothing.
    Unit: the metric's. TypeError for an answer that is no such sweep.
    """
    expected(ds, xr.Dataset, ("seed",), "a sweep of pimlab.run over seed")
    name = metric or next(iter(metrics(ds)), None)
    if name is None or name not in ds.data_vars or ds[name].dims != ("seed",):
        raise TypeError(
            "wafer takes a sweep with a metric over seed alone; choose the rest by .sel"
        )
    values = ds[name].values
    x, y, side = places(len(values))
    fig = figure(62, 1)
    left, right = fig.subplots(1, 2, width_ratios=(1.3, 1))
    drawn = left.scatter(x, y, c=values, marker="s", s=(90 / side) ** 2, cmap="cividis")
    left.add_patch(Circle((0, 0), _radius(x, y), fill=False, lw=0.8))
    left.set_aspect("equal")
    left.set_axis_off()
    fig.colorbar(drawn, ax=left, label=name, location="bottom", shrink=0.8)
    right.hist(values, color="0.6")
    right.set(xlabel=name, ylabel="chips")
    left.set_title(_finding(values, name))
    if least is not None:
        bad = values > least if better(ds, name) == "lower" else values < least
        left.plot(x[bad], y[bad], "x", color=ALARM, ms=4)
        right.axvline(least, color=ALARM, ls="--", lw=0.8)
        left.set_title(f"{1 - bad.mean():.0%} of {len(values)} chips keep {least:g}")
    return fig


def places(count: int) -> tuple[np.ndarray, np.ndarray, int]:
    """x, y (unit: sides of a die) of `count` dies around the middle, nearest first, and how many
    stand side by side.
    """
    side = int(np.ceil(np.sqrt(4 * count / np.pi))) + 2
    grid = np.arange(side) - (side - 1) / 2
    x, y = (axis.ravel() for axis in np.meshgrid(grid, grid))
    near = np.lexsort((x, y, x**2 + y**2))[:count]
    return x[near], y[near], side


def _radius(x: np.ndarray, y: np.ndarray) -> float:
    return float(EDGE * (np.hypot(x, y).max() + 0.5))


def _finding(values: np.ndarray, name: str) -> str:
    return f"{name} of {len(values)} chips:\n{values.min():.3g} to {values.max():.3g}"
