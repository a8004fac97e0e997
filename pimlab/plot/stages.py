"""What quality does a trained model keep on each stage, and at what energy, when one request comes,
when few come, and when they never stop? The first figure of the roadmap study.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, PercentFormatter

from pimlab.plot.style import (
    STAGE_COLOURS,
    STAGE_MARKERS,
    STAGE_NAMES,
    expected,
    figure,
    for_print,
    letters,
)

_OFFSETS = {"one request": -0.27, "1 % load": 0.0, "saturation": 0.27}
"""Where the points of a machine stand beside its line, in lines."""
_FILLS = {"one request": "white", "1 % load": "0.75", "saturation": None}
"""What fills the marker of an operating point; None: the colour of its stage."""
_COLUMNS = ("quality on the machine", "dynamic energy an inference", "with static power")
_SHARES = (1.0, 0.6, 1.0)
"""Widths of the columns, relative."""
_ROW, _EDGES = 29.0, 26.0
"""Height of a workload, and of title and legend together, mm."""
_MARGIN = 1.06
"""End of an axis of perplexity over the largest value drawn."""


def time_text(seconds: float) -> str:
    """Seconds [s] as a reader says them: "1 h", "1 d", "1 month", "1 y"."""
    for name, length in (("y", 31557600.0), ("month", 2592000.0), ("d", 86400.0), ("h", 3600.0)):
        if seconds >= length:
            return f"{seconds / length:g} {name}"
    return f"{seconds:g} s"


@for_print
def operating_points(summary: pd.DataFrame) -> Figure:
    """Three panels a workload, a line a machine. Left: accuracy (or perplexity) from 0, with its
    95 % interval and its value as text, beside a dashed line of the float model. Middle: dynamic
    energy of an inference. Right: energy with static power at the three operating points, with the
    low and high of prices.

    summary : the table of `roadmap.study.summary`. A stage that drifts shows its first and its
    last time; a workload that no metric scores shows the latency of one request instead.
    """
    expected(
        summary,
        pd.DataFrame,
        ("workload", "metric", "stage", "traffic", "energy_J", "dynamic_J"),
        "the table of pimlab.roadmap.study.summary",
    )
    names = list(dict.fromkeys(summary.workload))
    fig = figure(_EDGES + _ROW * len(names))
    axes = fig.subplots(len(names), 3, squeeze=False, sharey="row", width_ratios=_SHARES)
    for (left, middle, right), name in zip(axes, names, strict=True):
        rows = summary[summary.workload == name]
        _quality(left, rows) if rows.metric.iloc[0] != "none" else _latency(left, rows)
        _dynamic(middle, rows)
        _energy(right, rows)
        machines = list(dict.fromkeys(rows.target))
        left.set_yticks(range(len(machines)), [_label(rows, one) for one in machines])
        left.set_ylim(len(machines) - 0.45, -0.55)
        left.set_ylabel(f"{name}\n{_meaning(rows)}")
        for ax in (left, middle, right):
            ax.grid(axis="x", alpha=0.3)
    for ax, title in zip(axes[0], _COLUMNS, strict=True):
        ax.set_title(title)
    fig.align_ylabels(axes[:, 0])
    letters(axes[:, 0])
    fig.legend(handles=_legend(summary), loc="outside lower center", ncols=4)
    fig.suptitle(_finding(summary))
    return fig


def _meaning(rows: pd.DataFrame) -> str:
    """What the left panel of a workload shows."""
    metric = str(rows.metric.iloc[0])
    if metric == "none":
        return "latency, one request"
    return metric if metric == "accuracy" else f"{metric}\n(lower is better)"


def _label(rows: pd.DataFrame, machine: str) -> str:
    chips = int(rows[rows.target == machine].chips.max()) if "chips" in rows else 1
    return machine if chips == 1 else f"{chips:,} x {machine}"


def _lines(rows: pd.DataFrame) -> list[tuple[int, pd.DataFrame]]:
    """Place of each machine, and its rows."""
    return [
        (place, rows[rows.target == name]) for place, name in enumerate(dict.fromkeys(rows.target))
    ]


def _point(ax: Any, x: float, ends: tuple[float, float], y: float, stage: int, fill: Any) -> None:
    ax.errorbar(
        x,
        y,
        xerr=[[max(x - ends[0], 0.0)], [max(ends[1] - x, 0.0)]],
        fmt=STAGE_MARKERS[stage],
        color=STAGE_COLOURS[stage],
        markerfacecolor=STAGE_COLOURS[stage] if fill is None else fill,
        lw=0.8,
    )


def _quality(ax: Any, rows: pd.DataFrame) -> None:
    metric = rows.metric.iloc[0]
    accuracy = metric == "accuracy"
    exact = rows[f"{metric}_exact"].iloc[0]
    ax.axvline(exact, color="0.35", ls="--", lw=0.8, zorder=0)
    largest = exact
    for place, one in _lines(rows):
        times = sorted(one.at_s.unique())
        shown = [times[0]] if len(times) == 1 else [times[0], times[-1]]
        for late, at in enumerate(shown):
            row = one[one.at_s == at].iloc[0]
            y = place + (0.0 if len(shown) == 1 else (-0.22, 0.22)[late])
            ends = (row[f"{metric}_low"], row[f"{metric}_high"])
            _point(ax, row[metric], ends, y, row.stage, "white" if late else None)
            value = f"{row[metric]:.1%}" if accuracy else f"{row[metric]:.3g}"
            text = value.replace("%", " %") + (f" after {time_text(at)}" if late else "")
            ax.text(0.02, y, text, transform=ax.get_yaxis_transform(), va="center", size=6)
            largest = max(largest, ends[1])
    ax.set_xlim(0, 1.0 if accuracy else _MARGIN * largest)
    if accuracy:
        ax.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    ax.xaxis.set_major_locator(MaxNLocator(5))


def _latency(ax: Any, rows: pd.DataFrame) -> None:
    for place, one in _lines(rows):
        row = next(row for row in _by_traffic(one) if row.traffic == "one request")
        _point(ax, row.latency_s, (row.latency_s,) * 2, place, row.stage, None)
    _engineering(ax, "s")


def _dynamic(ax: Any, rows: pd.DataFrame) -> None:
    for place, one in _lines(rows):
        row = one[one.at_s == one.at_s.min()].iloc[0]
        ends = (row.get("dynamic_low_J", row.dynamic_J), row.get("dynamic_high_J", row.dynamic_J))
        _point(ax, row.dynamic_J, ends, place, row.stage, None)
    _engineering(ax, "J", 2)


def _energy(ax: Any, rows: pd.DataFrame) -> None:
    for place, one in _lines(rows):
        for row in _by_traffic(one):
            y = place + _OFFSETS[row.traffic]
            ends = (row.energy_low_J, row.energy_high_J)
            _point(ax, row.energy_J, ends, y, row.stage, _FILLS[row.traffic])
    _engineering(ax, "J")


def _by_traffic(one: pd.DataFrame) -> list[Any]:
    """The rows of a machine's first time, one an operating point."""
    return list(one[one.at_s == one.at_s.min()].itertuples())


