"""How long does a training step of Megatron's 22B to 1T models take on A100s, and what is held?

Two constants for all models, the efficiency of matrix products and the bandwidth of all other
operators, are fitted on two of the eight published step times; the other six are held out, as is
the memory of activations. `python papers/megatron/make.py` writes the figure and the tables of
README.md.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import pimlab as pim
from pimlab.cluster import Training, TrainingStep, training_step
from pimlab.npu.chips import chip
from pimlab.plot.panels import engineering, grouped
from pimlab.plot.style import figure, for_print, save
from pimlab.studies import published
from pimlab.workload.language.shape import DecoderShape

OUT = Path(__file__).with_name("megatron")
FITTED = (("22B", "selective"), ("175B", "full"))
"""Rows that the two constants are fitted on: a small and a large model, each way of recomputing."""
MODELS = {
    "22B": (6144, 64, 48, 1, 1, 4, 4),
    "175B": (12288, 96, 96, 8, 3, 64, 1),
    "530B": (20480, 128, 105, 35, 3, 280, 1),
    "1T": (25600, 160, 128, 64, 1, 512, 1),
}
"""Width, heads, layers, pipeline, chunks of the interleaved schedule, sequences a step, microbatch;
tensor 8, 2048 tokens, vocabulary 51200 (Korthikanti et al. 2022, table 3)."""
TIMES = {
    ("22B", "full"): 1.42,
    ("22B", "selective"): 1.10,
    ("175B", "full"): 18.13,
    ("175B", "selective"): 13.75,
    ("530B", "full"): 49.05,
    ("530B", "selective"): 37.83,
    ("1T", "full"): 94.42,
    ("1T", "selective"): 71.49,
}
"""Published seconds of a step (table 5); selective is with sequence parallelism."""
PEAK = 2039e9
"""Bandwidth of the A100's memory, B/s (catalogue): no fitted bandwidth may exceed it."""


def step(model: str, recompute: str, efficiency: float, bandwidth: float) -> TrainingStep:
    """One training step; `bandwidth` in B/s."""
    width, heads, layers, pipeline, chunks, sequences, microbatch = MODELS[model]
    shape = DecoderShape(
        vocabulary=51200,
        width=width,
        layers=layers,
        heads=heads,
        kv_heads=heads,
        head_width=width // heads,
        hidden=4 * width,
        context=2048,
        feed_forward="gelu",
    )
    rack = pim.Cluster(
        chip=chip("a100", "fp16").but(efficiency=None),  # its peak; what products reach is fitted
        chips=8 * pipeline,
        board=8,
        link=pim.network("dgx-a100"),
        between=pim.link("infiniband-hdr"),
        memory="1 TB",
    )
    training = Training(
        sequences=sequences,
        tokens=2048,
        microbatch=microbatch,
        tensor=8,
        pipeline=pipeline,
        chunks=chunks,
        recompute=recompute,
        sequence=recompute == "selective",
        efficiency=efficiency,
        bandwidth=8 * bandwidth,
    )
    return training_step(shape, rack, training)


def coefficients(row: tuple[str, str]) -> np.ndarray:
    """(fixed, products, bytes): the step takes fixed + products / efficiency + bytes / bandwidth
    seconds.
    """
    high, slow, narrow = (
        step(*row, *constants).seconds for constants in ((1.0, 1e12), (0.5, 1e12), (1.0, 0.5e12))
    )
    products, moved = slow - high, (narrow - high) * 1e12
    return np.array([high - products - moved / 1e12, products, moved])


def fit(rows: tuple[tuple[str, str], ...]) -> tuple[float, float]:
    """(efficiency, bandwidth in B/s) with the least squares of relative errors on `rows`, within
    what the chip can do.
    """
    from scipy.optimize import lsq_linear

    table = np.array([coefficients(row) for row in rows])
    times = np.array([TIMES[row] for row in rows])
    scale = np.array([1.0, 1e-12])
    least = np.array([1.0, 1e12 / PEAK])
    found = lsq_linear(
        table[:, 1:] * scale / times[:, None], 1 - table[:, 0] / times, bounds=(least, np.inf)
    )
    return float(1 / found.x[0]), float(1e12 / found.x[1])


def compute(quick: bool = False) -> xr.Dataset:
    """seconds, published (row), memory of activations, weights and states (row), B; efficiency and
    bandwidth; held_out (pair): mean error on the other rows when that pair of rows is fitted.
    """
    efficiency, bandwidth = fit(FITTED)
    steps = [step(*row, efficiency, bandwidth) for row in TIMES]
    table = {row: coefficients(row) for row in TIMES}
    pairs = []
    for pair in itertools.combinations(TIMES, 2):
        constants = fit(pair)
        x = np.array([1, 1 / constants[0], 1 / constants[1]])
        off = [abs(table[row] @ x / TIMES[row] - 1) for row in TIMES if row not in pair]
        pairs.append(float(np.mean(off)))
    return xr.Dataset(
        {
            "seconds": ("row", [one.seconds for one in steps], {"units": "s"}),
            "published": ("row", list(TIMES.values()), {"units": "s"}),
            "activations": ("row", [one.activations for one in steps], {"units": "B"}),
            "weights_states": ("row", [one.weights + one.states for one in steps], {"units": "B"}),
            "efficiency": ((), efficiency, {"units": "1"}),
            "bandwidth": ((), bandwidth, {"units": "B/s"}),
            "held_out": ("pair", pairs, {"units": "1"}),
        },
        coords={"row": [" ".join(row) for row in TIMES]},
        attrs={"sources": "megatron-recompute,vidur"},
    )


def error(ds: xr.Dataset, held_out: bool = True) -> float:
    """Mean |ours / published - 1|, of the rows that were not fitted or of all."""
    off = abs(ds.seconds / ds.published - 1)
    rows = [" ".join(row) for row in TIMES if not (held_out and row in FITTED)]
    return float(off.sel(row=rows).mean())


def found(ds: xr.Dataset, row: published.Row) -> float:
    """Ours for a row of targets.csv."""
    if row.quantity == "mean error":
        return error(ds)
    value = float(ds[row.quantity].sel(row=row.condition))
    return value / 2**30 if row.unit == "GiB" else value


def tables(ds: xr.Dataset) -> dict[str, str]:
    """The constants, and how much the choice of fitted rows matters."""
    lines = [
        ["efficiency of matrix products", f"{float(ds.efficiency):.3f}"],
        ["bandwidth of all other operators", f"{float(ds.bandwidth) / 1e12:.2f} TB/s"],
        ["mean error, six rows held out", f"{error(ds):.1%}"],
        ["mean error, all eight rows", f"{error(ds, held_out=False):.1%}"],
        [
            "mean held-out error over all 28 pairs of fitted rows, median",
            f"{float(ds.held_out.median()):.1%}",
        ],
        ["the same, worst pair", f"{float(ds.held_out.max()):.1%}"],
    ]
    return {"constants": published.markdown(["quantity", "value"], lines)}


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Step times, published and ours."""
    fig = figure(62)
    axes = fig.subplots()
    rows = [str(row).replace(" ", "\n") for row in ds.row.values]
    grouped(axes, rows, {"published": ds.published, "ours": ds.seconds}, ["published"])
    axes.set_yscale("log")
    axes.set_ylim(0.5)
    engineering(axes.yaxis, "s")
    axes.set_ylabel("time of a training step")
    axes.legend()
    return fig


def main() -> None:
    """Compute, write the figure and the tables."""
    ds = compute()
    save(draw(ds), OUT)
    published.fill(__file__, lambda row: found(ds, row), tables(ds))


if __name__ == "__main__":
    main()
