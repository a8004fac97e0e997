"""Which stage suits which service? One row a workload: its metric, energy and latency on every
machine, with intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, NullFormatter

from pimlab.plot.style import STAGE_COLOURS, STAGE_MARKERS, figure, for_print


@for_print
def stages_by_service(ds: xr.Dataset, services: Sequence[Any]) -> Figure:
    """Metric with its 95 % interval, energy with low and high, and latency of each workload on each
    machine.

    ds : what `compare` returns for the models of `services`.  services : some of
    `workload.SERVICES`, top to bottom; a dashed line is the baseline of exact arithmetic on all
    samples. ValueError for a service whose model or metric `ds` does not hold.
    """
    missing = [s.model for s in services if s.model not in ds.model or s.metric not in ds]
    if missing or not services:
        raise ValueError(
            f"services {missing} are not in the Dataset; allowed: one or more of "
            f"{', '.join(ds.model.values)}"
        )
    fig = figure(20 + 20 * len(services))
    for service, row in zip(
        services, fig.subplots(len(services), 3, squeeze=False, sharey=True), strict=True
    ):
        _row(row, ds.sel(model=service.model), service)
    for ax, title in zip(
        fig.axes,
        ("metric, 95 % over samples", "energy an inference, low to high", "latency, batch 1"),
        strict=False,
    ):
        ax.set_title(title)
    fig.suptitle(
        "A stage suits a service where it keeps the metric (dashed: exact arithmetic) for less "
        "energy and time"
    )
    return fig


def _row(axes: Sequence[Any], one: xr.Dataset, service: Any) -> None:
    value = one[service.metric]
    energy = one[["energy", "energy_low", "energy_high"]].sum("component")
    _points(axes[0], one, value, (one[f"{service.metric}_low"], one[f"{service.metric}_high"]))
    _points(axes[1], one, energy.energy, (energy.energy_low, energy.energy_high))
    _points(axes[2], one, one.latency, (one.latency, one.latency))
    axes[0].axvline(service.baseline, color="0.5", ls="--", lw=1, zorder=0)
    axes[0].set_xlabel(service.metric.replace("_", " "), fontsize="small")
    for ax, unit in zip(axes[1:], ("J", "s"), strict=True):
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter(EngFormatter(unit=unit))
        ax.xaxis.set_minor_formatter(NullFormatter())
    axes[0].set_yticks(range(one.sizes["target"]), one.target.values)
    axes[0].set_ylim(one.sizes["target"] - 0.5, -0.5)
    axes[0].set_ylabel(f"{service.field}, {service.place}\n{service.model}", fontsize="small")


def _points(
    ax: Any, one: xr.Dataset, value: xr.DataArray, ends: tuple[xr.DataArray, xr.DataArray]
) -> None:
    for place, stage in enumerate(one.stage.values.astype(int)):
        x = float(value[place])
        spread = np.array([[x - float(ends[0][place])], [float(ends[1][place]) - x]])
        ax.errorbar(
            x,
            place,
            xerr=np.maximum(spread, 0),
            fmt=STAGE_MARKERS[stage],
            color=STAGE_COLOURS[stage],
            capsize=1.5,
            ms=3.5,
        )
    ax.margins(x=0.15)