def _engineering(ax: Any, unit: str, steps: int = 4) -> None:
    """A logarithmic axis in `unit` that ends at whole decades, with at most `steps` + 1 labels."""
    ax.set_xscale("log")
    low, high = (np.log10(end) for end in ax.get_xlim())
    low, high = np.floor(low), np.ceil(high)
    ax.set_xlim(10.0**low, 10.0**high)
    every = int(np.ceil((high - low) / steps))
    ax.set_xticks(10.0 ** np.arange(low, high + 1, every))
    ax.xaxis.set_major_formatter(EngFormatter(unit, sep=" "))
    ax.xaxis.set_minor_locator(LogLocator(numticks=12))
    ax.tick_params(axis="x", which="minor", labelbottom=False)


def _legend(summary: pd.DataFrame) -> list[Line2D]:
    stages = [
        Line2D([], [], color=STAGE_COLOURS[s], marker=STAGE_MARKERS[s], ls="", label=STAGE_NAMES[s])
        for s in sorted(summary.stage.unique())
    ]
    points = [
        Line2D([], [], color="black", marker="o", ls="", mfc=fill or "black", label=name)
        for name, fill in _FILLS.items()
    ]
    late = time_text(float(summary.at_s.max()))
    return [
        *stages,
        Line2D([], [], color="0.35", ls="--", label="float model"),
        *points,
        *(
            [Line2D([], [], color=STAGE_COLOURS[3], marker="o", mfc="white", ls="",
                    label=f"left column: after {late}")]
            if summary.at_s.max() > 0
            else []
        ),
    ]  # fmt: skip


def _finding(summary: pd.DataFrame) -> str:
    """Which stage costs least on which workloads, alone and at saturation."""
    lines = [f"{name}: {_cheapest(summary, name)}" for name in ("one request", "saturation")]
    return "Lowest nominal energy\n" + "\n".join(lines)


def _cheapest(summary: pd.DataFrame, traffic: str) -> str:
    first = summary[(summary.at_s == summary.at_s.min()) & (summary.traffic == traffic)]
    least = first.loc[first.groupby("workload", sort=False).energy_J.idxmin()]
    by_stage = least.groupby("stage").workload.agg(list)
    return "; ".join(f"stage {stage} on {', '.join(names)}" for stage, names in by_stage.items())
