"""Do our cycles equal those of PIMSimulator and aim_simulator, and what do JEDEC's rules add where
the tools break them?

`python papers/pim-simulators/make.py` writes results/pim-simulators.svg and .png and prints the
table.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import pimlab.dram_pim as pim
from pimlab.plot.style import PARTS, figure, save

OUT = Path("results") / "pim-simulators"
TARGETS = Path(__file__).with_name("targets.csv")
LOOPS = {"gemv_A": "outputs first", "gemv_B": "inputs first"}


def _hbm(name: str, sizes: dict[str, int], compat: str | None) -> int:
    refresh = bool(sizes["refresh"])
    if name == "pim_gemv":
        return int(
            pim.gemv("hbm-pim", sizes["m"], sizes["k"], sizes["batch"], refresh, compat).cycles
        )
    if name == "read":
        return int(pim.host_read("hbm-pim", sizes["m"], refresh, compat).cycles)
    if name == "write":
        return int(pim.host_write("hbm-pim", sizes["m"], refresh, compat).cycles)
    return int(
        pim.elementwise("hbm-pim", name.removeprefix("pim_"), sizes["m"], refresh, compat).cycles
    )


def _aim(name: str, sizes: dict[str, int], compat: str | None) -> int:
    target = pim.TARGETS["gddr6-aim"]()
    target = target.but(organisation=target.organisation.but(loop=LOOPS[name]))
    return int(pim.gemv(target, sizes["m"], sizes["k"], sizes["batch"], compat=compat).cycles)


def cycles(quantity: str, condition: str, compat: bool) -> int:
    """Our cycles of one row of targets.csv, by the tool's rules (`compat`) or by JEDEC's."""
    tool, name = quantity.split(" ")
    sizes = {key: int(value) for key, value in (pair.split("=") for pair in condition.split(" "))}
    if tool == "aim_simulator":
        return _aim(name, sizes, "aim_simulator" if compat else None)
    return _hbm(name, sizes, "pimsimulator" if compat else None)


def compute(quick: bool = False) -> xr.Dataset:
    """Dataset by row of targets.csv: published cycles, ours by the tool's rules (same) and by
    JEDEC's (right).
    """
    with TARGETS.open() as file:
        rows = list(csv.DictReader(file))
    names = [(row["quantity"], row["condition"]) for row in rows]
    values = {
        "published": [int(row["published"]) for row in rows],
        "same": [cycles(*name, compat=True) for name in names],
        "right": [cycles(*name, compat=False) for name in names],
    }
    return xr.Dataset(
        {
            key: ("row", np.array(found), {"units": "1", "long_name": "memory cycles"})
            for key, found in values.items()
        },
        coords={
            "row": [" ".join(name) for name in names],
            "tool": ("row", [name[0].split(" ")[0] for name in names]),
        },
        attrs={
            "sources": "pimsimulator, aimsimulator",
            "title": "Cycles of two PIM simulators and ours",
        },
    )


def draw(ds: xr.Dataset) -> Figure:
    """Our cycles over the tool's, against the tool's cycles; one colour a tool, filled by its rules
    and open by JEDEC's.
    """
    fig = figure(7.2, 4.2)
    axes = fig.subplots()
    for tool, colour in zip(("PIMSimulator", "aim_simulator"), PARTS, strict=False):
        one = ds.isel(row=(ds.tool == tool).values)
        axes.plot(
            one.published,
            100 * (one.right / one.published - 1),
            "o",
            mfc="none",
            color=colour,
            label=f"{tool}: JEDEC's rules",
        )
        axes.plot(
            one.published,
            100 * (one.same / one.published - 1),
            ".",
            color=colour,
            label=f"{tool}: the tool's rules",
        )
    axes.axhspan(-1, 1, color="0.93", zorder=0)
    axes.set_xscale("log")
    axes.set_xlabel("cycles by the tool")
    axes.set_ylabel("our cycles beyond the tool's (%)")
    worst = float(abs(ds.same / ds.published - 1).max())
    costs = "a refresh that wins costs AiM 6 % and a stream of host writes 9 %"
    axes.set_title(f"By the tools' rules every count is met within {100 * worst:.2g} %;\n{costs}")
    axes.legend(frameon=False, fontsize="small")
    return fig


def main() -> None:
    """Compute, print the table and write the figure."""
    ds = compute()
    for row, published, same, right in zip(
        ds.row.values, ds.published.values, ds.same.values, ds.right.values, strict=True
    ):
        print(
            f"{row:70} {published:8d} {same:8d} {right:8d} {100 * (right / published - 1):+6.2f} %"
        )
    save(draw(ds), OUT)


if __name__ == "__main__":
    main()
