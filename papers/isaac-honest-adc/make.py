"""What does ISAAC's tile take, and answer, with the converter it points to instead of the one it
charges?

`python papers/isaac-honest-adc/make.py` writes the figure and the tables of README.md.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from pimlab import catalogue
from pimlab.analog import ADC, DAC, Crossbar, Slices, adc_energy, lossless_bits
from pimlab.machine.protocol import MacOp
from pimlab.plot.style import ALARM, PARTS, figure, for_print, save
from pimlab.studies.published import Row, fill, markdown

OUT = Path(__file__).with_name("isaac-honest-adc")
TARGETS = Path(__file__).with_name("targets.csv")
ROWS, CELL_BITS, WORD = 128, 2, 16
"""Word lines of an array, bits a cell, bits of inputs and weights."""
PARTS_OF_A_TILE = {
    "ADC": "ADC",
    "DAC": "DAC",
    "shift-add": "shift_add",
    "eDRAM": "eDRAM",
    "bus": "bus",
    "router": "router",
}


def machine(noise: float | None = None) -> Crossbar:
    """An ISAAC array: 16-bit weights over eight 2-bit cells, 16-bit inputs bit by bit, every
    partial sum converted.

    noise : rms counts of the converter; None: a lossless one. Its range is all sums of 128 rows:
    ISAAC halves that by storing some columns inverted, which saves a bit and leaves the size of a
    count, and so of the noise, as it is.
    """
    bits = lossless_bits(ROWS, CELL_BITS, 1)
    enob = None if noise is None else bits - np.log2(1 + 12 * noise**2) / 2
    adc = ADC(bits=bits, range="lossless", codes="unsigned", enob=enob)
    return Crossbar(
        name="isaac",
        rows=ROWS,
        cols=ROWS,
        coding="offset",
        slices=Slices(bits=WORD, per_cell=CELL_BITS),
        dac=DAC(bits=WORD, encoding="bit serial", codes="unsigned"),
        adc=adc,
    )


def noise_of(enob: float, bits: int = 8) -> float:
    """White noise in counts that leaves `enob` of `bits` bits."""
    return float(np.sqrt((4.0 ** (bits - enob) - 1) / 12))


def surveyed_enob() -> float:
    """Effective bits of Kull's converter: (SNDR - 1.76 dB) / 6.02 dB."""
    return (catalogue.entry("analog", "isaac")["kull_sndr"].value - 1.76) / 6.02


def _macs_a_second() -> float:
    """Of one tile with all arrays reading: each takes WORD reads for ROWS x ROWS / (WORD /
    CELL_BITS) products.
    """
    isaac = catalogue.entry("analog", "isaac")
    return (
        isaac["arrays"].value * ROWS * ROWS * CELL_BITS / WORD / (WORD * isaac["read_time"].value)
    )


def _budget() -> xr.DataArray:
    """Watts of a tile by converter and part; the converters run at the rate that ISAAC's own power
    stands for.
    """
    isaac = catalogue.entry("analog", "isaac")
    rate = isaac["power.ADC"].value / isaac["energy.ADC_conversion"].value
    single, node = isaac["adc_rate"].value, isaac["node"].value
    conversion = {
        "charged": isaac["energy.ADC_conversion"].value,
        "as surveyed": isaac["kull_energy"].value,
        "best of the survey, 8 bits": adc_energy(8, single, node, "envelope"),
        "median of the survey, 6.24 bits": adc_energy(surveyed_enob(), single, node, "median"),
        "median of the survey, 8 bits": adc_energy(8, single, node, "median"),
    }
    rest = [isaac[f"power.{name}"].value for name in list(PARTS_OF_A_TILE.values())[1:]]
    watts = [[rate * joules, *rest] for joules in conversion.values()]
    return xr.DataArray(
        watts,
        dims=("converter", "part"),
        attrs={"units": "W"},
        coords={
            "converter": list(conversion),
            "part": list(PARTS_OF_A_TILE),
            "conversion": ("converter", list(conversion.values()), {"units": "J"}),
        },
    )


def _error(noise: float | None, batch: int) -> float:
    """Relative L2 error of products of Gaussian weights and uniform inputs, 16 bits each."""
    rng = np.random.default_rng(0)
    w, x = (
        rng.standard_normal((ROWS, 16)).astype(np.float32),
        rng.random((batch, ROWS)).astype(np.float32),
    )
    exact, seen = (machine(one).program(w, 1).matmul(x, 2) for one in (None, noise))
    return float(np.linalg.norm(seen - exact) / np.linalg.norm(exact))


