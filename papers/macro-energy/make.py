"""How does a macro's energy follow from the values it multiplies and from its supply? C V^2, and a
charge a unit of output.

`python papers/macro-energy/make.py` writes the figure and the tables of README.md.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pimlab.constants import Constant
from pimlab.cost import Price, Prices, price
from pimlab.plot.style import PARTS, figure, for_print, save
from pimlab.studies.published import Row, fill, markdown

OUT = Path(__file__).with_name("macro-energy")
TARGETS = Path(__file__).with_name("targets.csv")
EVENTS = ("access", "active access", "unit of output")
"""What one access of the 7-nm macro counts: itself, whether anything is multiplied, and the mean
output (0..15).
"""
SERIES = {
    "sinangil2021 access": "7 nm SRAM, 4 bits (Sinangil 2021)",
    "wang2022 operation": "22 nm C-2C SRAM, 8 bits (Wang 2022)",
    "jia2020 ADC": "65 nm SRAM, ADC (Jia 2020)",
    "jia2020 array": "65 nm SRAM, array (Jia 2020)",
    "jia2020 datapath": "65 nm SRAM, digital (Jia 2020)",
}


def targets() -> list[dict[str, str]]:
    """The rows of targets.csv."""
    with TARGETS.open() as file:
        return list(csv.DictReader(file))


def counts(output: float) -> dict[str, float]:
    """Events of one access whose mean output is `output`."""
    return {"access": 1.0, "active access": float(output > 0), "unit of output": float(output)}


def _points(quantity: str) -> dict[float, tuple[float, bool]]:
    """Condition (V, or mean output) -> (published pJ, whether it is fitted)."""
    rows = [row for row in targets() if row["quantity"] == quantity]
    return {
        float(row["condition"].split("=")[1]): (float(row["published"]), row["role"] == "fitted")
        for row in rows
    }


def _prices() -> Prices:
    """Price of each event, solved from the fitted outputs."""
    fitted = {
        output: pico for output, (pico, used) in _points("sinangil2021 output").items() if used
    }
    matrix = [[counts(output)[event] for event in EVENTS] for output in fitted]
    solved = np.linalg.solve(matrix, list(fitted.values()))
    reason = (
        f"solved from the energies at mean outputs {', '.join(f'{output:g}' for output in fitted)}"
    )
    made = {
        event: Constant(
            name=event,
            value=pico * 1e-12,
            low=pico * 1e-12,
            high=pico * 1e-12,
            unit="J",
            printed=f"{pico:.4g} pJ",
            status="derived",
            sources=("sinangil2021", "andrulis2024cimloop"),
            where="Fig. 13a",
            reason=reason,
        )
        for event, pico in zip(EVENTS, solved, strict=True)
    }
    return Prices(
        {event: Price(constant=constant, component=event) for event, constant in made.items()}
    )


def _by_output(prices: Prices) -> dict[float, float]:
    return {
        output: 1e12 * sum(price(counts(output), prices).nominal.values())
        for output in _points("sinangil2021 output")
    }


def _by_voltage(series: str) -> dict[float, float]:
    """C V^2, C from the one fitted voltage."""
    points = _points(series)
    (reference, (pico, _)) = next((volts, point) for volts, point in points.items() if point[1])
    return {volts: pico * (volts / reference) ** 2 for volts in points}


def compute(quick: bool = False) -> xr.Dataset:
    """Dataset over `point` of published and modelled energies (pJ), with the prices as
    attributes.
    """
    prices = _prices()
    modelled = {
        "sinangil2021 output": _by_output(prices),
        **{series: _by_voltage(series) for series in SERIES},
    }
    rows = [
        (series, at, pico, used, modelled[series][at])
        for series in modelled
        for at, (pico, used) in _points(series).items()
    ]
    series, at, published, used, ours = (np.array(column) for column in zip(*rows, strict=True))
    unit = {"units": "pJ"}
    fixed = np.mean([pico for pico, _ in _points("sinangil2021 output").values()])
    return xr.Dataset(
        {
            "published": ("point", published, unit),
            "model": ("point", ours, unit),
            "fitted": ("point", used),
            "fixed": (
                (),
                fixed,
                {**unit, "long_name": "one energy an access, whatever the values"},
            ),
        },
        coords={"series": ("point", series), "at": ("point", at)},
        attrs={
            **{f"{event} (pJ)": 1e12 * prices[event].constant.value for event in EVENTS},
            "sources": "sinangil2021, wang2022, jia2020, andrulis2024cimloop",
        },
    )


def _marks(
    axes: Axes, one: xr.Dataset, colour: str, scale: float = 1.0, label: str | None = None
) -> None:
    for used, face in ((True, "none"), (False, colour)):
        some = one.isel(point=np.flatnonzero(one.fitted == used))
        axes.plot(
            some["at"],
            some.published / scale,
            "o",
            color=colour,
            mfc=face,
            ms=4,
            label=None if used else label,
        )


def found(ds: xr.Dataset, row: Row) -> float:
    """Ours for a row of targets.csv, pJ."""
    at = float(row.condition.split("=")[1])
    place = np.flatnonzero((ds.series == row.quantity).values & (ds["at"] == at).values)
    return float(ds.model.values[place[0]]) if place.size else np.nan


def tables(ds: xr.Dataset) -> dict[str, str]:
    """The constants that were solved from the fitted outputs."""
    lines = [[event, f"{ds.attrs[f'{event} (pJ)']:.3f}"] for event in EVENTS]
    return {"prices": markdown(["event of an access", "pJ"], lines)}


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Left: energy against the values. Right: energy against the supply."""
    fig = figure(73)
    left, right = fig.subplots(1, 2)
    one = ds.isel(point=np.flatnonzero(ds.series == "sinangil2021 output"))
    line = np.concatenate([[0.0], np.linspace(1e-3, 15, 50)])
    left.plot(
        line,
        [sum(counts(v)[event] * ds.attrs[f"{event} (pJ)"] for event in EVENTS) for v in line],
        "-",
        color=PARTS[0],
        label="model",
    )
    _marks(left, one, PARTS[0], label="published (open: fitted)")
    left.axhline(float(ds.fixed), ls=":", color="0.4", label="one energy for all values")
    left.set(
        xlabel="mean output of an access (0..15)",
        ylabel="energy of an access (pJ)",
        ylim=(0, 9),
        title="The same macro takes 2.3 times the energy\nwhen its outputs are large",
    )
    left.legend(frameon=False)
    volts = np.linspace(0.62, 1.22, 50)
    for colour, (series, label) in zip(PARTS, SERIES.items(), strict=False):
        one = ds.isel(point=np.flatnonzero(ds.series == series))
        reference = one.isel(point=np.flatnonzero(one.fitted)[0])
        _marks(right, one, colour, float(reference.published) / float(reference["at"]) ** 2, label)
    right.plot(volts, volts**2, "-", color="black", lw=1, label="C V^2")
    right.set(
        xlabel="supply (V)",
        ylabel="energy, relative to C (1 V)^2",
        ylim=(0, None),
        title="Up to 1.0 V energy follows the square of the supply\nwithin 10 %; above it not "
        "every part does",
    )
    right.legend(frameon=False)
    return fig


if __name__ == "__main__":
    answer = compute()
    save(draw(answer), OUT)
    fill(__file__, lambda row: found(answer, row), tables(answer))
