"""Where do the joules of an answer go? Bars by component, static and dynamic apart."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from pimlab.plot.style import PARTS, expected, figure, for_print
from pimlab.result import STATIC
from pimlab.units import si

MOST = 11
"""Components with a colour of their own; smaller ones are grey together."""
REST = "#DDDDDD"


@for_print
def breakdown(ds: xr.Dataset) -> Figure:
    """A bar for each machine, model and point of an answer, by component; hatched parts are static.

    ds : with energy in J over `component`, and over `layer` or other dimensions; what `run`,
    `compare`, `operating_points` answer. Whiskers: range of the prices, where energy_low and
    energy_high are there too.
    TypeError for what is no such Dataset.
    """
    expected(ds, xr.Dataset, ("energy", "component"), "what pimlab.run or pimlab.compare answer")
    table = _stacked(ds)
    order = table.energy.sum("bar").sortby(table.energy.sum("bar"), ascending=False)
    shown = order.component.values[:MOST]
    fig = figure(24 + 8 * table.sizes["bar"])
    ax = fig.subplots()
    left = np.zeros(table.sizes["bar"])
    for colour, name in zip(PARTS, shown, strict=False):
        width = np.nan_to_num(table.energy.sel(component=name).values)
        hatch = "///" if str(name).startswith(STATIC) else None
        ax.barh(table.bar.values, width, left=left, color=colour, label=name, hatch=hatch)
        left += width
    total = np.nan_to_num(table.energy.sum("component").values)
    if len(order) > MOST:
        ax.barh(table.bar.values, total - left, left=left, color=REST, label="all others")
    ranged = "energy_low" in table and "energy_high" in table
    if ranged:
        _whiskers(ax, table, total)
    ax.xaxis.set_major_formatter(EngFormatter("J", sep=" "))
    whiskers = "whiskers: range of the prices; " if ranged else ""
    ax.set_xlabel(f"energy of one inference ({whiskers}hatched: static)")
    ax.invert_yaxis()
    ax.set_title(_finding(table, str(shown[0])), fontsize="medium")
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return fig


def _whiskers(ax: Axes, table: xr.Dataset, total: np.ndarray) -> None:
    """From the low to the high end of each bar's prices. total : float64, shape (bars,), J."""
    low, high = (
        np.nan_to_num(table[name].sum("component").values) for name in ("energy_low", "energy_high")
    )
    across = np.abs(np.stack([total - low, high - total]))
    ax.errorbar(total, range(len(total)), xerr=across, fmt="none", color="0.3", capsize=1.5, lw=0.8)


def _stacked(ds: xr.Dataset) -> xr.Dataset:
    """The energies over `bar` and `component`; a bar's name tells its coordinates."""
    names = [name for name in ("energy", "energy_low", "energy_high") if name in ds]
    table = ds[names].sum("layer") if "layer" in ds.energy.dims else ds[names]
    others = [str(dim) for dim in table.energy.dims if dim != "component"]
    if not others:
        return table.expand_dims(bar=[str(ds.attrs.get("target", "answer"))])
    flat = table.stack(bar=others)
    labels = [", ".join(map(str, np.atleast_1d(key))) for key in flat.indexes["bar"]]
    return flat.drop_vars(["bar", *others]).assign_coords(bar=labels)


def _finding(table: xr.Dataset, largest: str) -> str:
    share = table.energy.sel(component=largest) / table.energy.sum("component")
    total = table.energy.sum("component").values
    least, most = float(share.min()), float(share.max())
    span = f"{least:.0%}" if len(total) == 1 else f"{least:.0%} to {most:.0%}"
    ends = f"{si(float(total.min()), 'J', 3)} to {si(float(total.max()), 'J', 3)}"
    joules = si(float(total[0]), "J", 3) if len(total) == 1 else ends
    return f"{joules} an inference; {largest}: {span} of it"
