"""Where do the time and the joules of a step in the banks go? Stacked bars of what
`pimlab.dram_pim` answers.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from pimlab.plot.style import PARTS, figure, for_print
from pimlab.units import si


@for_print
def time_and_energy(ds: xr.Dataset) -> Figure:
    """`decode_layer` as two stacked bars a way: seconds [s] by product, joules by component; the
    title says the ratios.
    """
    fig = figure(75)
    left, right = fig.subplots(1, 2)
    _stack(left, ds.seconds.transpose("product", "way"), 1e6)
    _stack(right, ds.energy.sum("product").transpose("component", "way"), 1e3)
    seconds, joules = (
        ds.seconds.sum("product").values,
        ds.energy.sum(["product", "component"]).values,
    )
    left.set_ylabel("time of one layer (µs)")
    right.set_ylabel("energy of one layer (mJ)")
    left.set_title(f"In the banks {seconds[1] / seconds[0]:.1f} x the speed", fontsize="medium")
    right.set_title(f"and {100 * joules[0] / joules[1]:.0f} % of the energy", fontsize="medium")
    return fig


@for_print
def phases(answers: dict[str, xr.Dataset]) -> Figure:
    """Share of time by phase of several `gemv` answers, one bar each with its time above."""
    fig = figure(62)
    axes = fig.subplots()
    table = xr.concat(
        [ds.phase_cycles / int(ds.cycles) for ds in answers.values()],
        "run",
        join="outer",
        fill_value=0.0,
    )
    _stack(axes, table.assign_coords(run=list(answers)).transpose("phase", "run"), 100)
    for place, ds in enumerate(answers.values()):
        axes.text(place, 101, si(float(ds.seconds), "s"), ha="center", fontsize="small")
    axes.set_ylim(0, 110)
    axes.set_ylabel("share of time (%)")
    axes.set_title("What surrounds the reads of the weights", fontsize="medium")
    return fig


@for_print
def powers(answers: dict[str, xr.Dataset]) -> Figure:
    """Power of several `gemv` answers over what their packages may dissipate: the mean of the run,
    and while every bank streams. Unit: W.
    """
    fig = figure(60)
    axes = fig.subplots()
    places = np.arange(len(answers))
    parts = (
        ("energy", "mean of a product", -0.18, PARTS[0]),
        ("all_bank_power", "every bank streaming", 0.18, PARTS[1]),
    )
    for name, label, shift, colour in parts:
        bars = np.array([_over_limit(ds, name) for ds in answers.values()]).T
        axes.bar(places + shift, bars[1], 0.34, color=colour, label=label)
        axes.errorbar(
            places + shift,
            bars[1],
            [bars[1] - bars[0], bars[2] - bars[1]],
            fmt="none",
            ecolor="0.25",
            capsize=1.5,
        )
    for place, ds in zip(places, answers.values(), strict=True):
        limit = ds.package_limit
        axes.fill_between(
            [place - 0.4, place + 0.4],
            *(limit.attrs[end] / float(limit) for end in ("low", "high")),
            color="0.9",
            zorder=0,
        )
        axes.hlines(1, place - 0.4, place + 0.4, color="0.4")
    axes.set_xticks(
        places,
        [f"{name}\nlimit {si(float(ds.package_limit), 'W')}" for name, ds in answers.items()],
    )
    axes.set_ylabel("power over the package's limit")
    held = [name for name, ds in answers.items() if float(ds.get("slowdown", 1)) > 1]
    finding = (
        f"are held back to the assumed limit in {' and '.join(held)}"
        if held
        else "stay below the assumed limit"
    )
    axes.set_title(f"All banks at once {finding}", fontsize="medium")
    axes.legend(frameon=False)
    return fig


def _over_limit(ds: xr.Dataset, name: str) -> tuple[float, float, float]:
    """(low, nominal, high) power over the package's limit; energies are means over the run."""
    seconds = float(ds.seconds) if name == "energy" else 1.0
    low, nominal, high = (
        float(ds[f"{name}{end}"].sum()) / seconds / float(ds.package_limit)
        for end in ("_low", "", "_high")
    )
    return low, nominal, high


def _stack(axes, table: xr.DataArray, scale: float) -> None:
    """Bars over the second dimension, stacked along the first; the smallest parts are left
    unnamed.
    """
    across = table[table.dims[1]].values
    base = np.zeros(len(across))
    total = float(table.values.sum(axis=0).max())
    for i, name in enumerate(table[table.dims[0]].values):
        heights = table.values[i] * scale
        label = str(name) if table.values[i].max() > 0.01 * total else None
        axes.bar(
            [str(a) for a in across],
            heights,
            bottom=base,
            color=PARTS[i % len(PARTS)],
            label=label,
            width=0.6,
        )
        base += heights
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
