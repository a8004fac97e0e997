"""How near is a service under load to silicon when its step times are measured operators?
Llama-3.1-70B in FP8 for 4 to 128 users on H100, H200 and B200, served by vLLM and TensorRT-LLM.

A step takes what AIConfigurator's authors measured of its operators, on the same GPU and backend.
Two constants a backend are fitted on H200 with 4 users: what a step takes beside its operators
(below 0 where kernels overlap), and what a first token takes outside the model. H100 and B200 are
held out whole. `python papers/served-systems/make.py` writes the figure and the tables of
README.md; `extract.py` is how the two data files came about.
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
from pimlab.serving import Policy, StepTimes, closed, measured, serve
from pimlab.studies import published

OUT = Path(__file__).with_name("served-systems")
DATA = Path(__file__).parents[2] / "datasets" / "reference" / "system"
LAYERS, WIDTH, HIDDEN = 80, 8192, 28672
CACHE = 2 * LAYERS * 8 * 128
"""Bytes of one token of cache: keys and values of 8 heads of 128, FP8."""
WEIGHTS = 70.6e9
FITTED, FEW = "h200_sxm", 4
GPUS = {"h100_sxm": (3.35e12, 85.9e9), "h200_sxm": (4.8e12, 151.4e9), "b200_sxm": (7.7e12, 193.3e9)}
"""GPU -> (bandwidth in B/s, memory in B), as the package states them."""
SHARE, KEPT = 0.8, 0.9
"""Share of the bandwidth that norms and additions reach, and of the memory a server uses: assumed;
0.8 is also the package's own guess."""
POLICY = Policy(batch=256, tokens=8192, prefixes=False)
ROUNDS, SHORTEST = 10, 0.8
"""Requests a user sends, and the shortest length over the longest: how public scripts call this
benchmark; the data do not say."""
QUANTITIES = ("ttft", "tpot", "latency")
SHOWN = {"h100_sxm": "H100", "h200_sxm": "H200", "b200_sxm": "B200"}


def points() -> pd.DataFrame:
    """Measured times in ms by system, tensor parallelism, lengths and users."""
    found = pd.read_csv(DATA / "aiconfigurator_llama31_70b.csv")
    found["latency_ms"] = found.ttft_ms + (found.output - 1) * found.tpot_ms
    found["gpu"] = found.system.map(SHOWN)
    found["place"] = [
        f"{r.gpu} {r.backend} TP{r.tensor_parallel} {r.users} users {r.input} in {r.output} out"
        for r in found.itertuples()
    ]
    return found


class Steps:
    """s of all operators of a step of one system, by tokens, batch and context."""

    def __init__(self, table: pd.DataFrame, system: str, backend: str, tensor: int):
        mine = table.query("system == @system and backend == @backend")
        mine = mine[mine.tensor_parallel == tensor]
        lines = {name: some.set_index("tokens").ms for name, some in mine.groupby("operator")}
        self.tokens = lines["qkv"].index.to_numpy(float)
        each = sum(lines[name] for name in ("qkv", "out", "gate_up", "down"))
        each = each + 2 * lines["all_reduce"] if tensor > 1 else each
        # two norms with their additions and codes, and the activation: bytes a token
        moved = 22 * WIDTH + 6 * HIDDEN / tensor
        each = each.to_numpy() + 1e3 * self.tokens * moved / (SHARE * GPUS[system][0])
        head = np.interp(np.minimum(self.tokens, 128), self.tokens, lines["head"])
        self.rest = (LAYERS * each + head) / 1e3
        some = mine[mine.operator == "decode"]
        looks = some.pivot(index="tokens", columns="context", values="ms")
        self.batch, self.context = looks.index.to_numpy(float), looks.columns.to_numpy(float)
        # a longer context takes no less: what says otherwise is noise of the measurement
        self.looks = np.maximum.accumulate(looks.to_numpy(), axis=1) * LAYERS / 1e3
        self.whole = np.concatenate([[0.0], lines["prompt"] * LAYERS / 1e3])

    def reads(self) -> np.ndarray:
        """float64, shape (tokens, contexts): attention of q tokens that reach up to token c, the
        whole triangle up to c less that up to c - q, and no less than that of q alone.
        """
        marks = np.concatenate([[0.0], self.tokens])
        q, c = self.tokens[:, None], np.maximum(self.context, self.tokens[:, None])
        upper, lower = np.interp(c, marks, self.whole), np.interp(c - q, marks, self.whole)
        found = np.maximum(np.interp(q, marks, self.whole), upper - lower)
        below = np.maximum(2 * self.context / q - 1, 0)
        return np.where(self.context < q, below * found, found) * (self.context > 1)


def step_times(steps: Steps, name: str, held: int, beside: float = 0.0) -> StepTimes:
    """Step times of one system; `beside` : s of a step beside its operators."""
    few = np.interp(steps.batch, steps.tokens, steps.rest)[:, None]
    decode = {"batch": steps.batch, "context": steps.context}
    prompt = {"tokens": steps.tokens, "context": steps.context}
    return measured(
        name=name,
        decode=xr.DataArray(few + steps.looks + beside, coords=decode, dims=tuple(decode)),
        prompt=xr.DataArray(
            steps.rest[:, None] + steps.reads() + beside, coords=prompt, dims=tuple(prompt)
        ),
        held=held,
        longest=20_000,
        sources=("aiconfigurator",),
    )


