"""What does a product in the banks of a DRAM cost in joules, and how much does it save?

Commands cost what data sheets' currents, measured chips and the power script of GDDR6-AiM's
simulator say; the savings that vendors announce are held out. `python papers/aim-energy/make.py`
writes the figure and the tables of README.md.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import pimlab.dram_pim as pim
from pimlab import catalogue
from pimlab.constants import Constant
from pimlab.dram_pim import command_energies
from pimlab.plot.panels import stacked
from pimlab.plot.style import figure, for_print, save
from pimlab.studies.published import Row, fill, markdown

OUT = Path(__file__).with_name("aim-energy")
MACHINES = ("hbm-pim", "gddr6-aim", "lpddr-pim")
SIZE = (16384, 4096)
"""Outputs and inputs of the product that savings are computed for."""
UNITS = {"pJ": 1e12, "pJ/bit": 1e12, "nJ": 1e9, "mW": 1e3, "%": 100.0, "1": 1.0}
COMMANDS = {
    "die bit read": "read bit",
    "die bit written": "write bit",
    "standby": "standby",
    "standby with open rows": "standby with open rows",
    "refresh": "refresh",
}


def saved(name: str, end: str = "") -> float:
    """Share of the energy of reading a matrix once through the pins that its product in the banks
    saves; end : "", "_low" or "_high" of both.
    """
    inside = pim.gemv(name, *SIZE)
    outside = pim.host_read(name, 2 * SIZE[0] * SIZE[1])
    return 1 - float(inside[f"energy{end}"].sum()) / float(outside[f"energy{end}"].sum())


def gain(name: str) -> float:
    """How many times sooner a product in the banks is done than its weights are read through the
    pins (unit 1).
    """
    inside = pim.gemv(name, *SIZE)
    outside = pim.host_read(name, 2 * SIZE[0] * SIZE[1])
    return float(outside.seconds) / float(inside.seconds)


def all_bank_product() -> float:
    """Energy [J] of one multiply-accumulate command of GDDR6-AiM to its sixteen banks."""
    machine = pim.TARGETS["gddr6-aim"]()
    banks, lanes = machine.organisation.banks, machine.organisation.lanes
    bit, mac = (machine.prices[event].constant.value for event in ("bank bit", "in-bank MAC"))
    return banks * (machine.organisation.access_bits * bit + lanes * mac)


def compute(quick: bool = False) -> xr.Dataset:
    """energy (machine, way, component) [J] with low and high, and saved (machine) (unit 1)."""
    answers = {
        (name, way): one
        for name in MACHINES
        for way, one in (
            ("in the banks", pim.gemv(name, *SIZE)),
            ("through the pins", pim.host_read(name, 2 * SIZE[0] * SIZE[1])),
        )
    }
    tables = [
        xr.concat(
            [answers[name, way][["energy", "energy_low", "energy_high"]] for name in MACHINES],
            "machine", join="outer", fill_value=0.0,
        )
        for way in ("in the banks", "through the pins")
    ]  # fmt: skip
    joined = xr.concat(tables, "way", join="outer", fill_value=0.0)
    keys = {key for one in answers.values() for key in one.attrs["sources"].split(",")}
    keys |= {key for name in ("gddr6", "hbm2") for key in _sources(name)}
    return joined.assign_coords(
        machine=list(MACHINES), way=["in the banks", "through the pins"]
    ).assign(
        saved=("machine", [saved(name) for name in MACHINES], {"units": "1"}),
        saved_low=("machine", [saved(name, "_low") for name in MACHINES], {"units": "1"}),
        saved_high=("machine", [saved(name, "_high") for name in MACHINES], {"units": "1"}),
        gain=("machine", [gain(name) for name in MACHINES], {"units": "1"}),
        product=((), all_bank_product(), {"units": "J"}),
        device_bit=((), _device_bit(), {"units": "J"}),
        commands=(("currents", "command"), _commands(), {"units": "J or W"}),
    ).assign_coords(
        currents=["gddr6", "hbm2"], command=[*COMMANDS, "activation", "device bit read"]
    ).assign_attrs(sources=",".join(sorted(keys)))  # fmt: skip


def _device_bit() -> float:
    """Energy [J] of a bit that a host reads from GDDR6-AiM, on the die and at the pins."""
    prices = pim.TARGETS["gddr6-aim"]().prices
    return sum(prices[bit].constant.value for bit in ("array bit", "I/O bit"))


def _sources(name: str) -> set[str]:
    return {key for one in command_energies(name).values() for key in one.sources}


def _commands() -> np.ndarray:
    """float64, shape (currents, commands): energies by the currents of GDDR6 and measured HBM2."""
    rows = []
    for name in ("gddr6", "hbm2"):
        energies = command_energies(name)
        activation = energies["activation"]
        pins = energies["read bit at the pins"].value if name == "hbm2" else np.nan
        # one activation by IDD0 is a small difference of GDDR6's large currents
        wanted = activation.high if name == "gddr6" else activation.value
        row = [energies[key].value for key in COMMANDS.values()]
        rows.append([*row, wanted, energies["read bit"].value + pins])
    return np.array(rows)


def found(ds: xr.Dataset, row: Row) -> float:
    """Ours for a row of targets.csv, in its unit."""
    scale = UNITS[row.unit]
    name = row.condition.split(" ")[0]
    if row.quantity == "gain":
        return scale * float(ds.gain.sel(machine=name))
    if row.quantity == "energy saved, constant power":
        return scale * (1 - 1 / float(ds.gain.sel(machine=name)))
    if row.quantity == "energy saved":
        return scale * float(ds.saved.sel(machine=name))
    if row.quantity == "all-bank product":
        return scale * float(ds.product)
    if row.condition == "gddr6-aim":
        return scale * float(ds.device_bit)
    return scale * float(ds.commands.sel(currents=row.condition, command=row.quantity))


def tables(ds: xr.Dataset) -> dict[str, str]:
    """Savings with their ends, and every current table's command energies."""
    savings = [
        [name, *(f"{100 * float(ds[key].sel(machine=name)):.0f} %"
                 for key in ("saved", "saved_low", "saved_high"))]
        for name in MACHINES
    ]  # fmt: skip
    for line, name in zip(savings, MACHINES, strict=True):
        times = float(ds.gain.sel(machine=name))
        kept = times * (1 - float(ds.saved.sel(machine=name)))
        line += [f"{times:.2f}", f"{kept:.2f}", f"{100 * (1 - 1 / times):.0f} %"]
    keys = {"activation": "pJ", "read bit": "pJ/bit", "write bit": "pJ/bit", "refresh": "nJ",
            "standby": "mW"}  # fmt: skip
    commands = []
    for name in catalogue.names("currents"):
        energies = command_energies(name)
        commands.append([name, *(_range(energies[key], UNITS[unit]) for key, unit in keys.items())])
    heads = [f"{key} ({unit})" for key, unit in keys.items()]
    return {
        "savings": markdown(
            [
                "machine",
                "saved",
                "all prices low",
                "all prices high",
                "times sooner",
                "power of the memory",
                "saved at constant power",
            ],
            savings,
        ),
        "currents": markdown(["currents", *heads], commands),
    }


