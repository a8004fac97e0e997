"""How do NeuRRAM's throughput, efficiency and energy follow from input and output bits? Seven
constants, fitted on four points.

`python papers/neurram-efficiency/make.py` writes the figure and the tables of README.md.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.optimize import nnls

from pimlab.plot.style import BELOW, PARTS, figure, for_print, save
from pimlab.studies.published import Row, fill, markdown

OUT = Path(__file__).with_name("neurram-efficiency")
TARGETS = Path(__file__).with_name("targets.csv")
CORES = 48
OPS = 2 * 256 * 128
"""Operations of one read of a core: 256 x 128 signed weights, two cells each."""
PARTS_OF_A_READ = ("WL switching", "neuron operations and control", "input pulses")
ONE_PULSE_BITS = 3
"""Magnitude bits up to which the chip sends an input in one phase."""

Condition = tuple[int, int, str]
"""(input bits, output bits, "one-phase" or "two-phase")."""


def phases(magnitude: int, mode: str) -> tuple[int, ...]:
    """Magnitude bits of each phase of a read: above three bits the two-phase mode splits them in
    halves.
    """
    if mode == "one-phase" or magnitude <= ONE_PULSE_BITS:
        return (magnitude,)
    return (-(-magnitude // 2), magnitude // 2)


def counts(condition: Condition) -> dict[str, int]:
    """Events of one read: input bits sent, integrations (2^p - 1 a phase of p bits), steps of the
    ADC, phases.
    """
    inputs, outputs, mode = condition
    magnitude = max(inputs - 1, 1)
    parts = phases(magnitude, mode)
    steps = sum(outputs - sum(parts[:index]) for index in range(len(parts)))
    return {
        "bits": magnitude,
        "integrations": sum(2**p - 1 for p in parts),
        "ADC steps": steps,
        "phases": len(parts),
    }


TIME_EVENTS = ("integrations", "ADC steps", "phases")
ENERGY_EVENTS = {
    "WL switching": ("bits",),
    "neuron operations and control": ("bits", "ADC steps"),
    "input pulses": ("bits",),
}


def _targets() -> list[dict[str, str]]:
    with TARGETS.open() as file:
        return list(csv.DictReader(file))


def condition(text: str) -> Condition:
    """(1, 3, "one-phase") of "in=1 out=3 one-phase"."""
    inputs, outputs, mode = text.split()
    return int(inputs[3:]), int(outputs[4:]), mode


def _published(quantity: str, role: str | None = None) -> dict[Condition, float]:
    rows = [
        row for row in _targets() if row["quantity"] == quantity and role in (None, row["role"])
    ]
    return {condition(row["condition"]): float(row["published"]) for row in rows}


def _fitted(quantity: str) -> dict[Condition, float]:
    """The four points that are fitted; up to four input bits both modes are the same read and count
    once.
    """
    return {
        one: value for one, value in _published(quantity, "fitted").items() if one[2] == "two-phase"
    }


def _fit(events: tuple[str, ...], measured: dict[Condition, float]) -> np.ndarray:
    """Non-negative constant of each event, least squares of the relative error."""
    y = np.array(list(measured.values()))
    a = np.array([[counts(one)[event] for event in events] for one in measured])
    return nnls(a / y[:, None], np.ones(len(y)))[0]


def _modelled(events: tuple[str, ...], constants: np.ndarray, one: Condition) -> float:
    return float(
        sum(
            counts(one)[event] * constant for event, constant in zip(events, constants, strict=True)
        )
    )


def compute(quick: bool = False) -> xr.Dataset:
    """Dataset over `point` (condition): ours and published throughput, efficiency and energy by
    part; constants as attributes.
    """
    seconds = {one: CORES * OPS / (tops * 1e12) for one, tops in _fitted("throughput").items()}
    time = _fit(TIME_EVENTS, seconds)
    energy = {part: _fit(events, _fitted(part)) for part, events in ENERGY_EVENTS.items()}
    points = list(_published("throughput"))
    latency = np.array([_modelled(TIME_EVENTS, time, one) for one in points])
    femto = np.array(
        [
            [_modelled(events, energy[part], one) for part, events in ENERGY_EVENTS.items()]
            for one in points
        ]
    )
    ours = {"throughput": CORES * OPS / latency / 1e12, "efficiency": 1000 / femto.sum(axis=1)}
    printed = {name: [_published(name)[one] for one in points] for name in ours}
    parts = [[_published(part).get(one, np.nan) for part in PARTS_OF_A_READ] for one in points]
    fitted = [one in _published("throughput", "fitted") for one in points]
    units = {"throughput": {"units": "TOPS"}, "efficiency": {"units": "TOPS/W"}}
    return xr.Dataset(
        {
            **{name: ("point", values, units[name]) for name, values in ours.items()},
            **{
                f"{name}_published": ("point", values, units[name])
                for name, values in printed.items()
            },
            "energy": (("point", "part"), femto, {"units": "fJ/op"}),
            "energy_published": (("point", "part"), np.array(parts), {"units": "fJ/op"}),
            "fitted": ("point", fitted),
        },
        coords={
            "point": [f"in={i} out={o} {mode}" for i, o, mode in points],
            "input_bits": ("point", [one[0] for one in points]),
            "mode": ("point", [one[2] for one in points]),
            "part": list(PARTS_OF_A_READ),
        },
        attrs={
            **{
                f"time of {event} (us)": 1e6 * value
                for event, value in zip(TIME_EVENTS, time, strict=True)
            },
            **{
                f"{part}, each of {event} (fJ/op)": value
                for part, events in ENERGY_EVENTS.items()
                for event, value in zip(events, energy[part], strict=True)
            },
            "sources": "wan2022, andrulis2024cimloop",
        },
    )


def _curve(axes: Axes, ds: xr.Dataset, name: str, mode: str, colour: str) -> None:
    one = ds.isel(point=np.flatnonzero(ds["mode"] == mode)).sortby("input_bits")
    axes.plot(one.input_bits, one[name], "-", color=colour, label=f"model, {mode}")
    for fitted, face, text in (
        (True, "none", "published, fitted"),
        (False, colour, "published, held out"),
    ):
        some = one.isel(point=np.flatnonzero(one.fitted == fitted))
        axes.plot(
            some.input_bits,
            some[f"{name}_published"],
            "o",
            color=colour,
            mfc=face,
            ms=4,
            label=f"{text}, {mode}",
        )


def found(ds: xr.Dataset, row: Row) -> float:
    """Ours for a row of targets.csv."""
    one = ds.sel(point=row.condition)
    return float(one[row.quantity] if row.quantity in one else one.energy.sel(part=row.quantity))


def tables(ds: xr.Dataset) -> dict[str, str]:
    """The fitted constants."""
    lines = [[name, f"{value:.3g}"] for name, value in ds.attrs.items() if isinstance(value, float)]
    return {"constants": markdown(["constant", "value"], lines)}


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Throughput and efficiency against input bits, and the energy of an operation by part."""
    fig = figure(78)
    left, middle, right = fig.subplots(1, 3)
    for name, axes, unit in (
        ("throughput", left, "TOPS, 48 cores"),
        ("efficiency", middle, "TOPS/W"),
    ):
        for mode, colour in (("one-phase", PARTS[1]), ("two-phase", PARTS[0])):
            _curve(axes, ds, name, mode, colour)
        axes.set(
            yscale="log", xlabel="input bits (output bits: two more)", ylabel=f"{name} ({unit})"
        )
        ticks = [0.25, 0.5, 1, 2] if name == "throughput" else [5, 10, 20, 40]
        axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
    left.set_title("Three time constants give ten\nthroughputs: held out within 3 %")
    middle.set_title("Four energy constants give the\nefficiency: held out within 10 %")
    left.legend(**BELOW)
    two = ds.isel(point=np.flatnonzero(ds["mode"] == "two-phase")).sortby("input_bits")
    for offset, energy, hatch in ((-0.2, two.energy_published, ""), (0.2, two.energy, "//")):
        base = np.zeros(two.sizes["point"])
        for colour, part in zip(PARTS, two.part.values, strict=False):
            label = str(part) if not hatch else None
            right.bar(
                two.input_bits + offset,
                energy.sel(part=part),
                0.38,
                bottom=base,
                color=colour,
                hatch=hatch,
                ec="white",
                label=label,
            )
            base += energy.sel(part=part).values
    right.bar([0], [0], color="0.8", hatch="//", ec="white", label="model (published: plain)")
    right.set(
        xlabel="input bits (two-phase mode)",
        ylabel="energy (fJ an operation)",
        xlim=(0.4, 8.6),
        xticks=range(1, 9),
        title="Every input bit adds the same energy\nagain: word lines, neurons, pulses",
    )
    right.legend(**BELOW)
    return fig


if __name__ == "__main__":
    answer = compute()
    save(draw(answer), OUT)
    fill(__file__, lambda row: found(answer, row), tables(answer))
