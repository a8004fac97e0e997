"""How far are the times of single operators from those measured on A100 and H100?

The constants of the catalogue are fitted on the operators of Llama-2-7b alone: five on its matrix
products, eight on its other operators. Every other row is held out. `python
papers/silicon-operators/make.py` draws the figure and fills the README's tables.
"""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from scipy.optimize import minimize

from pimlab.machine.protocol import MacOp, VectorOp
from pimlab.npu import Efficiency, Npu, chip
from pimlab.plot.style import PARTS, figure, for_print, save
from pimlab.studies.published import Row as Target
from pimlab.studies.published import fill, markdown

OUT = Path(__file__).with_name("silicon-operators")
DATA = Path(__file__).parents[2] / "datasets" / "reference" / "system"
EVERY = Path(__file__).with_name("everything.csv")
"""What everything.py found on all of Vidur's rows, most of which are not in this repository."""
CHIPS = ("a100", "h100")
FITTED = "Llama-2-7b-hf"
LARGE = 2**24
"""LLMCompass times operators from Python: only those of so many elements hide what that costs."""


class Row(NamedTuple):
    """One measured operator: s on one GPU."""

    gpu: str
    model: str
    op: MacOp | VectorOp
    seconds: float
    name: str
    size: str
    """How many tokens on how many chips, or the sides of an operator."""
    times: int = 1
    """Operators of this size one after another, measured together."""


def measured() -> list[Row]:
    """Vidur's medians (FP16), operator by operator of a decoder layer."""
    with gzip.open(DATA / "vidur_operators.csv.gz", "rt") as file:
        return [row for line in csv.DictReader(file) for row in layer(line)]


