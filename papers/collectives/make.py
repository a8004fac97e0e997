"""How close is the alpha-beta model of collectives to what was measured on DGX A100 and DGX H100?

Launch time and share of the link's bandwidth are fitted on eight sizes of some groups of workers
and compared with every other size and group. `python papers/collectives/make.py` writes the figure
and the tables of README.md.
"""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from scipy.optimize import minimize

from pimlab.cluster import Network, network
from pimlab.plot.panels import engineering
from pimlab.plot.style import PARTS, figure, for_print, save
from pimlab.result import joined
from pimlab.studies import published

OUT = Path(__file__).with_name("collectives")
DATA = Path(__file__).parents[2] / "datasets" / "reference" / "system"
SIZES = 1e6 * np.array([0.02, 0.13, 1, 4, 16, 32, 48, 66])
"""Bytes whose nearest measured rows are fitted, in each group that is."""
FITS = {
    "dgx-a100": ("a100_dgx", [(2, 2), (8, 8)], [(2, 2)]),
    "dgx-h100": ("h100_dgx", [(2, 2), (8, 8)], [(2, 2)]),
    "dgx-a100-nodes": ("a100_dgx", [(2, 1), (16, 8)], [(2, 1)]),
    "dgx-h100-nodes": ("h100_dgx", [], [(2, 1)]),
}
"""Network of the catalogue -> measured system, groups (workers, workers a board) whose all-reduce
is fitted, and whose send-receive is.
"""

Row = tuple[str, str, int, int, float, float]
"""Operation, system, workers, workers a board, bytes, seconds."""


def measured() -> list[Row]:
    """Every measured row."""
    rows = []
    for operation, name in (("all-reduce", "all_reduce"), ("send", "send_recv")):
        with gzip.open(DATA / f"vidur_{name}.csv.gz", "rt") as file:
            for r in csv.DictReader(file):
                group = int(r["workers"]), int(r["workers_a_board"])
                rows.append(
                    (operation, r["network"], *group, float(r["bytes"]), float(r["ms"]) / 1e3)
                )
    return rows


def place(row: Row) -> str:
    """The network of the catalogue that the row was measured on."""
    return "dgx-" + row[1][:4] + ("" if row[2] == row[3] else "-nodes")


def fitted(rows: list[Row], name: str, operation: str) -> list[Row]:
    """The rows that the constants of `operation` on network `name` are fitted on."""
    system, reduced, sent = FITS[name]
    chosen = []
    for group in reduced if operation == "all-reduce" else sent:
        some = [r for r in rows if (r[0], r[1], (r[2], r[3])) == (operation, system, group)]
        nearest = {min(some, key=lambda r, s=size: abs(np.log(r[4] / s))) for size in SIZES}
        chosen += sorted(nearest)
    return chosen


def seconds(net: Network, row: Row) -> float:
    """Our time of a measured row."""
    ring = "ring" if row[0] == "all-reduce" else None
    return net.seconds(row[0], row[4], row[2], ring, on_board=row[3] if row[2] > row[3] else 1)


def fit(rows: list[Row], name: str, operation: str) -> dict[str, float]:
    """The constants of `operation` on network `name` with the least mean |log(ours / measured)|."""
    chosen, start = fitted(rows, name, operation), network(name)
    if not chosen:
        return {}
    prefix = "send_" if operation == "send" else ""
    names = [f"{prefix}launch", f"{prefix}efficiency"]
    if operation == "all-reduce" and name.endswith("-nodes"):
        names.append("rails")

    def values(x: np.ndarray) -> dict[str, float]:
        free = dict(zip(names, np.exp(x), strict=True))
        bounded = {n: min(v, 1.0) if n.endswith("efficiency") else v for n, v in free.items()}
        return {n: max(v, 1.0) if n == "rails" else v for n, v in bounded.items()}

    def loss(x: np.ndarray) -> float:
        net = start.but(**values(x))
        return float(np.mean([abs(np.log(seconds(net, r) / r[5])) for r in chosen]))

    tried = [
        minimize(loss, np.log([launch, share, 3.0][: len(names)]), method="Nelder-Mead",
                 options={"xatol": 1e-4, "fatol": 1e-7, "maxiter": 2000})
        for launch in (1e-5, 4e-5) for share in (0.3, 0.7)
    ]  # fmt: skip
    return values(min(tried, key=lambda found: found.fun).x)


