"""Does our scheduler serve streams of reads and writes in the cycles that Ramulator 2.1 takes, on
five families of DRAM, and do their commands cost what DRAMsim3 and DRAMPower say?

`python papers/dram-peers/make.py` writes the figure and the table of README.md.
"""

from __future__ import annotations

import csv
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import pimlab.dram_pim as pim
from pimlab import catalogue
from pimlab.dram_pim import Banks, Controller, Timing, WriteQueue
from pimlab.dram_pim.currents import counted_energy
from pimlab.plot.style import PARTS, figure, for_print, save
from pimlab.studies.published import Row, fill

OUT = Path(__file__).with_name("dram-peers")
TARGETS = Path(__file__).with_name("targets.csv")
REQUESTS = 8000
KEPT_BACK: dict[str, dict[str, Any]] = tomllib.loads(
    Path(__file__).with_name("kept-back.toml").read_text()
)
"""Other timing tables: the family, the tool's preset, and what it changes."""
GROUPS = {"ddr5": 8, "lpddr5": 4, "hbm2": 4, "hbm3": 4, "gddr6": 4}
ROWS = {"ddr5": 65536, "lpddr5": 32768, "hbm2": 65536, "hbm3": 16384, "gddr6": 16384}
COLUMNS = {"ddr5": 64, "lpddr5": 64, "hbm2": 32, "hbm3": 32, "gddr6": 64}
WRITES = {
    "seq read": 0.0,
    "seq write": 1.0,
    "random read": 0.0,
    "random write": 1.0,
    "random mixed": 1 / 3,
}
ENERGIES: dict[str, tuple[str | Path, float, int]] = {
    "DRAMsim3": ("hbm2-dramsim3", 1e-9, 512),
    "DRAMPower": (Path(__file__).with_name("drampower-ddr5.toml"), 1e-8 / 13, 64),
}
"""Tool -> currents it was given, its clock (s) and bits of one access."""
CONTROLLER = Controller(
    depth=32, writes=WriteQueue(), postpone=0, rows="open until wanted", leaves="row opens"
)
"""As the tool's: 32 reads and 32 writes, drained from 26 to 6, rows that stay open, refreshes that
do not wait, and requests that leave their queue when a row opens for them.
"""


def family_of(name: str) -> str:
    """The family of a timing table: its own name, or that of which it is another speed or size."""
    return str(KEPT_BACK[name]["family"]) if name in KEPT_BACK else name


def table(family: str) -> Timing:
    """The timing table, with the numbers in which the tool's differs from ours: tFAW of DDR5, the
    cycles that LPDDR5's write clock runs on, and the density behind HBM3's tRFC.
    """
    if family in KEPT_BACK:
        changes = {k: v for k, v in KEPT_BACK[family].items() if k not in ("family", "preset")}
        return table(family_of(family)).but(name=family, **changes)
    if family == "ddr5":
        return pim.timing("ddr5").but(tXAW=48)
    if family == "lpddr5":
        return pim.timing("lpddr5").but(WCK=2)
    if family == "hbm3":
        return pim.timing("hbm3").but(tRFC=720)
    return pim.timing("hbm2-jedec" if family == "hbm2" else family)


def channel(family: str) -> Banks:
    """One channel of the tool's organisation, four banks a group."""
    groups = GROUPS[family]
    return Banks(
        channels=1,
        ranks=1,
        banks=4 * groups,
        bank_groups=groups,
        rows=ROWS[family],
        columns=COLUMNS[family],
        access_bits=256,
    )