def layer(line: dict[str, str]) -> list[Row]:
    """The operators of one measured layer: one number of tokens on one number of chips."""
    width, heads, groups, inner, tokens, parts = (
        int(line[name])
        for name in (
            "n_embd", "n_head", "n_kv_head", "n_expanded_embd", "num_tokens", "tensor_parallel",
        )
    )  # fmt: skip
    gated, size = line["use_gated_mlp"] == "True", width // heads
    products = {
        "attn_pre_proj": (width, (heads + 2 * groups) * size // parts),
        "attn_post_proj": (width // parts, width),
        "mlp_up_proj": (width, (2 if gated else 1) * inner // parts),
        "mlp_down_proj": (inner // parts, width),
    }
    norm = "rmsnormalization" if gated else "layernormalization"
    # Without a gate, Vidur's block adds what attention and network return to its input: two sums.
    times = {"add": 1 if gated else 2}
    others = {
        "emb": ("gather", tokens * width),
        "input_layernorm": (norm, tokens * width),
        "post_attention_layernorm": (norm, tokens * width),
        "attn_rope": ("rotaryembedding", tokens * (heads + groups) * size // parts),
        "mlp_act": ("swiglu" if gated else "gelu", tokens * inner // parts),
        "add": ("add", tokens * width),
    }
    ops: dict[str, MacOp | VectorOp] = {
        name: MacOp(name=name, m=tokens, k=k, n=n) for name, (k, n) in products.items()
    }
    ops |= {
        name: VectorOp(name=name, kind=kind, elements=elements, rows=tokens)
        for name, (kind, elements) in others.items()
    }
    model, size_of = line["model"].split("/")[1], f"tokens={tokens} tp={parts}"
    return [
        Row(
            line["gpu"], model, op, float(line[f"{name}_ms"]) / 1e3, name, size_of,
            times.get(name, 1),
        )
        for name, op in ops.items()
        if line.get(f"{name}_ms", "") not in ("", "nan")
    ]  # fmt: skip


def compass() -> list[Row]:
    """LLMCompass' products and large vector operators on A100 (FP16)."""
    rows = []
    with (DATA / "llmcompass_a100.csv").open() as file:
        for line in csv.DictReader(file):
            m, k, n = (int(line[side]) for side in "mkn")
            kind, value = line["operator"], float(line["measured"])
            if kind == "matmul":
                op: MacOp | VectorOp = MacOp(name=kind, m=m, k=k, n=n)
                rows.append(Row("a100", "LLMCompass", op, value / 1e3, kind, f"{m}x{k}x{n}"))
            elif m * n >= LARGE:
                name = "layernormalization" if kind == "layernorm" else kind
                op = VectorOp(name=kind, kind=name, elements=m * n, rows=m)
                rows.append(Row("a100", "LLMCompass", op, m * n / (value * 1e9), kind, f"{m}x{n}"))
    return rows


def machine(gpu: str) -> Npu:
    """The chip in FP16, every operator alone: a softmax outside attention uses memory as well."""
    npu = chip(gpu, "fp16")
    return npu.but(memory=npu.memory.but(attention="apart"))


def fit(gpu: str, rows: list[Row]) -> Efficiency:
    """The constants that miss the times of `FITTED` least, by the mean of |log|: five on products,
    eight on the others.
    """
    mine = [row for row in rows if row.gpu == gpu and row.model == FITTED]
    products = _of_products(gpu, [row for row in mine if isinstance(row.op, MacOp)])
    return _of_others(gpu, [row for row in mine if isinstance(row.op, VectorOp)], products)


def _of_products(gpu: str, rows: list[Row]) -> Efficiency:
    return _least(gpu, rows, Efficiency(), _PRODUCTS)


def _of_others(gpu: str, rows: list[Row], lost: Efficiency) -> Efficiency:
    return _least(gpu, rows, lost, _OTHERS)


_PRODUCTS = {"operator": 4e-6, "arrays": 0.8, "bandwidth": 0.9, "exposed": 0.4, "feed": 40.0}
_OTHERS = {
    "launch": 2e-6, "vector": 0.9, "pointwise": 9.0, "rows": 3.6, "norms": 5.0, "alone": 0.55,
    "lookup": 1.1, "wait": 0.75e-6,
}  # fmt: skip
"""Where the search begins, constant by constant; those below 1 are shares."""
_SHARES = {"arrays", "bandwidth", "exposed", "vector", "alone"}


def _least(gpu: str, rows: list[Row], lost: Efficiency, start: dict[str, float]) -> Efficiency:
    """`lost` with the constants named in `start` that miss the times of `rows` least."""
    seconds = np.array([row.seconds for row in rows])
    npu, begin = machine(gpu), np.array([_open(n, value) for n, value in start.items()])

    def constants(z: np.ndarray) -> Efficiency:
        values = zip(start, z, strict=True)
        return lost.but(**{name: _closed(name, float(value)) for name, value in values})

    def miss(z: np.ndarray) -> float:
        found = _predicted(npu.but(efficiency=constants(z)), rows)
        return float(np.mean(np.abs(np.log(found / seconds))))

    simplex = np.vstack([begin, begin + 0.2 * np.eye(len(begin))])
    options = {"maxiter": 600, "xatol": 1e-4, "fatol": 1e-6, "initial_simplex": simplex}
    return constants(minimize(miss, begin, method="Nelder-Mead", options=options).x)


def _open(name: str, value: float) -> float:
    """A constant on a scale without ends: shares lie between 0 and 1, the others above 0."""
    return float(np.log(value / (1 - value)) if name in _SHARES else np.log(value))


def _closed(name: str, z: float) -> float:
    return float(1 / (1 + np.exp(-z)) if name in _SHARES else np.exp(z))


def _predicted(npu: Npu, rows: list[Row]) -> np.ndarray:
    return np.array([row.times * sum(npu.latency(row.op).values()) for row in rows])


def compute(quick: bool = False) -> xr.Dataset:
    """Dataset by row: measured and computed seconds and the bound, with chip, model, operator and
    role.
    """
    rows = [*measured(), *compass()]
    ours, bound = np.zeros(len(rows)), np.zeros(len(rows))
    for gpu in CHIPS:
        mine = [i for i, row in enumerate(rows) if row.gpu == gpu]
        ours[mine] = _predicted(machine(gpu), [rows[i] for i in mine])
        bound[mine] = _predicted(machine(gpu).but(efficiency=None), [rows[i] for i in mine])
    return xr.Dataset(
        {
            "measured": ("row", [row.seconds for row in rows], {"units": "s"}),
            "computed": ("row", ours, {"units": "s"}),
            "bound": ("row", bound, {"units": "s"}),
        },
        coords={
            "row": [f"{row.gpu} {row.model} {row.size} {row.name}" for row in rows],
            "chip": ("row", [row.gpu for row in rows]),
            "model": ("row", [row.model for row in rows]),
            "operator": ("row", [row.name for row in rows]),
            "kind": ("row", ["product" if isinstance(r.op, MacOp) else "vector" for r in rows]),
            "role": ("row", ["fitted" if row.model == FITTED else "held-out" for row in rows]),
        },
        attrs={"sources": "vidur,llmcompass", "title": "operators on A100 and H100"},
    )


def found(ds: xr.Dataset, row: Target) -> float:
    """Ours for a row of targets.csv, in us."""
    index = list(ds.row.values).index(row.condition)
    return 1e6 * float(ds.computed[index])


def tables(ds: xr.Dataset) -> dict[str, str]:
    """Errors by chip and kind of operator, fitted and held out, and of each held-out operator."""
    lines = [
        [
            gpu,
            kind,
            role,
            *_shares(ds, chip=gpu, role=role, **({} if kind == "all" else {"kind": kind})),
        ]
        for gpu in CHIPS
        for kind in ("product", "vector", "all")
        for role in ("fitted", "held-out")
    ]
    each = [
        [gpu, name, *_shares(ds, chip=gpu, role="held-out", operator=name)]
        for gpu in CHIPS
        for name in dict.fromkeys(ds.operator.values[ds.chip.values == gpu])
    ]
    head = ["median error", "within 20 %", "median error of the bound"]
    with EVERY.open(newline="") as file:
        columns, *every = csv.reader(file)
    return {
        "every": markdown(columns, every),
        "errors": markdown(["chip", "operators", "role", *head], lines),
        "operators": markdown(["chip", "operator", *head], each),
    }


def _shares(ds: xr.Dataset, **which: str) -> list[str]:
    """Median error, share within 20 % and the bound's median error, of the rows with these
    coordinates.
    """
    (median, within), (bound, _) = errors(ds, **which), errors(ds, "bound", **which)
    return [f"{100 * share:.1f} %" for share in (median, within, bound)]


def errors(ds: xr.Dataset, variable: str = "computed", **which: str) -> tuple[float, float]:
    """Median of |computed / measured - 1| and share of rows within 20 %, of the rows with these
    coordinates.
    """
    chosen = np.ones(ds.sizes["row"], bool)
    for name, value in which.items():
        chosen &= ds[name].values == value
    error = np.abs(ds[variable].values[chosen] / ds.measured.values[chosen] - 1)
    return float(np.median(error)), float(np.mean(error < 0.2))


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Computed over measured time of the held-out products, against measured time; the bound in
    grey.
    """
    fig = figure(76)
    axes = fig.subplots(1, 2, sharey=True)
    for axis, gpu in zip(axes, CHIPS, strict=True):
        chosen = ds.isel(
            row=np.flatnonzero(
                (ds.chip.values == gpu)
                & (ds.kind.values == "product")
                & (ds.role.values == "held-out")
            )
        )
        axis.plot(
            1e6 * chosen.measured, chosen.bound / chosen.measured, "o", ms=2, color="0.75",
            label="bound",
        )  # fmt: skip
        for colour, model in zip(PARTS, sorted(set(ds.model.values)), strict=False):
            mine = chosen.isel(row=np.flatnonzero(chosen.model.values == model))
            if not mine.sizes["row"]:
                continue
            axis.plot(
                1e6 * mine.measured, mine.computed / mine.measured, "o", ms=2, color=colour,
                label=model,
            )  # fmt: skip
        median, within = errors(ds, chip=gpu, kind="product", role="held-out")
        axis.axhspan(0.8, 1.2, color="0.93", zorder=0)
        axis.axhline(1, color="0.4", lw=0.8)
        axis.set(
            xscale="log",
            xlabel="measured time of a product (us)",
            title=f"{gpu.upper()}: held-out products miss by {median:.1%} (median),\n"
            f"{within:.0%} lie within 20 %",
        )
        axis.legend(frameon=False)
    axes[0].set(ylabel="computed over measured", ylim=(0, 1.6))
    return fig


if __name__ == "__main__":
    answer = compute()
    save(draw(answer), OUT)
    fill(__file__, lambda row: found(answer, row), tables(answer))
