"""Where do the time and the joules of a step in the banks go? Stacked bars of what `pimlab.dram_pim` answers."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from pimlab.plot.style import PARTS, figure
from pimlab.units import si


def time_and_energy(ds: xr.Dataset) -> Figure:
    """`decode_layer` as two stacked bars a way: seconds by product, joules by component; the title says the ratios."""
    fig = figure(8.5, 3.6)
    left, right = fig.subplots(1, 2)
    _stack(left, ds.seconds.transpose("product", "way"), 1e6)
    _stack(right, ds.energy.sum("product").transpose("component", "way"), 1e3)
    seconds, joules = ds.seconds.sum("product").values, ds.energy.sum(["product", "component"]).values
    left.set_ylabel("time of one layer (µs)")
    right.set_ylabel("energy of one layer (mJ)")
    left.set_title(f"In the banks {seconds[1] / seconds[0]:.1f} x the speed", fontsize="medium")
    right.set_title(f"and {100 * joules[0] / joules[1]:.0f} % of the energy", fontsize="medium")
    return fig


def phases(answers: dict[str, xr.Dataset]) -> Figure:
    """Share of time by phase of several `gemv` answers, one bar each with its time above."""
    fig = figure(7, 3.4)
    axes = fig.subplots()
    table = xr.concat([ds.phase_cycles / int(ds.cycles) for ds in answers.values()], "run", join="outer", fill_value=0.0)
    _stack(axes, table.assign_coords(run=list(answers)).transpose("phase", "run"), 100)
    for place, ds in enumerate(answers.values()):
        axes.text(place, 101, si(float(ds.seconds), "s"), ha="center", fontsize="small")
    axes.set_ylim(0, 110)
    axes.set_ylabel("share of time (%)")
    axes.set_title("What surrounds the reads of the weights", fontsize="medium")
    return fig


def _stack(axes, table: xr.DataArray, scale: float) -> None:
    """Bars over the second dimension, stacked along the first; the smallest parts are left unnamed."""
    across = table[table.dims[1]].values
    base = np.zeros(len(across))
    total = float(table.values.sum(axis=0).max())
    for i, name in enumerate(table[table.dims[0]].values):
        heights = table.values[i] * scale
        label = str(name) if table.values[i].max() > 0.01 * total else None
        axes.bar([str(a) for a in across], heights, bottom=base, color=PARTS[i % len(PARTS)], label=label, width=0.6)
        base += heights
    axes.legend(frameon=False, fontsize="x-small", loc="upper left", bbox_to_anchor=(1, 1))
