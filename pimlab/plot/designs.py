"""Which designs are worth building? Quality against joules, with the front that no other design
beats in both.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from pimlab.plot.style import PARTS, STAGE_COLOURS, STAGE_MARKERS, expected, figure, for_print
from pimlab.result import better, metrics

NOW = "now"
"""The design that is drawn with a ring: the one being looked at."""


def unbeaten(energy: np.ndarray, quality: np.ndarray, highest: bool = True) -> np.ndarray:
    """Indices of the designs that no other beats in both, by energy.

    energy : float64, shape (n,), J.  quality : float64, shape (n,), 1.  highest : whether more
    quality is better.

    >>> pimlab.plot.designs.unbeaten(np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.4, 0.9])).tolist()
    [0, 2]
    """
    sign = 1.0 if highest else -1.0
    kept, best = [], -np.inf
    for i in np.lexsort((-sign * quality, energy)):
        if sign * quality[i] > best:
            kept.append(int(i))
            best = sign * quality[i]
    return np.array(kept, int)


@for_print
def designs(ds: xr.Dataset, metric: str | None = None) -> Figure:
    """Quality against energy of designs, and their Pareto front.

    ds : over `design`: energy, energy_low, energy_high [J], a metric with _low and _high in 1, and
    a coordinate `stage` where a design belongs to one. A design called "now" is ringed.
    metric : which metric; the first there is, by default. TypeError for what is no such Dataset.
    """
    expected(ds, xr.Dataset, ("energy", "design"), "a Dataset of designs, as pim.explore keeps it")
    metric = metric or metrics(ds)[0]
    fig = figure(75)
    ax = fig.subplots()
    for i in range(ds.sizes["design"]):
        _point(ax, ds.isel(design=i), i + 1, metric)
    joules, quality = ds.energy.values, ds[metric].values
    kept = unbeaten(joules, quality, better(ds, metric) == "higher")
    ax.plot(joules[kept], quality[kept], "-", color="0.6", lw=1, zorder=0)
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(EngFormatter("J", sep=" "))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("energy of one inference (bars: range of its prices)")
    ax.set_ylabel(f"{metric} (bars: 95 % interval)")
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return fig


def _point(ax: Any, one: xr.Dataset, number: int, metric: str) -> None:
    name, colour = str(one.design.values), PARTS[(number - 1) % len(PARTS)]
    stage = int(one.stage) if "stage" in one.coords else 0
    x, y = float(one.energy), float(one[metric])
    across = [[max(x - float(one.energy_low), 0.0)], [max(float(one.energy_high) - x, 0.0)]]
    ends = [float(one[metric + end]) if metric + end in one else y for end in ("_low", "_high")]
    ax.errorbar(
        [x],
        [y],
        xerr=across,
        yerr=[[max(y - ends[0], 0.0)], [max(ends[1] - y, 0.0)]],
        fmt=STAGE_MARKERS.get(stage, "D"),
        color=STAGE_COLOURS.get(stage, colour),
        elinewidth=0.8,
        capsize=1.5,
        label=f"{number}  {name}",
    )
    ax.annotate(str(number), (x, y), xytext=(5, 5), textcoords="offset points", fontsize="small")
    if name == NOW:
        ax.plot([x], [y], "o", ms=10, mfc="none", mec="black")
