"""How far is the energy of a busy chip from what its board was measured to draw?

Three constants are fitted on one model on A100: the power that flows whatever runs, what operands
cost on their way to a MAC, and what a bit costs between DRAM and arrays. Another model on A100, and
every row of H100, is held out. A server of chats also reads prompts between the steps; how long
they are follows from how many chats fit into its memory. `python papers/silicon-energy/make.py`
draws the figure and fills the README's tables.
"""

from __future__ import annotations

import csv
import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from pimlab.cluster import Work
from pimlab.cluster.costs import Cost, Joules, cost, static_power
from pimlab.cluster.shards import (
    first_ops,
    last_ops,
    layer_macs,
    layer_vectors,
    layer_weight_count,
    vocabulary_weight_count,
)
from pimlab.constants import assumed
from pimlab.cost import Price, Prices
from pimlab.npu import Npu, chip
from pimlab.plot.panels import agreement
from pimlab.plot.style import figure, for_print, save
from pimlab.studies.published import Row, fill, markdown, targets
from pimlab.workload.language import hyperscale
from pimlab.workload.language.shape import DecoderShape

HERE = Path(__file__).parent
OUT = HERE / "silicon-energy"
DATA = HERE.parents[1] / "datasets" / "reference" / "system" / "splitwise_power.csv"
ROWS = targets(HERE / "targets.csv")
BOARD = {"a100": 400.0, "h100": 700.0}
"""W at most, of the boards with SXM sockets: Splitwise prints power as a share of it."""
LONGEST = 2048
"""Tokens of the longest prompt that is fitted: longer ones keep the board at its limit."""
SHAPES = {  # THUDM/slime, scripts/models; meta-llama/llama-models, sku_list.py; BLOOM's table
    "Qwen3-8B": (151936, 4096, 36, 32, 8, 128, 12288, "swiglu"),
    "Qwen3-14B": (151936, 5120, 40, 40, 8, 128, 17408, "swiglu"),
    "Llama-3.1-8B": (128256, 4096, 32, 32, 8, 128, 14336, "swiglu"),
    "Llama-3.1-70B": (128256, 8192, 80, 64, 8, 128, 28672, "swiglu"),
    "bloom-176b": (250880, 14336, 70, 112, 112, 128, 4 * 14336, "gelu"),
}


FULL = ("Llama-3.1-8B", "Qwen3-8B")
"""Models of the two rows in which fewer chats run than the server would take: memory is full."""
SHARE = 0.9
"""Share of a GPU's memory that vLLM fills (its default, gpu_memory_utilization)."""


class Point(NamedTuple):
    """One measurement: a model on `tensor` GPUs, the steps that it does in `seconds`, and the power
    of one GPU (W).
    """

    gpu: str
    model: str
    tensor: int
    steps: tuple[tuple[Work, float], ...]
    seconds: float
    watts: float
    tokens: float
    """Tokens that these steps make."""


def shape(model: str) -> DecoderShape:
    """Sizes of a model, for any context."""
    if model in SHAPES:
        names = ("vocabulary", "width", "layers", "heads", "kv_heads", "head_width", "hidden",
                 "feed_forward")  # fmt: skip
        return DecoderShape(**dict(zip(names, SHAPES[model], strict=True)), context=2**17)
    return hyperscale(model).shape.but(context=2**17)


