"""How does quality change with what was swept? A metric against the values of a coordinate."""

from __future__ import annotations

import xarray as xr
from matplotlib.figure import Figure

from pimlab.plot.analog import spread
from pimlab.plot.style import PARTS, expected, figure, for_print
from pimlab.result import better, metrics
from pimlab.values import unknown

_NOT_SWEPT = ("at", "seed", "layer", "component", "phase", "event", "overrun")


def swept_numbers(ds: xr.Dataset, metric: str) -> list[str]:
    """The dimensions of `metric` whose coordinates are numbers that a sweep gave. No unit."""
    return [
        str(dim)
        for dim in ds[metric].dims
        if dim not in _NOT_SWEPT and dim in ds.coords and ds[dim].dtype.kind in "fiu"
    ]


@for_print
def swept(ds: xr.Dataset, over: str | None = None, metric: str | None = None) -> Figure:
    """A metric against a swept number, a line for each value of the other swept coordinates.

    ds : what `sweep` answers: a metric in its unit over `over` and others.  over : a coordinate of
    numbers (default: the first).  metric : which (default: the first). Shaded: from the worst to
    the best seed, or the 95 % interval over samples where the answer has it.
    TypeError for an answer without a metric over a swept number; ValueError for an `over` that is
    none.

    >>> accuracy = ("bits", [0.5, 0.9], {"better": "higher"})
    >>> answer = xr.Dataset({"accuracy": accuracy}, coords={"bits": [4, 6]})
    >>> pim.plot.swept(answer).axes[0].get_title()
    'accuracy 0.5 to 0.9; best at bits=6'
    """
    expected(ds, xr.Dataset, (), "what pimlab.sweep answers")
    name = metric or next((one for one in metrics(ds) if swept_numbers(ds, one)), None)
    numbers = swept_numbers(ds, name) if name is not None and name in ds else []
    if name is None or not numbers:
        raise TypeError("swept: this Dataset has no metric over a swept number")
    if over is not None and over not in numbers:
        raise ValueError(unknown("swept over", over, numbers))
    over = over or numbers[0]
    fig = figure(60, 1)
    axes = fig.subplots()
    lines = _lines(ds, name, over)
    for i, (label, one) in enumerate(lines.items()):
        middle, low, high = spread(one, name)
        colour = PARTS[i % len(PARTS)]
        axes.fill_between(one[over], low, high, color=colour, alpha=0.2, lw=0)
        axes.plot(one[over], middle, "o-", color=colour, label=label)
    seeds = "seed" in ds[name].dims
    shaded = " (shaded: all seeds)" if seeds else " (shaded: 95 % interval)"
    axes.set(xlabel=over, ylabel=name + (shaded if seeds or name + "_low" in ds else ""))
    axes.set_xticks(ds[over].values)
    axes.set_title(_finding(ds, name, over))
    if len(lines) > 1:
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return fig


def _lines(ds: xr.Dataset, name: str, over: str) -> dict[str, xr.Dataset]:
    """Label of a line -> its values over `over`, and over seeds where they are."""
    kept = ds[[one for one in (name, f"{name}_low", f"{name}_high") if one in ds]].sortby(over)
    others = [dim for dim in kept[name].dims if dim not in (over, "seed")]
    if not others:
        return {name: kept}
    flat = kept.stack(line=others)
    keys = flat.indexes["line"]
    return {
        ", ".join(f"{dim}={value}" for dim, value in zip(others, key, strict=True)): flat.isel(
            line=i
        )
        for i, key in enumerate(keys)
    }


def _finding(ds: xr.Dataset, name: str, over: str) -> str:
    """From the worst to the best mean over everything else, and where the best is."""
    mean = ds[name].mean([dim for dim in ds[name].dims if dim != over])
    best = mean.idxmax() if better(ds, name) == "higher" else mean.idxmin()
    ends = f"{float(mean.min()):.3g} to {float(mean.max()):.3g}"
    return f"{name} {ends}; best at {over}={best.item():g}"
