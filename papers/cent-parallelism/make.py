"""Which pipeline and tensor parallelism is best on DRAM-PIM devices behind CXL, as in CENT?

Our GDDR6-AiM stands for a CENT device, a CXL switch joins them, and attention of a sequence stays
on one device of its group. Nothing is fitted. `python papers/cent-parallelism/make.py` writes the
figure and the tables of README.md.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import pimlab as pim
from pimlab.plot.style import PARTS, PUBLISHED, figure, for_print, save
from pimlab.studies import published

OUT = Path(__file__).with_name("cent-parallelism")
DEVICES = {"llama2-7b": 8, "llama2-13b": 20}
SPLITS = {
    "llama2-7b": {(1, 8): 598.5, (2, 4): 1055.5, (4, 2): 1723.2, (8, 1): 2493.2, (32, 1): 2850.5},
    "llama2-13b": {
        (1, 20): 367.9,
        (2, 10): 725.2,
        (4, 5): 1299.6,
        (5, 4): 1515.0,
        (10, 2): 2480.3,
        (20, 1): 3559.8,
        (40, 1): 3931.4,
    },
}
"""Model -> (pipeline, tensor) -> tokens a second of CENT, decoding."""
CONTEXT = 2304
"""Mean context while 3,584 tokens follow a prompt of 512, to 4,096 in all."""
CHANNELS = 32


def device(slices: int) -> pim.Cluster:
    """One device: 32 channels of GDDR6-AiM, or a `slices`-th of it, behind CXL; its digital part
    starts operators without the fixed cost that was measured of Warboy's driver.
    """
    host = pim.target("warboy").but(efficiency=None)
    banks = pim.target("gddr6-aim").but(attention="banks", widest=None, host=host)
    organisation = banks.organisation.but(channels=CHANNELS // slices)
    return pim.Cluster(chip=banks.but(organisation=organisation), link=pim.link("cxl-x16"))


def split(model: str, pipeline: int, tensor: int) -> tuple[float, float, float]:
    """(s of a token, tokens/s where the stages were equally fast, tokens/s of our schedule) with
    one sequence a stage; more stages than devices share a device.
    """
    slices = max(1, pipeline * tensor // DEVICES[model])
    rack = device(slices).but(chips=pipeline * tensor)
    plan = pim.parallelise(
        pim.load_model(model),
        rack,
        "throughput",
        batch=pipeline,
        context=CONTEXT,
        attention="sequences",
        tensor=tensor,
        pipeline=pipeline,
        microbatches=pipeline,
        data=1,
    )
    return plan.step.loop, pipeline / plan.step.loop, plan.throughput


def compute(quick: bool = False) -> xr.Dataset:
    """latency (split) s of a token; balanced, throughput, published (split) in tokens/s."""
    splits = [(model, *one) for model in SPLITS for one in SPLITS[model]]
    ours = np.array([split(*one) for one in splits])
    rate = {"units": "1/s"}
    return xr.Dataset(
        {
            "latency": ("split", ours[:, 0], {"units": "s"}),
            "balanced": ("split", ours[:, 1], rate),
            "throughput": ("split", ours[:, 2], rate),
            "published": ("split", [SPLITS[m][p, t] for m, p, t in splits], rate),
        },
        coords={
            "split": [f"{m} {p} {t}" for m, p, t in splits],
            "model": ("split", [m for m, *_ in splits]),
            "pipeline": ("split", [p for _, p, _ in splits]),
        },
        attrs={"sources": ",".join(sorted({"cent", *device(1).cited}))},
    )


def in_order(ds: xr.Dataset, model: str) -> float:
    """Share of pairs of splits whose balanced throughputs stand in the published order."""
    one = ds.where(ds.model == model, drop=True)
    pairs = list(itertools.combinations(range(one.sizes["split"]), 2))
    ours, theirs = one.balanced.values, one.published.values
    same = [(ours[i] - ours[j]) * (theirs[i] - theirs[j]) > 0 for i, j in pairs]
    return float(np.mean(same)) if np.isfinite(ours).all() else float("nan")


def found(ds: xr.Dataset, row: published.Row) -> float:
    """Ours for a row of targets.csv."""
    if row.quantity == "token latency":
        return float(ds.latency.sel(split=row.condition))
    if row.quantity == "pairs in the published order":
        return in_order(ds, row.condition)
    one = ds.where(ds.model == row.condition, drop=True)
    if not np.isfinite(one.balanced).all():
        return float("nan")
    quick = row.quantity.endswith("latency")
    best = np.argmin(one.latency.values) if quick else np.argmax(one.balanced.values)
    return float(one.pipeline[int(best)])


def tables(ds: xr.Dataset) -> dict[str, str]:
    """Every split: token time and throughput, ours and CENT's."""
    lines = []
    for i, name in enumerate(ds.split.values):
        model, pipeline, tensor = str(name).split()
        one = ds.isel(split=i)
        numbers = (one.latency * 1e3, one.balanced, one.throughput, one.published)
        cells = [f"{float(x):.{d}f}" for x, d in zip(numbers, (2, 0, 0, 0), strict=True)]
        lines.append([model, pipeline, tensor, *cells])
    heads = ["model", "pipeline", "tensor", "token (ms)", "ours, equal stages (tokens/s)",
             "ours, slowest stage (tokens/s)", "CENT (tokens/s)"]  # fmt: skip
    return {"splits": published.markdown(heads, lines)}


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Throughput against pipeline stages, ours and CENT's."""
    fig = figure(65)
    for axes, model in zip(fig.subplots(1, 2), SPLITS, strict=True):
        one = ds.where(ds.model == model, drop=True)
        axes.plot(one.pipeline, one.balanced, "o-", color=PARTS[0], label="ours, equal stages")
        axes.plot(one.pipeline, one.throughput, "s-", color=PARTS[3], label="ours, slowest stage")
        axes.plot(one.pipeline, one.published, "o--", **PUBLISHED, label="CENT")
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter("{x:.0f}")
        axes.set_ylim(0)
        axes.set_title(f"{model}, {DEVICES[model]} devices")
        axes.set_xlabel("pipeline stages")
    fig.axes[0].set_ylabel("decoded tokens a second (1/s)")
    fig.axes[0].legend()
    return fig


def main() -> None:
    """Compute, write the figure and the tables."""
    ds = compute()
    save(draw(ds), OUT)
    published.fill(__file__, lambda row: found(ds, row), tables(ds))


if __name__ == "__main__":
    main()