def requests() -> list[tuple[str, Point]]:
    """Splitwise's requests on A100: prompt, then one token a step; power averaged over both."""
    found = []
    with DATA.open() as file:
        for line in csv.DictReader(file):
            tensor, prompt, batch, tokens = (
                int(line[name])
                for name in ("tensor_parallel", "prompt_size", "batch_size", "token_size")
            )
            steps = (
                (Work(batch=batch, queries=prompt, context=prompt), 1.0),
                (Work(batch=batch, context=prompt + tokens // 2), tokens - 1.0),
            )
            name = f"a100 {line['model']} tp={tensor} prompt={prompt} batch={batch}"
            seconds, watts = float(line["e2e_time"]) / 1e3, 400 * float(line["average_power"])
            found.append(
                (name, Point("a100", line["model"], tensor, steps, seconds, watts, batch * tokens))
            )
    return found


class Chats(NamedTuple):
    """Tokens of a prompt, and the share of its answer that a chat in progress has got on average:
    more than half, since long answers are in progress for longer.
    """

    prompt: float
    written: float


@lru_cache(maxsize=1)
def chats() -> Chats:
    """From the two rows whose memory is full: prompt + written answer = room / (chats x bytes of a
    token).
    """
    pattern = re.compile(r"h100 (\S+) limit=\d+ tokens=([\d.]+)")
    held, lengths = {}, {}
    for row in ROWS:
        if match := pattern.fullmatch(row.condition):
            held[match[1]] = room(match[1]) / row.value
            lengths[match[1]] = float(match[2])
    (short, long), (few, many) = ([of[name] for name in FULL] for of in (held, lengths))
    written = (long - short) / (many - few)
    return Chats(short - written * few, written)


def room(model: str) -> float:
    """Tokens whose keys and values fit into a GPU beside the weights, all FP16 (unit: tokens)."""
    sizes = shape(model)
    weights = sizes.layers * layer_weight_count(sizes) + 2 * vocabulary_weight_count(sizes)
    capacity = SHARE * (chip("h100").memory.capacity or 0.0) / 8
    return (capacity - 2 * weights) / (2 * 2 * sizes.layers * sizes.kv_heads * sizes.head_width)


def served() -> list[tuple[str, Point]]:
    """ML.ENERGY's rows on H100: a batch of chats of which each is at another place; for every
    answer that ends a prompt is read.
    """
    long = chats()
    prompt = Work(batch=1, queries=round(long.prompt), context=round(long.prompt))
    pattern = re.compile(r"h100 (\S+) tp=(\d+) batch=(\d+) tokens=(\d+) rate=([\d.]+)/s")
    found = []
    for row in ROWS:
        match = pattern.fullmatch(row.condition)
        if row.quantity == "power" and match:
            model, (tensor, batch, tokens) = match[1], map(int, match.groups()[1:4])
            seen = round(long.prompt + long.written * tokens)
            steps = ((Work(batch=batch, context=seen), 1.0), (prompt, batch / tokens))
            point = Point("h100", model, tensor, steps, batch / float(match[5]), row.value, batch)
            found.append((row.condition, point))
    return found


def drawn(npu: Npu, point: Point) -> Cost:
    """Seconds and energy without static power of a point on one of its GPUs, both our own."""
    total = Cost()
    for work, count in point.steps:
        total = total.plus(_step(npu, point.model, work, point.tensor).times(count))
    return total


@lru_cache(maxsize=4096)
def _step(npu: Npu, model: str, work: Work, tensor: int) -> Cost:
    sizes = shape(model)
    layer = (*layer_macs(sizes, work, tensor), *layer_vectors(sizes, work, tensor))
    ends = (*first_ops(sizes, work), *last_ops(sizes, work, tensor))
    return cost(npu, (npu,), layer).times(sizes.layers).plus(cost(npu, (npu,), ends))


def machine(gpu: str) -> Npu:
    """A GPU in FP16."""
    return chip(gpu, "fp16")


def power(npu: Npu, point: Point) -> Joules:
    """W of one GPU in the measured time, nominal, low and high, at most what the board may draw."""
    free = npu.but(limit=None)
    watts = drawn(free, point).energy.times(1 / point.seconds).plus(static_power(npu))
    return Joules(*(min(one, BOARD[point.gpu]) for one in watts))


def token(npu: Npu, point: Point) -> float:
    """J of a token, all GPUs, in our own time; nobody waits for the next step."""
    each = drawn(npu, point)
    joules = each.joules + each.seconds * static_power(npu).nominal
    return point.tensor * joules / point.tokens


def fit() -> dict[str, float]:
    """Static power of A100 (W), operand delivery over the MAC, and the DRAM interface (J/bit), by
    least squares of the relative error on Llama-2-70b.
    """
    npu = machine("a100").but(limit=None)
    points = [
        point
        for _, point in requests()
        if point.model == "llama2-70b" and point.steps[0][0].queries <= LONGEST
    ]
    mac = npu.prices[f"mac.{npu.arithmetic.mac}"].constant.value

    def joules(delivery: float, interface: float) -> np.ndarray:
        own = {"delivery": delivery, "interface": interface}
        prices = {
            name: Price(constant=assumed(name, value, "J", "a trial"), component=name)
            for name, value in own.items()
        }
        trial = npu.but(energy=Prices(prices))
        return np.array([drawn(trial, point).joules for point in points])

    base = joules(0.0, 0.0)
    seconds = np.array([point.seconds for point in points])
    measured = seconds * np.array([point.watts for point in points])
    columns = np.stack([seconds, joules(mac, 0.0) - base, joules(0.0, 1e-12) - base], axis=1)
    found, *_ = np.linalg.lstsq(columns / measured[:, None], 1 - base / measured, rcond=None)
    return {"static": found[0], "delivery": found[1], "interface": found[2] * 1e-12}


def compute(quick: bool = False) -> xr.Dataset:
    """Dataset by point: power measured and computed (W, with its interval), and by served point
    energy a token in our own time (J); length of prompts and share written of chats.
    """
    points = [*requests(), *served()]
    machines = {gpu: machine(gpu) for gpu in BOARD}
    watts = np.array([power(machines[point.gpu], point) for _, point in points])
    tokens = [token(machines[p.gpu], p) if p.gpu == "h100" else np.nan for _, p in points]
    roles = [
        "fitted" if p.model == "llama2-70b" and p.steps[0][0].queries <= LONGEST else "held-out"
        for _, p in points
    ]
    return xr.Dataset(
        {
            "measured": ("point", [point.watts for _, point in points], {"units": "W"}),
            "power": ("point", watts[:, 0], {"units": "W"}),
            "power_low": ("point", watts[:, 1], {"units": "W"}),
            "power_high": ("point", watts[:, 2], {"units": "W"}),
            "token": ("point", tokens, {"units": "J"}),
            "prompt": ((), chats().prompt, {"units": "1"}),
            "written": ((), chats().written, {"units": "1"}),
        },
        coords={
            "point": [name for name, _ in points],
            "chip": ("point", [point.gpu for _, point in points]),
            "role": ("point", roles),
        },
        attrs={"sources": "patel2024,ml-energy", "title": "power of busy boards"},
    )


def found(ds: xr.Dataset, row: Row) -> float:
    """Ours for a row of targets.csv."""
    names = list(ds.point.values)
    if row.quantity == "chats in a full memory":
        return held(ds, row)
    if row.quantity == "median error of power":
        return misses(ds, "h100", "held-out")[0]
    if row.quantity == "median error of energy a token":
        return token_miss(ds)
    if row.quantity == "power":
        return float(ds.power[names.index(row.condition)])
    index = next(i for i, name in enumerate(names) if name.startswith(row.condition + " rate"))
    return float(ds.token[index])


def held(ds: xr.Dataset, row: Row) -> float:
    """Chats that fit into a GPU, of the lengths that the Dataset found."""
    model, _, tokens = row.condition.removeprefix("h100 ").split()
    each = ds.prompt + ds.written * float(tokens.removeprefix("tokens="))
    return float(room(model) / each)


def some(ds: xr.Dataset, gpu: str, role: str) -> xr.Dataset:
    """Points of a chip and role."""
    return ds.isel(point=np.flatnonzero((ds.chip.values == gpu) & (ds.role.values == role)))


def covered(mine: xr.Dataset, share: float = 1.0) -> float:
    """Share of points measured within so much of the distance between nominal value and ends."""
    low = mine.power - share * (mine.power - mine.power_low)
    high = mine.power + share * (mine.power_high - mine.power)
    return float(((low <= mine.measured) & (mine.measured <= high)).mean())


def likely_share(ds: xr.Dataset) -> float:
    """Least multiple of 0.05 of that distance which covers nine in ten held-out points of A100; NaN
    where not even the ends do.
    """
    mine = some(ds, "a100", "held-out")
    shares = (0.05 * i for i in range(1, 21))
    return next((share for share in shares if covered(mine, share) >= 0.9), float("nan"))


def misses(ds: xr.Dataset, gpu: str, role: str) -> tuple[float, float, float, float]:
    """Median of |computed / measured - 1| of power, share of points within 25 %, and shares within
    the ends of all prices and within the likely interval.
    """
    mine = some(ds, gpu, role)
    error = np.abs(mine.power / mine.measured - 1).values
    within = covered(mine), covered(mine, likely_share(ds))
    return float(np.median(error)), float(np.mean(error <= 0.25)), *within


def token_miss(ds: xr.Dataset) -> float:
    """Median of |computed / published - 1| of J a token in our own time."""
    rows = [row for row in ROWS if row.quantity == "energy a token"]
    return float(np.median([abs(found(ds, row) / row.value - 1) for row in rows]))


def tables(ds: xr.Dataset) -> dict[str, str]:
    """Errors of power by chip and role, and of J a token; all rows, also those not listed above."""
    lines = []
    for gpu, role in (("a100", "fitted"), ("a100", "held-out"), ("h100", "held-out")):
        count = int(((ds.chip == gpu) & (ds.role == role)).sum())
        shares = [f"{100 * share:.0f} %" for share in misses(ds, gpu, role)]
        lines.append([gpu, role, str(count), *shares])
    head = ["chip", "role", "points", "median error", "within 25 %", "between the ends",
            "within the likely interval"]  # fmt: skip
    return {
        "errors": markdown(head, lines),
        "token": (
            f"Chats: prompts of {float(ds.prompt):.0f} tokens, {float(ds.written):.2f} of an answer"
            f" written. J a token on H100 in our own time: median error "
            f"{100 * token_miss(ds):.0f} %."
        ),
    }


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Computed against measured power, with the interval; held-out points filled."""
    fig = figure(78, 1)
    axis = fig.subplots()
    for place, gpu in enumerate(BOARD):
        for role in ("fitted", "held-out"):
            mine = ds.isel(point=np.flatnonzero((ds.chip.values == gpu) & (ds.role.values == role)))
            if mine.sizes["point"]:
                agreement(
                    axis, mine.measured, mine.power, f"{gpu}, {role}", place,
                    fitted=role == "fitted", ends=(mine.power_low, mine.power_high),
                )  # fmt: skip
    within = misses(ds, "h100", "held-out")[1]
    axis.set(
        xlabel="measured power of a board (W)",
        ylabel="computed (W)",
        title=f"{within:.0%} of H100's points lie within 25 %,\nby constants of A100",
    )
    axis.legend(loc="upper left")
    return fig


if __name__ == "__main__":
    answers = compute()
    save(draw(answers), OUT)
    fill(__file__, lambda row: found(answers, row), tables(answers))