def played(rows: pd.DataFrame, beside: dict[str, float], first: dict[str, float]) -> pd.DataFrame:
    """Mean ttft, tpot and latency of each row in s, its users in a closed loop."""
    table = pd.read_csv(DATA / "aiconfigurator_operators.csv.gz")
    found, times = [], {}
    for row in rows.itertuples():
        key = row.system, row.backend, row.tensor_parallel
        if key not in times:
            room = KEPT * GPUS[row.system][1] * row.tensor_parallel - WEIGHTS
            more = beside.get(row.backend, 0.0)
            times[key] = step_times(Steps(table, *key), row.place, int(room / CACHE), more)
        load = closed(
            users=row.users,
            count=ROUNDS * row.users,
            input=_lengths(row.input),
            output=_lengths(row.output),
        )
        answer = serve(times[key], load, policy=POLICY)
        ttft, tpot = float(answer.ttft.mean()), float(answer.tpot.mean())
        ttft += first.get(row.backend, 0.0)
        found.append((ttft, tpot, ttft + (row.output - 1) * tpot))
    return pd.DataFrame(found, columns=QUANTITIES, index=rows.index)


def _lengths(most: int) -> list[int]:
    return list(range(int(SHORTEST * most), most + 1))


def fit(rows: pd.DataFrame) -> tuple[dict[str, float], dict[str, float]]:
    """Backend -> (s of a step beside its operators; s of a first token outside the model): medians
    over H200 with few users. Until its first token a request waits for a step or two.
    """
    some = rows[(rows.system == FITTED) & (rows.users == FEW)]
    ours = played(some, {}, {})
    groups = some.backend.to_numpy()
    beside = (some.tpot_ms / 1e3 - ours.tpot).groupby(groups).median().to_dict()
    ttft = ours.ttft + some.backend.map(beside)
    first = (some.ttft_ms / 1e3 - ttft).groupby(groups).median().to_dict()
    return beside, first


def compute(quick: bool = False) -> xr.Dataset:
    """ttft, tpot and latency, measured and ours, in s by measured row; which system is fitted. The
    quick size plays the rows of targets.csv with up to 32 users, and no medians follow from it.
    """
    rows = points()
    beside, first = fit(rows)
    if quick:
        named = [row.condition for row in published.targets(OUT.with_name("targets.csv"))]
        rows = rows[rows.place.isin(named) & (rows.users <= 32)]
    ours = played(rows, beside, first)
    found = xr.Dataset(
        coords={
            "row": rows.place.to_numpy(object),
            "system": ("row", (rows.gpu + " " + rows.backend).to_numpy(object)),
            "fitted": ("row", (rows.system == FITTED).to_numpy()),
        },
        attrs={"sources": joined(["aiconfigurator"]), "rows": "some" if quick else "all"},
    )
    for name in QUANTITIES:
        found[name] = ("row", ours[name].to_numpy(), {"units": "s"})
        found[f"{name}_measured"] = ("row", rows[f"{name}_ms"].to_numpy() / 1e3, {"units": "s"})
    for backend in beside:
        found.attrs[f"{backend} beside"] = beside[backend]
        found.attrs[f"{backend} first"] = first[backend]
    return found


def errors(ds: xr.Dataset, name: str) -> xr.DataArray:
    """|ours / measured - 1| by row."""
    return abs(ds[name] / ds[f"{name}_measured"] - 1)


def found(ds: xr.Dataset, row: published.Row) -> float | None:
    """Ours for a row of targets.csv: a median error, or a time of one measured row; None for what
    the quick size leaves out.
    """
    name, _, of = row.quantity.partition(" ")
    if of == "median error":
        if ds.attrs["rows"] == "some":
            return None
        held = ds.isel(row=np.flatnonzero(~ds.fitted.values))
        if row.condition != "held-out systems":
            held = held.isel(row=np.flatnonzero(held.system.values == row.condition))
        return float(errors(held, name).median(skipna=False))
    known = row.condition in ds.row.values
    return 1e3 * float(ds[name].sel(row=row.condition)) if known else None


def tables(ds: xr.Dataset) -> dict[str, str]:
    """Median errors, and what nine rows of ten are within, by system."""
    lines = []
    for system in sorted(set(ds.system.values)):
        some = ds.isel(row=np.flatnonzero(ds.system.values == system))
        cells = [
            f"{100 * float(errors(some, name).quantile(q)):.1f} %"
            for name in QUANTITIES
            for q in (0.5, 0.9)
        ]
        role = "fitted" if bool(some.fitted[0]) else "held-out"
        lines.append([str(system), role, *cells, str(some.sizes["row"])])
    heads = ["system", "role", *(f"{n} {k}" for n in QUANTITIES for k in ("median", "90 %"))]
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
        for i, system in enumerate(sorted(set(ds.system.values))):
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
    ds = compute()
    print(ds.attrs)
    for text in tables(ds).values():
        print(text)
    save(draw(ds), OUT)
    published.fill(__file__, lambda row: found(ds, row), tables(ds))


if __name__ == "__main__":
    main()
