"""What do five years of drift do to a two-layer perceptron in PCM, and how much do compensations
take back?

`python papers/five-year-drift/make.py` writes the figure and the tables of README.md.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import pimlab as pim
from pimlab.analog import DriftCompensation, ReferenceColumns, StatisticsCompensation
from pimlab.plot.style import ALARM, PARTS, figure, for_print, save
from pimlab.studies.published import Row, fill, markdown

OUT = Path(__file__).with_name("five-year-drift")
TARGETS = Path(__file__).with_name("targets.csv")
RULES = {
    "none": None,
    "one gain a layer": DriftCompensation(),
    "reference columns": ReferenceColumns(count=4),
    "output statistics": StatisticsCompensation(),
}
TIMES = ("0 s", "1 h", "1 day", "1 month", "1 y", "5 y")
CELLS = ("pcm-joshi2020", "pcm-hermes-pair")


def machine(cell: str, rule: str) -> pim.Crossbar:
    """Arrays of 256 x 256 pairs with 8-bit converters."""
    return pim.Crossbar(
        name=rule,
        cell=pim.device(cell),
        dac=pim.DAC(bits=8),
        adc=pim.ADC(bits=8),
        compensation=RULES[rule],
    )


def compute(quick: bool = False) -> xr.Dataset:
    """Dataset of the classification error over `cell`, `rule`, `at` and `seed`; quick takes one
    cell and fewer times and seeds.
    """
    model, data = pim.load_model("digits-mlp"), pim.load_data("digits", split="test")
    times = [TIMES[0], TIMES[-1]] if quick else list(TIMES)

    @pim.study
    def error(cell: str, rule: str, seed: int) -> xr.Dataset:
        return pim.run(model, machine(cell, rule), data, at=times, seed=seed)[["accuracy"]]

    cells = CELLS[:1] if quick else CELLS
    ds = pim.sweep(
        error, cell=list(cells), rule=list(RULES), seed=range(4 if quick else 10), progress=False
    )
    ds["error"] = (1 - ds.accuracy).assign_attrs(units="1", long_name="classification error")
    software = 1 - float(pim.run(model, pim.Crossbar(), data).accuracy)
    return ds.assign(software=((), software, {"units": "1"}))


def targets() -> list[dict[str, str]]:
    """The rows of targets.csv."""
    with TARGETS.open() as file:
        return list(csv.DictReader(file))


def found(ds: xr.Dataset, row: Row) -> float:
    """Ours for a row of targets.csv: error of the first cell after five years, mean over seeds."""
    last = ds.error.isel(cell=0, at=-1).mean("seed")
    left, gain = float(last.sel(rule="none")), float(last.sel(rule="one gain a layer"))
    if row.quantity == "gain":
        return gain / left
    return gain if "one gain a layer" in row.condition else left


def tables(ds: xr.Dataset) -> dict[str, str]:
    """Classification error (%) after five years by rule and cell."""
    last = 100 * ds.error.isel(at=-1)
    mean, deviation = last.mean("seed"), last.std("seed", ddof=1) / np.sqrt(ds.sizes["seed"])
    lines = [
        [
            str(rule),
            *(
                f"{float(mean.sel(rule=rule, cell=cell)):.1f} +- "
                f"{2 * float(deviation.sel(rule=rule, cell=cell)):.1f}"
                for cell in ds.cell.values
            ),
        ]
        for rule in ds.rule.values
    ]
    lines.insert(0, ["floating point", *[f"{100 * float(ds.software):.1f}"] * ds.sizes["cell"]])
    return {"five years": markdown(["error (%)", *map(str, ds.cell.values)], lines)}


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """One panel a cell: classification error against time, a line a rule."""
    fig = figure(77)
    titles = {
        "pcm-joshi2020": "Left alone the error doubles in five years;\none gain a layer keeps most "
        "of it away",
        "pcm-hermes-pair": "Where drift depends on the conductance, a gain\nhelps less than "
        "renewed output statistics",
    }
    panels = np.atleast_1d(fig.subplots(1, ds.sizes["cell"], sharey=True))
    age = np.maximum(ds["at"].values, 60.0)
    for axes, cell in zip(panels, ds.cell.values, strict=True):
        for colour, rule in zip((ALARM, PARTS[0], PARTS[4], PARTS[2]), ds.rule.values, strict=True):
            one = 100 * ds.error.sel(cell=cell, rule=rule)
            mean, half = one.mean("seed"), one.std("seed", ddof=1) / np.sqrt(ds.sizes["seed"]) * 2
            axes.fill_between(age, mean - half, mean + half, color=colour, alpha=0.2, lw=0)
            axes.plot(
                age,
                mean,
                "s--" if rule == "reference columns" else "o-",
                color=colour,
                ms=3,
                label=str(rule),
            )
        axes.axhline(100 * float(ds.software), color="0.5", ls=":", label="floating point")
        axes.set(
            xscale="log", title=f"{cell}\n{titles[str(cell)]}", xlabel="time after programming"
        )
        axes.set_xticks(
            age,
            ["0", "1 h", "1 d", "1 m", "1 y", "5 y"] if len(age) == len(TIMES) else ["0", "5 y"],
        )
        axes.minorticks_off()
    panels[0].set(ylabel="classification error (%)", ylim=(0, None))
    panels[0].fill_between(
        [],
        [],
        [],
        color="0.5",
        alpha=0.2,
        lw=0,
        label=f"two standard errors, {ds.sizes['seed']} seeds",
    )
    panels[0].legend(frameon=False)
    return fig


if __name__ == "__main__":
    answer = compute()
    save(draw(answer), OUT)
    fill(__file__, lambda row: found(answer, row), tables(answer))
