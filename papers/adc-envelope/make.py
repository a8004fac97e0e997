"""How far is the usual ADC from the best one published, and what did ISAAC's converter really have?

`python papers/adc-envelope/make.py` writes the figure and the tables of README.md.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from pimlab.analog import adc_energy
from pimlab.plot.style import ALARM, BELOW, PARTS, PUBLISHED, figure, for_print, save
from pimlab.studies.published import Row, fill

OUT = Path(__file__).with_name("adc-envelope")
BINS = (
    Path(__file__).parents[2]
    / "datasets"
    / "reference"
    / "analog"
    / "murmann2025_energy_by_enob.csv"
)
MODELS = ("envelope", "median", "regression")
SAID = {
    "envelope": "envelope: 0.267 pJ + 0.1446 aJ 4^ENOB",
    "median": "median model: half of all designs need less",
    "regression": "regression at 32 nm (Andrulis 2024)",
}
ISAAC = {"charged": (8.0, 1.667e-12), "as surveyed": (6.24, 2.55e-12)}
"""(effective bits, J) of the 8-bit converter that ISAAC charges, and of the design it points to as
the survey lists it.
"""


def _bins() -> dict[str, np.ndarray]:
    with BINS.open() as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


def compute(quick: bool = False) -> xr.Dataset:
    """Dataset of the energy of a conversion over `model` and `enob` at 100 MHz in 32 nm, and the
    survey's bins over `bin`.
    """
    enob = np.arange(4, 14.01, 1.0 if quick else 0.25)
    bins = _bins()
    energy = [[adc_energy(b, 1e8, "32 nm", model) for b in enob] for model in MODELS]
    joule = {"units": "J", "long_name": "energy of one conversion"}
    points = {
        name: ("bin", bins[column] * 1e-12, joule)
        for name, column in (
            ("least", "min_pJ_all"),
            ("tenth", "p10_pJ_2012plus"),
            ("middle", "median_pJ_2012plus"),
        )
    }
    return xr.Dataset(
        {
            "energy": (("model", "enob"), np.array(energy), joule),
            **points,
            "isaac": ("claim", np.array([joules for _, joules in ISAAC.values()]), joule),
            "honest": (
                "claim",
                np.array([adc_energy(bits, 1.2e9, "32 nm") for bits, _ in ISAAC.values()]),
                joule,
            ),
        },
        coords={"model": list(MODELS), "enob": enob, "bin": bins["enob_bin"], "claim": list(ISAAC)},
        attrs={"sources": "murmann2025, andrulis2024adc, shafiee2016"},
    )


def found(ds: xr.Dataset, row: Row) -> float:
    """Ours for a row of targets.csv: pJ of a conversion, or a coefficient of the envelope."""
    if row.quantity == "regression":
        enob = float(row.condition.split("=")[1])
        return 1e12 * float(ds.energy.sel(model="regression", enob=enob))
    slope, floor = np.polyfit(4.0**ds.enob.values, ds.energy.sel(model="envelope").values, 1)
    return float(slope * 1e18 if row.condition == "slope" else floor * 1e12)


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Energy against effective bits: three models, the survey's bins, and the converter ISAAC
    charges.
    """
    fig = figure(95, 1)
    axes = fig.subplots()
    pico = 1e12
    band = ds.energy.sel(model=["envelope", "median"]) * pico
    axes.fill_between(ds.enob, *band.values, color=PARTS[0], alpha=0.15, lw=0)
    for colour, model, style in zip(PARTS, ds.model.values, ("-", "--", ":"), strict=False):
        axes.plot(
            ds.enob, ds.energy.sel(model=model) * pico, style, color=colour, label=SAID[model]
        )
    for name, marker, label in (
        ("least", "v", "survey: least of all years"),
        ("tenth", "_", "survey: 10th percentile since 2012"),
        ("middle", "o", "survey: median since 2012"),
    ):
        axes.plot(ds.bin, ds[name] * pico, marker, **PUBLISHED, label=label)
    axes.plot(
        [bits for bits, _ in ISAAC.values()],
        ds.isaac * pico,
        "*",
        color=ALARM,
        ms=7,
        label="ISAAC: charged (8), as surveyed (6.24)",
    )
    axes.set(
        yscale="log",
        xlabel="effective bits",
        ylabel="energy of one conversion (pJ)",
        title="Half of the ADCs need twelve times the best one's\nenergy or more: a price without "
        "its band says little",
    )
    axes.legend(**BELOW)
    return fig


if __name__ == "__main__":
    answer = compute()
    save(draw(answer), OUT)
    fill(__file__, lambda row: found(answer, row))
