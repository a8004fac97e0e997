"""Which parts of a HERMES core take its energy, as far as print and comparable macros say, and what
does a layer pay that fills a core in part?

`python papers/hermes-split/make.py` writes the figure and the tables of README.md.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from pimlab import catalogue
from pimlab.analog import DAC, TARGETS, Crossbar, adc_energy
from pimlab.cost import price
from pimlab.machine.protocol import MacOp
from pimlab.plot.style import PARTS, figure, for_print, save
from pimlab.studies.published import Row, fill, markdown

OUT = Path(__file__).with_name("hermes-split")
COMPONENTS = ("ADC", "DAC", "rest of the macro", "cells", "scaling")
FULL = MacOp(name="full core", m=1, k=256, n=256)
LAYERS = {
    "256 x 256": FULL,
    "256 x 16": MacOp(name="few outputs", m=1, k=256, n=16),
    "27 x 256": MacOp(name="few inputs", m=1, k=27, n=256),
    "27 x 16": MacOp(name="small convolution", m=1, k=27, n=16),
}
BITS = (4, 5, 6, 7, 8)
DATA = Path(__file__).with_name("targets.csv")


def printed() -> dict[str, dict[str, float]]:
    """Macro -> amount of each part, in the unit of its source: macros that print converters (with
    what is done by column), drivers (with word lines) and the rest apart. Cells are left out.
    """
    found: dict[str, dict[str, float]] = {}
    with DATA.open() as file:
        for row in csv.DictReader(file):
            if row["quantity"] == "part":
                macro, part = row["condition"].split(": ")
                found.setdefault(macro, {})[part] = float(row["published"])
    return found


def shares() -> dict[str, dict[str, float]]:
    """Macro -> share of each part in what all three take."""
    found = {}
    for name, parts in printed().items():
        whole = sum(parts.values())
        found[name] = {part: amount / whole for part, amount in parts.items()}
    return found


def beside_the_core() -> float:
    """Share by which the chip takes more for a core's read than a core alone: links and global
    logic.
    """
    entry = catalogue.entry("analog", "pcm-hermes-one-phase")
    return 1 - entry["efficiency"].value / entry["core_efficiency"].value


def split() -> dict[str, float]:
    """Share of each part in what a core's slot takes besides cells and scaling: the mean of the
    compared macros for a core alone, and what the chip adds to the rest.
    """
    more, each = beside_the_core(), shares().values()
    parts = {p: (1 - more) * float(np.mean([one[p] for one in each])) for p in COMPONENTS[:3]}
    return {**parts, "rest of the macro": parts["rest of the macro"] + more}


def read(machine: Crossbar, op: MacOp, key: int = 0) -> dict[str, np.ndarray]:
    """(nominal, low, high) J of one product by component: Gaussian weights, uniform inputs of both
    signs.
    """
    rng = np.random.default_rng(key)
    programmed = machine.program(rng.standard_normal((op.k, op.n)).astype(np.float32), 0)
    x = rng.uniform(-1, 1, (16, op.k)).astype(np.float32)
    joules = {name: amount / len(x) for name, amount in programmed.integrals(x).items()}
    found = price({**machine.events(op), **joules}, machine.prices)
    bounds = (found.nominal, found.low, found.high)
    return {part: np.array([one.get(part, 0.0) for one in bounds]) for part in COMPONENTS}


def _with_bits(bits: int) -> Crossbar:
    return TARGETS["pcm-hermes"]().but(dac=DAC(bits=bits, encoding="pulse width"))


def compute(quick: bool = False) -> xr.Dataset:
    """Dataset over `layer`, `bits` and `component` of the energy of a product (J, with bounds) and
    its time, and the same with all rows and columns of a core on (`idle_on`).
    """
    machine = TARGETS["pcm-hermes"]()
    on = machine.but(costs=machine.costs.but(idle="on"))
    by_layer = [[list(read(one, op).values()) for op in LAYERS.values()] for one in (machine, on)]
    by_bits = [list(read(_with_bits(bits), FULL).values()) for bits in BITS]
    times = [sum(_with_bits(bits).latency(FULL).values()) for bits in BITS]
    one = TARGETS["pcm-hermes-one-phase"]()
    efficiency = {
        name: 2e-12 * FULL.macs / sum(part[0] for part in read(target, FULL).values())
        for name, target in (("four-phase", machine), ("one-phase", one))
    }
    return xr.Dataset(
        {
            "energy": (("layer", "component", "bound"), by_layer[0], {"units": "J"}),
            "idle_on": (("layer", "component", "bound"), by_layer[1], {"units": "J"}),
            "bit_energy": (("bits", "component", "bound"), by_bits, {"units": "J"}),
            "bit_time": ("bits", times, {"units": "s"}),
            "share": ("part", list(split().values())),
            "efficiency": ("mode", list(efficiency.values()), {"units": "TOPS/W"}),
            "conversion": ((), by_layer[0][0][0][0] / 256, {"units": "J"}),
            "conversion_median": ((), adc_energy(8, 1e6, model="median"), {"units": "J"}),
        },
        coords={
            "layer": list(LAYERS),
            "component": list(COMPONENTS),
            "bound": ["nominal", "low", "high"],
            "bits": list(BITS),
            "part": list(split()),
            "mode": list(efficiency),
        },
        attrs={"sources": ", ".join(machine.sources)},
    )


def found(ds: xr.Dataset, row: Row) -> float:
    """Ours for a row of targets.csv."""
    if row.quantity == "part":
        macro, part = row.condition.split(": ")
        return printed()[macro][part] if np.isfinite(ds.energy).all() else np.nan
    if row.quantity == "efficiency":
        return float(ds.efficiency.sel(mode=row.condition))
    four = ds.bit_time.sel(bits=8) / 4
    return 1e9 * float(four)


def tables(ds: xr.Dataset) -> dict[str, str]:
    """Energy of a product by layer, and the split that the constants have."""
    lines = []
    for layer in ds.layer.values:
        one = 1e9 * ds.energy.sel(layer=layer)
        ends = [float(one.sel(bound=bound).sum()) for bound in ds.bound.values]
        on = 1e9 * float(ds.idle_on.sel(layer=layer, bound="nominal").sum())
        nominal = [f"{float(one.sel(component=part)[0]):.3g}" for part in ds.component.values]
        lines.append(
            [layer, *nominal, f"{ends[0]:.3g} ({ends[1]:.3g} to {ends[2]:.3g})", f"{on:.3g}"]
        )
    heads = ["weights", *COMPONENTS, "all (nJ)", "if nothing is off"]
    return {"layers": markdown(heads, lines), "split": _split_table(), "bits": _bits_table(ds)}


def _split_table() -> str:
    lines = [
        [name, *(f"{100 * one[part]:.1f} %" for part in COMPONENTS[:3])]
        for name, one in {**shares(), "HERMES, as taken": split()}.items()
    ]
    return markdown(["macro", "columns", "rows", "rest"], lines)


def _bits_table(ds: xr.Dataset) -> str:
    total = 1e9 * ds.bit_energy.sel(bound="nominal").sum("component")
    lines = [
        [
            str(bits),
            f"{1e9 * float(ds.bit_time.sel(bits=bits)):.0f}",
            f"{float(total.sel(bits=bits)):.3g}",
        ]
        for bits in ds.bits.values
    ]
    return markdown(["bits of the input", "ns a product", "nJ a product"], lines)


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Left: energy of a product by layer and part. Right: by bits of the input."""
    fig = figure(73)
    left, right = fig.subplots(1, 2)
    for axes, table, dim in ((left, ds.energy, "layer"), (right, ds.bit_energy, "bits")):
        nominal = 1e9 * table.sel(bound="nominal")
        base = np.zeros(nominal.sizes[dim])
        for colour, part in zip(PARTS, ds.component.values, strict=False):
            amount = nominal.sel(component=part).values
            axes.bar(range(len(base)), amount, 0.6, bottom=base, color=colour, label=str(part))
            base += amount
        axes.set_xticks(range(len(base)), [str(one) for one in ds[dim].values])
        axes.set_ylabel("energy of a product (nJ)")
    on = 1e9 * ds.idle_on.sel(bound="nominal").sum("component").values
    left.plot(range(len(on)), on, "_", color="black", ms=18, mew=2, label="if nothing is off")
    ratio = float(ds.energy[0, :, 0].sum() / ds.energy[-1, :, 0].sum())
    left.set(xlabel="weights (inputs x outputs)",
             title=f"A 27 x 16 layer takes {ratio:.0f} times less than a full core,\n"
             "if unused rows and columns rest")  # fmt: skip
    right.set(xlabel="bits of the input", title="Each bit of the input doubles the slots,\n"
              "and so time and energy")  # fmt: skip
    handles, labels = left.get_legend_handles_labels()
    right.legend(handles, labels, loc="upper left")
    return fig


if __name__ == "__main__":
    answer = compute()
    save(draw(answer), OUT)
    fill(__file__, lambda row: found(answer, row), tables(answer))
