"""What do the three stages do to accuracy and energy? The figures of the roadmap study."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, PercentFormatter

from pimlab import units
from pimlab.plot.style import PARTS, STAGE_COLOURS, STAGE_MARKERS, STAGE_NAMES, expected, figure
from pimlab.result import NORMAL_95, better

SHOWN = 11
"""Components with a colour of their own in the breakdown; smaller ones are drawn together."""


def time_text(seconds: float) -> str:
    """Seconds as a reader says them: "1 h", "1 d", "1 month", "1 y"."""
    for name, length in (("y", 31557600.0), ("month", 2592000.0), ("d", 86400.0), ("h", 3600.0)):
        if seconds >= length:
            return f"{seconds / length:g} {name}"
    return f"{seconds:g} s"


def accuracy_against_energy(summary: pd.DataFrame) -> Figure:
    """Accuracy (or perplexity, downwards) against energy per inference, one panel a workload, with
    both intervals.

    summary : the table of `roadmap.study.summary`. A stage that drifts shows its first and its
    last time; a workload that no metric scores shows its latency instead, downwards.
    """
    expected(
        summary,
        pd.DataFrame,
        ("workload", "metric", "stage", "energy_J"),
        "the table of pimlab.roadmap.study.summary",
    )
    names = list(dict.fromkeys(summary.workload))
    fig, panels = _grid(len(names), 3.6, 3.2)
    for ax, name in zip(panels, names, strict=True):
        rows = summary[summary.workload == name]
        _panel(ax, rows)
        ax.set_title(name if rows.metric.iloc[0] != "none" else f"{name} (no weights: latency)")
    handles = {
        label: handle
        for ax in panels
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
    }
    fig.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4, frameon=False)
    fig.suptitle(f"{_finding(summary)}\n(bars: 95 % of accuracy or perplexity, low-high of prices)")
    return fig


def _grid(count: int, width: float, height: float) -> tuple[Figure, list[Any]]:
    """A figure with `count` panels, three a row."""
    columns = min(3, count)
    rows = -(-count // columns)
    fig = figure(width * columns, height * rows + 0.8)
    axes = fig.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes[count:]:
        ax.set_axis_off()
    return fig, list(axes[:count])


def _panel(ax: Any, rows: pd.DataFrame) -> None:
    metric = rows.metric.iloc[0]
    for stage, one in rows.groupby("stage"):
        for row, filled in zip(
            one.iloc[[0, -1] if len(one) > 1 else [0]].itertuples(), (True, False), strict=False
        ):
            late = len(one) > 1 and not filled
            value, low, high = (
                [row.latency_s] * 3
                if metric == "none"
                else [getattr(row, metric + end) for end in ("", "_low", "_high")]
            )
            ax.errorbar(
                row.energy_J,
                value,
                xerr=[[row.energy_J - row.energy_low_J], [row.energy_high_J - row.energy_J]],
                yerr=[[value - low], [high - value]],
                fmt=STAGE_MARKERS[stage],
                color=STAGE_COLOURS[stage],
                markerfacecolor=STAGE_COLOURS[stage] if filled else "white",
                capsize=2,
                markersize=7,
                label=STAGE_NAMES[stage] + (f", after {time_text(row.at_s)}" if late else ""),
            )
    ax.set_xscale("log")
    ax.set_xlabel("energy per inference")
    ax.xaxis.set_major_formatter(EngFormatter("J", sep=" "))
    ax.tick_params(axis="x", which="minor", labelbottom=False)
    ax.grid(alpha=0.3)
    if metric == "accuracy":
        ax.set_ylabel("accuracy")
        ax.yaxis.set_major_formatter(PercentFormatter(1.0))
        return
    ax.set_ylabel(f"{'latency' if metric == 'none' else metric} (lower is better)")
    if metric == "none":
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter(EngFormatter("s", sep=" "))
        ax.tick_params(axis="y", which="minor", labelleft=False)
    ax.invert_yaxis()


def _finding(summary: pd.DataFrame) -> str:
    """Which stage costs least on which workloads."""
    first = summary[summary.at_s == summary.at_s.min()]
    cheapest = (
        first.loc[first.groupby("workload", sort=False).energy_J.idxmin()]
        .groupby("stage")
        .workload.agg(list)
    )
    lines = [
        f"stage {stage} on {', '.join(names) if len(names) < 3 else f'{len(names)} workloads'}"
        for stage, names in cheapest.items()
    ]
    return f"Lowest nominal energy: {'; '.join(lines)}"


def energy_breakdown(ds: xr.Dataset) -> Figure:
    """Energy per inference by component, as shares, one bar a target, one panel a workload; totals
    with low-high above.
    """
    expected(
        ds,
        xr.Dataset,
        ("energy", "workload", "target", "seed", "component"),
        "the Dataset of pimlab.roadmap.study.compute",
    )
    energy = ds.energy.mean("seed").fillna(0.0)
    fig, panels = _grid(ds.sizes["workload"], 3.6, 3.4)
    parts = [c for c in energy.component.values if float(energy.sel(component=c).sum()) > 0]
    parts.sort(key=lambda c: -float((energy.sel(component=c) / energy.sum("component")).sum()))
    shown, few = parts[:SHOWN], parts[SHOWN:]
    for ax, name in zip(panels, ds.workload.values, strict=True):
        _bars(ax, ds.sel(workload=name).mean("seed", keep_attrs=True), shown, few)
        ax.set_title(str(name))
        ax.set_ylabel("share of energy")
    handles = {
        label: handle
        for ax in panels
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
    }
    fig.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=6, frameon=False)
    fig.suptitle(
        "Where the joules of one inference go (above each bar: total, and its low to high)"
    )
    return fig


def _bars(ax: Any, one: xr.Dataset, parts: list[str], few: list[str]) -> None:
    total = one.energy.sum("component")
    share = (one.energy / total).fillna(0.0)
    places, base = np.arange(one.sizes["target"]), np.zeros(one.sizes["target"])
    heights = {part: share.sel(component=part).values for part in parts}
    if few:
        heights["all others"] = share.sel(component=few).sum("component").values
    for colour, (part, height) in zip((*PARTS[:SHOWN], "#DDDDDD"), heights.items(), strict=False):
        ax.bar(
            places,
            height,
            bottom=base,
            color=colour,
            label=part,
            width=0.7,
            edgecolor="white",
            linewidth=0.5,
        )
        base = base + height
    for place, target in zip(places, one.target.values, strict=True):
        values = [
            float(one[v].sel(target=target).sum()) for v in ("energy", "energy_low", "energy_high")
        ]
        middle, low, high = (units.si(v, "J", 3) for v in values)
        ax.text(place, 1.02, f"{middle}\n{low} to\n{high}", ha="center", va="bottom", fontsize=7)
    ax.set_xticks(places, one.target.values, fontsize=8)
    ax.set_ylim(0, 1.25)
    ax.set_yticks([0, 0.25, 0.5, 0.75, 1.0])
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))


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
    fig = figure(1.3 * len(steps) + 1.5, 3.8)
    ax = fig.subplots()
    changes = np.diff(values)
    ax.bar(0, values[0], color="#999999", width=0.65)
    gains = changes if better(chips, metric) == "higher" else -changes
    colours = np.where(gains < 0, "#D55E00", "#009E73")
    ax.bar(
        np.arange(1, len(steps)),
        np.abs(changes),
        bottom=np.minimum(values[:-1], values[1:]),
        color=colours,
        width=0.65,
    )
    ax.errorbar(np.arange(len(steps)), values, yerr=[low, high], fmt="_", color="black", capsize=3)
    for place, text in enumerate(
        _change_texts(chips[metric].transpose("step", "seed").values, metric)
    ):
        top = max(values[max(place - 1, 0)], values[place] + high[place])
        ax.annotate(
            text, (place, top), xytext=(0, 3), textcoords="offset points", ha="center", fontsize=8
        )
    ax.set_xticks(np.arange(len(steps)), [str(s) for s in steps])
    margin = max(0.02, 0.25 * (values.max() - values.min() + high.max() + low.max()))
    ax.set_ylim(max(0.0, (values - low).min() - margin), (values + high).max() + margin)
    if metric == "accuracy":
        ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))
    ax.set_ylabel(metric)
    ax.set_title(_costliest(chips, gains))
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


def _costliest(chips: xr.Dataset, gains: np.ndarray) -> str:
    worst = (
        str(chips.step.values[1 + int(np.argmin(gains))]).removeprefix("+ ")
        if len(gains)
        else "nothing"
    )
    when, count = time_text(float(chips["at"].max())), chips.sizes["seed"]
    mean = f", mean of {count} chips" if count > 1 else ""
    return (
        f"{worst} costs {chips.attrs['model']} most on {chips.attrs['target']}, {when} after "
        f"programming{mean}"
    )
