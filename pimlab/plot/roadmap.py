"""What do the three stages do to accuracy and energy? The figures of the roadmap study."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, PercentFormatter

from pimlab import units
from pimlab.plot.style import PARTS, STAGE_COLOURS, STAGE_MARKERS, STAGE_NAMES, figure


def time_text(seconds: float) -> str:
    """Seconds as a reader says them: "1 h", "1 d", "1 month", "1 y"."""
    for name, length in (("y", 31557600.0), ("month", 2592000.0), ("d", 86400.0), ("h", 3600.0)):
        if seconds >= length:
            return f"{seconds / length:g} {name}"
    return f"{seconds:g} s"


def accuracy_against_energy(summary: pd.DataFrame) -> Figure:
    """Accuracy against energy per inference, one panel a workload, with both intervals.

    summary : the table of `studies.roadmap.summary`. A stage that drifts shows its first and its last time.
    """
    names = list(dict.fromkeys(summary.workload))
    fig = figure(3.1 * len(names), 3.6)
    axes = fig.subplots(1, len(names), squeeze=False)[0]
    for ax, name in zip(axes, names, strict=True):
        _panel(ax, summary[summary.workload == name])
        ax.set_title(name)
    axes[0].set_ylabel("accuracy")
    handles = {label: handle for ax in axes for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    fig.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3, frameon=False)
    fig.suptitle(_finding(summary))
    return fig


def _panel(ax: Any, rows: pd.DataFrame) -> None:
    for stage, one in rows.groupby("stage"):
        for row, filled in zip(one.iloc[[0, -1] if len(one) > 1 else [0]].itertuples(), (True, False), strict=False):
            late = len(one) > 1 and not filled
            ax.errorbar(
                row.energy_J, row.accuracy,
                xerr=[[row.energy_J - row.energy_low_J], [row.energy_high_J - row.energy_J]],
                yerr=[[row.accuracy - row.accuracy_low], [row.accuracy_high - row.accuracy]],
                fmt=STAGE_MARKERS[stage], color=STAGE_COLOURS[stage], markerfacecolor=STAGE_COLOURS[stage] if filled else "white",
                capsize=2, markersize=7, label=STAGE_NAMES[stage] + (f", after {time_text(row.at_s)}" if late else ""),
            )  # fmt: skip
    ax.set_xscale("log")
    ax.set_xlabel("energy per inference")
    ax.xaxis.set_major_formatter(EngFormatter("J", sep=" "))
    ax.tick_params(axis="x", which="minor", labelbottom=False)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    ax.grid(alpha=0.3)


def _finding(summary: pd.DataFrame) -> str:
    first = summary[summary.at_s == summary.at_s.min()]
    low = first.loc[first.groupby("workload").energy_J.idxmin()].stage
    best = int(low.mode()[0])
    share = f"{int((low == best).sum())} of {len(low)} workloads"
    return f"Lowest nominal energy: stage {best} on {share} (bars: 95 % of accuracy, low-high of prices)"


def energy_breakdown(ds: xr.Dataset) -> Figure:
    """Energy per inference by component, as shares, one bar a target, one panel a workload; totals with low-high above."""
    energy = ds.energy.mean("seed")
    fig = figure(3.1 * ds.sizes["workload"], 4.2)
    axes = fig.subplots(1, ds.sizes["workload"], sharey=True, squeeze=False)[0]
    parts = [c for c in energy.component.values if float(energy.sel(component=c).sum()) > 0]
    parts.sort(key=lambda c: -float((energy.sel(component=c) / energy.sum("component")).sum()))
    for ax, name in zip(axes, ds.workload.values, strict=True):
        _bars(ax, ds.sel(workload=name).mean("seed", keep_attrs=True), parts)
        ax.set_title(str(name))
    axes[0].set_ylabel("share of energy per inference")
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=min(6, len(labels)), frameon=False)
    fig.suptitle("Where the joules go (above each bar: total, and its low to high)")
    return fig


def _bars(ax: Any, one: xr.Dataset, parts: list[str]) -> None:
    total = one.energy.sum("component")
    share = (one.energy / total).fillna(0.0)
    places, base = np.arange(one.sizes["target"]), np.zeros(one.sizes["target"])
    for colour, part in zip(PARTS * 3, parts, strict=False):
        height = share.sel(component=part).values
        ax.bar(places, height, bottom=base, color=colour, label=part, width=0.7, edgecolor="white", linewidth=0.5)
        base = base + height
    for place, target in zip(places, one.target.values, strict=True):
        values = [float(one[v].sel(target=target).sum()) for v in ("energy", "energy_low", "energy_high")]
        middle, low, high = (units.si(v, "J", 2) for v in values)
        ax.text(place, 1.02, f"{middle}\n{low} to\n{high}", ha="center", va="bottom", fontsize=7)
    ax.set_xticks(places, one.target.values, fontsize=8)
    ax.set_ylim(0, 1.25)
    ax.set_yticks([0, 0.25, 0.5, 0.75, 1.0])
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))


def waterfall(explained: xr.Dataset, metric: str = "accuracy") -> Figure:
    """How `metric` falls as the non-idealities are added one after another, with the 95 % interval at each step."""
    steps, values = explained.step.values, explained[metric].values
    fig = figure(1.3 * len(steps) + 1.5, 3.8)
    ax = fig.subplots()
    drops = np.diff(values)
    ax.bar(0, values[0], color="#999999", width=0.65)
    colours = np.where(drops < 0, "#D55E00", "#009E73")
    ax.bar(np.arange(1, len(steps)), np.abs(drops), bottom=np.minimum(values[:-1], values[1:]), color=colours, width=0.65)
    low, high = values - explained[f"{metric}_low"].values, explained[f"{metric}_high"].values - values
    ax.errorbar(np.arange(len(steps)), values, yerr=[low, high], fmt="_", color="black", capsize=3)
    for place, value in enumerate(values):
        text = f"{value:.1%}" if place == 0 else f"{100 * drops[place - 1]:+.1f} pt"
        ax.annotate(text, (place, value + high[place]), xytext=(0, 3), textcoords="offset points", ha="center", fontsize=8)
    ax.set_xticks(np.arange(len(steps)), [str(s) for s in steps])
    margin = max(0.02, 0.25 * (values.max() - values.min() + high.max() + low.max()))
    ax.set_ylim(max(0.0, (values - low).min() - margin), min(1.05, (values + high).max() + margin))
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))
    ax.set_ylabel(metric)
    worst = str(steps[1 + int(np.argmin(drops))]).removeprefix("+ ") if len(drops) else "nothing"
    when = time_text(float(explained["at"]))
    ax.set_title(f"{worst} costs {explained.model.item()} most on {explained.target.item()}, {when} after programming")
    return fig
