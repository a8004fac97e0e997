"""How far are whole networks from what chips reached in MLPerf?

Few constants a chip, fitted on some of its rows and held against the others; none belongs to a
network. `python papers/silicon-networks/make.py` prints the table, the constants fitted again, and
writes results/silicon-networks.svg and .png.
"""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from scipy.optimize import minimize

from pimlab.machine.protocol import MacOp
from pimlab.npu import Efficiency, Npu, chip
from pimlab.plot.style import PARTS, figure, save

HERE = Path(__file__).parent
OUT = Path("results") / "silicon-networks"
OFFLINE = 64
"""Inferences that a throughput run is taken to hand over at once."""
FITS = {
    "warboy": ("operator", "call", "arrays"),
    "atom": ("call", "arrays"),
    "t4": ("operator", "arrays"),
}
"""Chip -> constants that are fitted on its own rows. Those of A100 and H100 come from operators;
X220 has none, since its assumed peak leaves nothing to lose.
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


def rows() -> list[dict[str, str]]:
    """The published results: seconds of a batch, or inferences a second of one chip."""
    with (HERE / "targets.csv").open() as file:
        return list(csv.DictReader(file))


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
    return sum(sum(placed.latency(op).values()) for op in ops)


def answer(npu: Npu, row: dict[str, str]) -> float:
    """What `npu` makes of a row, in the row's unit (ms, or inferences a second)."""
    _, network, batch = row["condition"].split()
    if row["unit"] == "ms":
        return 1e3 * seconds(npu, network, int(batch.removeprefix("batch=")))
    return OFFLINE / seconds(npu, network, OFFLINE)


def fit(name: str) -> Efficiency:
    """The constants of a chip that miss its fitted rows least, by the mean square of the log."""
    chosen = [row for row in rows() if row["condition"].split()[0] == name]
    chosen = [row for row in chosen if row["role"] == "fitted"]
    keys = FITS[name]

    def lost(z: np.ndarray) -> Efficiency:
        values = np.exp(z)
        return Efficiency(
            **{
                k: min(float(v), 1.0) if k == "arrays" else float(v)
                for k, v in zip(keys, values, strict=True)
            }
        )

    def miss(z: np.ndarray) -> float:
        npu = machine(name).but(efficiency=lost(z))
        return float(
            np.mean([np.log(answer(npu, row) / float(row["published"])) ** 2 for row in chosen])
        )

    start = np.log([START[key] for key in keys])
    options = {"xatol": 1e-3, "fatol": 1e-7, "maxiter": 400}
    return lost(minimize(miss, start, method="Nelder-Mead", options=options).x)


def compute(quick: bool = False) -> xr.Dataset:
    """Dataset by result: published and computed value and the bound, with chip, network and role;
    by chip the constants fitted again (left out when `quick`).
    """
    table = rows()
    names = [row["condition"].split()[0] for row in table]
    machines = {name: machine(name) for name in set(names)}
    found = [answer(machines[n], row) for n, row in zip(names, table, strict=True)]
    bound = [
        answer(machines[n].but(efficiency=None), row) for n, row in zip(names, table, strict=True)
    ]
    units = [row["unit"] for row in table]
    # A latency above the truth and a rate below it are both "slower": one sign for both.
    published = np.array([float(row["published"]) for row in table])
    sign = np.where(np.array(units) == "ms", 1, -1)
    ds = xr.Dataset(
        {
            "published": ("result", published),
            "computed": ("result", found),
            "bound": ("result", bound),
            "slower": ("result", (np.array(found) / published) ** sign, {"units": "1"}),
        },
        coords={
            "result": [f"{row['condition']} {row['unit']} {row['round']}" for row in table],
            "chip": ("result", names),
            "network": ("result", [row["condition"].split()[1] for row in table]),
            "role": ("result", [row["role"] for row in table]),
        },
        attrs={
            "sources": "mlperf-results,mlperf-v1.1-furiosa,mlperf-v3.0-rebellions",
            "title": "networks of MLPerf",
        },
    )
    if not quick:
        for name, keys in FITS.items():
            again = fit(name)
            for key in keys:
                ds[f"{name}_{key}"] = ((), getattr(again, key), {"units": "1"})
    return ds


def draw(ds: xr.Dataset) -> Figure:
    """Computed over measured time, one line a result: filled where held out."""
    fig = figure(8, 9)
    axis = fig.subplots()
    colours = dict(zip(dict.fromkeys(ds.chip.values), PARTS, strict=False))
    for index in range(ds.sizes["result"]):
        one = ds.isel(result=index)
        colour = colours[str(one.chip.item())]
        full = one.role.item() == "held-out"
        axis.plot(
            float(one.slower), index, "o", color=colour, mfc=colour if full else "white", ms=6
        )
    axis.axvspan(0.8, 1.2, color="0.93", zorder=0)
    axis.axvline(1, color="0.4", lw=0.8)
    axis.set_yticks(range(ds.sizes["result"]), ds.result.values, fontsize=8)
    axis.invert_yaxis()
    held = ds.slower.values[ds.role.values == "held-out"]
    axis.set(
        xscale="log",
        xlabel="computed over measured time (filled: held out)",
        title=f"{np.mean(np.abs(held - 1) <= 0.2):.0%} of held-out MLPerf results lie within 20 %",
    )
    axis.set_xticks([0.5, 0.8, 1, 1.2, 2], ["0.5", "0.8", "1", "1.2", "2"])
    return fig


def main() -> None:
    """Compute, print every result and the constants fitted again, and write the figure."""
    ds = compute()
    for i in range(ds.sizes["result"]):
        one = ds.isel(result=i)
        print(
            f"{one.result.item():44} {one.role.item():9} published {float(one.published):9.4g} "
            f"computed {float(one.computed):9.4g} time {float(one.slower) - 1:+.1%}"
        )
    for name, keys in FITS.items():
        print(name, {key: float(f"{float(ds[f'{name}_{key}']):.3g}") for key in keys})
    save(draw(ds), OUT)


if __name__ == "__main__":
    main()
