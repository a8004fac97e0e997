"""What does an operation cost, what does moving its operands cost, where does a real model's energy
go, and does it add up?

`python papers/energy-per-operation/make.py` writes results/energy-per-operation.svg and .png and
prints the tables.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import pimlab as pim
from pimlab.catalogue import entry
from pimlab.constants import Constant
from pimlab.cost import price
from pimlab.cost.technology import relative_energy
from pimlab.machine.protocol import MacOp
from pimlab.npu import Npu, chip, chips
from pimlab.npu.pricing import mac, vector_op
from pimlab.plan import planned
from pimlab.plan.costs import costs
from pimlab.plot.style import BELOW, PARTS, PUBLISHED, figure, for_print, save
from pimlab.studies.published import Row, fill, markdown

OUT = Path(__file__).with_name("energy-per-operation")
REFERENCE = Path(__file__).parents[2] / "datasets" / "reference" / "npu"
TABLE = {
    "int8 add": "int8_add",
    "int32 add": "int32_add",
    "int8 multiply": "int8_multiply",
    "int32 multiply": "int32_multiply",
    "fp16 add": "fp16_add",
    "fp32 add": "fp32_add",
    "fp32 multiply": "fp32_multiply",
}
_PJ = 1e12


def _operations() -> dict[str, Constant]:
    """What one operation costs at 45 nm, and 64 bits of memory where they are."""
    arithmetic, memory = entry("energy", "arithmetic-45nm"), entry("energy", "memory")
    found = {name: arithmetic[key] for name, key in TABLE.items()}
    found["int8 MAC"], found["vector operation"] = mac("int8"), vector_op()
    for name, key in (
        ("8 kB cache, 64 bit", "cache_8kB_45nm"),
        ("HBM2, 64 bit", "hbm2"),
        ("LPDDR4, 64 bit", "lpddr4"),
    ):
        bit = memory[key]
        found[name] = bit.but(value=64 * bit.value, low=64 * bit.low, high=64 * bit.high)
    return found


def _tpu_v4i(m: int, size: int) -> dict[str, float]:
    """Our count of m x size @ size x size on TPU v4i, everything from DRAM, at AccelForge's prices:
    MAC and DRAM (J).
    """
    tpu = chip("tpu-v4i")
    away = tpu.but(memory=tpu.memory.but(weights_in="dram", activations_in="dram"))
    counts = away.events(MacOp(name="matmul", m=m, k=size, n=size))
    return {
        "MAC": counts["mac.int8"] * 0.084e-12,
        "MainMemory": (counts["dram.read"] + counts["dram.write"]) * 7.03e-12,
    }


def _accelforge() -> tuple[list[str], np.ndarray]:
    with (REFERENCE / "accelforge_tpu_v4i.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["workload"] == "matmuls"]
    names, pairs = [], []
    for row in rows:
        theirs = dict(item.split("': ") for item in row["components"].strip("{}'").split(", '"))
        for part, joules in _tpu_v4i(int(row["M"]), int(row["KN"])).items():
            names.append(f"{part} M={row['M']} KN={row['KN']}")
            pairs.append((float(theirs[part]), joules))
    return names, np.array(pairs)


def _scaling() -> tuple[list[int], np.ndarray]:
    with (REFERENCE / "hwcomponents_energy.csv").open() as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if row["component"] == "AladdinIntMAC" and row["params"] == "mult8b add32b"
        ]
    theirs = {int(row["tech_node_nm"]): float(row["energy_pJ"]) for row in rows}
    ours = [theirs[45] * relative_energy(node, 0.8) / relative_energy(45, 0.8) for node in theirs]
    return list(theirs), np.array([list(theirs.values()), ours]).T


def _power(npu: Npu) -> tuple[float, float, float]:
    """Watts (low, nominal, high) of a product of 8192 x 8192 matrices that keeps the arrays busy,
    static power included, if no board limited it.
    """
    op = MacOp(name="gemm", m=8192, k=8192, n=8192)
    seconds = sum(npu.latency(op).values())
    energy = price(
        {**npu.events(op), **{event: rate * seconds for event, rate in npu.static.items()}},
        npu.prices,
    )
    low, nominal, high = (
        sum(part.values()) / seconds for part in (energy.low, energy.nominal, energy.high)
    )
    return low, nominal, high


def machines() -> dict[str, Npu]:
    """The machines whose energy on one model is compared."""
    warboy, h100 = chip("warboy"), chip("h100", "fp16")
    return {
        "Warboy INT8,\nweights on chip": warboy,
        "Warboy INT8,\nweights fetched": _fetching(warboy),
        "H100 FP16,\nweights fetched": _fetching(h100),
    }


def _fetching(npu: Npu) -> Npu:
    return npu.but(memory=npu.memory.but(weights_in="dram"))


def compute(quick: bool = False) -> xr.Dataset:
    """Dataset: energy of operations, the two cross-checks, and the model's energy by machine and
    component (J).
    """
    operations = _operations()
    names, pairs = _accelforge()
    nodes, scaled = _scaling()
    model = pim.load_model("fashion-cnn")
    parts = [
        costs(planned(model, npu))[["energy", "energy_low", "energy_high"]].sum("layer")
        for npu in machines().values()
    ]
    ds = xr.concat(
        parts,
        xr.DataArray(list(machines()), dims="machine", name="machine"),
        join="outer",
        fill_value=0.0,
    )
    for part in ("value", "low", "high"):
        ds[part] = (
            "operation",
            [getattr(constant, part) for constant in operations.values()],
            {"units": "J"},
        )
    ds = ds.assign_coords(
        operation=list(operations), check=names, node=nodes, tool=["theirs", "ours"]
    )
    ds["accelforge"] = (("check", "tool"), pairs, {"units": "J"})
    ds["scaling"] = (("node", "tool"), scaled, {"units": "pJ"})
    boards = [entry("npu", name)["tdp"] for name in chips()]
    ds = ds.assign_coords(chip=list(chips()), end=["low", "nominal", "high"])
    ds["power"] = (
        ("chip", "end"),
        np.array([_power(chip(name)) for name in chips()]),
        {"units": "W"},
    )
    ds["tdp"] = (
        ("chip", "end"),
        np.array([(tdp.low, tdp.value, tdp.high) for tdp in boards]),
        {"units": "W"},
    )
    ds = ds.assign_coords(
        tdp_status=(
            "chip",
            ["assumed" if tdp.status == "assumed" else "published" for tdp in boards],
        )
    )
    return ds.assign_attrs(
        sources="pmc8934428, esim, hwcomponents, accelforge, stillmaker2017, google-tpu-v4",
        title="energy of operations and of a model",
    )


def found(ds: xr.Dataset, row: Row) -> float:
    """Ours for a row of targets.csv, pJ."""
    if row.quantity == "value":
        return _PJ * float(ds.value.sel(operation=row.condition))
    if row.quantity == "accelforge":
        return _PJ * float(ds.accelforge.sel(check=row.condition, tool="ours"))
    return float(ds.scaling.sel(node=int(row.condition), tool="ours"))


def tables(ds: xr.Dataset) -> dict[str, str]:
    """Energy of one inference by machine and component; power of a busy machine beside its board
    power.
    """
    micro = 1e6 * ds[["energy", "energy_low", "energy_high"]]
    lines = [
        [
            str(name).replace("\n", " "),
            str(component),
            *(f"{float(one[key]):.2g}" for key in ("energy", "energy_low", "energy_high")),
        ]
        for name in ds.machine.values
        for component in ds.component.values
        if float((one := micro.sel(machine=name, component=component)).energy) > 0
    ]
    busy = [
        [
            str(name),
            *(f"{float(ds.power.sel(chip=name, end=end)):.1f}" for end in ds.end.values),
            f"{float(ds.tdp.sel(chip=name, end='nominal')):.0f}",
            str(ds.tdp_status.sel(chip=name).item()),
        ]
        for name in ds.chip.values
    ]
    return {
        "inference": markdown(["machine", "component", "uJ", "low", "high"], lines),
        "power": markdown(
            ["chip", "low (W)", "nominal (W)", "high (W)", "board power (W)", "board power is"],
            busy,
        ),
    }


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """One operation and 64 bits from memory; a model's energy by component on three machines; power
    of a busy machine.
    """
    fig = figure(78)
    left, right, third = fig.subplots(1, 3)
    kind = [PARTS["bit" in name] for name in ds.operation.values]
    left.barh(ds.operation, ds.value * _PJ, color=kind)
    spread = np.abs(np.stack([ds.low, ds.high]) - ds.value.values) * _PJ
    left.errorbar(
        ds.value * _PJ,
        range(ds.sizes["operation"]),
        xerr=spread,
        fmt="none",
        ecolor="k",
        capsize=1.5,
        lw=1,
    )
    left.invert_yaxis()
    left.set(
        xscale="log",
        xlabel="energy (pJ), 45 nm; DRAM as it is",
        title="64 bits from DRAM cost hundreds\nof 8-bit MACs; two sources of\n"
        "the MAC disagree fourfold",
    )
    order = [
        str(name)
        for name in ds.energy.max("machine")
        .sortby(ds.energy.max("machine"), ascending=False)
        .component.values
    ]
    for shift, (name, colour) in enumerate(zip(ds.machine.values, PARTS, strict=False)):
        each = ds.sel(machine=name, component=order) * 1e6
        shown = each.energy.values > 0
        place = np.arange(len(order))[shown] + 0.22 * (shift - 1)
        value, ends = (
            each.energy.values[shown],
            np.stack([each.energy_low.values, each.energy_high.values])[:, shown],
        )
        right.errorbar(
            value,
            place,
            xerr=np.abs(ends - value),
            fmt="os^"[shift],
            color=colour,
            capsize=1.5,
            label=str(name).replace("\n", " "),
        )
    right.set_yticks(range(len(order)), order)
    right.invert_yaxis()
    right.set(
        xscale="log",
        xlabel="energy of one inference (uJ)",
        title="Fashion-MNIST CNN, one input\nat a time: static power leads,\nthen fetched weights, "
        "then SRAM",
    )
    right.legend(**BELOW)
    _busy(third, ds)
    return fig


def _busy(axes: Axes, ds: xr.Dataset) -> None:
    place = np.arange(ds.sizes["chip"])
    low, nominal, high = ds.power.values.T
    axes.errorbar(
        nominal,
        place,
        xerr=[nominal - low, high - nominal],
        fmt="o",
        color=PARTS[0],
        capsize=1.5,
        label="ours, low to high prices",
    )
    for status, marker in (("published", "o"), ("assumed", "D")):
        chosen = ds.tdp_status.values == status
        tdp = ds.tdp.values[chosen].T
        axes.errorbar(
            tdp[1],
            place[chosen] - 0.25,
            xerr=[tdp[1] - tdp[0], tdp[2] - tdp[1]],
            fmt=marker,
            **PUBLISHED,
            label=f"board power, {status}",
        )
    axes.set_yticks(place, ds.chip.values)
    axes.invert_yaxis()
    inside = int(((ds.tdp.sel(end="low") <= high) & (ds.tdp.sel(end="high") >= low)).sum())
    axes.set(xscale="log", xlim=(0.01, None), xlabel="power with busy arrays (W)")
    axes.set_title(
        f"{inside} of {len(place)} board powers meet\nour interval; clocks, control\n"
        "and networks are left out"
    )
    axes.legend(**BELOW)


if __name__ == "__main__":
    answer = compute()
    save(draw(answer), OUT)
    fill(__file__, lambda row: found(answer, row), tables(answer))
