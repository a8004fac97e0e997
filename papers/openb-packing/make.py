"""How full does a cluster of shared cards get under a policy? OpenB's 1,213 nodes, filled to 130 %.

Requests for whole cards and shares of one come in random order until they ask for 1.3 times the
cards there are; each goes to a node that the policy chooses, and stays. Nothing is fitted.
`python papers/openb-packing/make.py` writes the figure and the tables of README.md.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from pimlab import farm
from pimlab.plot.style import PARTS, figure, for_print, save
from pimlab.studies import published

OUT = Path(__file__).with_name("openb-packing")
DATA = Path(__file__).parents[2] / "datasets" / "reference" / "system" / "openb"
WORKLOADS = ("default", "gpushare40", "multigpu20")
POLICIES = {
    "random": 10,
    "best fit": 10,
    "dot product": 3,
    "clustering": 3,
    "packing": 3,
    "fragmentation": 3,
}
"""Policy -> seeds over which its curve is averaged; the published ones over 10."""
FIRST = 2
"""Policies of the quick size."""
FILL = 1.3
"""Cards asked for in the end, relative to those there are, as the published runs do."""
SETTLED = 5
"""Per cent asked for from which on curves are compared: before, one request is a point."""


def nodes() -> farm.Nodes:
    """The nodes of OpenB with GPUs."""
    table = pd.read_csv(DATA / "nodes.csv")
    each = table.loc[table.index.repeat(table["count"])]
    columns = (each[name].to_numpy(np.int64) for name in ("cpu_milli", "memory_mib", "gpu"))
    return farm.Nodes(*columns)


def requests(workload: str) -> farm.Partitions:
    """The pods of one of OpenB's lists."""
    table = pd.read_csv(DATA / "requests.csv.gz")
    table = table[table.workload == workload]
    each = table.loc[table.index.repeat(table["count"])]
    names = ("cpu_milli", "memory_mib", "num_gpu", "gpu_milli")
    return farm.Partitions(*(each[name].to_numpy(np.int64) for name in names))


def curve(workload: str, policy: str, seed: int) -> np.ndarray:
    """Per cent of all cards given, float64 (131,), where 0 to 130 % of them were asked for."""
    where = nodes()
    order = farm.inflated(requests(workload), float(where.cards.sum()), FILL, seed)
    packed = farm.pack(where, order, policy, seed)
    last = np.searchsorted(100 * packed.arrived.values, np.arange(131), side="right") - 1
    return np.where(last >= 0, 100 * packed.allocated.values[last], 0.0)


def compute(quick: bool = False) -> xr.Dataset:
    """allocated, its spread over seeds, and published (workload, policy, asked), in per cent."""
    workloads = WORKLOADS[:2] if quick else WORKLOADS
    policies = list(POLICIES)[:FIRST] if quick else list(POLICIES)
    curves = {
        (w, p): np.array([curve(w, p, seed) for seed in range(3 if quick else POLICIES[p])])
        for w in workloads
        for p in policies
    }
    shape = len(workloads), len(policies), -1
    mean = np.array([one.mean(axis=0) for one in curves.values()]).reshape(shape)
    spread = np.array([one.std(axis=0, ddof=1) for one in curves.values()]).reshape(shape)
    dims = ("workload", "policy", "asked")
    table = pd.read_csv(DATA / "curves.csv.gz").set_index(list(dims)).allocated.to_xarray()
    return xr.Dataset(
        {
            "allocated": (dims, mean, {"units": "%"}),
            "spread": (dims, spread, {"units": "%"}),
            "published": (dims, _like(table, workloads, policies), {"units": "%"}),
        },
        coords={"workload": list(workloads), "policy": policies, "asked": np.arange(131)},
        attrs={"sources": "fgd2023"},
    )


def _like(table: xr.DataArray, workloads: tuple[str, ...], policies: list[str]) -> np.ndarray:
    chosen = table.sel(workload=list(workloads), policy=policies, asked=np.arange(131))
    return chosen.transpose("workload", "policy", "asked").values


def worst(ds: xr.Dataset) -> xr.DataArray:
    """Largest distance of the two curves (workload, policy), points of per cent."""
    return abs(ds.allocated - ds.published).sel(asked=slice(SETTLED, None)).max("asked")


def found(ds: xr.Dataset, row: published.Row) -> float | None:
    """Ours for a row of targets.csv; None for what the quick size leaves out."""
    workload, policy, rest = row.condition.split(", ")
    if workload not in ds.workload.values or policy not in ds.policy.values:
        return None
    return float(ds.allocated.sel(workload=workload, policy=policy, asked=int(rest.split()[0])))


def tables(ds: xr.Dataset) -> dict[str, str]:
    """The largest distance of the curves, and how far seeds differ."""
    far = worst(ds)
    lines = [
        [
            f"{w}, {p}",
            f"{float(far.sel(workload=w, policy=p)):.2f}",
            f"{float(ds.spread.sel(workload=w, policy=p, asked=slice(SETTLED, None)).max()):.2f}",
        ]
        for w in ds.workload.values
        for p in ds.policy.values
    ]
    head = ["workload, policy", "largest distance of the curves", "largest spread over our seeds"]
    return {"curves": published.markdown(head, lines)}


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Allocation against what was asked for, one panel a workload; published dashed."""
    fig = figure(60)
    axes = fig.subplots(1, ds.sizes["workload"], squeeze=False, sharey=True)[0]
    for ax, workload in zip(axes, ds.workload.values, strict=True):
        for policy, colour in zip(ds.policy.values, PARTS, strict=False):
            one = ds.sel(workload=workload, policy=policy)
            ax.plot(one.asked, one.allocated, color=colour, label=str(policy))
            ax.plot(one.asked, one.published, "--", color="black", lw=1)
        ax.plot([], [], "--", color="black", lw=1, label="published")
        ax.set_title(str(workload))
        ax.set_xlabel("cards asked for (% of all)")
        ax.set_xlim(60, 130)
        ax.set_ylim(55, 100)
    axes[0].set_ylabel("cards given (% of all)")
    axes[0].legend(frameon=False, loc="lower right")
    fig.suptitle("Minding fragments gives nine points more of the cards than chance")
    return fig


def main() -> None:
    """Compute, write the figure and the tables."""
    ds = compute()
    save(draw(ds), OUT)
    published.fill(__file__, lambda row: found(ds, row), tables(ds))


if __name__ == "__main__":
    main()
