"""How much of their peak do Warboy, T4 and X220 reach in MLPerf, and where on the roofline?

Submitted results times the operations of one input give the rate a chip sustained; over the peak,
its utilisation. None of it is a prediction of ours. `python papers/mlperf-roofline/make.py` writes
the figure and the tables of README.md.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from pimlab.catalogue import entry
from pimlab.machine.protocol import MacOp
from pimlab.npu import Npu, chip, ridge
from pimlab.plot.style import PARTS, figure, for_print, save
from pimlab.studies.published import Row, fill, markdown

OUT = Path(__file__).with_name("mlperf-roofline")
RESULTS = Path(__file__).parents[2] / "datasets" / "reference" / "npu" / "mlperf_primary.csv"
# Reddi et al., ISCA 2020, Table I: operations an input and parameters; input bytes from the image
# size, 3 channels.
WORK = {
    "resnet50": (8.2e9, 25.6e6, 224 * 224 * 3), "ssd-mobilenet": (2.47e9, 6.91e6, 300 * 300 * 3),
    "ssd-resnet34": (433e9, 36.3e6, 1200 * 1200 * 3),
}  # fmt: skip
CHIPS = {
    "1x Warboy": ("warboy", 1),
    "1x T4": ("t4", 1),
    "1x X220-compact": ("x220", 1),
    "1x X220-enterprise": ("x220", 2),
}
MARKS = {"resnet50": "o", "ssd-mobilenet": "s", "ssd-resnet34": "^"}


def resnet50() -> tuple[MacOp, ...]:
    """The MAC operators of ResNet-50 v1.5 at 224 x 224 (He et al. 2016, Table 1; stride in the 3 x
    3 convolution).
    """
    ops = [MacOp(name="conv1", m=112 * 112, k=7 * 7 * 3, n=64, distinct=224 * 224 * 3)]
    inputs, size = 64, 56
    for stage, (blocks, width) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512))):
        for block in range(blocks):
            out = size // 2 if stage and block == 0 else size
            name = f"stage{stage + 2}.{block + 1}"
            ops += [
                MacOp(name=f"{name}.a", m=size * size, k=inputs, n=width),
                MacOp(
                    name=f"{name}.b",
                    m=out * out,
                    k=9 * width,
                    n=width,
                    distinct=size * size * width,
                ),
                MacOp(name=f"{name}.c", m=out * out, k=width, n=4 * width),
            ]
            if block == 0:
                ops.append(MacOp(name=f"{name}.shortcut", m=out * out, k=inputs, n=4 * width))
            inputs, size = 4 * width, out
    return (*ops, MacOp(name="fc", m=1, k=2048, n=1000))


def array_bound(npu: Npu, ops: tuple[MacOp, ...], batch: int = 1) -> float:
    """Operations a second if nothing but arrays and DRAM took time, `batch` inputs at a time."""
    npu = npu.but(efficiency=None)
    work = [op.batched(batch) for op in ops]
    return 2 * sum(op.macs for op in work) / sum(sum(npu.latency(op).values()) for op in work)


def _rate(row: dict[str, str]) -> float:
    value = float(row["value"])
    return 1e3 / value if row["unit"] == "ms" else value


def compute(quick: bool = False) -> xr.Dataset:
    """Dataset by result: sustained op/s, peak, utilisation, and op/B with weights fetched for every
    input and with none.
    """
    with RESULTS.open() as file:
        rows = [row for row in csv.DictReader(file) if row["scenario"] != "Server"]
    machines = [CHIPS[row["accelerator"]] for row in rows]
    work = np.array([WORK[row["benchmark"]] for row in rows])
    peak = np.array([entry("npu", name)["peak.int8"].value * count for name, count in machines])
    sustained = np.array([_rate(row) for row in rows]) * work[:, 0]
    names = [
        f"{row['accelerator'].removeprefix('1x ')} {row['benchmark']} {row['scenario']}"
        for row in rows
    ]
    table = {
        "sustained": (sustained, "op/s"),
        "peak": (peak, "op/s"),
        "utilisation": (sustained / peak, "1"),
        "fetched": (work[:, 0] / (work[:, 1] + work[:, 2]), "op/B"),
        "resident": (work[:, 0] / work[:, 2], "op/B"),
        "bandwidth": (
            np.array(
                [entry("npu", name)["dram_bandwidth"].value / 8 * count for name, count in machines]
            ),
            "B/s",
        ),
    }
    ds = xr.Dataset(
        {name: ("result", values, {"units": unit}) for name, (values, unit) in table.items()},
        coords={
            "result": names,
            "chip": ("result", [row["accelerator"].removeprefix("1x ") for row in rows]),
            "benchmark": ("result", [row["benchmark"] for row in rows]),
            "scenario": ("result", [row["scenario"] for row in rows]),
        },
        attrs={
            "sources": "mlperf-results, reddi2020, he2016",
            "title": "MLPerf results as utilisation",
        },
    )
    ops = resnet50()
    ds["resnet50_operations"] = ((), 2.0 * sum(op.macs for op in ops), {"units": "op"})
    ds["warboy_array_bound"] = ((), array_bound(chip("warboy"), ops), {"units": "op/s"})
    ds["warboy_array_bound_8"] = ((), array_bound(chip("warboy"), ops, 8), {"units": "op/s"})
    ds["warboy_ridge"] = ((), ridge(chip("warboy")), {"units": "op/B"})
    return ds


def found(ds: xr.Dataset, row: Row) -> float:
    """Ours for a row of targets.csv."""
    one = ds[row.quantity]
    return float(one.sel(result=row.condition) if row.quantity == "sustained" else one)


def tables(ds: xr.Dataset) -> dict[str, str]:
    """Utilisation of every result."""
    lines = [
        [str(name), f"{100 * float(value):.1f} %"]
        for name, value in zip(ds.result.values, ds.utilisation.values, strict=True)
    ]
    return {"utilisation": markdown(["result", "utilisation"], lines)}


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Left: the rooflines with the results between weights fetched and weights resident. Right:
    utilisation.
    """
    fig = figure(90)
    left, right = fig.subplots(1, 2)
    colours = dict(zip(dict.fromkeys(ds.chip.values), PARTS, strict=False))
    span = np.geomspace(30, 1e6, 200)
    for name, colour in colours.items():
        each = ds.isel(result=int(np.argmax(ds.chip.values == name)))
        left.plot(
            span,
            np.minimum(float(each.peak), span * float(each.bandwidth)),
            color=colour,
            lw=1.2,
            label=name,
        )
    for index in range(ds.sizes["result"]):
        each = ds.isel(result=index)
        colour, full = colours[str(each.chip.item())], each.scenario.item() == "Offline"
        style = {
            "marker": MARKS[each.benchmark.item()],
            "color": colour,
            "mfc": colour if full else "white",
            "ms": 6,
            "lw": 0.8,
        }
        left.plot(
            [float(each.fetched), float(each.resident)],
            [float(each.sustained)] * 2,
            alpha=0.9,
            **style,
        )
        right.plot(float(each.utilisation), index, **style)
    left.set(
        xscale="log",
        yscale="log",
        xlabel="operations a byte of DRAM traffic\n(left: weights fetched an input; right: "
        "resident)",
        ylabel="sustained rate (op/s)",
        ylim=(1e12, 2e15),
        title="Warboy and X220 exceed the ResNet-50\nrate that fetching all weights for\nevery "
        "input would allow",
    )
    left.yaxis.set_major_formatter(EngFormatter(sep=" "))
    left.plot([], [], "o", color="0.3", label="Offline")
    left.plot([], [], "o", color="0.3", mfc="white", label="SingleStream (1 / p90 latency)")
    left.legend(loc="upper center", bbox_to_anchor=(0.4, -0.22), ncols=2)
    bound = float(ds.warboy_array_bound) / float(ds.peak.sel(result="Warboy resnet50 Offline"))
    first = list(ds.result.values).index("Warboy resnet50 Offline")
    right.plot([bound, bound], [-0.4, first + 0.4], color=colours["Warboy"], ls=":", lw=1.5)
    right.text(
        bound - 0.02,
        0.5,
        "arrays' bound,\none input at a time",
        fontsize="small",
        ha="right",
        va="center",
    )
    right.set_yticks(range(ds.sizes["result"]), ds.result.values)
    right.invert_yaxis()
    right.set(
        xlim=(0, 1),
        xlabel="sustained over peak INT8 rate",
        title="MLPerf results reach 3 % to 64 % of the peak\n(X220's peak is assumed)",
    )
    return fig


if __name__ == "__main__":
    answer = compute()
    save(draw(answer), OUT)
    fill(__file__, lambda row: found(answer, row), tables(answer))
