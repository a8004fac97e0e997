"""What does a farm look like? Cards by cloud, shares of the stages by period, and which assumption
decides.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from pimlab import units
from pimlab.plot.panels import engineering
from pimlab.plot.style import PARTS, STAGE_COLOURS, STAGE_NAMES, expected, figure, for_print


@for_print
def farm(answer: xr.Dataset) -> Figure:
    """Cards of each offer in each cloud, one panel a period.

    answer : `plan.answer` of what `provision` returned.
    """
    expected(answer, xr.Dataset, ("cards", "offer", "cloud", "period"), "plan.answer of provision")
    fig = figure(75)
    panels = fig.subplots(1, answer.sizes["period"], squeeze=False, sharey=True)[0]
    for ax, period in zip(panels, answer.period.values, strict=True):
        one = answer.sel(period=period)
        _stack(ax, one.cards.transpose("offer", "cloud").values, one.offer.values)
        ax.set_xticks(np.arange(one.sizes["cloud"]), one.cloud.values, fontsize="small")
        ax.set_title(f"{period}: {units.si(float(one.cost.sum()), 'won')}")
    panels[0].set_ylabel("cards")
    handles, labels = panels[-1].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False)
    fig.suptitle("Which cards stand in which cloud")
    return fig


def _stack(ax: Any, cards: np.ndarray, names: np.ndarray) -> None:
    base = np.zeros(cards.shape[1])
    for colour, name, height in zip(PARTS, names, cards, strict=False):
        ax.bar(np.arange(len(base)), height, 0.7, base, color=colour, label=str(name))
        base = base + height


@for_print
def stage_shares(study: xr.Dataset) -> Figure:
    """Share of answers, energy and cost that each stage carries in each period, with intervals.

    study : what `farm.roadmap` returned.
    """
    expected(study, xr.Dataset, ("share", "carried", "stage", "period"), "farm.roadmap")
    fig = figure(65)
    panels = fig.subplots(1, study.sizes["carried"], squeeze=False, sharey=True)[0]
    places = np.arange(study.sizes["period"])
    for ax, carried in zip(panels, study.carried.values, strict=True):
        for i, stage in enumerate(study.stage.values):
            one = study.sel(carried=carried, stage=stage)
            ends = [one.share - one.share_low, one.share_high - one.share]
            ax.bar(
                places + 0.27 * (i - 1), one.share, 0.25, color=STAGE_COLOURS[int(stage)],
                yerr=np.abs(ends), capsize=1.5, label=STAGE_NAMES[int(stage)],
            )  # fmt: skip
        ax.set_xticks(places, study.period.values)
        ax.set_title(f"share of {carried}")
        ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    handles, labels = panels[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    fig.suptitle("What each stage carries (bars: assumed numbers at their ends, one at a time)")
    return fig


@for_print
def tornado(study: xr.Dataset, outcome: str = "spent") -> Figure:
    """How far each assumed number moves `outcome`, the strongest first.

    study : what `farm.roadmap` returned.  outcome : "spent" (won of all periods) or "later" (share
    of stages 2 and 3 in the last period's cost).
    """
    expected(study, xr.Dataset, (outcome, "assumption", "end"), "farm.roadmap")
    cost = study.sel(carried="cost")
    later = cost.share.sel(stage=[2, 3]).isel(period=-1).sum()
    nominal = float(cost.total.sum() if outcome == "spent" else later)
    values = study[outcome].transpose("assumption", "end").values
    swing = np.nan_to_num(np.nanmax(np.abs(values - nominal), axis=1))
    order = np.argsort(swing)
    fig = figure(24 + 5.5 * len(order))
    ax = fig.subplots()
    for end, colour, label in ((0, PARTS[1], "low"), (1, PARTS[0], "high")):
        widths = np.nan_to_num(values[order, end] - nominal)
        ax.barh(np.arange(len(order)), widths, 0.7, nominal, color=colour, label=f"number {label}")
    ax.axvline(nominal, color="black", lw=1)
    ax.set_yticks(np.arange(len(order)), study.assumption.values[order], fontsize="small")
    meaning = {"spent": "cost of all periods", "later": "share of stages 2 and 3 in the end"}
    ax.set_xlabel(meaning[outcome])
    if outcome == "spent":
        engineering(ax.xaxis, "won")
    ax.legend(frameon=False, loc="lower right")
    ax.set_title(f"{study.assumption.values[order[-1]]} decides most")
    return fig
