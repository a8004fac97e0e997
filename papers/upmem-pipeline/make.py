"""How many tasklets fill a DPU's pipeline, and what does a transfer between bank and scratchpad
reach by its size?

`python papers/upmem-pipeline/make.py` writes the figure and the tables of README.md.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

import pimlab.dram_pim as pim
from pimlab.plot.style import PARTS, figure, for_print, save
from pimlab.studies.published import Row, fill

OUT = Path(__file__).with_name("upmem-pipeline")


def compute(quick: bool = False) -> xr.Dataset:
    """throughput (tasklets) in instructions a second, bandwidth (transfer) in B/s, of one core;
    macs (tasklets, bytes) in 1/s.
    """
    core = pim.TARGETS["upmem"]().organisation
    tasklets = np.arange(1, 25)
    sizes = 2 ** np.arange(3, 12)
    many = 1 << 20
    throughput = [many / core.but(tasklets=int(n)).pipeline(many) * core.clock for n in tasklets]
    bandwidth = [
        many / core.but(transfer_bytes=int(size)).transfers(many) * core.clock for size in sizes
    ]
    return xr.Dataset(
        {
            "throughput": (
                "tasklets",
                np.array(throughput),
                {"units": "1/s", "long_name": "instructions a second of one core"},
            ),
            "bandwidth": (
                "transfer",
                np.array(bandwidth),
                {"units": "B/s", "long_name": "bank to scratchpad, one core"},
            ),
        },
        coords={"tasklets": tasklets, "transfer": ("transfer", sizes, {"units": "B"})},
        attrs={"sources": "gomezluna2022"},
    )


def saturation(ds: xr.Dataset) -> int:
    """The fewest tasklets that reach the largest throughput."""
    return int(
        ds.tasklets[int(np.argmax(ds.throughput.values >= 0.999 * float(ds.throughput.max())))]
    )


def found(ds: xr.Dataset, row: Row) -> float:
    """Ours for a row of targets.csv: tasklets that fill the pipeline; NaN where it is never
    full.
    """
    return float(saturation(ds)) if np.isfinite(ds.throughput).all() else np.nan


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Throughput against tasklets, bandwidth against transfer size."""
    fig = figure(82)
    left, right = fig.subplots(1, 2)
    full = saturation(ds)
    left.plot(ds.tasklets, ds.throughput / 1e6, "o-", color=PARTS[0])
    left.axvline(full, color="0.4", ls=":")
    left.set_xlabel("tasklets")
    left.set_ylabel("instructions of one core (10$^6$/s)")
    left.set_title(f"{full} tasklets fill the pipeline", fontsize="medium")
    left.set_ylim(0)
    right.plot(ds.transfer, ds.bandwidth / 1e6, "o-", color=PARTS[1])
    right.set_xscale("log", base=2)
    right.xaxis.set_major_formatter(ScalarFormatter())
    right.set_xlabel("bytes of one transfer")
    right.set_ylabel("bank to scratchpad (MB/s)")
    right.set_title("Small transfers pay their set-up (assumed)", fontsize="medium")
    right.set_ylim(0)
    return fig


if __name__ == "__main__":
    answer = compute()
    save(draw(answer), OUT)
    fill(__file__, lambda row: found(answer, row))
