"""How many tokens a second does a language model really make on a chip, and how near are ours?

TensorRT-LLM's published throughput of four models on A100 and H100, with constants fitted on single
products that another software measured (`papers/silicon-operators`): no row of this paper was used
for them, but for one constant of the attention of these versions, fitted on five rows of A100. L40S
has the constants of A100. RNGD has three constants, fitted on three of its four rows. A chip
without constants (REBEL) answers with a bound, which no measurement may pass.
`python papers/llm-throughput/make.py` writes the figure and the tables of README.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from scipy.optimize import minimize, minimize_scalar

import pimlab as pim
from pimlab.cluster import Cluster, Work
from pimlab.cluster.shards import layer_weight_count, vocabulary_weight_count
from pimlab.cluster.steps import Degrees, Pricer
from pimlab.npu import Efficiency, chip
from pimlab.plot.panels import agreement, engineering
from pimlab.plot.style import figure, for_print, save
from pimlab.studies.published import Row, fill, markdown, targets
from pimlab.workload.language import hyperscale
from pimlab.workload.language.shape import DecoderShape

HERE = Path(__file__).parent
OUT = HERE / "llm-throughput"
ROWS = targets(HERE / "targets.csv")
LONGEST = 2**17
SIZES = {  # EleutherAI/gpt-j-6B, config.json; Falcon: --n_layer ... of TensorRT-LLM's own command
    "GPT-J 6B": (50400, 4096, 28, 16, 16, 256, 16384, "gelu"),
    "Falcon 180B": (65024, 14848, 80, 232, 8, 64, 4 * 14848, "gelu"),
}
NAMES = {
    "LLaMA 7B": "llama2-7b",
    "LLaMA 70B": "llama2-70b",
    "Llama-3.1-8B": "llama3.1-8b",
    "Llama-3.1-70B": "llama3.3-70b",  # the same sizes
    "Llama-3.3-70B": "llama3.3-70b",
    "EXAONE-32B": "exaone3.5-32b",
}
FORMATS = {"a100": "fp16", "h100": "fp8_e4m3", "l40s": "fp8_e4m3", "rngd": "fp8_e4m3"}
GPUS = ("a100", "h100", "l40s")
LINKS = {"a100": "dgx-a100", "h100": "dgx-h100"}
FITTED = {"operator": 5e-6, "arrays": 0.6, "bandwidth": 0.5}
"""Constants of RNGD that its own rows fit, and where the search for them starts."""
DECODING = 13.4
"""Products that an array's vector unit makes a cycle in the attention of one token, as TensorRT-LLM
before its version 0.8 did it: each query head reads the keys it shares anew. `fit_decoding`."""
SHARED = ("LLaMA 70B", "Falcon 180B")
"""Models whose query heads share keys and values."""


class System(NamedTuple):
    """What a row was measured on."""

    gpu: str
    model: str
    chips: int
    batch: int | None
    """None: not published; the most that fits."""
    input: int
    output: int


def system(condition: str) -> System:
    """The system of a row's condition, such as "h100 LLaMA 7B tp=1 batch=80 in=2048 out=128"."""
    match = re.fullmatch(
        r"(\S+) (.+) (?:tp|cards)=(\d+)(?: batch=(\d+))? in=(\d+) out=(\d+)", condition
    )
    assert match, condition
    batch = int(match[4]) if match[4] else None
    return System(match[1], match[2], int(match[3]), batch, int(match[5]), int(match[6]))


@lru_cache(maxsize=16)
def shape(model: str) -> DecoderShape:
    """Sizes of a model, for any context."""
    if model in SIZES:
        names = ("vocabulary", "width", "layers", "heads", "kv_heads", "head_width", "hidden",
                 "feed_forward")  # fmt: skip
        return DecoderShape(**dict(zip(names, SIZES[model], strict=True)), context=LONGEST)
    return hyperscale(NAMES[model]).shape.but(context=LONGEST)


def constants(gpu: str, decoding: float = DECODING) -> Efficiency | None:
    """Constants of a chip, on GPUs with the attention of these versions of TensorRT-LLM."""
    own = chip(gpu, FORMATS.get(gpu)).efficiency
    return own.but(decoding=decoding) if own is not None and gpu in GPUS else own


