"""Where does a decode step of a language model run best, in the banks or through the pins, as the
batch grows?

One decoder layer of LLaMA 2 7B with 2048 tokens of context, in HBM-PIM, on an NPU that reads the
same HBM through its pins, and on both together: each matrix where it is faster, attention over the
key-value cache in the banks. `python papers/decode-roofline/make.py` writes the figure and the
tables of README.md.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter

import pimlab.dram_pim as pim
from pimlab.catalogue import entry
from pimlab.dram_pim.decode import products
from pimlab.plot.style import PARTS, STAGE_COLOURS, figure, for_print, save
from pimlab.studies.published import Row, fill, markdown

OUT = Path(__file__).with_name("decode-roofline")
CONTEXT = 2048
SHAPE = {
    name: int(entry("shapes", "llama2-7b")[name].value)
    for name in ("width", "heads", "kv_heads", "hidden")
}
PEAK = entry("npu", "rngd")["peak.bf16"].value  # operations a second


def layer(batch: int) -> dict[str, float]:
    """Seconds of one layer's decode step: banks only, pins only, and each product where it is
    faster.
    """
    seconds = pim.decode_layer("hbm-pim", **SHAPE, context=CONTEXT, batch=batch).seconds
    operations = {
        name: 2 * m * k * rows
        for name, (m, k, rows) in products(**SHAPE, context=CONTEXT, batch=batch).items()
    }
    work = np.array([operations.get(str(name), 0) / PEAK for name in seconds["product"].values])
    banks, pins = (
        seconds.sel(way="in the banks"),
        np.maximum(seconds.sel(way="through the pins"), work),
    )
    cache = ["scores", "values"]
    return {
        "in the banks": float(banks.sum()),
        "through the pins": float(pins.sum()),
        "both": float(np.minimum(banks, pins).sum()),
        "attention in the banks": float(banks.sel(product=cache).sum()),
        "attention through the pins": float(pins.sel(product=cache).sum()),
    }


def intensity(batch: int, cache: bool) -> float:
    """Operations a byte of the weights or of the cache, counted over the products of one layer."""
    chosen = [
        s
        for name, s in products(**SHAPE, context=CONTEXT, batch=batch).items()
        if (name in ("scores", "values")) == cache
    ]
    return sum(2 * m * k * rows for m, k, rows in chosen) / sum(2 * m * k for m, k, _ in chosen)


def compute(quick: bool = False) -> xr.Dataset:
    """seconds (way, batch) of one layer; FLOP/B of weights and of attention (batch) from counted
    operations and bytes.
    """
    batches = [1, 4, 16] if quick else [1, 2, 4, 8, 16, 32, 64]
    found = [layer(batch) for batch in batches]
    return xr.Dataset(
        {
            "seconds": (
                ("way", "batch"),
                np.array([[one[way] for one in found] for way in found[0]]),
                {"units": "s"},
            ),
            "weight_intensity": (
                "batch",
                [intensity(b, cache=False) for b in batches],
                {"units": "op/B"},
            ),
            "attention_intensity": (
                "batch",
                [intensity(b, cache=True) for b in batches],
                {"units": "op/B"},
            ),
        },
        coords={"way": list(found[0]), "batch": batches},
        attrs={
            "sources": "pimsimulator, llama2config7b",
            "title": "Decode step of one LLaMA 2 7B layer",
        },
    )


def crossover(ds: xr.Dataset) -> float:
    """Batch from which the pins are faster than the banks (log interpolation)."""
    ratio = np.log(
        (ds.seconds.sel(way="in the banks") / ds.seconds.sel(way="through the pins")).values
    )
    return float(np.exp(np.interp(0, ratio, np.log(ds.batch.values))))


def found(ds: xr.Dataset, row: Row) -> float:
    """Ours for a row of targets.csv: operations a byte at a batch."""
    return float(ds[row.quantity].sel(batch=int(row.condition.removeprefix("batch="))))


def tables(ds: xr.Dataset) -> dict[str, str]:
    """Microseconds of one layer by batch and way."""
    micro = 1e6 * ds.seconds
    lines = [
        [str(batch), *(f"{value:.0f}" for value in micro.sel(batch=batch).values)]
        for batch in ds.batch.values
    ]
    return {"seconds": markdown(["batch", *(f"{way} (us)" for way in ds.way.values)], lines)}


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Time a token against batch, and intensity against batch."""
    fig = figure(70)
    left, right = fig.subplots(1, 2)
    styles = {
        "in the banks": (STAGE_COLOURS[2], "-"),
        "through the pins": (STAGE_COLOURS[1], "-"),
        "both": ("0.2", "--"),
    }
    for way, (colour, line) in styles.items():
        left.plot(
            ds.batch,
            1e6 * ds.seconds.sel(way=way) / ds.batch,
            line,
            marker="o",
            color=colour,
            label=way,
        )
    left.set_ylabel("one layer's time a token (µs)")
    left.set_title(
        f"The pins win from batch {crossover(ds):.1f}; together they are never slower",
        fontsize="medium",
    )
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
        axes.legend(frameon=False)
    return fig


if __name__ == "__main__":
    answer = compute()
    save(draw(answer), OUT)
    fill(__file__, lambda row: found(answer, row), tables(answer))