def _range(constant: Constant, scale: float) -> str:
    low, value, high = (
        f"{scale * one:.3g}" for one in (constant.low, constant.value, constant.high)
    )
    return value if low == high else f"{value} ({low} to {high})"


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Joules of one product by component, in the banks and through the pins."""
    fig = figure(75)
    axes = fig.subplots()
    places = np.arange(len(MACHINES))
    for shift, way in ((-0.2, "in the banks"), (0.2, "through the pins")):
        joules = 1e3 * ds.energy.sel(way=way)
        parts = {str(part): joules.sel(component=part) for part in ds.component.values}
        stacked(axes, places + shift, parts, 0.36)
    for place, name in zip(places, MACHINES, strict=True):
        text = f"{100 * float(ds.saved.sel(machine=name)):.0f} % less"
        axes.annotate(text, (place - 0.2, 0), xytext=(0, -21), textcoords="offset points",
                      ha="center", fontsize="small", annotation_clip=False)  # fmt: skip
    axes.set_xticks(places, MACHINES)
    axes.set_ylabel("energy of one product (mJ)")
    axes.set_title(
        f"A {SIZE[1]} x {SIZE[0]} product in the banks (left)\n"
        "and its weights read through the pins (right)",
        fontsize="medium",
    )  # fmt: skip
    axes.legend(frameon=False, ncols=2)
    return fig


if __name__ == "__main__":
    answer = compute()
    save(draw(answer), OUT)
    fill(__file__, lambda row: found(answer, row), tables(answer))