@lru_cache(maxsize=64)
def pricer(gpu: str, model: str, chips: int, lost: Efficiency | None = None) -> Pricer:
    """Steps of a model on so many chips of a kind, with their own constants or those given."""
    link = pim.network(LINKS[gpu]) if gpu in LINKS else pim.link("pcie5-x16")
    machine = chip(gpu, FORMATS.get(gpu)).but(efficiency=lost or constants(gpu))
    return Pricer(
        shape(model), Cluster(chip=machine, chips=chips, link=link if chips > 1 else None)
    )


def most(one: System) -> int:
    """Sequences that fit into the memory of all cards beside the weights, one byte a value."""
    sizes = shape(one.model)
    room = chip(one.gpu).memory.capacity or 0.0
    token = 2 * sizes.layers * sizes.kv_heads * sizes.head_width
    weights = sizes.layers * layer_weight_count(sizes) + 2 * vocabulary_weight_count(sizes)
    left = one.chips * room / 8 - weights
    return max(1, int(left // (token * (one.input + one.output))))


class Times(NamedTuple):
    """Seconds of the prompts, of all steps after them, and of what of these grows with the
    context.
    """

    prompts: float
    steps: float
    attention: float


def times(one: System, lost: Efficiency | None = None) -> Times:
    """Seconds of a system that reads its prompts together and then decodes them together; steps at
    the mean context. Cards whose arrangement is not published are arranged best.
    """
    ways = [Degrees(tensor=one.chips)] if one.gpu in LINKS else list(arrangements(one))
    return min((arranged(one, way, lost) for way in ways), key=lambda spent: spent[0] + spent[1])


def arrangements(one: System) -> Iterator[Degrees]:
    """Tensor and pipeline degrees that use all cards, with microbatches that fill the pipeline."""
    for tensor in (2**i for i in range(one.chips.bit_length())):
        stages = one.chips // tensor
        for parts in sorted({1, 8 * stages}):
            if parts <= (one.batch or most(one)):
                yield Degrees(tensor=tensor, pipeline=stages, microbatches=parts)


def arranged(one: System, degrees: Degrees, lost: Efficiency | None = None) -> Times:
    """Seconds of a system cut in one way; where the batch is not published, requests follow each
    other and no stage of a pipeline waits.
    """
    pricing, batch = pricer(*one[:3], lost), one.batch or most(one)
    prompts = pricing.step(Work(batch=batch, queries=one.input, context=one.input), degrees)
    step = pricing.step(Work(batch=batch, context=one.input + one.output // 2), degrees)
    read, each = prompts.seconds, step.seconds
    if one.batch is None:
        read, each = (degrees.microbatches * some.beat for some in (prompts, step))
    return Times(read, one.output * each, one.output * step.attention)


def fit() -> Efficiency:
    """RNGD's constants that miss its fitted rows least, by the mean square of the log; the vector
    unit gets the products' share of the bandwidth, and a call costs what the catalogue says.
    """
    rows = [row for row in ROWS if row.condition.startswith("rngd ") and row.role == "fitted"]
    own = chip("rngd").efficiency or Efficiency()

    def lost(z: np.ndarray) -> Efficiency:
        values = dict(zip(FITTED, map(float, np.exp(np.minimum(z, 0))), strict=True))
        return own.but(**values, vector=values["bandwidth"])

    def miss(z: np.ndarray) -> float:
        return float(np.mean([np.log(answer(row, lost(z))[0] / row.value) ** 2 for row in rows]))

    start = np.log(list(FITTED.values()))
    options = {"xatol": 1e-2, "fatol": 1e-6, "maxiter": 100}
    return lost(minimize(miss, start, method="Nelder-Mead", options=options).x)


def fit_decoding() -> float:
    """The rate of decoding attention that misses A100's rows of models with shared keys least, by
    the mean of |log|. Unit: products a cycle and array.
    """
    rows = [
        row
        for row in ROWS
        if row.quantity.startswith("tokens")
        and system(row.condition).gpu == "a100"
        and system(row.condition).model in SHARED
    ]

    def miss(rate: float) -> float:
        lost = constants("a100", rate)
        return float(np.mean([abs(np.log(answer(row, lost)[0] / row.value)) for row in rows]))

    options = {"xatol": 0.05, "maxiter": 20}
    return float(minimize_scalar(miss, bounds=(8, 24), method="bounded", options=options).x)


def answer(row: Row, lost: Efficiency | None = None) -> tuple[float, float]:
    """Ours for a row, in its unit, and the share of steps that attention takes; of one token the
    rate of decoding alone. lost : constants other than the chip's own.
    """
    one = system(row.condition)
    spent = times(one, lost)
    if row.quantity == "first token":
        return 1e3 * spent.prompts, 0.0
    batch = one.batch or most(one)
    whole = spent.steps + (spent.prompts if one.output > 1 else 0.0)
    rate = batch * one.output / whole
    share = spent.attention / spent.steps
    return (rate / one.chips if row.quantity.endswith("GPU") else rate), share


def compute(quick: bool = False) -> xr.Dataset:
    """Dataset by row of targets.csv: published and ours (1/s, or ms to the first token), and the
    share of a decoding step that attention takes.
    """
    found = np.array([answer(row) for row in ROWS])
    systems = [system(row.condition) for row in ROWS]
    return xr.Dataset(
        {
            "published": ("row", [row.value for row in ROWS], {"units": "1/s or ms"}),
            "ours": ("row", found[:, 0], {"units": "1/s or ms"}),
            "attention": ("row", found[:, 1], {"units": "1"}),
        },
        coords={
            "row": [f"{row.quantity}: {row.condition}" for row in ROWS],
            "quantity": ("row", [row.quantity for row in ROWS]),
            "role": ("row", [row.role for row in ROWS]),
            "gpu": ("row", [one.gpu for one in systems]),
            "model": ("row", [one.model for one in systems]),
        },
        attrs={
            "sources": "vidur,tensorrt-llm-performance,tensorrt-llm-xqa,furiosa-rngd-docs",
            "title": "Tokens a second of language models",
        },
    )


def found(ds: xr.Dataset, row: Row) -> float:
    """Ours for a row of targets.csv."""
    return float(ds.ours.sel(row=f"{row.quantity}: {row.condition}"))


def some(ds: xr.Dataset, quantity: str, gpu: str, shared: bool | None = None) -> xr.Dataset:
    """Rows of a quantity and chip; of models whose heads share keys, of others, or of both."""
    chosen = ds.quantity.str.startswith(quantity) & (ds.gpu == gpu)
    if shared is not None:
        chosen &= ds.model.isin(SHARED) == shared
    return ds.isel(row=np.flatnonzero(chosen.values))


def error(ds: xr.Dataset) -> np.ndarray:
    """ours / published - 1 by row."""
    return (ds.ours / ds.published - 1).values


CLASSES = {
    "tokens a second, every head its own keys": ("tokens", False),
    "tokens a second, heads share keys": ("tokens", True),
    "first token": ("first token", None),
}


def tables(ds: xr.Dataset) -> dict[str, str]:
    """Errors by quantity and chip; and how far below their bounds chips without constants stay."""
    lines = []
    for gpu in GPUS:
        for name, (quantity, shared) in CLASSES.items():
            own = np.abs(error(some(ds, quantity, gpu, shared)))
            if not len(own):
                continue
            lines.append([gpu, name, str(len(own)), f"{100 * np.median(own):.0f} %",
                          f"{100 * own.max():.0f} %"])  # fmt: skip
    head = ["chip", "quantity", "rows", "median error", "largest"]
    bounds = [
        [gpu, str(len(rate)), f"{100 * rate.min():.0f} %", f"{100 * rate.max():.0f} %"]
        for gpu in ("rebel",)
        for rate in [1 / (1 + error(some(ds, "tokens", gpu)))]
    ]
    return {
        "errors": markdown(head, lines),
        "bounds": markdown(["chip", "rows", "least share of the bound", "most"], bounds),
    }


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Computed against published tokens a second."""
    fig = figure(75, 1)
    axes = fig.subplots()
    for place, gpu in enumerate(("a100", "h100", "l40s")):
        for shared in (False, True):
            own = some(ds, "tokens", gpu, shared)
            if own.sizes["row"]:
                label = f"{gpu}, {'heads share keys' if shared else 'every head its own keys'}"
                agreement(axes, own.published, own.ours, label, place, fitted=shared)
    axes.loglog()
    engineering(axes.xaxis, "")
    engineering(axes.yaxis, "")
    axes.set(xlabel="published tokens a second and GPU", ylabel="computed")
    own = np.abs(np.concatenate([error(some(ds, "tokens", gpu)) for gpu in ("h100", "l40s")]))
    axes.set_title(f"H100 and L40S, of which nothing was fitted: off by {np.median(own):.0%}")
    axes.legend()
    return fig


if __name__ == "__main__":
    answers = compute()
    save(draw(answers), OUT)
    fill(__file__, lambda row: found(answers, row), tables(answers))
