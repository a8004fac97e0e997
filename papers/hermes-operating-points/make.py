"""Do HERMES's published operating points agree with each other, and with the targets `pcm-hermes`
and `pcm-hermes-one-phase`?

`python papers/hermes-operating-points/make.py` writes the figure and the tables of README.md.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pimlab import catalogue
from pimlab.analog import Crossbar
from pimlab.analog.targets import TARGETS as MACHINES
from pimlab.cost import price
from pimlab.machine.protocol import MacOp
from pimlab.plot.style import PARTS, figure, for_print, save
from pimlab.studies.published import Row, fill

OUT = Path(__file__).with_name("hermes-operating-points")
TARGETS = Path(__file__).with_name("targets.csv")
MODES = {
    "four-phase": ("pcm-hermes", "pcm-hermes", 4),
    "one-phase": ("pcm-hermes-one-phase", "pcm-hermes-one-phase", 1),
}
"""Mode -> (target, catalogue entry, phases)."""
CORE = MacOp(name="one core", m=1, k=256, n=256)
OPS = 2 * CORE.macs
COMPONENTS = ("rest of the macro", "cells", "ADC", "DAC", "scaling")


def _machine(mode: str) -> Crossbar:
    return MACHINES[MODES[mode][0]]()


def _published(mode: str, name: str) -> float:
    return catalogue.entry("analog", MODES[mode][1])[name].value


def _energy(mode: str) -> np.ndarray:
    """(nominal, low, high) J of one read of a full core by component: Gaussian weights, uniform
    inputs of both signs.
    """
    machine, rng = _machine(mode), np.random.default_rng(0)
    programmed = machine.program(rng.standard_normal((256, 256)).astype(np.float32), 0)
    x = rng.uniform(-1, 1, (16, 256)).astype(np.float32)
    joules = {name: amount / len(x) for name, amount in programmed.integrals(x).items()}
    found = price({**machine.events(CORE), **joules}, machine.prices)
    return np.array(
        [
            [part.get(component, 0.0) for component in COMPONENTS]
            for part in (found.nominal, found.low, found.high)
        ]
    )


def compute(quick: bool = False) -> xr.Dataset:
    """Dataset over `mode` of throughput, efficiency, energy of a core's read by `component` and
    `bound`, and what follows from both.
    """
    modes = list(MODES)
    cores = _published("four-phase", "cores")
    seconds = np.array([sum(_machine(mode).latency(CORE).values()) for mode in modes])
    energy = np.array([_energy(mode) for mode in modes])
    throughput = cores * OPS / seconds / 1e12
    printed = {
        name: np.array([_published(mode, name) for mode in modes])
        for name in ("throughput", "efficiency")
    }
    phases = np.array([MODES[mode][2] for mode in modes])
    printed_time = cores * OPS / printed["throughput"]
    phase = (printed_time[0] - printed_time[1]) / (phases[0] - phases[1])
    watts = printed["throughput"] / printed["efficiency"]
    core = catalogue.entry("analog", "pcm-hermes-one-phase")["core_efficiency"].value
    return xr.Dataset(
        {
            "throughput": ("mode", throughput, {"units": "TOPS"}),
            "efficiency": ("mode", OPS / energy[:, 0].sum(axis=1) / 1e12, {"units": "TOPS/W"}),
            "throughput_published": ("mode", printed["throughput"] / 1e12, {"units": "TOPS"}),
            "efficiency_published": ("mode", printed["efficiency"] / 1e12, {"units": "TOPS/W"}),
            "power": ("mode", watts, {"units": "W"}),
            "read_time": ("mode", printed_time, {"units": "s"}),
            "energy": (("mode", "bound", "component"), energy, {"units": "J"}),
            "phase_time": ((), 1e9 * phase, {"units": "ns"}),
            "overhead_time": ((), 1e9 * (printed_time[1] - phase), {"units": "ns"}),
            "efficiency_at_equal_power": (
                (),
                printed["throughput"][1] / watts[0] / 1e12,
                {"units": "TOPS/W"},
            ),
            "core_energy": ((), 1e9 * OPS / core, {"units": "nJ"}),
            "chip_energy": ((), 1e9 * OPS / printed["efficiency"][1], {"units": "nJ"}),
        },
        coords={
            "mode": modes,
            "phases": ("mode", phases),
            "bound": ["nominal", "low", "high"],
            "component": list(COMPONENTS),
        },
        attrs={"sources": "legallo2023, khaddam2022, aihwkit, murmann2025"},
    )


def _times(axes: Axes, ds: xr.Dataset) -> None:
    line = np.array([0, 4.3])
    axes.plot(
        line,
        float(ds.overhead_time) + line * float(ds.phase_time),
        "-",
        color=PARTS[0],
        label=f"{float(ds.overhead_time):.0f} ns + {float(ds.phase_time):.0f} ns a phase",
    )
    axes.plot(
        ds.phases, 1e9 * ds.read_time, "o", color=PARTS[0], ms=5.5, label="from published TOPS"
    )
    axes.plot(
        [4], [512], "x", color="black", ms=6.5, mew=2, label="t_read of aihwkit's model: 512 ns"
    )
    axes.set(
        xlabel="phases of a read",
        ylabel="time of a read (ns)",
        xlim=(0, 4.3),
        ylim=(0, 600),
        xticks=range(5),
        title="Both throughputs are one phase time:\na read has next to no overhead",
    )
    axes.legend(frameon=False)


def _energies(axes: Axes, ds: xr.Dataset) -> None:
    base = np.zeros(ds.sizes["mode"])
    for colour, component in zip(PARTS, ds.component.values, strict=False):
        amount = 1e9 * ds.energy.sel(component=component)
        axes.bar(
            range(ds.sizes["mode"]),
            amount.sel(bound="nominal"),
            0.5,
            bottom=base,
            color=colour,
            label=str(component),
        )
        base += amount.sel(bound="nominal").values
    printed = OPS / (1e3 * ds.efficiency_published.values)
    axes.plot(range(ds.sizes["mode"]), printed, "D", color="black", ms=5, label="chip, published")
    axes.plot(
        [1],
        [float(ds.core_energy)],
        "x",
        color="black",
        ms=6.5,
        mew=2,
        label="single core, published",
    )
    labels = [
        f"{mode}\n{tops:.2f} TOPS/W"
        for mode, tops in zip(ds["mode"].values, ds.efficiency.values, strict=True)
    ]
    axes.set_xticks(range(ds.sizes["mode"]), labels)
    axes.set(
        xlim=(-0.5, 1.7),
        ylabel="energy of a core's read (nJ)",
        title="Power hardly depends on the mode;\nthe split is that of other macros",
    )
    axes.legend(frameon=False)


def found(ds: xr.Dataset, row: Row) -> float:
    """Ours for a row of targets.csv; for the energy of one core's read, the chip's share of it."""
    if row.quantity in ("throughput", "efficiency"):
        return float(ds[row.quantity].sel(mode=row.condition))
    return float(ds["chip_energy" if row.quantity == "core_energy" else row.quantity])


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Left: time of a read against phases. Right: energy of a read by component, with bands and
    published totals.
    """
    fig = figure(80)
    left, right = fig.subplots(1, 2)
    _times(left, ds)
    _energies(right, ds)
    return fig


if __name__ == "__main__":
    answer = compute()
    save(draw(answer), OUT)
    fill(__file__, lambda row: found(answer, row))
