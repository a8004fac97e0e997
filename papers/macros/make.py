"""How well do macros of the library predict what was published of them at other bits, values and
supplies?

`python papers/macros/make.py` writes the figure and the tables of README.md.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from pimlab.analog import ADC, DAC, TARGETS, Crossbar, Slices
from pimlab.cost import price
from pimlab.machine.protocol import MacOp
from pimlab.plot.style import PARTS, figure, for_print, save
from pimlab.studies.published import Row, fill, markdown

OUT = Path(__file__).with_name("macros")
TARGETS_FILE = Path(__file__).with_name("targets.csv")
TITLES = {
    "neurram": "NeuRRAM, ReRAM, 130 nm",
    "jia2020": "Jia, charge in SRAM, 65 nm",
    "sinangil2021": "Sinangil, SRAM, 7 nm",
    "wang2022": "Wang, C-2C in SRAM, 22 nm",
    "colonnade": "Colonnade, digital SRAM, 65 nm",
    "pcm-hermes": "HERMES, PCM, 14 nm",
    "mythic-m1076": "Mythic, flash, 40 nm",
}
ON_PAPER = ("isaac", "raella")
"""Designs of the library of which no measured number is in print."""
NEAR_MEMORY = ("scaling", "accumulation")
"""Components that Jia's table counts apart from the macro."""
ACCELFORGE = {
    "1/3 bits, one-phase": (46.60, 2.1400),
    "2/4 bits, one-phase": (43.36, 1.7772),
    "3/5 bits, one-phase": (23.34, 1.2053),
    "4/6 bits, one-phase": (15.34, 0.7884),
    "5/7 bits, one-phase": (10.98, 0.4877),
    "6/8 bits, one-phase": (8.00, 0.2842),
    "5/7 bits, two-phase": (11.11, 0.5405),
    "6/8 bits, two-phase": (8.94, 0.4369),
    "7/9 bits, two-phase": (7.39, 0.3542),
    "8/10 bits, two-phase": (6.21, 0.2774),
}
"""TOPS/W and TOPS that AccelForge's notebook neurram_nature_2022 prints of its own model (commit
1c1929c); of its other macros no numbers are stored.
"""

Read = tuple[Crossbar, MacOp, dict[str, float]]
"""A machine at a setting, the product that fills one array, and amounts that depend on values."""


