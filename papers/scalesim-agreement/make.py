"""Do our counts equal SCALE-Sim's to the cycle and the access, and what changes when its faults are
corrected?

`python papers/scalesim-agreement/make.py` writes results/scalesim-agreement.svg and .png and prints
the table.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from pimlab.npu import gemm_cycles
from pimlab.plot.style import PARTS, figure, for_print, save
from pimlab.studies.published import Row, fill, markdown

OUT = Path(__file__).with_name("scalesim-agreement")
REFERENCE = Path(__file__).parents[2] / "datasets" / "reference" / "npu" / "scalesim_calc.csv"
COUNTS = {
    "total_cycles": "cycles",
    "sram_ifmap_reads": "SRAM reads of x",
    "sram_filter_reads": "SRAM reads of w",
    "sram_ofmap_writes": "SRAM writes of y",
    "dram_ifmap_reads": "DRAM reads of x",
    "dram_filter_reads": "DRAM reads of w",
    "dram_ofmap_writes": "DRAM writes of y",
}
WHY = {
    "cycles": "the tool gives the index of the last cycle, and leaves out the drain of os",
    "SRAM writes of y": "os adds rows + columns a fold; ours also reads partial sums back",
    "DRAM reads of w": "the tool forgets a whole buffer at once and fetches a block in part again",
    "DRAM writes of y": "ws and is send every partial sum to DRAM; ours keeps a tile that fits",
}
NAMES = {"ws": "weight-stationary", "os": "output-stationary", "is": "input-stationary"}


def _counts(row: dict[str, str], compat: str | None) -> list[int]:
    sizes = [int(row[name]) for name in "mnk"]
    array = int(row["array"])
    answer = gemm_cycles(*sizes, rows=array, cols=array, dataflow=row["dataflow"], compat=compat)
    return [getattr(answer, name) for name in COUNTS]


def compute(quick: bool = False) -> xr.Dataset:
    """Dataset by (row, quantity): the tool's count `published`, ours in its rule `same`, ours
    corrected `corrected`.
    """
    with REFERENCE.open() as file:
        rows = list(csv.DictReader(file))
    values = {
        "published": [[int(row[name]) for name in COUNTS] for row in rows],
        "same": [_counts(row, "scalesim") for row in rows],
        "corrected": [_counts(row, None) for row in rows],
    }
    names = [f"{row['shape']} array={row['array']} {row['dataflow']}" for row in rows]
    return xr.Dataset(
        {
            name: (("row", "quantity"), np.array(table), {"units": "1"})
            for name, table in values.items()
        },
        coords={
            "row": names,
            "quantity": list(COUNTS),
            "dataflow": ("row", [row["dataflow"] for row in rows]),
        },
        attrs={
            "sources": "scalesim2025",
            "title": "SCALE-Sim 3.0.0 counts, ours by its rule, and ours corrected",
        },
    )


def found(ds: xr.Dataset, row: Row) -> float:
    """Ours for a row of targets.csv: a count by SCALE-Sim's rule."""
    return float(ds.same.sel(row=row.condition, quantity=row.quantity))


def tables(ds: xr.Dataset) -> dict[str, str]:
    """Corrected over SCALE-Sim's count: smallest and largest of all rows."""
    ratio = ds.corrected / ds.published
    lines = [
        [
            text,
            *(f"{float(end(ratio.sel(quantity=name).values)):.3f}" for end in (np.min, np.max)),
            WHY.get(text, ""),
        ]
        for name, text in COUNTS.items()
    ]
    return {"corrected": markdown(["count", "smallest", "largest", "why"], lines)}


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Corrected over SCALE-Sim's count, one strip a quantity, one colour a dataflow."""
    fig = figure(85)
    axes = fig.subplots()
    equal, total = int((ds.same == ds.published).sum()), ds.same.size
    spread = np.random.default_rng(0).uniform(-0.08, 0.08, ds.sizes["row"])
    for place, (dataflow, colour) in enumerate(zip(NAMES, PARTS, strict=False)):
        chosen = (ds.dataflow == dataflow).values
        for line, quantity in enumerate(COUNTS):
            ratio = (ds.corrected / ds.published).sel(quantity=quantity).values[chosen]
            axes.plot(
                ratio,
                line + (place - 1) * 0.26 + spread[chosen],
                "o",
                ms=3,
                color=colour,
                alpha=0.7,
                mew=0,
                label=NAMES[dataflow] if line == 0 else None,
            )
    axes.axvline(1, color="0.4", lw=1)
    axes.set_xscale("log")
    axes.set_xticks([0.01, 0.03, 0.1, 0.3, 1], ["0.01", "0.03", "0.1", "0.3", "1"])
    axes.set_yticks(range(len(COUNTS)), COUNTS.values())
    axes.invert_yaxis()
    axes.minorticks_off()
    axes.set_xlabel("corrected count over SCALE-Sim's")
    axes.set_title(
        f"{equal} of {total} counts equal SCALE-Sim's exactly by its rule;\ncorrected, most keep "
        "their value and partial sums stay on chip"
    )
    axes.legend(loc="upper left", frameon=False)
    return fig


if __name__ == "__main__":
    answer = compute()
    save(draw(answer), OUT)
    fill(__file__, lambda row: found(answer, row), tables(answer))
