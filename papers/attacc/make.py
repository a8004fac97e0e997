"""What does attention in the memory gain a GPU that decodes, with units at banks, bank groups or
the buffer die, as in AttAcc?

The stacks are `pim.dram_pim.head_units`; the GPU is AttAcc's own roofline of an A100 with HBM3, its
constants in the catalogue. `python papers/attacc/make.py` writes the figure and the tables.
"""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure

import pimlab as pim
from pimlab.plot.panels import stacked
from pimlab.plot.style import figure, for_print, save
from pimlab.studies import published

OUT = Path(__file__).with_name("attacc")
MODELS = ("gpt3-175b", "llama-65b")
LEVELS = ("bank", "bank group", "buffer")
BATCHES = (1, 8, 32, 64)
CONTEXT = 2112
"""Middle of the 127 tokens that follow a prompt of 2,048."""
GPUS = 8
WORD = 2
TILES = (8, 16, 32, 64, 128, 192, 256, 320, 384, 448, 512)
REUSED = 32
"""Inputs of a tile that are in the cache at once."""
TABLE = pim.catalogue.entry("systems", "attacc")


def value(name: str) -> float:
    """A constant of AttAcc's GPU, SI."""
    return TABLE[f"gpu.{name}"].value


def busy(tasks: int) -> float:
    """Share of the cores that have a task, the last round included."""
    cores = int(value("cores"))
    return tasks / (math.ceil(tasks / cores) * cores)


def tasks(m: int, n: int, k: int) -> int:
    """Tiles of a product: those that move least for the cores they keep busy."""
    found = []
    for tall, wide in itertools.product(TILES, TILES):
        tall, wide = min(tall, m), min(wide, n)
        if ((tall + wide) * REUSED + tall * wide) * WORD * 8 > value("cache"):
            continue
        moved = -(-n // wide) * m * k + -(-m // tall) * n * k + m * n
        count = -(-m // tall) * -(-n // wide)
        found.append((moved / busy(count) ** 2, count))
    return min(found)[1]


def product(m: int, n: int, k: int) -> float:
    """Seconds of a product on one GPU."""
    share = busy(tasks(m, n, k))
    arrays = 2 * m * n * k / (value("rate") * value("rate_share") * share)
    bits = 8 * WORD * (m * k + n * k + m * n)
    return max(arrays, bits / (value("bandwidth") * value("bandwidth_share") * share))


def attention(heads: int) -> float:
    """Seconds of attention on one GPU, a head a core."""
    bits = 8 * WORD * heads * 2 * CONTEXT * 128
    return bits / (value("bandwidth") * value("bandwidth_share") * busy(heads))


def vector(kind: str, values: int, operands: int) -> float:
    """Seconds of an activation function or a norm on one GPU, with its fixed cost."""
    scale = value("fitted_bandwidth") / value("bandwidth")
    return value(kind) + value(f"{kind}_byte") * scale * values * operands * WORD


def exchange(values: int) -> float:
    """Seconds of an all-reduce over the GPUs."""
    size = values * WORD / GPUS
    once = max(value("message") + value("message_byte") * size, 8 * size / value("link"))
    return (GPUS - 1) * once


def stage(name: str, batch: int, level: str | None) -> dict[str, float]:
    """Seconds of one token of `batch` sequences by part; level None: attention on the GPUs."""
    shape = pim.load_model(name).shape
    width, hidden = shape.width, shape.hidden // GPUS
    gated = shape.feed_forward == "swiglu"
    rising = (2 if gated else 1) * product(batch, hidden, width)
    heads = shape.heads * batch // GPUS
    if level is None:
        time = attention(heads)
    else:
        time = pim.dram_pim.head_units(level=level).seconds(CONTEXT, heads, shape.head_width)
    one = {
        "weights": product(batch, 3 * width // GPUS, width)
        + product(batch, width, width // GPUS)
        + rising
        + product(batch, width, hidden),
        "attention": time,
        "exchange": 2 * exchange(batch * width),
        "vectors": vector("activation", batch * hidden, 3 if gated else 2)
        + 2 * vector("norm", batch * width, 3),
    }
    return {part: shape.layers * seconds for part, seconds in one.items()}


def compute(quick: bool = False) -> xr.Dataset:
    """latency (model, batch, place, part) s of a token; cycles (run) of attention in one stack."""
    places = (None, *LEVELS)
    times = [
        [[list(stage(m, b, level).values()) for level in places] for b in BATCHES] for m in MODELS
    ]
    runs = [row.condition for row in rows() if row.quantity == "cycles of attention"]
    units = pim.dram_pim.head_units()
    return xr.Dataset(
        {
            "latency": (("model", "batch", "place", "part"), times, {"units": "s"}),
            "cycles": ("run", [cycles(one) for one in runs], {"units": "1"}),
        },
        coords={
            "model": list(MODELS),
            "batch": list(BATCHES),
            "place": ["gpu", *LEVELS],
            "part": list(stage(MODELS[0], 1, None)),
            "run": runs,
        },
        attrs={"sources": ",".join(units.cited)},
    )


def rows() -> tuple[published.Row, ...]:
    """The rows of targets.csv."""
    return published.targets(Path(__file__).with_name("targets.csv"))


def cycles(run: str) -> float:
    """Cycles of a run of the simulator's log: level, limit, context, heads of one stack."""
    level, limit, context, heads = run.rsplit(" ", 3)
    units = pim.dram_pim.head_units(level=level, limited=limit == "limited").but(stacks=1)
    return units.cycles(int(context), int(heads), 128)


def found(ds: xr.Dataset, row: published.Row) -> float:
    """Ours for a row of targets.csv."""
    if row.quantity == "cycles of attention":
        return float(ds.cycles.sel(run=row.condition))
    if row.quantity == "gain, up to":
        times = ds.latency.sel(model=row.condition).sum("part")
        return float((times.sel(place="gpu") / times.sel(place="bank")).max())
    model, batch, place = row.condition.split(" ", 2)
    one = ds.latency.sel(model=model, batch=int(batch), place=place)
    return float(one.sum(skipna=False)) * 1e3


def tables(ds: xr.Dataset) -> dict[str, str]:
    """Time of a token where attention runs, and what each place gains over the GPUs."""
    lines = []
    for model, batch in itertools.product(MODELS, BATCHES):
        times = ds.latency.sel(model=model, batch=batch).sum("part") * 1e3
        cells = [f"{float(times.sel(place=place)):.2f}" for place in ds.place.values]
        gain = float(times.sel(place="gpu") / times.sel(place="bank"))
        lines.append([model, batch, *cells, f"{gain:.2f}"])
    heads = ["model", "batch", *(f"{p} (ms)" for p in ds.place.values), "gain of banks"]
    return {"stages": published.markdown(heads, lines)}


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Time of a token by part, a bar a place."""
    fig = figure(60)
    for axes, batch in zip(fig.subplots(1, 2, sharey=True), (1, 32), strict=True):
        one = ds.latency.sel(model=MODELS[0], batch=batch) * 1e3
        places = range(one.sizes["place"])
        stacked(axes, places, {str(part): one.sel(part=part) for part in ds.part.values})
        axes.set_xticks(places, ds.place.values)
        axes.set_title(f"GPT-3 175B, batch {batch}")
    fig.axes[0].set_ylabel("time of a token (ms)")
    fig.axes[0].legend()
    return fig


def main() -> None:
    """Compute, write the figure and the tables."""
    ds = compute()
    save(draw(ds), OUT)
    published.fill(__file__, lambda row: found(ds, row), tables(ds))


if __name__ == "__main__":
    main()