def neurram(condition: str) -> Read:
    """Such as "5/7 bits, two-phase": bits of inputs and outputs; the two-phase mode halves inputs
    of more than three magnitude bits.
    """
    bits, out = (int(one) for one in condition.split(" ")[0].split("/"))
    magnitude = max(bits - 1, 1)
    split = "two-phase" in condition and magnitude > 3
    dac = DAC(
        bits=bits,
        codes="unsigned" if bits == 1 else "symmetric",
        encoding="bit serial",
        accumulate="analog",
        slice_bits=-(-magnitude // 2) if split else magnitude,
    )
    return _full(TARGETS["neurram"]().but(dac=dac, adc=ADC(bits=out)))


def jia(condition: str) -> Read:
    """Such as "1.2 V": one bit of inputs and weights."""
    machine = TARGETS["jia2020"]().at_supply(condition)
    one = DAC(bits=1, encoding="bit serial", codes="unsigned")
    return _full(machine.but(dac=one, slices=None, coding="offset"))


def sinangil(condition: str) -> Read:
    """Such as "0.8 V, output 6": the mean output code, 0 to 15, of which 15 is every cell full at
    full input.
    """
    volts, output = condition.split(", output ")
    machine, op, _ = _full(TARGETS["sinangil2021"]().at_supply(volts))
    full = float(output) / 15
    return machine, op, {"active read": float(full > 0), "discharge": full * op.macs}


def wang(condition: str) -> Read:
    """Such as "0.9 V"."""
    return _full(TARGETS["wang2022"]().at_supply(condition))


def colonnade(condition: str) -> Read:
    """Such as "1/8 bits, 0.7 V": bits of inputs and weights."""
    bits, volts = condition.split(" bits, ")
    inputs, weights = (int(one) for one in bits.split("/"))
    dac = DAC(bits=inputs, encoding="bit serial", codes="unsigned")
    machine = TARGETS["colonnade"]().at_supply(volts).but(dac=dac)
    if weights == 1:
        return _full(machine.but(slices=None, coding="offset"))
    return _full(machine.but(slices=Slices(bits=weights, per_cell=1)))


def hermes(condition: str) -> Read:
    """Gaussian weights and uniform inputs of both signs, "four-phase" or "one-phase"."""
    name = {"four-phase": "pcm-hermes", "one-phase": "pcm-hermes-one-phase"}[condition]
    machine, op, _ = _full(TARGETS[name]())
    return machine, op, _conducted()[name]


@lru_cache(maxsize=1)
def _conducted() -> dict[str, dict[str, float]]:
    found, rng = {}, np.random.default_rng(0)
    w = rng.standard_normal((256, 256)).astype(np.float32)
    x = rng.uniform(-1, 1, (16, 256)).astype(np.float32)
    for name in ("pcm-hermes", "pcm-hermes-one-phase"):
        joules = TARGETS[name]().program(w, 0).integrals(x)
        found[name] = {event: amount / len(x) for event, amount in joules.items()}
    return found


def mythic(condition: str) -> Read:
    """ "M1076" or "M1108": the same tiles."""
    return _full(TARGETS["mythic-m1076"]())


SETTINGS: dict[str, Callable[[str], Read]] = {
    "neurram": neurram,
    "jia2020": jia,
    "sinangil2021": sinangil,
    "wang2022": wang,
    "colonnade": colonnade,
    "pcm-hermes": hermes,
    "mythic-m1076": mythic,
}


def _full(machine: Crossbar) -> Read:
    """The product that fills one array."""
    outputs = machine.cols // (machine.columns_a_weight + machine.carry_columns)
    return machine, MacOp(name="full array", m=1, k=machine.rows, n=outputs), {}


def efficiency(chip: str, condition: str) -> float:
    """TOPS/W of a full array, without what the source counts apart."""
    machine, op, amounts = SETTINGS[chip](condition)
    parts = price({**machine.events(op), **amounts}, machine.prices).nominal
    apart = NEAR_MEMORY if chip == "jia2020" else ()
    return 2e-12 * op.macs / sum(v for name, v in parts.items() if name not in apart)


def throughput(chip: str, condition: str) -> float:
    """TOPS of all arrays of the chip (one where they are not counted)."""
    machine, op, _ = SETTINGS[chip](condition)
    return 2e-12 * op.macs * (machine.capacity or 1) / sum(machine.latency(op).values())


def density(chip: str, condition: str) -> float:
    """TOPS/mm^2 of one array."""
    machine, _, _ = SETTINGS[chip](condition)
    square_metres = sum(constant.value for constant in machine.area.values())
    return throughput(chip, condition) / (1e6 * square_metres)


def targets() -> list[dict[str, str]]:
    """The rows of targets.csv."""
    with TARGETS_FILE.open() as file:
        return list(csv.DictReader(file))


def _ours(quantity: str, condition: str) -> float:
    chip, kind = quantity.split(" ")[:2]
    rule = {"efficiency": efficiency, "throughput": throughput, "density": density}[kind]
    return rule(chip, condition)


def compute(quick: bool = False) -> xr.Dataset:
    """Dataset over `point` of published and modelled numbers, and of a full read of every macro of
    the library (`design`): energy (J), time (s), area (m^2) and static power (W) of an array.
    """
    rows = targets()
    ours = [_ours(row["quantity"], row["condition"]) for row in rows]
    names = [row["quantity"].split(" ")[0] for row in rows]
    kinds = [row["quantity"].split(" ")[1] for row in rows]
    return xr.Dataset(
        {
            "published": ("point", [float(row["published"]) for row in rows]),
            "model": ("point", ours),
            "role": ("point", [row["role"] for row in rows]),
            **_library(),
        },
        coords={
            "chip": ("point", names),
            "kind": ("point", kinds),
            "condition": ("point", [row["condition"] for row in rows]),
        },
        attrs={"sources": ", ".join(sorted({key for one in _machines() for key in one.sources}))},
    )


def _machines() -> list[Crossbar]:
    return [TARGETS[name]() for name in (*TITLES, *ON_PAPER)]


def _library() -> dict[str, tuple[str, list[float], dict[str, str]]]:
    """Energy, time, area and static power of one array of every machine."""
    reads = [_full(machine)[:2] for machine in _machines()]
    energy = [sum(price(m.events(op), m.prices).nominal.values()) for m, op in reads]
    static = [dict(m.costs.constants)["static array"].value for m, _ in reads]
    area = [sum(c.value for c in m.area.values()) or np.nan for m, _ in reads]
    return {
        "design": ("design", [*TITLES, *ON_PAPER], {}),
        "read_energy": ("design", energy, {"units": "J"}),
        "read_time": ("design", [m.product_time for m, _ in reads], {"units": "s"}),
        "area": ("design", area, {"units": "m^2"}),
        "static_power": ("design", static, {"units": "W"}),
    }


def errors(ds: xr.Dataset, chip: str, held: bool, kind: str = "efficiency") -> np.ndarray:
    """Relative errors of a chip's points that were held out ("missed" ones included), or fitted."""
    chosen = (ds.chip == chip) & (ds.kind == kind) & ((ds.role == "fitted") != held)
    one = ds.isel(point=np.flatnonzero(chosen))
    return np.abs(one.model.values / one.published.values - 1)


def beside_accelforge(ds: xr.Dataset, kind: str) -> np.ndarray:
    """Relative errors of NeuRRAM's "efficiency" or "throughput", float64, shape (points, 3):
    AccelForge's, ours, and whether ours was fitted there.
    """
    one = ds.isel(point=np.flatnonzero((ds.chip == "neurram") & (ds.kind == kind)))
    place = ("efficiency", "throughput").index(kind)
    theirs = np.array([ACCELFORGE[str(name)][place] for name in one.condition.values])
    off = [model / one.published.values - 1 for model in (theirs, one.model.values)]
    return np.column_stack([*off, one.role.values == "fitted"])


def _peer_table(ds: xr.Dataset) -> str:
    lines = []
    for kind, title in (("efficiency", "TOPS/W"), ("throughput", "TOPS")):
        off = 100 * np.abs(beside_accelforge(ds, kind)[:, :2])
        held = beside_accelforge(ds, kind)[:, 2] == 0
        for name, rows in (("all ten", slice(None)), ("five held out of ours", held)):
            theirs, ours = off[rows].T
            lines.append([
                title, name, f"{theirs.mean():.1f} %", f"{theirs.max():.0f} %",
                f"{ours.mean():.1f} %", f"{ours.max():.0f} %",
            ])  # fmt: skip
    heads = ["NeuRRAM", "points", "AccelForge, mean", "largest", "ours, mean", "largest"]
    return markdown(heads, lines)


def found(ds: xr.Dataset, row: Row) -> float:
    """Ours for a row of targets.csv."""
    chip, kind = row.quantity.split(" ")[:2]
    same = (ds.chip == chip) & (ds.kind == kind) & (ds.condition == row.condition)
    published = np.abs(ds.published / row.value - 1) < 1e-9
    place = np.flatnonzero(same & published)
    return float(ds.model.values[place[0]]) if place.size else np.nan


def tables(ds: xr.Dataset) -> dict[str, str]:
    """Scores of each chip, and what a full read of each machine takes."""
    lines = []
    for chip, title in TITLES.items():
        fitted, held = errors(ds, chip, held=False), errors(ds, chip, held=True)
        lines.append([
            title, f"`{chip}`", str(len(fitted)), str(len(held)),
            f"{100 * held.mean():.1f} %", f"{100 * held.max():.0f} %",
        ])  # fmt: skip
    heads = ["chip", "target", "fitted", "held out", "mean error held out", "largest"]
    return {
        "scores": markdown(heads, lines),
        "library": _library_table(ds),
        "peer": _peer_table(ds),
    }


def _library_table(ds: xr.Dataset) -> str:
    lines = []
    for name in ds["design"].values:
        one = ds.sel(design=name)
        area = "not known" if np.isnan(one.area) else f"{1e6 * float(one.area):.3g}"
        lines.append([
            f"`{name}`", f"{1e9 * float(one.read_energy):.3g}", f"{1e6 * float(one.read_time):.3g}",
            area, f"{1e3 * float(one.static_power):.2g}",
        ])  # fmt: skip
    return markdown(["target", "nJ a full product", "us", "mm^2 an array", "static mW"], lines)


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Left: ours against published efficiency. Right: errors of the held-out points by chip."""
    fig = figure(73)
    left, right = fig.subplots(1, 2)
    both = np.array([0.4, 900.0])
    left.plot(both, both, "-", color="black", lw=1)
    left.fill_between(both, both / 1.12, both * 1.12, color="0.9", label="within 12 %")
    for place, (chip, colour) in enumerate(zip(TITLES, PARTS, strict=False)):
        for held, face in ((False, "none"), (True, colour)):
            chosen = (ds.chip == chip) & (ds.kind == "efficiency")
            one = ds.isel(point=np.flatnonzero(chosen & ((ds.role == "fitted") != held)))
            left.plot(one.published, one.model, "o", color=colour, mfc=face, ms=3.5,
                      )  # fmt: skip
        held_out = 100 * errors(ds, chip, held=True)
        y = np.full(held_out.size, place)
        right.plot(held_out, y, "o", color=colour, ms=3, alpha=0.6, zorder=3)
        right.plot(held_out.mean(), place, "|", color="black", ms=15.5, mew=2)
    left.set(xscale="log", yscale="log", xlabel="published (TOPS/W; open: fitted; colours as in b)",
             ylabel="ours (TOPS/W)", title="One law a part reaches over three decades")  # fmt: skip
    left.legend()
    right.axvline(12, ls=":", color="0.4")
    right.set_yticks(range(len(TITLES)), list(TITLES.values()))
    right.invert_yaxis()
    right.set(xlabel="error of held-out TOPS/W (%; bar: mean)", xlim=(0, None))
    right.set(title="Means stay below 12 % on all chips but one,\nof which one point is known")
    return fig


if __name__ == "__main__":
    answer = compute()
    save(draw(answer), OUT)
    fill(__file__, lambda row: found(answer, row), tables(answer))
