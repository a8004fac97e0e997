"""How much faster does a batch decode when banks attend while the NPU multiplies, as in NeuPIMs?

Constants are those of NeuPIMs' public configuration; the NPU is a roofline of its systolic arrays.
`python papers/neupims/make.py` writes the figure and the tables.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import pimlab as pim
from pimlab.plot.style import PARTS, figure, for_print, save
from pimlab.studies import published

OUT = Path(__file__).with_name("neupims")
HEAD, WORD = 128, 2


class Model(NamedTuple):
    """A language model over `tensor` devices a layer, its layers in `stages` of them."""

    width: int
    heads: int
    tensor: int
    stages: int


MODELS = {
    "gpt3-7b": Model(4096, 32, 4, 1),
    "gpt3-13b": Model(5120, 40, 4, 1),
    "gpt3-30b": Model(7168, 56, 4, 2),
    "gpt3-175b": Model(12288, 96, 8, 4),
}
"""configs/model_configs of its repository."""
CONTEXTS = {"ShareGPT": 300, "Alpaca": 12 + 56 // 2}
"""Tokens of a request: the mean of the 512 of request-traces/clb; the prompt and half of the answer
of section 8.1.
"""
BATCHES = (64, 128, 256, 384, 512)
"""Of figure 12."""
WAYS = ("npu", "npu and banks in turn", "npu and banks at once")
INTERLEAVED = 256
"""Sequences from which its repository lets two halves of a batch take turns."""
TABLE = pim.catalogue.entry("systems", "neupims")


def value(name: str) -> float:
    """A constant of the NPU, SI."""
    return TABLE[f"npu.{name}"].value


def product(m: int, n: int, k: int, times: int = 1) -> float:
    """Seconds of `times` products: tiles of weights in the arrays, each loaded while the one before
    multiplies, and the last sums leave; or the traffic.
    """
    side = int(value("side"))
    tiles = times * -(-n // side) * -(-k // side)
    cycles = -(-tiles // int(value("arrays"))) * max(m, side) + 2 * side - 1
    bits = 8 * WORD * times * (m * k + k * n + m * n)
    return max(cycles / value("clock"), bits / value("bandwidth"))


def weights(model: Model, batch: int) -> float:
    """Seconds of a layer's products with weights on one device."""
    w = model.width
    sizes = ((3 * w, w), (w, w), (4 * w, w), (w, 4 * w))
    return sum(product(batch, n // model.tensor, k) for n, k in sizes)


def on_npu(model: Model, context: int, batch: int) -> float:
    """Seconds of a layer's attention in the arrays of one device."""
    heads = batch * model.heads // model.tensor
    return product(1, context, HEAD, heads) + product(1, HEAD, context, heads)


def in_banks(model: Model, context: int, batch: int) -> float:
    """Seconds of a layer's attention in the banks of one device."""
    heads = model.heads // model.tensor
    units = pim.dram_pim.head_units("neupims").but(request_heads=heads)
    return units.seconds(context, batch * heads, HEAD)


def layer(model: Model, context: int, batch: int) -> list[float]:
    """Seconds of a layer, a way each; a stage works on its share of the batch."""

    def multiply(size: int) -> float:
        return weights(model, size)

    def attend(size: int) -> float:
        return in_banks(model, context, size)

    share = batch // model.stages
    return [
        pim.dram_pim.blocked(multiply, lambda size: on_npu(model, context, size), share),
        pim.dram_pim.blocked(multiply, attend, share),
        pim.dram_pim.interleaved(multiply, attend, share),
    ]


def compute(quick: bool = False) -> xr.Dataset:
    """latency (data, model, batch, way) s of a layer."""
    latency = [
        [[layer(model, context, batch) for batch in BATCHES] for model in MODELS.values()]
        for context in CONTEXTS.values()
    ]
    return xr.Dataset(
        {"latency": (("data", "model", "batch", "way"), latency, {"units": "s"})},
        coords={
            "data": list(CONTEXTS),
            "model": list(MODELS),
            "batch": list(BATCHES),
            "way": list(WAYS),
        },
        attrs={"sources": ",".join(pim.dram_pim.head_units("neupims").cited)},
    )


def neupims(ds: xr.Dataset) -> xr.DataArray:
    """latency (data, model, batch) s of NeuPIMs: at once from 256 sequences, in turn below."""
    at_once, in_turn = ds.latency.sel(way=WAYS[2]), ds.latency.sel(way=WAYS[1])
    return at_once.where(ds.batch >= INTERLEAVED, in_turn)


def utilisation(ds: xr.Dataset, way: str) -> float:
    """Percent of the arrays' multipliers that work, GPT-3 30B at 256 sequences of ShareGPT."""
    model = MODELS["gpt3-30b"]
    macs = 12 * model.width**2 * (256 // model.stages) / model.tensor
    peak = value("arrays") * value("side") ** 2 * value("clock")
    one = ds.latency.sel(data="ShareGPT", model="gpt3-30b", batch=256, way=way)
    return 100 * macs / peak / float(one)


def found(ds: xr.Dataset, row: published.Row) -> float:
    """Ours for a row of targets.csv: means over data sets, models and batches."""
    if row.quantity == "utilisation of the arrays":
        return utilisation(ds, row.condition)
    if row.quantity == "first batch that gains":
        one = ds.latency.sel(data="ShareGPT", model=row.condition)
        gains = one.sel(way=WAYS[1]) > one.sel(way=WAYS[2])
        return float(ds.batch[np.argmax(gains.values)])
    base = ds.latency.sel(way=row.condition)
    turns = row.quantity == "gain of the banks"
    return float((base / (ds.latency.sel(way=WAYS[1]) if turns else neupims(ds))).mean())


def tables(ds: xr.Dataset) -> dict[str, str]:
    """Time of a layer of GPT-3 13B by batch, and what each model gains."""
    lines = []
    for batch in BATCHES:
        one = ds.latency.sel(data="ShareGPT", model="gpt3-13b", batch=batch) * 1e6
        gains = [f"{float(one.isel(way=i) / one.isel(way=2)):.2f}" for i in range(2)]
        lines.append([batch, *(f"{float(cell):.0f}" for cell in one), *gains])
    heads = ["batch", *(f"{way} (us)" for way in WAYS), "gain over npu", "gain over turns"]
    gain = ds.latency / neupims(ds)
    means = [
        [f"{model}, {data}", *(f"{float(one.isel(way=i)):.2f}" for i in range(2))]
        for data in ds.data.values
        for model in ds.model.values
        for one in [gain.sel(data=data, model=model).mean("batch")]
    ]
    columns = ["model and data, mean over batches", "gain over npu", "gain over turns"]
    return {
        "layers": published.markdown(heads, lines),
        "means": published.markdown(columns, means),
    }


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Sequences a second and layer of GPT-3 13B on ShareGPT against the batch, a line a way."""
    fig = figure(55, 1)
    axes = fig.subplots()
    ds = ds.sel(data="ShareGPT", model="gpt3-13b")
    for colour, marker, way in zip(PARTS, "os^", ds.way.values, strict=False):
        rate = ds.batch / ds.latency.sel(way=way)
        axes.plot(ds.batch, rate / 1e6, f"{marker}-", color=colour, label=str(way))
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:.0f}")
    axes.set_ylim(0)
    axes.set_xlabel("batch (sequences)")
    axes.set_ylabel("tokens of a layer (1/us)")
    axes.legend()
    return fig


def main() -> None:
    """Compute, write the figure and the tables."""
    ds = compute()
    save(draw(ds), OUT)
    published.fill(__file__, lambda row: found(ds, row), tables(ds))


if __name__ == "__main__":
    main()
