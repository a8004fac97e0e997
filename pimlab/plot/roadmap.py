"""Where do the joules of an inference go on the three stages, and what costs accuracy? Figures of
the roadmap study.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from pimlab import units
from pimlab.plot.stages import time_text
from pimlab.plot.style import ALARM, PARTS, expected, figure, for_print
from pimlab.result import NORMAL_95, STATIC, better

SHOWN = 11
"""Dynamic components with a colour of their own in the breakdown; smaller ones share one."""
COLUMNS = 2
FEW = "#F3E3D3"
GREYS = ("#555555", "#777777", "#999999", "#BBBBBB", "#DDDDDD")
"""Components of static power."""


@for_print
def energy_breakdown(ds: xr.Dataset) -> Figure:
    """Energy per inference by component, as shares, one panel a workload, one bar a target and
    operating point; static power grey; totals with low and high at the right.
    """
    expected(
        ds,
        xr.Dataset,
        ("energy", "workload", "target", "seed", "traffic", "component"),
        "the Dataset of pimlab.roadmap.study.compute",
    )
    energy = ds.energy.mean("seed").fillna(0.0)
    count = ds.sizes["workload"]
    rows = -(-count // COLUMNS)
    fig = figure(45 * rows + 18)
    panels = fig.subplots(rows, min(COLUMNS, count), squeeze=False).ravel()
    parts = [c for c in energy.component.values if float(energy.sel(component=c).sum()) > 0]
    parts.sort(key=lambda c: -float((energy.sel(component=c) / energy.sum("component")).sum()))
    colours = _colours(parts)
    for ax, name in zip(panels, ds.workload.values, strict=False):
        _bars(ax, ds.sel(workload=name).mean("seed", keep_attrs=True), colours)
        ax.set_title(str(name))
    for ax in panels[count:]:
        ax.set_axis_off()
    handles = {
        label: handle
        for ax in panels
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
    }
    fig.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=6, frameon=False)
    fig.suptitle("Where the joules of an inference go (total, and its low to high, beside)")
    return fig


def _colours(parts: list[str]) -> dict[str, str]:
    """Component -> colour: static ones first, in greys; of the others the largest in colours of
    their own, the rest in one.
    """
    static = [name for name in parts if name.startswith(f"{STATIC} ")]
    others = [name for name in parts if name not in static]
    colours = dict(zip(static, GREYS, strict=False))
    return colours | {name: PARTS[i] if i < SHOWN else FEW for i, name in enumerate(others)}


def _bars(ax: Any, one: xr.Dataset, colours: dict[str, str]) -> None:
    """One bar a machine and operating point, the machines apart, with its joules at the right."""
    one = one.stack(bar=("target", "traffic"))
    share = (one.energy / one.energy.sum("component")).fillna(0.0)
    count, points = one.sizes["bar"], len(set(one.bar.traffic.values))
    places = np.arange(count) + 0.5 * (np.arange(count) // points)
    base = np.zeros(count)
    for part, colour in colours.items():
        width = share.sel(component=part).transpose("bar").values
        label = "all other dynamic energy" if colour == FEW else part
        ax.barh(places, width, 0.8, base, color=colour, label=label, edgecolor="white", lw=0.4)
        base = base + width
    for place, bar in zip(places, one.bar.values, strict=True):
        values = [float(one[v].sel(bar=bar).sum()) for v in ("energy", "energy_low", "energy_high")]
        middle, low, high = (units.si(v, "J", 3) for v in values)
        ax.text(1.03, place, f"{middle} ({low} to {high})", va="center", fontsize="small")
    ax.set_yticks(places, [f"{target}, {traffic}" for target, traffic in one.bar.values])
    ax.tick_params(axis="y", labelsize="small", length=0)
    ax.invert_yaxis()
    ax.set_xlim(0, 1)
    ax.set_xticks([0, 0.5, 1.0])
    ax.xaxis.set_major_formatter(PercentFormatter(1.0))


@for_print
def waterfall(explained: xr.Dataset, metric: str = "accuracy") -> Figure:
    """How `metric` changes as the non-idealities are added one after another, with the 95 %
    interval at each step.

    explained : what `explain` returns, or a sweep of it over `seed`: then means over chips, and
    each change with the half-width of its 95 % interval over chips. A change for the worse is
    orange, one for the better green, as the metric's attribute `better` says.
    """
    expected(
        explained,
        xr.Dataset,
        ("step", metric),
        "the Dataset of pimlab.explain, or of a sweep of it over seed",
    )
    chips = explained if "seed" in explained.dims else explained.expand_dims("seed")
    steps, values = chips.step.values, chips[metric].mean("seed").values
    low, high = (
        np.abs(chips[f"{metric}_{end}"].mean("seed").values - values) for end in ("low", "high")
    )
    fig = figure(65)
    ax = fig.subplots()
    changes = np.diff(values)
    ax.bar(0, values[0], color="#999999", width=0.65)
    gains = changes if better(chips, metric) == "higher" else -changes
    colours = np.where(gains < 0, ALARM, PARTS[1])
    ax.bar(
        np.arange(1, len(steps)),
        np.abs(changes),
        bottom=np.minimum(values[:-1], values[1:]),
        color=colours,
        width=0.65,
    )
    ax.errorbar(
        np.arange(len(steps)), values, yerr=[low, high], fmt="_", color="black", capsize=1.5
    )
    for place, text in enumerate(
        _change_texts(chips[metric].transpose("step", "seed").values, metric)
    ):
        top = max(values[max(place - 1, 0)], values[place] + high[place])
        ax.annotate(
            text,
            (place, top),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            fontsize="small",
        )
    ax.set_xticks(np.arange(len(steps)), [str(s) for s in steps])
    margin = max(0.02, 0.25 * (values.max() - values.min() + high.max() + low.max()))
    ax.set_ylim(max(0.0, (values - low).min() - margin), (values + high).max() + margin)
    if metric == "accuracy":
        ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))
    ax.set_ylabel(metric)
    ax.set_title(_costliest(chips, metric))
    return fig


def _change_texts(values: np.ndarray, metric: str) -> list[str]:
    """The first value and each change of values (step, chip), with its 95 % half-width over chips
    where there are several.
    """
    scale, digits, unit = (100.0, 1, " pt") if metric == "accuracy" else (1.0, 2, "")
    changes, chips = scale * np.diff(values, axis=0), values.shape[1]
    first = f"{scale * values[0].mean():.{digits}f}{' %' if metric == 'accuracy' else ''}"
    half = NORMAL_95 * changes.std(axis=1, ddof=1) / np.sqrt(chips) if chips > 1 else None
    spread = [""] * len(changes) if half is None else [f" ± {h:.{digits}f}" for h in half]
    return [
        first,
        *(f"{c.mean():+.{digits}f}{s}{unit}" for c, s in zip(changes, spread, strict=True)),
    ]


def _costliest(chips: xr.Dataset, metric: str) -> str:
    """Which step costs most, where the chips agree on it; else what is shown."""
    values = chips[metric].transpose("step", "seed").values
    costs = np.diff(values, axis=0) * (-1 if better(chips, metric) == "higher" else 1)
    about, count = f"{chips.attrs['model']} {{}} on {chips.attrs['target']}", values.shape[1]
    mean = f", mean of {count} chips" if count > 1 else ""
    when = f", {time_text(float(chips['at'].max()))} after programming{mean}"
    worst = int(np.argmax(costs.mean(axis=1))) if len(costs) else 0
    if len(costs) and _stands_out(costs, worst):
        step = str(chips.step.values[1 + worst]).removeprefix("+ ")
        return f"{step} costs {about.format('most')}{when}"
    return f"{metric} of {about.format('as non-idealities are added')}{when}"


def _stands_out(costs: np.ndarray, worst: int) -> bool:
    """Whether the step `worst` of costs (step, chip) costs something, and more than each other.

    Paired differences over chips, each by Student's t at 95 %, divided by the number of comparisons
    (Bonferroni). One chip says nothing.
    """
    from scipy.stats import t

    steps, chips = costs.shape
    if chips < 2:
        return False
    ahead = costs[worst] - np.vstack([np.delete(costs, worst, axis=0), np.zeros(chips)])
    half = t.ppf(1 - 0.025 / steps, chips - 1) * ahead.std(axis=1, ddof=1) / np.sqrt(chips)
    return bool((ahead.mean(axis=1) > half).all())
