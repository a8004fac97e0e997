"""How much current do the wires of a crossbar take away as it grows, and how far does the
first-order law reach?

`python papers/ir-drop/make.py` writes the figure and the tables of README.md.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from pimlab.analog import (
    Wires,
    effective_conductance,
    first_order_loss,
    node_voltages,
    wire_currents,
)
from pimlab.plot.style import PARTS, figure, for_print, save
from pimlab.studies.published import Row, fill

OUT = Path(__file__).with_name("ir-drop")
STORED = (
    Path(__file__).parents[2]
    / "datasets"
    / "reference"
    / "analog"
    / "crossbar"
    / "badcrossbar_A.npz"
)
TARGETS = Path(__file__).with_name("targets.csv")
CELL = 1e-5  # S; only the product of cell conductance and segment resistance matters


def _loss(rg: float, n: int, topology: str) -> float:
    """Share of the ideal current that N x N equal cells lose, all inputs on, mean over columns."""
    r = rg / CELL
    currents = wire_currents(np.full((n, n), CELL), np.ones(n), r, r, topology=topology)
    return 1 - currents.mean() / (n * CELL)


def _printed_device_current() -> float:
    """Amperes through the device in row 0, column 3 of the example in badcrossbar's README, third
    set of inputs.
    """
    ohm = np.array(
        [[345.0, 903, 755, 257, 646], [652, 401, 508, 166, 454], [442, 874, 190, 244, 635]]
    )
    nodes = node_voltages(1 / ohm, np.array([2.6, 1.1, 3.3]), Wires(r_in=0.5, r_out=0.5))
    return nodes.drop[0, 0, 0, 3] / ohm[0, 3]


def _difference_from_badcrossbar() -> float:
    """Largest difference of three stored solves, over the largest current."""
    with np.load(STORED) as case:
        sizes = [name.removeprefix("I_") for name in case.files if name.startswith("I_")]
        solved = [
            case[f"V_{size}"] @ effective_conductance(case[f"G_{size}"], *case[f"r_{size}"])
            for size in sizes
        ]
        return max(
            np.abs(found / case[f"I_{size}"] - 1).max()
            for size, found in zip(sizes, solved, strict=True)
        )


def _targets(rg: list[float], n: list[int]) -> np.ndarray:
    """The ratios of targets.csv at (rg, n), NaN where there is none."""
    with TARGETS.open() as file:
        listed = {
            row["condition"]: float(row["published"])
            for row in csv.DictReader(file)
            if row["quantity"] == "ratio"
        }
    return np.array(
        [
            [listed.get(f"rg={x:.0e} n={size}".replace("e-0", "e-"), np.nan) for size in n]
            for x in rg
        ]
    )


def compute(quick: bool = False) -> xr.Dataset:
    """Dataset of the exact and the first-order loss over `rg` (r G), `n` and `topology`; quick
    keeps N to 128.
    """
    rg = [1e-6, 1e-5] if quick else [1e-7, 1e-6, 1e-5, 1e-4]
    n = [16, 32, 64, 128] if quick else [8, 16, 32, 64, 128, 256, 512]
    topology = ["A", "B"]
    loss = np.array([[[_loss(x, size, kind) for kind in topology] for size in n] for x in rg])
    law = np.array([[first_order_loss(x / CELL, CELL, size) for size in n] for x in rg])
    unit = {"units": "1"}
    ds = xr.Dataset(
        {
            "loss": (("rg", "n", "topology"), loss, unit),
            "law": (("rg", "n"), law, unit),
            "target": (("rg", "n"), _targets(rg, n), unit),
            "device_current": ((), _printed_device_current(), {"units": "A"}),
            "difference_from_badcrossbar": ((), _difference_from_badcrossbar(), unit),
        },
        coords={"rg": ("rg", rg, unit), "n": n, "topology": topology},
        attrs={
            "sources": "joksas2020",
            "title": "current lost to the wires of N x N equal cells, all inputs on",
        },
    )
    return ds.assign(ratio=(ds.loss / ds.law).assign_attrs(unit))


def found(ds: xr.Dataset, row: Row) -> float:
    """Ours for a row of targets.csv."""
    if row.quantity != "ratio":
        return float(ds[row.quantity])
    rg, n = (float(part.split("=")[1]) for part in row.condition.split())
    return float(ds.ratio.sel(rg=rg, n=int(n), topology="A"))


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Left: loss against N, exact and first order. Right: their ratio against the first-order
    loss.
    """
    fig = figure(77)
    left, right = fig.subplots(1, 2)
    for colour, rg in zip(PARTS, ds.rg.values, strict=False):
        each = ds.sel(rg=rg)
        left.plot(ds.n, each.law, "--", color=colour, lw=1)
        for axes, x, y in ((left, ds.n, each.loss), (right, each.law, each.ratio)):
            axes.plot(x, y.sel(topology="A"), "o", color=colour, ms=3.5, label=f"r G = {rg:.0e}")
            axes.plot(x, y.sel(topology="B"), "s", color=colour, ms=5.5, mfc="none")
    left.set(
        xscale="log",
        yscale="log",
        xlabel="rows = columns N",
        ylabel="current lost, mean over columns",
        ylim=(None, 1.5),
        title="Wires take away r G (N+1)(2N+1)/3 of the current,\nuntil the loss saturates",
    )
    left.set_xticks(ds.n.values, [str(n) for n in ds.n.values])
    left.minorticks_off()
    right.set(
        xscale="log",
        xlabel="first-order loss r G (N+1)(2N+1)/3",
        ylabel="exact / first order",
        ylim=(0, 1.05),
        title="The law holds to 1 % while the loss is below 1 %,\nwhatever r, G, N",
    )
    right.plot(
        ds.law.values.ravel(),
        ds.target.values.ravel(),
        "x",
        color="black",
        ms=5,
        label="separate nodal solve (targets)",
    )
    right.legend(frameon=False, loc="lower left")
    right.axhspan(0.99, 1.01, color="0.85", zorder=0)
    right.axvline(0.01, color="0.5", lw=1, ls=":")
    left.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
    right.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
    left.plot([], [], "s", color="0.3", ms=5.5, mfc="none", label="B: gated cells (dots: A)")
    left.plot([], [], "--", color="0.3", lw=1, label="first order")
    left.legend(frameon=False)
    return fig


if __name__ == "__main__":
    answer = compute()
    save(draw(answer), OUT)
    fill(__file__, lambda row: found(answer, row))
