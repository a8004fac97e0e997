"""How much faster, and at how many joules, does a matrix-vector product run in the banks than
through the pins?

The baseline is a host that computes in no time and reads the weights of the same DRAM through its
pins, once for a whole batch. `python papers/pim-gemv-speedup/make.py` writes the figure and the
tables of README.md.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter

import pimlab.dram_pim as pim
from pimlab.plot.style import BELOW, PARTS, figure, for_print, save
from pimlab.studies.published import Row, fill, markdown

OUT = Path(__file__).with_name("pim-gemv-speedup")
NAMES = {
    "hbm-pim": "HBM-PIM",
    "gddr6-aim": "GDDR6-AiM, outputs first",
    "gddr6-aim b": "GDDR6-AiM, inputs first",
    "lpddr-pim": "LPDDR5-PIM (what if)",
}
MACHINES = tuple(NAMES)
PUBLISHED = {"hbm-pim": (2.75, 2.85), "gddr6-aim b": (7.5, 10.5)}
"""Speed-ups of whole systems in the abstracts of Kim 2022 (a line at 2.8) and Kwon 2023, drawn
beside ours.
"""


def machine(name: str) -> pim.DramPim:
    """The preset; with " b", AiM broadcasts a chunk of inputs once for all groups of outputs."""
    target = pim.TARGETS[name.removesuffix(" b")]()
    return (
        target.but(organisation=target.organisation.but(loop="inputs first"))
        if name.endswith(" b")
        else target
    )


def bank_over_pins(name: str) -> float:
    """Bits a cycle that all units of a channel read, over bits a cycle through the pins: the bound
    of any speed-up.
    """
    target = machine(name)
    return target.organisation.bandwidth_ratio(target.timing)


def measured(name: str, size: int, batch: int) -> dict[str, float]:
    """Speed-up and saved energy of `batch` products with a size x size matrix, 16 bits a weight."""
    target = machine(name)
    inside, outside = pim.gemv(target, size, size, batch), pim.host_read(target, 2 * size * size)
    moving = ["DRAM rows", "bank columns", "MAC", "PIM registers", "DRAM columns", "I/O"]
    joules = [
        {c: float(e.energy.sel(component=c)) for c in moving if c in e.component}
        for e in (inside, outside)
    ]
    return {
        "speedup": float(outside.seconds) / float(inside.seconds),
        "energy_ratio": sum(joules[0].values()) / sum(joules[1].values()),
        "seconds": float(inside.seconds),
    }


def compute(quick: bool = False) -> xr.Dataset:
    """speedup and energy_ratio over machine and size (batch 1) and over machine and batch (size
    8192), and `bound`.
    """
    sizes = [1024, 4096, 16384] if quick else [512, 1024, 2048, 4096, 8192, 16384]
    batches = [1, 4, 16, 32] if quick else [1, 2, 4, 8, 16, 32, 64]
    by_size = [[measured(name, size, 1) for size in sizes] for name in MACHINES]
    by_batch = [[measured(name, 8192, batch) for batch in batches] for name in MACHINES]
    variables = {}
    texts = {
        "speedup": "time through the pins over time in the banks",
        "energy_ratio": "energy in the banks over energy through the pins",
    }
    for key, text in texts.items():
        for name, axis, table in ((key, "size", by_size), (f"{key}_batch", "batch", by_batch)):
            found = np.array([[one[key] for one in row] for row in table])
            variables[name] = (("machine", axis), found, {"units": "1", "long_name": text})
    variables["largest_speedup"] = (
        "machine",
        variables["speedup"][1].max(axis=1),
        {"units": "1", "long_name": "largest speed-up of any size"},
    )
    variables["bound"] = (
        "machine",
        [bank_over_pins(name) for name in MACHINES],
        {"units": "1", "long_name": "bandwidth inside over outside"},
    )
    return xr.Dataset(
        variables,
        {"machine": list(MACHINES), "size": sizes, "batch": batches},
        {"sources": "pimsimulator, aimsimulator, kwon2021, kim2022, kwon2023"},
    )


def crossing(ds: xr.Dataset, name: str) -> float:
    """Batch at which the banks stop being faster, between the batches computed (log-log)."""
    speedup = ds.speedup_batch.sel(machine=name).values
    return float(np.exp(np.interp(0, -np.log(speedup), np.log(ds.batch.values))))


def found(ds: xr.Dataset, row: Row) -> float:
    """Ours for a row of targets.csv."""
    return float(ds[row.quantity].sel(machine=row.condition))


def tables(ds: xr.Dataset) -> dict[str, str]:
    """Bandwidth ratio, largest speed-up and the batch that ends it, by machine."""
    lines = [
        [
            NAMES[name],
            f"{float(ds.bound.sel(machine=name)):.1f}",
            f"{float(ds.largest_speedup.sel(machine=name)):.1f}",
            f"{crossing(ds, name):.1f}",
        ]
        for name in MACHINES
    ]
    heads = ["machine", "bandwidth ratio", "largest speed-up", "no faster from batch"]
    return {"machines": markdown(heads, lines), "cycles": row_of_aim()}


def row_of_aim() -> str:
    """Cycles of one row of GDDR6-AiM's banks, inputs first, and the speed-up that each leaves, from
    the timing symbols: 1024 inputs, 512 outputs, 32 groups of outputs.
    """
    t = machine("gddr6-aim b").timing
    macs, outputs, groups = 1024 // 16, 512, 32
    outside = 1024 * outputs // 256  # 16 pins move 256 bits in one command's time
    parts = {
        f"{macs} multiply-accumulates, {t.tCCDS} apart": macs * t.tCCDS,
        f"precharge and activate ({t.tRP} + {t.tRCDMAC})": t.tRP + t.tRCDMAC,
        f"two changes between commands to banks and to buffers (2 x {t.tMOD}), less one slot":
            2 * t.tMOD - t.tCCDS,
        "accumulators written and read": 8,
        f"inputs over the pins into the buffer, {macs} x {t.tCCDS} / {groups} groups of outputs":
            macs * t.tCCDS / groups,
    }  # fmt: skip
    total, lines = 0.0, []
    for text, cycles in parts.items():
        total += cycles
        lines.append([text, f"{cycles:g}", f"{outside / total:.1f}"])
    return markdown(["cycles of one row, inputs first", "cycles", "speed-up left"], lines)


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Speed-up against size, speed-up against batch, and energy against batch."""
    fig = figure(85)
    left, middle, right = fig.subplots(1, 3)
    for name, (low, high) in PUBLISHED.items():
        left.axhspan(low, high, 0.8, 1, color=PARTS[MACHINES.index(name)], alpha=0.35, lw=2)
    left.plot([], [], "s", color="0.6", label="published for a system")
    for name, colour in zip(MACHINES, PARTS, strict=False):
        one = ds.sel(machine=name)
        left.plot(ds["size"], one.speedup, "o-", color=colour, label=NAMES[name])
        left.axhline(float(one.bound), color=colour, ls=":", lw=1)
        middle.plot(ds.batch, one.speedup_batch, "o-", color=colour)
        right.plot(ds.batch, one.energy_ratio_batch, "o-", color=colour)
    middle.axhline(1, color="0.4", lw=1)
    right.axhline(1, color="0.4", lw=1)
    for axes, label, title in (
        (
            left,
            "rows = columns of the matrix",
            "Row switches keep half the\nbandwidth ratio (dotted)",
        ),
        (middle, "batch (matrix 8192 x 8192)", "Each more row costs a pass:\nthe gain is gone"),
        (right, "batch (matrix 8192 x 8192)", "The pins' joules are paid once a batch"),
    ):
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xlabel(label)
        axes.set_title(title, fontsize="medium")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FormatStrFormatter("%g"))
    left.set_yticks([0.5, 1, 2, 4, 8, 16])
    middle.set_yticks([0.1, 0.3, 1, 3, 10])
    right.set_yticks([0.3, 1, 3, 10])
    left.set_ylabel("speed-up over reading weights")
    middle.set_ylabel("speed-up over reading weights")
    right.set_ylabel("energy, banks / pins")
    left.legend(**BELOW)
    return fig


if __name__ == "__main__":
    answer = compute()
    save(draw(answer), OUT)
    fill(__file__, lambda row: found(answer, row), tables(answer))
