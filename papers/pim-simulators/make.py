"""Do our cycles equal those of PIMSimulator and aim_simulator, and what do JEDEC's rules add where
the tools break them?

`python papers/pim-simulators/make.py` writes the figure and the tables of README.md.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import pimlab.dram_pim as pim
from pimlab.dram_pim import engine, streams
from pimlab.kernels.dram_timing import WRITE
from pimlab.plot.style import PARTS, figure, for_print, save
from pimlab.studies.published import Row, fill, markdown

OUT = Path(__file__).with_name("pim-simulators")
TARGETS = Path(__file__).with_name("targets.csv")
CYCLES = Path(__file__).parents[2] / "datasets" / "reference" / "dram_pim" / "hbm_pim_cycles.csv"
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


def found(ds: xr.Dataset, row: Row) -> float:
    """Ours for a row of targets.csv: cycles by the tool's rules."""
    return float(ds.same.sel(row=f"{row.quantity} {row.condition}"))


def tables(ds: xr.Dataset) -> dict[str, str]:
    """How far the host's traffic is from the tool by its rules and by JEDEC's; how far JEDEC's
    rules move the rest.
    """
    off = 100 * (ds[["same", "right"]] / ds.published - 1)
    kinds = [str(name).split(" ")[1] for name in ds.row.values]
    lines = []
    for tool in np.unique(ds.tool):
        for kind in dict.fromkeys(kinds):
            chosen = (ds.tool.values == tool) & (np.array(kinds) == kind)
            if chosen.any():
                some = off.isel(row=chosen)
                each = [
                    f"{float(some[key][int(np.argmax(abs(some[key]).data))]):+.2f} %" for key in off
                ]
                lines.append([f"{tool} {kind}", str(int(chosen.sum())), *each])
    heads = ["rows", "number", "largest difference by the tool's rules", "by JEDEC's"]
    return {"differences": markdown(heads, lines), "host": host_table()}


HOST = ("read", "write", "host_gemv", "host_add_mul", "host_relu")


def host_cycles(kind: str, m: int, k: int, compat: str | None) -> int:
    """Cycles of a host that reads all operands, waits for their data and writes the results."""
    target = pim.TARGETS["hbm-pim"]()
    org, t = target.organisation, target.timing
    reads, writes = {
        "read": (m / 2048, 0),
        "write": (0, m / 2048),
        "host_gemv": ((m * k + k) // 1024, m / 1024),
        "host_add_mul": (2 * m / 1024, m / 1024),
        "host_relu": (m / 1024, m / 1024),
    }[kind]
    first, last = (int(np.ceil(accesses)) for accesses in (reads, writes))
    stream = streams.join(streams.host(org, first), streams.host(org, last, WRITE, first))
    pause = t.RL + t.burst + 2 - t.read_to_write + t.tRCDWR if first and last else 0
    return engine.run(stream, t, org, True, compat).cycles + pause


def host_table() -> str:
    """Host traffic with refresh: refreshes due and done by the tool, and how far we are by both
    rules.
    """
    with CYCLES.open() as file:
        rows = [r for r in csv.DictReader(file) if r["kernel"] in HOST and r["refresh"] == "1"]
    interval, lines = pim.TARGETS["hbm-pim"]().timing.tREFI, []
    for row in rows:
        kind, m, k, tool = row["kernel"], int(row["m_or_n"]), int(row["k"]), int(row["cycles"])
        due, idle = (tool + interval // 2) // interval, tool // interval
        off = [
            f"{100 * (host_cycles(kind, m, k, c) / tool - 1):+.1f} %"
            for c in ("pimsimulator", None)
        ]
        lines.append([kind, f"{m} x {k}", tool, due, int(row["ch0_ref"]) - idle, *off])
    heads = ["row", "size", "cycles of the tool", "refreshes of rank 0 due", "the tool's"]
    return markdown([*heads, "by its rules", "by JEDEC's"], lines)


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Our cycles over the tool's, against the tool's cycles; one colour a tool, filled by its rules
    and open by JEDEC's.
    """
    fig = figure(107)
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
    axes.legend(frameon=False)
    return fig


if __name__ == "__main__":
    answer = compute()
    save(draw(answer), OUT)
    fill(__file__, lambda row: found(answer, row), tables(answer))
