"""How near is a served request to silicon when the step times are measured operators? Llama-2-70B
on A100 and H100, one degree of tensor parallelism fitted and two held out.

A step takes what Vidur measured of its operators and all-reduces. What the operators leave out (the
host that launches them, attention, sampling) is two lines a GPU, fitted on tensor parallelism 8:
time of the host against the batch, below which no decoding step falls, and time of a prompt against
that of its operators. Systems of tensor parallelism 2 and 4 are held out whole.
`python papers/serving-silicon/make.py` writes the figure and the tables of README.md.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from pimlab.plot.panels import agreement, engineering
from pimlab.plot.style import figure, for_print, save
from pimlab.result import joined
from pimlab.serving import Policy, StepTimes, fixed, measured, serve
from pimlab.studies import published

OUT = Path(__file__).with_name("serving-silicon")
DATA = Path(__file__).parents[2] / "datasets" / "reference" / "system"
FITTED = 8
"""Tensor parallelism of the systems that constants are fitted on."""
LAYERS, WIDTH, WORD = 80, 8192, 2
MOST = 4096
"""Tokens of the longest step whose operators were measured."""
OUTPUT = 128
QUANTITIES = {"ttft": "prompt_ms", "tpot": "token_ms", "latency": "e2e_ms"}


def rows() -> pd.DataFrame:
    """Measured medians of Splitwise: ms by GPU, tensor parallelism, prompt and batch."""
    return pd.read_csv(DATA / "splitwise_llama2_70b.csv")


class Operators:
    """s of all operators and all-reduces of a step, by GPU, tensor parallelism and tokens."""

    def __init__(self) -> None:
        table = pd.read_csv(DATA / "vidur_operators.csv.gz")
        self.operators = table[table.model.str.contains("70b")]
        self.reduces = pd.read_csv(DATA / "vidur_all_reduce.csv.gz")

    def seconds(self, gpu: str, tensor: int, tokens: np.ndarray) -> np.ndarray:
        """float64 like `tokens`: 80 layers, with two additions and two all-reduces each."""
        mine = self.operators.query("gpu == @gpu and tensor_parallel == @tensor")
        names = [name for name in mine if name.endswith("_ms") and name != "emb_ms"]
        medians = mine.groupby("num_tokens")[names].median()
        layer = medians.sum(axis=1) + medians.add_ms
        some = self.reduces[self.reduces.network == f"{gpu}_dgx"]
        some = some.query("workers == @tensor and workers_a_board == @tensor").sort_values("bytes")
        reduce = np.interp(tokens * WIDTH * WORD, some.bytes, some.ms)
        return LAYERS * (np.interp(tokens, layer.index, layer) + 2 * reduce) / 1e3


def fit(operators: Operators, gpu: str) -> tuple[np.ndarray, np.ndarray]:
    """(s a sequence and s of the host's step; s and factor of a prompt), fitted on tensor
    parallelism 8 alone: least squares, of prompts relative.
    """
    some = rows().query("gpu == @gpu and tensor_parallel == @FITTED")
    host = np.polyfit(some.batch_size, some.token_ms / 1e3, 1)
    tokens = (some.batch_size * some.prompt_size).to_numpy(float)
    times = some.prompt_ms.to_numpy() / 1e3
    known = np.stack([np.ones(len(some)), operators.seconds(gpu, FITTED, tokens)], axis=1)
    prompt = np.linalg.lstsq(known / times[:, None], np.ones(len(some)), rcond=None)[0]
    return host, prompt


def step_times(
    operators: Operators, gpu: str, tensor: int, host: np.ndarray, prompt: np.ndarray
) -> StepTimes:
    """Step times of one system from its operators and the constants of its GPU."""
    batches = np.array([1.0, 2, 4, 8, 16, 32, 64])
    decode = np.maximum(np.polyval(host, batches), operators.seconds(gpu, tensor, batches))
    tokens = np.array([1.0, 65, 128, 256, 512, 1024, 2048, MOST])
    reading = prompt[0] + prompt[1] * operators.seconds(gpu, tensor, tokens)
    return measured(
        name=f"llama2-70b on {tensor} x {gpu}",
        decode=xr.DataArray(
            np.stack([decode, decode], axis=1),
            coords={"batch": batches, "context": [1.0, 2.0 * MOST]},
            dims=("batch", "context"),
        ),
        prompt=xr.DataArray(reading, coords={"tokens": tokens}, dims="tokens"),
        held=64 * 2 * MOST,
        longest=2 * MOST,
        sources=("vidur", "patel2024"),
    )


def compute(quick: bool = False) -> xr.Dataset:
    """ttft, tpot and latency, measured and ours, in s by row of Splitwise; which are fitted."""
    operators, table = Operators(), rows()
    times = {}
    for gpu in table.gpu.unique():
        host, prompt = fit(operators, gpu)
        for tensor in table.tensor_parallel.unique():
            times[gpu, tensor] = step_times(operators, gpu, tensor, host, prompt)
    policy = Policy(batch=64, tokens=MOST, mixed=False)
    ours: dict[str, list[float]] = {name: [] for name in QUANTITIES}
    for row in table.itertuples():
        load = fixed(count=row.batch_size, input=row.prompt_size, output=OUTPUT)
        answer = serve(times[row.gpu, row.tensor_parallel], load, policy=policy)
        for name, values in ours.items():
            values.append(float(answer[name].median()))
    places = [
        f"{r.gpu} TP{r.tensor_parallel} {r.batch_size} x {r.prompt_size}"
        for r in table.itertuples()
    ]
    found = xr.Dataset(
        coords={
            "row": places,
            "system": ("row", [f"{r.gpu} TP{r.tensor_parallel}" for r in table.itertuples()]),
            "fitted": ("row", (table.tensor_parallel == FITTED).to_numpy()),
        },
        attrs={"sources": joined(["vidur", "patel2024"])},
    )
    for name, column in QUANTITIES.items():
        found[name] = ("row", ours[name], {"units": "s"})
        found[f"{name}_measured"] = ("row", table[column].to_numpy() / 1e3, {"units": "s"})
    return found


def errors(ds: xr.Dataset, name: str) -> xr.DataArray:
    """|ours / measured - 1| by row."""
    return abs(ds[name] / ds[f"{name}_measured"] - 1)


def found(ds: xr.Dataset, row: published.Row) -> float:
    """Ours for a row of targets.csv: a median error, or a time of one measured row."""
    name, _, of = row.quantity.partition(" ")
    if of == "median error":
        held = ds.isel(row=np.flatnonzero(~ds.fitted.values))
        if row.condition != "held-out systems":
            held = held.isel(row=np.flatnonzero(held.system.values == row.condition))
        return float(errors(held, name).median(skipna=False))
    return 1e3 * float(ds[name].sel(row=row.condition))


def tables(ds: xr.Dataset) -> dict[str, str]:
    """Median and largest errors by system."""
    lines = []
    for system in dict.fromkeys(ds.system.values):
        some = ds.isel(row=np.flatnonzero(ds.system.values == system))
        cells = [
            f"{100 * float(value):.1f} %"
            for name in QUANTITIES
            for value in (errors(some, name).median(), errors(some, name).max())
        ]
        role = "fitted" if bool(some.fitted[0]) else "held-out"
        lines.append([str(system), role, *cells, str(some.sizes["row"])])
    heads = ["system", "role", *(f"{n} {k}" for n in QUANTITIES for k in ("median", "largest"))]
    return {"errors": published.markdown([*heads, "rows"], lines)}


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Computed against measured, held-out systems filled, fitted ones open."""
    fig = figure(82)
    held = ds.isel(row=np.flatnonzero(~ds.fitted.values))
    medians = [f"{float(errors(held, name).median()):.0%} of {name.upper()}" for name in QUANTITIES]
    fig.suptitle(f"Held-out systems: off by {', '.join(medians)} in the median")
    for axes, name in zip(fig.subplots(1, 2), ("ttft", "tpot"), strict=True):
        axes.loglog()
        for i, system in enumerate(dict.fromkeys(ds.system.values)):
            some = ds.isel(row=np.flatnonzero(ds.system.values == system))
            fitted = bool(some.fitted[0])
            agreement(axes, some[f"{name}_measured"], some[name], system, i, fitted=fitted)
        for axis in (axes.xaxis, axes.yaxis):
            engineering(axis, "s")
        axes.set(xlabel=f"measured {name.upper()}", ylabel=f"computed {name.upper()}")
    fig.axes[1].legend(title="open: fitted")
    return fig


def main() -> None:
    """Print the constants and the errors, write the figure and the tables."""
    operators = Operators()
    for gpu in rows().gpu.unique():
        print(gpu, *fit(operators, gpu))
    ds = compute()
    for text in tables(ds).values():
        print(text)
    save(draw(ds), OUT)
    published.fill(__file__, lambda row: found(ds, row), tables(ds))


if __name__ == "__main__":
    main()
