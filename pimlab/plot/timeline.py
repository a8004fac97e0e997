"""What does each resource do when? A schedule as a Gantt figure."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from pimlab.plot.style import PARTS, expected, figure, for_print
from pimlab.units import is_integer, si

SHOWN = 10
"""Operators with a colour of their own; those with less work are grey."""
FEW = 6
"""Inferences that are drawn unless more are asked for."""
OTHERS = "#BBBBBB"
THIN = 0.003
"""Share of the axis."""


@for_print
def timeline(busy: xr.Dataset, inferences: int = FEW) -> Figure:
    """A row a resource, a bar a task, a colour an operator; every second inference is drawn paler.

    busy : what `schedule` returned.  inferences : the figure ends when so many batches have their
    answer. Beside each row stands its utilisation in steady state; the title says which resource
    sets the pace. TypeError for what is no schedule; ValueError for fewer than one inference.
    """
    expected(busy, xr.Dataset, ("start", "finish", "utilisation"), "the Dataset of pimlab.schedule")
    if not is_integer(inferences) or inferences < 1:
        raise ValueError(f"timeline inferences={inferences!r}; allowed: an integer, 1 or more")
    end = float(busy.finish.values[busy.inference.values < inferences].max()) or 1.0
    drawn = busy.isel(task=np.flatnonzero(busy.start.values < end))
    units = busy.unit.values[busy.work.values > 0]
    fig = figure(32 + 6 * len(units))
    ax = fig.subplots()
    colours = _colours(drawn)
    for place, name in enumerate(units):
        mine = drawn.isel(task=np.flatnonzero(drawn.resource.values == name))
        _row(ax, place, mine, colours, THIN * end)
    used = busy.utilisation.sel(unit=units).values
    ax.set_yticks(range(len(units)), [f"{n}  {u:.0%}" for n, u in zip(units, used, strict=True)])
    ax.set_ylim(len(units) - 0.5, -0.5)
    ax.set_xlim(0, end)
    ax.xaxis.set_major_formatter(EngFormatter("s", sep=" "))
    ax.set_xlabel("time (beside each resource: its utilisation in steady state)")
    ax.grid(axis="x", alpha=0.3)
    fig.suptitle(_finding(busy), fontsize="medium")
    _legend(ax, colours)
    return fig


def _colours(drawn: xr.Dataset) -> dict[str, str]:
    """Operator -> colour, those with most work first."""
    seconds = (drawn.finish - drawn.start).values
    work: dict[str, float] = {}
    for name, time in zip(drawn.layer.values, seconds, strict=True):
        work[str(name)] = work.get(str(name), 0.0) + float(time)
    order = sorted(work, key=lambda name: -work[name])
    return {name: PARTS[i] if i < SHOWN else OTHERS for i, name in enumerate(order)}


def _row(ax, place: int, tasks: xr.Dataset, colours: dict[str, str], thin: float) -> None:
    """The bars of one resource; those of at most `thin` s have no edge, which would hide them."""
    for name in dict.fromkeys(tasks.layer.values):
        for pale in (False, True):
            mine = (tasks.layer.values == name) & (tasks.inference.values % 2 == pale)
            one = tasks.isel(task=np.flatnonzero(mine))
            spans = np.stack([one.start.values, (one.finish - one.start).values], axis=1)
            ax.broken_barh(
                spans,
                (place - 0.4, 0.8),
                facecolors=colours[str(name)],
                alpha=0.45 if pale else 1.0,
                edgecolor="white",
                linewidth=0.3 * (spans[:, 1].max(initial=0.0) > thin),
            )


def _finding(busy: xr.Dataset) -> str:
    busiest = str(busy.unit.values[int(np.argmax(busy.utilisation.values))])
    return (
        f"{busy.attrs['model']} on {busy.attrs['target']}: first answer after "
        f"{si(float(busy.latency), 's', 3)}, then one every {si(float(busy.interval), 's', 3)}\n"
        f"{busiest} sets the pace"
    )


def _legend(ax, colours: dict[str, str]) -> None:
    from matplotlib.patches import Patch

    named = [Patch(color=c, label=_short(name)) for name, c in list(colours.items())[:SHOWN]]
    rest = len(colours) - SHOWN
    if rest > 0:
        named.append(Patch(color=OTHERS, label=f"{rest} others"))
    ax.legend(handles=named, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))


def _short(name: str) -> str:
    """The end of a long path of an operator."""
    return name if len(name) <= 28 else "..." + name[-25:]
