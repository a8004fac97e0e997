"""How far are whole networks from what chips reached in MLPerf?

Few constants a chip, fitted on some of its rows and held against the others; none belongs to a
network. `python papers/silicon-networks/make.py` draws the figure and fills the README's tables.
"""

from __future__ import annotations

import importlib.util
from itertools import cycle
from pathlib import Path
from types import ModuleType

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from scipy.optimize import minimize

from pimlab.machine.protocol import MacOp
from pimlab.npu import Efficiency, Npu, chip
from pimlab.plot.style import PARTS, figure, for_print, save
from pimlab.studies.published import Row, fill, markdown, targets

HERE = Path(__file__).parent
OUT = HERE / "silicon-networks"
ROWS = targets(HERE / "targets.csv")
FITS = {
    "warboy": ("operator", "call", "arrays"),
    "atom": ("call", "arrays"),
    "t4": ("operator", "arrays"),
}
"""Chip -> constants that are fitted on its own rows. Those of A100 and H100 come from operators,
other GPUs have those of A100 or H100. X220 has none, since its assumed peak leaves nothing to lose.
"""
START = {"operator": 2e-6, "call": 2e-4, "arrays": 0.55}


def networks() -> ModuleType:
    """The shapes beside this file."""
    spec = importlib.util.spec_from_file_location("silicon_networks", HERE / "networks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def machine(name: str) -> Npu:
    """A chip in the format of its submission, INT8; the software of all of them (TensorRT, the
    compilers of the NPUs) does what follows a product, value by value, with the product.
    """
    npu = chip(name)
    return npu.but(memory=npu.memory.but(pointwise="fused"))


def seconds(npu: Npu, network: str, batch: int) -> float:
    """Seconds of a batch, operator after operator."""
    ops = [op.batched(batch) for op in networks().NETWORKS[network]()]
    placed = npu.placed(tuple(op for op in ops if isinstance(op, MacOp)))
    return placed.call + sum(sum(placed.latency(op).values()) for op in ops)


def answer(npu: Npu, row: Row) -> float:
    """What `npu` makes of a row, in the row's unit (ms, or inferences a second)."""
    _, network, batch, _ = row.condition.split()
    size = int(batch.removeprefix("batch="))
    spent = seconds(npu, network, size)
    return 1e3 * spent if row.unit == "ms" else size / spent


def fit(name: str) -> Efficiency:
    """The constants of a chip that miss its fitted rows least, by the mean square of the log."""
    chosen = [row for row in ROWS if row.condition.split()[0] == name and row.role == "fitted"]
    keys = FITS[name]

    def lost(z: np.ndarray) -> Efficiency:
        values = dict(zip(keys, map(float, np.exp(z)), strict=True))
        return Efficiency(**{**values, "arrays": min(values["arrays"], 1.0)})

    def miss(z: np.ndarray) -> float:
        npu = machine(name).but(efficiency=lost(z))
        return float(np.mean([np.log(answer(npu, row) / row.value) ** 2 for row in chosen]))

    start = np.log([START[key] for key in keys])
    options = {"xatol": 1e-3, "fatol": 1e-7, "maxiter": 400}
    return lost(minimize(miss, start, method="Nelder-Mead", options=options).x)


def compute(quick: bool = False) -> xr.Dataset:
    """Dataset by result: published and computed value and the bound, with chip and role."""
    names = [row.condition.split()[0] for row in ROWS]
    machines = {name: machine(name) for name in set(names)}
    ours = [answer(machines[n], row) for n, row in zip(names, ROWS, strict=True)]
    bound = [
        answer(machines[n].but(efficiency=None), row) for n, row in zip(names, ROWS, strict=True)
    ]
    # A latency above the truth and a rate below it are both "slower": one sign for both.
    published = np.array([row.value for row in ROWS])
    sign = np.where([row.unit == "ms" for row in ROWS], 1, -1)
    return xr.Dataset(
        {
            "published": ("result", published),
            "computed": ("result", ours),
            "bound": ("result", bound),
            "slower": ("result", (np.array(ours) / published) ** sign, {"units": "1"}),
        },
        coords={
            "result": [f"{row.quantity} {row.condition}" for row in ROWS],
            "chip": ("result", names),
            "role": ("result", [row.role for row in ROWS]),
        },
        attrs={
            "sources": "mlperf-results,mlperf-v1.1-furiosa,mlperf-v2.1,mlperf-v3.0-rebellions,"
            "mlperf-v4.1",
            "title": "networks of MLPerf",
        },
    )


def found(ds: xr.Dataset, row: Row) -> float:
    """Ours for a row of targets.csv."""
    return float(ds.computed.sel(result=f"{row.quantity} {row.condition}"))


def tables(ds: xr.Dataset) -> dict[str, str]:
    """Computed over measured time of every result."""
    lines = [
        [str(one.result.item()), f"{100 * (float(one.slower) - 1):+.0f} %"]
        for one in (ds.isel(result=i) for i in range(ds.sizes["result"]))
    ]
    return {"slower": markdown(["result", "time, ours against measured"], lines)}


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Computed over measured time, one line a result: filled where held out."""
    fig = figure(190)
    axis = fig.subplots()
    colours = dict(zip(dict.fromkeys(ds.chip.values), cycle(PARTS), strict=False))
    for index in range(ds.sizes["result"]):
        one = ds.isel(result=index)
        colour = colours[str(one.chip.item())]
        full = one.role.item() != "fitted"
        axis.plot(
            float(one.slower), index, "o", color=colour, mfc=colour if full else "white", ms=4
        )
    axis.axvspan(0.8, 1.2, color="0.93", zorder=0)
    axis.axvline(1, color="0.4", lw=0.8)
    axis.set_yticks(range(ds.sizes["result"]), ds.result.values, fontsize="small")
    axis.invert_yaxis()
    held = ds.slower.values[ds.role.values != "fitted"]
    axis.set(
        xscale="log",
        xlabel="computed over measured time (filled: held out)",
        title=f"{np.mean(np.abs(held - 1) <= 0.2):.0%} of held-out MLPerf results lie within 20 %",
    )
    axis.set_xticks([0.5, 0.8, 1, 1.2, 2], ["0.5", "0.8", "1", "1.2", "2"])
    axis.minorticks_off()
    return fig


if __name__ == "__main__":
    answers = compute()
    save(draw(answers), OUT)
    fill(__file__, lambda row: found(answers, row), tables(answers))