def requests(family: str, kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(write, bank, row, column) of the requests: consecutive ones change group, then bank, then
    column; random ones go anywhere.
    """
    rng, groups = np.random.default_rng(0), GROUPS[family]
    if kind.startswith("seq"):
        at = np.arange(REQUESTS)
        group, at = at % 2, at // 2
        inner, at = at % 4, at // 4
        group, at = group + 2 * (at % (groups // 2)), at // (groups // 2)
        column, row = at % COLUMNS[family], at // COLUMNS[family]
    else:
        group, inner = rng.integers(0, groups, REQUESTS), rng.integers(0, 4, REQUESTS)
        row = rng.integers(0, ROWS[family], REQUESTS)
        column = rng.integers(0, COLUMNS[family], REQUESTS)
    share = WRITES[kind]
    write = rng.random(REQUESTS) < share if 0 < share < 1 else np.full(REQUESTS, share == 1)
    return write, group * 4 + inner, row, column


def served(family: str, kind: str, refresh: bool, count: int) -> int:
    """Cycle of the column command with which the first `count` requests are served."""
    kin = family_of(family)
    commands = pim.schedule(
        table(family),
        channel(kin),
        *requests(kin, kind),
        controller=CONTROLLER,
        refresh=refresh,
    )
    columns = commands.cycle.values[np.isin(commands.command.values, ("RD", "WR"))]
    return int(columns[count - 1])


def spent(tool: str, component: str, condition: str) -> float:
    """Energy [pJ] of the commands that the tool counted, by the currents it was given; the
    condition reads "stream; ACT 1; RD 2; WR 3; REF 4; open 5; closed 6", times in cycles.
    """
    currents, clock, bits = ENERGIES[tool]
    words = [text.split(" ") for text in condition.split("; ")[1:]]
    counts = {name: int(count) for name, count in words}
    seconds = (counts.pop("open") * clock, counts.pop("closed") * clock)
    table = currents if isinstance(currents, str) else catalogue.load(currents)
    energy = counted_energy(counts, seconds, table, access_bits=bits).energy
    return 1e12 * float(energy.sum() if component == "total" else energy.sel(component=component))


def _row(row: dict[str, str]) -> float:
    tool, family = row["quantity"].split(" ")[:2]
    if tool in ENERGIES:
        return spent(tool, row["quantity"].split(" ")[2], row["condition"])
    kind, refresh, count = row["condition"].split("; ")
    return served(
        family,
        kind,
        refresh == "refresh on",
        int(count.removeprefix("requests ")),
    )


def compute(quick: bool = False) -> xr.Dataset:
    """Dataset by row of targets.csv: the tool's cycles (published) and ours; the quick size leaves
    out the timing tables kept back.
    """
    with TARGETS.open() as file:
        rows = list(csv.DictReader(file))
    if quick:
        rows = [row for row in rows if row["quantity"].split(" ")[1] not in KEPT_BACK]
    text = {"units": "cycles or pJ", "long_name": "memory cycles, or energy of the commands"}
    return xr.Dataset(
        {
            "published": ("row", np.array([float(row["published"]) for row in rows]), text),
            "ours": ("row", np.array([_row(row) for row in rows]), text),
        },
        coords={
            "row": [f"{row['quantity']} {row['condition']}" for row in rows],
            "family": ("row", [row["quantity"].split(" ")[1] for row in rows]),
            "tool": ("row", [row["quantity"].split(" ")[0] for row in rows]),
        },
        attrs={
            "sources": "ramulator2,gem5,dramsim3,drampower",
            "title": "Cycles and energies of other tools, and ours",
        },
    )


def found(ds: xr.Dataset, row: Row) -> float | None:
    """Ours for a row of targets.csv; None where the quick size has none."""
    name = f"{row.quantity} {row.condition}"
    return float(ds.ours.sel(row=name)) if name in ds.row else None


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Our cycles over the tool's by stream, one colour a family."""
    ds = ds.isel(row=(ds.tool == "Ramulator2").values)
    fig = figure(80)
    axes = fig.subplots()
    names = [f"{kind}\nrefresh {state}" for kind in WRITES for state in ("off", "on")]
    for family, colour in zip(GROUPS, PARTS, strict=False):
        one = ds.isel(row=(ds.family == family).values)
        beyond = 100 * (one.ours / one.published - 1)
        axes.plot(names, beyond, "o", color=colour, label=family)
    axes.axhspan(-2, 2, color="0.93", zorder=0)
    axes.set_ylabel("our cycles beyond the tool's (%)")
    axes.tick_params(axis="x", labelrotation=60, labelsize="small")
    ratio = abs(ds.ours / ds.published - 1)
    within = int((ratio <= 0.02).sum())
    axes.set_title(
        f"{within} of {ds.sizes['row']} streams take the cycles of Ramulator 2.1 within 2 %,\n"
        f"all within {100 * float(ratio.max()):.1f} %"
    )
    axes.legend(frameon=False, ncols=5)
    return fig


if __name__ == "__main__":
    answer = compute()
    save(draw(answer), OUT)
    fill(__file__, lambda row: found(answer, row))
