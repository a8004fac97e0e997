"""Which number format costs how much accuracy and energy? One point and one bar a format."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from pimlab.plot.style import PARTS, figure, for_print
from pimlab.result import better

_LABELS = {"accuracy": "accuracy", "perplexity": "perplexity (lower is better)"}


@for_print
def by_format(ds: xr.Dataset, metric: str = "accuracy") -> Figure:
    """Left: `metric` with its interval against the energy that operations cost. Right: that energy
    by component.

    ds : a sweep over `format` with `metric`, its interval and energy (format, layer, component) in
    J; static power
        is left out, for it follows from latency, not from the format.
    """
    fig = figure(78)
    left, right = fig.subplots(1, 2)
    spent = {
        part: _without_static(ds[part]).sum("layer") * 1e6
        for part in ("energy", "energy_low", "energy_high")
    }
    total = spent["energy"].sum("component")
    spread = np.abs(np.stack([ds[f"{metric}_low"], ds[f"{metric}_high"]]) - ds[metric].values)
    left.errorbar(total, ds[metric], yerr=spread, fmt="o", color=PARTS[0], capsize=1.5, lw=1)
    for place, index in enumerate(np.argsort(total.values)):
        at = (float(total[index]), float(ds[metric][index]))
        left.annotate(
            str(ds.format.values[index]),
            at,
            (4, 5 if place % 2 else -12),
            textcoords="offset points",
            fontsize="small",
        )
    left.set(
        xlabel="energy of the operations of one inference (uJ)",
        ylabel=_LABELS.get(metric, metric),
        title=_cheapest(ds, metric, total),
    )
    left.margins(x=0.15)
    if metric == "perplexity":
        left.set_yscale("log")
        left.yaxis.set_major_formatter("{x:g}")
        left.yaxis.set_minor_formatter("{x:g}")
    bottom = np.zeros(ds.sizes["format"])
    for name, colour in zip(ds.component.values, PARTS, strict=False):
        each = spent["energy"].sel(component=name).values
        if each.any():
            right.bar(ds.format.astype(str), each, bottom=bottom, color=colour, label=str(name))
            bottom += each
    share = (
        (spent["energy"].sum("format") / total.sum())
        .sortby(spent["energy"].sum("format"))
        .isel(component=-1)
    )
    right.set(
        ylabel="energy of the operations of one inference (uJ)",
        title=f"{share.component.item()} takes {float(share):.0%} of it",
    )
    right.set_xticks(
        range(ds.sizes["format"]), ds.format.values.astype(str), rotation=30, ha="right"
    )
    right.legend(frameon=False)
    return fig


def _cheapest(ds: xr.Dataset, metric: str, total: xr.DataArray) -> str:
    """The format of least energy whose metric lies within the interval of the best one."""
    values = ds[metric].values if better(ds, metric) == "higher" else -ds[metric].values
    best = ds.isel(format=int(np.argmax(values)))
    inside = (ds[metric] >= best[f"{metric}_low"]) & (ds[metric] <= best[f"{metric}_high"])
    name = total.where(inside).idxmin("format").item()
    return f"{name} is the cheapest format within the best one's interval"


def _without_static(energy: xr.DataArray) -> xr.DataArray:
    return energy.sel(
        layer=[layer for layer in energy.layer.values if not str(layer).startswith("static ")]
    )
