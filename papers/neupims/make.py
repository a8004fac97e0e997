"""How much faster does a batch decode when banks attend while the NPU multiplies, as in NeuPIMs?

Constants are those of NeuPIMs' public configuration; the NPU is a roofline of its systolic arrays.
`python papers/neupims/make.py` writes the figure and the tables.
"""

from __future__ import annotations

from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure

import pimlab as pim
from pimlab.plot.style import PARTS, figure, for_print, save
from pimlab.studies import published

OUT = Path(__file__).with_name("neupims")
WIDTH, HEADS, HEAD, TENSOR = 5120, 40, 128, 4
"""GPT-3 13B over four devices: configs/model_configs/gpt3-13B.json."""
CONTEXT = 300
"""Mean length of the 512 requests of request-traces/clb, ShareGPT."""
BATCHES = (32, 64, 128, 256, 512)
WORD = 2
TABLE = pim.catalogue.entry("systems", "neupims")


def value(name: str) -> float:
    """A constant of the NPU, SI."""
    return TABLE[f"npu.{name}"].value


def product(m: int, n: int, k: int, times: int = 1) -> float:
    """Seconds of `times` products: tiles of weights in the arrays, the next loaded meanwhile, or
    the traffic.
    """
    side = int(value("side"))
    tiles = times * -(-n // side) * -(-k // side)
    cycles = -(-tiles // int(value("arrays"))) * (m + 2 * side - 1)
    bits = 8 * WORD * times * (m * k + k * n + m * n)
    return max(cycles / value("clock"), bits / value("bandwidth"))


def weights(batch: int) -> float:
    """Seconds of a layer's products with weights on one device."""
    sizes = ((3 * WIDTH, WIDTH), (WIDTH, WIDTH), (4 * WIDTH, WIDTH), (WIDTH, 4 * WIDTH))
    return sum(product(batch, n // TENSOR, k) for n, k in sizes)


def on_npu(batch: int) -> float:
    """Seconds of a layer's attention in the arrays of one device."""
    heads = batch * HEADS // TENSOR
    return product(1, CONTEXT, HEAD, heads) + product(1, HEAD, CONTEXT, heads)


def in_banks(batch: int) -> float:
    """Seconds of a layer's attention in the banks of one device."""
    return pim.dram_pim.head_units("neupims").seconds(CONTEXT, batch * HEADS // TENSOR, HEAD)


def compute(quick: bool = False) -> xr.Dataset:
    """latency (way, batch) s of a layer."""
    ways = {
        "npu": [pim.dram_pim.blocked(weights, on_npu, b) for b in BATCHES],
        "npu and banks in turn": [pim.dram_pim.blocked(weights, in_banks, b) for b in BATCHES],
        "npu and banks at once": [pim.dram_pim.interleaved(weights, in_banks, b) for b in BATCHES],
    }
    return xr.Dataset(
        {"latency": (("way", "batch"), list(ways.values()), {"units": "s"})},
        coords={"way": list(ways), "batch": list(BATCHES)},
        attrs={"sources": ",".join(pim.dram_pim.head_units("neupims").cited)},
    )


def found(ds: xr.Dataset, row: published.Row) -> float:
    """Ours for a row of targets.csv: the gain at the batch of the traces."""
    last = ds.latency.sel(batch=BATCHES[-1])
    return float(last.sel(way=row.condition) / last.sel(way="npu and banks at once"))


def tables(ds: xr.Dataset) -> dict[str, str]:
    """Time of a layer by batch, and what working at once gains."""
    lines = []
    for batch in BATCHES:
        one = ds.latency.sel(batch=batch) * 1e6
        cells = [f"{float(one.sel(way=way)):.0f}" for way in ds.way.values]
        best = one.sel(way="npu and banks at once")
        gains = [f"{float(one.isel(way=i) / best):.2f}" for i in range(2)]
        lines.append([batch, *cells, *gains])
    heads = ["batch", *(f"{way} (us)" for way in ds.way.values), "gain over npu", "gain over turns"]
    return {"layers": published.markdown(heads, lines)}


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Sequences a second and layer against the batch, a line a way."""
    fig = figure(55, 1)
    axes = fig.subplots()
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
