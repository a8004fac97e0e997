"""How many additions a second does a core of UPMEM do, by type and by threads?

Instructions of one addition are taken from one thread of PrIM's microbenchmark; more threads are
held out. `python papers/prim/make.py` writes the figure and the table of README.md.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import pimlab.dram_pim as pim
from pimlab.dram_pim.presets import table
from pimlab.plot.style import PARTS, figure, for_print, save
from pimlab.studies.published import Row, fill, markdown, targets

OUT = Path(__file__).with_name("prim")
ROWS = targets(Path(__file__).with_name("targets.csv"))
TYPES = ("int32", "int64", "float", "double")
ELEMENTS = 1 << 20


def compute(quick: bool = False) -> xr.Dataset:
    """rate (type, tasklets) in additions a second of one core, without the transfers to its bank,
    as the microbenchmark times them.
    """
    described = table("upmem")
    core = pim.TARGETS["upmem"]().organisation
    tasklets = np.arange(1, 25)
    cycles = [
        [
            core.but(tasklets=int(n)).pipeline(ELEMENTS * int(described[f"add.{kind}"].value))
            for n in tasklets
        ]
        for kind in TYPES
    ]
    rate = ELEMENTS / np.array(cycles) * core.clock
    return xr.Dataset(
        {"rate": (("type", "tasklets"), rate, {"units": "1/s", "long_name": "additions"})},
        {"type": list(TYPES), "tasklets": tasklets},
        {"sources": "prim-benchmarks,gomezluna2022"},
    )


def tables(ds: xr.Dataset) -> dict[str, str]:
    """INT32 operations of the microbenchmark counted in UPMEM's library: a random number of 31 bits
    and the constant 1,048,576; the loop around is that of an addition, an argument is moved more.
    """
    around = int(table("upmem")["add.int32"].value) - 1
    numbers = np.random.default_rng(0).integers(0, 1 << 31, 1 << 14)
    full = pim.TARGETS["upmem"]().organisation.clock
    lines = []
    for op in ("add", "sub", "mul", "div"):
        counted = pim.integers(op, numbers, ELEMENTS).instructions
        moved = int(op in ("mul", "div"))
        each = around + moved + float(counted.mean())
        lines.append([op.upper(), f"{float(counted.mean()):.2f}", f"{full / each / 1e6:.1f}"])
    heads = ["INT32", "instructions of it", "MOPS, 11 tasklets and more"]
    return {"library": markdown(heads, lines)}


def saturation(ds: xr.Dataset) -> int:
    """The fewest tasklets at which every type reaches its largest rate."""
    full = (ds.rate >= 0.999 * ds.rate.max("tasklets")).all("type").values
    return int(ds.tasklets[int(np.argmax(full))]) if full.any() else -1


def found(ds: xr.Dataset, row: Row) -> float:
    """Ours for a row of targets.csv: millions of additions a second, or tasklets."""
    if row.quantity == "saturation":
        return float(saturation(ds))
    kind, threads = row.condition.split(" tasklets=")
    return float(ds.rate.sel(type=kind, tasklets=int(threads))) / 1e6


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Computed rates as lines, measured ones as points."""
    fig = figure(60, 1)
    axes = fig.subplots()
    for kind, colour in zip(TYPES, PARTS, strict=False):
        axes.plot(ds.tasklets, ds.rate.sel(type=kind) / 1e6, color=colour, label=kind)
        mine = [row for row in ROWS if row.condition.startswith(f"{kind} ")]
        threads = [int(row.condition.split("=")[1]) for row in mine]
        axes.plot(threads, [row.value for row in mine], "o", color=colour, ms=3)
    axes.axvline(saturation(ds), color="0.6", lw=0.8)
    axes.set(
        xlabel="tasklets", ylabel="million additions a second", yscale="log",
        title=f"One core adds no faster beyond {saturation(ds)} tasklets, whatever the type",
    )  # fmt: skip
    axes.legend(frameon=False)
    return fig


if __name__ == "__main__":
    answer = compute()
    save(draw(answer), OUT)
    fill(__file__, lambda row: found(answer, row), tables(answer))