def compute(quick: bool = False) -> xr.Dataset:
    """Dataset of a tile's power by `converter` and `part`, peak rates, conversions a MAC, and
    product error over `enob`.
    """
    enob = np.array([4.0, 5.0, 6.0, surveyed_enob(), 7.0, 7.5])
    errors = [_error(noise_of(one), 64 if quick else 512) for one in enob]
    op = MacOp(name="array", m=1, k=ROWS, n=ROWS * CELL_BITS // WORD)
    counts, power = machine().events(op), _budget()
    peak = 2 * _macs_a_second()
    return xr.Dataset(
        {
            "power": power,
            "efficiency": (peak / power.sum("part") / 1e12).assign_attrs(units="TOPS/W"),
            "throughput": (
                (),
                peak * catalogue.entry("analog", "isaac")["tiles"].value / 1e12,
                {"units": "TOPS"},
            ),
            "conversions_a_mac": ((), counts["ADC conversion"] / op.macs, {"units": "1"}),
            "lossless_bits": ((), lossless_bits(ROWS, CELL_BITS, 1), {"units": "bits"}),
            "surveyed_enob": ((), surveyed_enob(), {"units": "bits"}),
            "error": (
                "enob",
                np.array(errors),
                {"units": "1", "long_name": "relative L2 error of a product"},
            ),
        },
        coords={"enob": ("enob", enob, {"units": "bits"})},
        attrs={"sources": "shafiee2016, hwcomponents, andrulis2024cimloop, murmann2025"},
    )


def found(ds: xr.Dataset, row: Row) -> float:
    """Ours for a row of targets.csv."""
    if row.quantity == "conversion":
        return 1e12 * float(ds.conversion.sel(converter=row.condition))
    return float(ds[row.quantity])


def tables(ds: xr.Dataset) -> dict[str, str]:
    """Power and efficiency of a tile by converter."""
    watts = ds.power.sum("part")
    charged = float(watts.sel(converter="charged"))
    lines = [
        [
            str(name),
            f"{1e12 * float(ds.conversion.sel(converter=name)):.2f}",
            f"{float(watts.sel(converter=name)):.2f}",
            f"{float(watts.sel(converter=name)) / charged:.1f}",
            f"{float(ds.efficiency.sel(converter=name)):.2f}",
        ]
        for name in ds.converter.values
    ]
    heads = ["converter", "pJ a conversion", "W a tile", "times the charged", "TOPS/W"]
    return {"converters": markdown(heads, lines)}


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Left: power of a tile by converter. Right: what the converter's effective bits do to a
    product.
    """
    fig = figure(73)
    left, right = fig.subplots(1, 2, width_ratios=[3, 2])
    shown = ds.sel(
        converter=[
            "best of the survey, 8 bits",
            "charged",
            "as surveyed",
            "median of the survey, 6.24 bits",
        ]
    )
    places, base = np.arange(shown.sizes["converter"]), np.zeros(shown.sizes["converter"])
    for colour, part in zip(PARTS, ds.part.values, strict=False):
        left.bar(places, shown.power.sel(part=part), bottom=base, color=colour, label=str(part))
        base += shown.power.sel(part=part).values
    for place, watts, efficiency in zip(places, base, shown.efficiency.values, strict=True):
        left.text(
            place, watts, f"{efficiency:.2f} TOPS/W", ha="center", va="bottom", fontsize="small"
        )
    medians = "median of the survey, 6.24 bits", "median of the survey, 8 bits"
    names = {
        "charged": "as ISAAC\ncharges it,\n8 exact bits",
        "as surveyed": "that converter\nas surveyed,\n6.24 bits",
    }
    left.set_xticks(
        places,
        [
            names.get(name, name.replace(" of the survey, ", "\nof the survey,\n"))
            for name in shown.converter.values
        ],
    )
    worst = ds.sel(converter=medians[1])
    times = (ds.power.sum("part") / ds.power.sel(converter="charged").sum()).to_series()
    aside = f"{float(worst.power.sum()):.1f} W, {float(worst.efficiency):.2f} TOPS/W"
    left.text(
        0.02,
        0.6,
        f"median of the survey, 8 bits (not drawn):\n{aside}",
        transform=left.transAxes,
        fontsize="small",
    )
    left.set(
        ylim=(0, 0.95),
        ylabel="power of a tile, quoted parts (W)",
        title=f"An ISAAC tile takes {times['as surveyed']:.1f} times the power it budgets with its "
        "own converter,\n"
        f"{times[medians[0]]:.0f} to {times[medians[1]]:.0f} times with a usual one of that speed",
    )
    left.legend(frameon=False, loc="upper left", ncols=3)
    right.plot(ds.enob, 100 * ds.error, "o-", color=PARTS[0])
    at = float(ds.error.sel(enob=ds.surveyed_enob, method="nearest"))
    right.plot(ds.surveyed_enob, 100 * at, "*", color=ALARM, ms=10)
    right.annotate(
        f"converter ISAAC points to:\n{float(ds.surveyed_enob):.2f} bits, {100 * at:.1f} %",
        (float(ds.surveyed_enob), 100 * at),
        xytext=(-100, -26),
        textcoords="offset points",
        fontsize="small",
    )
    ticks = [5, 10, 20, 50]
    right.set(
        yscale="log",
        xlabel="effective bits of the 8-bit converter",
        ylabel="error of a 16-bit product (%)",
        title="Treated as exact, it is off by\nabout a count in every partial sum",
    )
    right.set_yticks(ticks, [str(tick) for tick in ticks])
    right.minorticks_off()
    return fig


if __name__ == "__main__":
    answer = compute()
    save(draw(answer), OUT)
    fill(__file__, lambda row: found(answer, row), tables(answer))
