"""Where does a decode step of a language model run best, in the banks or through the pins, as the batch grows?

One decoder layer of LLaMA 2 7B with 2048 tokens of context, in HBM-PIM, on an NPU that reads the same HBM through its pins, and
on both together: each matrix where it is faster, attention over the key-value cache in the banks.
`python papers/decode-roofline/make.py` writes results/decode-roofline.svg and .png.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter

import pimlab.dram_pim as pim
from pimlab.catalogue import entry
from pimlab.plot.style import PARTS, STAGE_COLOURS, figure, save

OUT = Path("results") / "decode-roofline"
CONTEXT = 2048
SHAPE = {name: int(entry("shapes", "llama2-7b")[name].value) for name in ("width", "heads", "hidden")}
PEAK = entry("npu", "rngd")["peak.bf16"].value  # operations a second


def matrices() -> list[tuple[int, int]]:
    """(outputs, inputs) of every matrix of one layer: four of attention, three of the gated feed-forward."""
    d, h = SHAPE["width"], SHAPE["hidden"]
    return [(d, d)] * 4 + [(h, d)] * 2 + [(d, h)]


def caches(batch: int) -> list[tuple[int, int]]:
    """(outputs, inputs) of the products with keys and with values; heads and sequences lie side by side in the channels."""
    return [(batch * SHAPE["heads"] * CONTEXT, SHAPE["width"] // SHAPE["heads"]), (batch * SHAPE["width"], CONTEXT)]


def in_banks(outputs: int, inputs: int, batch: int) -> tuple[float, float]:
    """Seconds and joules of `batch` products in the banks."""
    ds = pim.gemv("hbm-pim", outputs, inputs, batch)
    return float(ds.seconds), float(ds.energy.sum())


def through_pins(outputs: int, inputs: int, batch: int) -> tuple[float, float]:
    """Seconds and joules of reading the operand once, or of the NPU's arithmetic where that takes longer."""
    ds = pim.host_read("hbm-pim", 2 * outputs * inputs)
    return max(float(ds.seconds), 2 * outputs * inputs * batch / PEAK), float(ds.energy.sum())


def layer(batch: int) -> dict[str, float]:
    """Seconds of one layer's decode step: banks only, pins only, and each product where it is faster."""
    weights = [(in_banks(*shape, batch), through_pins(*shape, batch)) for shape in matrices()]
    cache = [(in_banks(*shape, 1), through_pins(*shape, 1)) for shape in caches(batch)]
    return {
        "in the banks": sum(a[0] for a, _ in (*weights, *cache)),
        "through the pins": sum(b[0] for _, b in (*weights, *cache)),
        "both": sum(min(a[0], b[0]) for a, b in (*weights, *cache)),
        "attention in the banks": sum(a[0] for a, _ in cache),
        "attention through the pins": sum(b[0] for _, b in cache),
    }


def compute(quick: bool = False) -> xr.Dataset:
    """seconds (way, batch) of one layer; FLOP/B of weights and of attention (batch) from counted operations and bytes."""
    batches = [1, 4, 16] if quick else [1, 2, 4, 8, 16, 32, 64]
    found = [layer(batch) for batch in batches]
    weights = [sum(2 * m * k * b for m, k in matrices()) / sum(2 * m * k for m, k in matrices()) for b in batches]
    attention = [sum(2 * m * k for m, k in caches(b)) / sum(2 * m * k for m, k in caches(b)) for b in batches]
    return xr.Dataset(
        {
            "seconds": (("way", "batch"), np.array([[one[way] for one in found] for way in found[0]]), {"units": "s"}),
            "weight_intensity": ("batch", weights, {"units": "op/B"}),
            "attention_intensity": ("batch", attention, {"units": "op/B"}),
        },
        coords={"way": list(found[0]), "batch": batches},
        attrs={"sources": "pimsimulator, llama2config7b", "title": "Decode step of one LLaMA 2 7B layer"},
    )


def crossover(ds: xr.Dataset) -> float:
    """Batch from which the pins are faster than the banks (log interpolation)."""
    ratio = np.log((ds.seconds.sel(way="in the banks") / ds.seconds.sel(way="through the pins")).values)
    return float(np.exp(np.interp(0, ratio, np.log(ds.batch.values))))


def draw(ds: xr.Dataset) -> Figure:
    """Time a token against batch, and intensity against batch."""
    fig = figure(9.5, 4)
    left, right = fig.subplots(1, 2)
    styles = {"in the banks": (STAGE_COLOURS[2], "-"), "through the pins": (STAGE_COLOURS[1], "-"), "both": ("0.2", "--")}
    for way, (colour, line) in styles.items():
        left.plot(ds.batch, 1e6 * ds.seconds.sel(way=way) / ds.batch, line, marker="o", color=colour, label=way)
    left.set_ylabel("one layer's time a token (µs)")
    left.set_title(f"The pins win from batch {crossover(ds):.1f}; together they are never slower", fontsize="medium")
    right.plot(ds.batch, ds.weight_intensity, "o-", color=PARTS[3], label="weights")
    right.plot(ds.batch, ds.attention_intensity, "s-", color=PARTS[4], label="attention")
    right.set_ylabel("operations a byte read (op/B)")
    right.set_title("A batch reuses weights, never the cache", fontsize="medium")
    for axes, ticks in ((left, [20, 50, 100, 200, 500]), (right, [1, 2, 4, 8, 16, 32, 64])):
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_yticks(ticks)
        axes.minorticks_off()
        axes.set_xlabel("batch")
        axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
        axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
        axes.legend(frameon=False, fontsize="small")
    return fig


def main() -> None:
    """Compute, print the table and write the figure."""
    ds = compute()
    for batch in ds.batch.values:
        one = ds.seconds.sel(batch=batch) * 1e6
        print(f"batch {batch:3d}: " + ", ".join(f"{way} {float(one.sel(way=way)):.1f} us" for way in ds.way.values))
    print(f"the pins are faster from batch {crossover(ds):.1f}")
    save(draw(ds), OUT)


if __name__ == "__main__":
    main()
