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
from pimlab.workload.language.shape import DecoderShape

OUT = Path(__file__).with_name("attacc")
MODELS = ("gpt3-175b", "llama-65b")
LEVELS = ("bank", "bank group", "buffer")
BATCHES = (1, 8, 32, 64)
CONTEXT = 2112
"""Middle of the 127 tokens that follow a prompt of 2,048."""
FULL = 3072
"""Middle of the 2,047 tokens that follow a prompt of 2,048, whose last fills the memory."""
HELD = 1280 * 2**30
"""Bytes of either system: eight GPUs of 160 GiB, or of 80 GiB with eight devices of 80 GiB."""
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


def tiles(m: int, n: int, k: int) -> tuple[int, int]:
    """Rows and columns of a product's tiles: those that move least for the cores they keep busy."""
    found = []
    for tall, wide in itertools.product(TILES, TILES):
        tall, wide = min(tall, m), min(wide, n)
        if ((tall + wide) * REUSED + tall * wide) * WORD * 8 > value("cache"):
            continue
        moved = -(-n // wide) * m * k + -(-m // tall) * n * k + m * n
        count = -(-m // tall) * -(-n // wide)
        found.append((moved / busy(count) ** 2, count, tall, wide))
    return min(found)[2:]


def product(m: int, n: int, k: int) -> float:
    """Seconds of a product on one GPU."""
    tall, wide = tiles(m, n, k)
    share = busy(-(-m // tall) * -(-n // wide))
    arrays = 2 * m * n * k / (value("rate") * value("rate_share") * share)
    bits = 8 * WORD * (m * k + n * k + m * n)
    return max(arrays, bits / (value("bandwidth") * value("bandwidth_share") * share))


def attention(heads: int, context: int) -> float:
    """Seconds of attention on one GPU, a head a core."""
    bits = 8 * WORD * heads * 2 * context * 128
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


def products(shape: DecoderShape, batch: int) -> dict[str, list[tuple[int, int, int]]]:
    """(m, n, k) of one GPU's products with weights: around the attention, and feed-forward."""
    width, hidden = shape.width, shape.hidden // GPUS
    rising = [(batch, hidden, width)] * (2 if shape.feed_forward == "swiglu" else 1)
    return {
        "around": [(batch, 3 * width // GPUS, width), (batch, width, width // GPUS)],
        "feed-forward": [*rising, (batch, width, hidden)],
    }


def overlapped(times: dict[str, float], heads: int) -> dict[str, float]:
    """Times of stages that heads pass one after another: the longest is seen whole, of the others
    one head's share.
    """
    longest = max(times, key=lambda one: times[one])
    return {one: time if one == longest else time / heads for one, time in times.items()}


def around(name: str, batch: int, level: str | None, context: int, piped: bool) -> dict[str, float]:
    """Seconds of what surrounds attention in one layer: "around", "attention", "handed"."""
    shape = pim.load_model(name).shape
    heads = shape.heads * batch // GPUS
    weights = sum(product(*one) for one in products(shape, batch)["around"])
    if level is None:
        return {"around": weights, "attention": attention(heads, context), "handed": 0.0}
    units = pim.dram_pim.head_units(level=level)
    busy = {
        "attention": units.seconds(context, heads, shape.head_width),
        "handed": 4 * batch * shape.width // GPUS * WORD / value("link"),
    }
    if piped:
        return overlapped(busy | {"around": weights}, shape.heads // GPUS)
    return overlapped(busy, shape.heads // GPUS) | {"around": weights}


def stage(
    name: str, batch: int, level: str | None, context: int = CONTEXT, piped: bool = False
) -> dict[str, float]:
    """Seconds of one token of `batch` sequences by part; level None: attention on the GPUs.

    With `piped`, the projections of a head run while another head's attention does.
    """
    shape = pim.load_model(name).shape
    width, hidden = shape.width, shape.hidden // GPUS
    gated = shape.feed_forward == "swiglu"
    near = around(name, batch, level, context, piped)
    rest = sum(product(*one) for one in products(shape, batch)["feed-forward"])
    one = {
        "weights": near["around"] + rest,
        "attention": near["attention"],
        "exchange": 2 * exchange(batch * width) + near["handed"],
        "vectors": vector("activation", batch * hidden, 3 if gated else 2)
        + 2 * vector("norm", batch * width, 3),
    }
    return {part: shape.layers * seconds for part, seconds in one.items()}


def most(name: str, tokens: int) -> int:
    """Sequences of `tokens` tokens that fill both systems beside the weights, the last begun."""
    shape = pim.load_model(name).shape
    per_token = 2 * shape.layers * shape.width * WORD
    return math.ceil((HELD - shape.layer_weights * WORD) / (per_token * tokens))


def product_energy(m: int, n: int, k: int, alone: bool = False) -> float:
    """Joules of a product on one GPU: memory, both caches, registers and multipliers. Cache tiles
    are those of `tiles`; `alone`: one row of inputs, as in attention, whose tile is the widest.
    """
    tall, wide = (1, min(n, TILES[-1])) if alone else tiles(m, n, k)

    def moved(high: int, broad: int) -> int:
        return (-(-n // broad) * m * k + -(-m // high) * n * k + m * n) * WORD

    return (
        moved(m, n) * 8 * value("energy.memory")
        + moved(tall, wide) * 8 * value("energy.shared_cache")
        + moved(16, 16) * 8 * value("energy.cache")
        + m * n * k * (3 * value("energy.register") + value("energy.multiply"))
    )


def energy(name: str, batch: int, level: str | None, context: int) -> dict[str, float]:
    """Joules of one token of `batch` sequences in the whole system by part, as AttAcc counts
    them: no power of its own while a machine waits. Norms and activation functions, the same in
    both systems and 1.7 % of the lesser one, are left out.
    """
    shape = pim.load_model(name).shape
    heads = shape.heads * batch // GPUS
    weights = [one for group in products(shape, batch).values() for one in group]
    if level is None:
        scores = product_energy(1, context, shape.head_width, alone=True)
        cache = heads * (scores + product_energy(1, shape.head_width, context, alone=True))
    else:
        units = pim.dram_pim.head_units(level=level)
        cache = sum(units.energy(context, heads, shape.head_width).values())
    one = {
        "weights": sum(product_energy(*shape_) for shape_ in weights),
        "attention": cache,
        "exchange": 2 * batch * shape.width * WORD * 8 * value("energy.link"),
    }
    return {part: GPUS * shape.layers * joules for part, joules in one.items()}


def compute(quick: bool = False) -> xr.Dataset:
    """latency (model, batch, place, part) s of a token; cycles (run) of attention in one stack."""
    places = (None, *LEVELS)
    times = [
        [[list(stage(m, b, level).values()) for level in places] for b in BATCHES] for m in MODELS
    ]
    runs = [row.condition for row in rows() if row.quantity == "cycles of attention"]
    units = pim.dram_pim.head_units()
    batches = [most(name, 4095) for name in MODELS]
    full = list(zip(MODELS, batches, strict=True))
    systems = ((None, False), ("bank", False), ("bank", True))
    filled = [[list(stage(*one, p, FULL, piped).values()) for p, piped in systems] for one in full]
    spent = [[list(energy(*one, p, FULL).values()) for p in (None, "bank")] for one in full]
    return xr.Dataset(
        {
            "latency": (("model", "batch", "place", "part"), times, {"units": "s"}),
            "cycles": ("run", [cycles(one) for one in runs], {"units": "1"}),
            "most": ("model", batches, {"units": "1", "long_name": "sequences that fill it"}),
            "full_latency": (("model", "system", "part"), filled, {"units": "s"}),
            "full_energy": (("model", "consumer", "spent_on"), spent, {"units": "J"}),
        },
        coords={
            "model": list(MODELS),
            "batch": list(BATCHES),
            "place": ["gpu", *LEVELS],
            "part": list(stage(MODELS[0], 1, None)),
            "run": runs,
            "system": ["gpu", "bank", "bank, pipelined"],
            "consumer": ["gpu", "bank"],
            "spent_on": list(energy(MODELS[0], 1, None, FULL)),
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
    if row.quantity.startswith("full"):
        return full(ds, row)
    model, batch, place = row.condition.split(" ", 2)
    one = ds.latency.sel(model=model, batch=int(batch), place=place)
    return float(one.sum(skipna=False)) * 1e3


def full(ds: xr.Dataset, row: published.Row) -> float:
    """Ours for a row of the filled memory: sequences, ms, J, or a gain over GPUs."""
    model, _, system = row.condition.partition(", ")
    if row.quantity == "full: sequences":
        return float(ds.most.sel(model=model))
    if row.quantity == "full: token energy":
        return float(ds.full_energy.sel(model=model, consumer=system).sum(skipna=False))
    if row.quantity == "full: energy gain":
        spent = ds.full_energy.sel(model=model).sum("spent_on", skipna=False)
        return float(spent.sel(consumer="gpu") / spent.sel(consumer=system))
    times = ds.full_latency.sel(model=model).sum("part", skipna=False)
    one = float(times.sel(system=system))
    return one * 1e3 if row.quantity == "full: token time" else float(times.sel(system="gpu")) / one


def tables(ds: xr.Dataset) -> dict[str, str]:
    """Time of a token where attention runs, and what each place gains over the GPUs."""
    lines = []
    for model, batch in itertools.product(MODELS, BATCHES):
        times = ds.latency.sel(model=model, batch=batch).sum("part") * 1e3
        cells = [f"{float(times.sel(place=place)):.2f}" for place in ds.place.values]
        gain = float(times.sel(place="gpu") / times.sel(place="bank"))
        lines.append([model, batch, *cells, f"{gain:.2f}"])
    heads = ["model", "batch", *(f"{p} (ms)" for p in ds.place.values), "gain of banks"]
    return {"stages": published.markdown(heads, lines), "filled": filled(ds)}


def filled(ds: xr.Dataset) -> str:
    """Gains in time and energy where the batch fills the memory of both systems."""
    lines = []
    for model in MODELS:
        times = ds.full_latency.sel(model=model).sum("part") * 1e3
        spent = ds.full_energy.sel(model=model).sum("spent_on")
        gains = (float(times[0] / time) for time in times[1:])
        lines.append(
            [
                model,
                int(ds.most.sel(model=model)),
                *(f"{float(time):.2f}" for time in times),
                *(f"{gain:.2f}" for gain in gains),
                f"{float(spent[0] / spent[1]):.2f}",
            ]
        )
    systems = [str(one) for one in ds.system.values]
    heads = ["model", "sequences", *(f"{one} (ms)" for one in systems)]
    heads += [*(f"gain, {one}" for one in systems[1:]), "gain in energy"]
    return published.markdown(heads, lines)


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