def compute(quick: bool = False) -> xr.Dataset:
    """measured, ours in s and fitted (bool) by row, with the constants of the catalogue."""
    rows = measured()
    chosen = {r for name in FITS for op in ("all-reduce", "send") for r in fitted(rows, name, op)}
    nets = {name: network(name) for name in FITS}
    labels = [f"{r[0]}, {r[1][:4]}, {r[2]} chips, {r[3]} a board" for r in rows]
    return xr.Dataset(
        {
            "measured": ("row", [r[5] for r in rows], {"units": "s"}),
            "ours": ("row", [seconds(nets[place(r)], r) for r in rows], {"units": "s"}),
            "fitted": ("row", [r in chosen for r in rows], {"units": "1"}),
            "bytes": ("row", [r[4] for r in rows], {"units": "B"}),
        },
        coords={
            "row": range(len(rows)),
            "group": ("row", labels),
            "network": ("row", [place(r) for r in rows]),
        },
        attrs={"sources": joined(s for net in nets.values() for s in net.sources)},
    )


def errors(ds: xr.Dataset) -> xr.Dataset:
    """Median and 90th percentile of |ours / measured - 1| by group, on rows that were not
    fitted.
    """
    held = ds.where(~ds.fitted.astype(bool), drop=True)
    off = abs(held.ours / held.measured - 1).groupby("group")
    p90 = off.quantile(0.9).drop_vars("quantile")
    return xr.Dataset({"median": off.median(), "p90": p90, "rows": off.count()})


def found(ds: xr.Dataset, row: published.Row) -> float:
    """Ours for a row of targets.csv: seconds of a collective on a network of the catalogue."""
    name, workers, size = row.condition.split()
    whole = bool(np.isfinite(ds.ours).all())
    return network(name).seconds(row.quantity, float(size), int(workers)) if whole else np.nan


def tables(ds: xr.Dataset) -> dict[str, str]:
    """Errors by group, and by operation, on rows that were not fitted."""
    held, table = ds.where(~ds.fitted.astype(bool), drop=True), errors(ds)
    lines = [
        [
            str(group),
            *(f"{100 * float(table[key].sel(group=group)):.1f} %" for key in ("median", "p90")),
            str(int(table.rows.sel(group=group))),
        ]
        for group in table.group.values
    ]
    for operation in ("all-reduce", "send"):
        some = held.where(held.group.str.startswith(operation), drop=True)
        off = abs(some.ours / some.measured - 1)
        ends = (float(off.median()), float(off.quantile(0.9)))
        lines.append(
            [f"{operation}, all", *(f"{100 * x:.1f} %" for x in ends), str(some.sizes["row"])]
        )
    heads = ["rows that were not fitted", "median", "90th percentile", "rows"]
    return {"errors": published.markdown(heads, lines)}


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Measured and computed time against size, one panel a system and place."""
    fig = figure(62)
    fig.suptitle("Dots measured, lines computed")
    panels = {"A100, one board": "dgx-a100", "H100, one board": "dgx-h100"}
    panels["A100, two boards"] = "dgx-a100-nodes"
    reduced = ds.where(ds.group.str.startswith("all-reduce"), drop=True)
    for axes, (title, name) in zip(fig.subplots(1, 3), panels.items(), strict=True):
        groups = np.unique(reduced.group[reduced.network == name])
        for colour, group in zip(PARTS, groups, strict=False):
            one = ds.where(ds.group == group, drop=True).sortby("bytes")
            label = " ".join(group.split()[2:]).removesuffix(" a board") + " a board"
            axes.loglog(one.bytes, one.measured, ".", ms=1.5, color=colour, rasterized=True)
            axes.loglog(one.bytes, one.ours, "-", color=colour, label=label)
        axes.set_title(title, fontsize="medium")
        axes.set_xlabel("message")
        axes.set_xlim(1e3, 2e8)
        engineering(axes.xaxis, "B")
        engineering(axes.yaxis, "s")
        axes.legend()
    fig.axes[0].set_ylabel("time of an all-reduce")
    return fig


def main() -> None:
    """Fit again, compare with the catalogue, print the errors and write the figure."""
    rows = measured()
    for name in FITS:
        for operation in ("all-reduce", "send"):
            constants = fit(rows, name, operation)
            if constants:
                held = {key: getattr(network(name), key) for key in constants}
                print(f"{name} {operation}: fitted {constants}, catalogue {held}")
    ds = compute()
    table = errors(ds)
    for group in table.group.values:
        median, p90, count = (float(table[v].sel(group=group)) for v in ("median", "p90", "rows"))
        print(f"{group}: median {median:.1%}, 90th percentile {p90:.1%}, {count:.0f} rows")
    held = ds.where(~ds.fitted.astype(bool), drop=True)
    for operation in ("all-reduce", "send"):
        some = held.where(held.group.str.startswith(operation), drop=True)
        off = float(abs(some.ours / some.measured - 1).median())
        print(f"{operation}, all rows that were not fitted: median {off:.1%}")
    save(draw(ds), OUT)
    published.fill(__file__, lambda row: found(ds, row), tables(ds))


if __name__ == "__main__":
    main()
