"""What does one decoded token cost on each stage, against context and batch, and what does the
stage do to perplexity?

Shapes without weights (LLaMA 2, HyperCLOVA) give energy and latency; the project's own small model
gives perplexity too. `python papers/decode-on-three-stages/make.py` writes the figure and the
tables of README.md. `smollm2.py` beside this file measures SmolLM2-135M, whose package is optional.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

import pimlab as pim
from pimlab.dram_pim import DramPim
from pimlab.machine.protocol import Target
from pimlab.npu import Npu
from pimlab.plan import planned
from pimlab.plan.costs import costs
from pimlab.plot.style import STAGE_COLOURS, STAGE_MARKERS, figure, for_print, save
from pimlab.studies.published import Row, fill, markdown
from pimlab.workload.language import hyperscale
from pimlab.workload.language.shape import attention_intensity, weight_intensity

OUT = Path(__file__).with_name("decode-on-three-stages")
TARGETS = ("warboy", "rngd", "hbm-pim", "gddr6-aim", "pcm-hermes")
MEASURED = {"warboy": 0.0, "hbm-pim": 0.0, "pcm-hermes": 86400.0}
"""Targets that run the small model, and seconds after programming."""
LINES = {"warboy": "-", "rngd": "--", "hbm-pim": "-", "gddr6-aim": "--", "pcm-hermes": "-"}


def everywhere(machine: Target) -> Target:
    """The machine that keeps batches of any width in its banks, where the preset would hand wide
    ones to the host.
    """
    return machine.but(widest=None) if isinstance(machine, DramPim) else machine


def token(name: str, target: str, context: int, batch: int) -> dict[str, float]:
    """Costs of one token: J nominal, low and high; s; and the bound on its rate by memory
    bandwidth, 1/s (NaN: no DRAM).
    """
    model = hyperscale(name).at(context=context, batch=batch)
    machine = everywhere(pim.target(target))
    ds = costs(planned(model, machine))
    bandwidth = machine.memory.bandwidth / 8 if isinstance(machine, Npu) else np.nan
    return {
        **{
            key: float(ds[key].sum()) / batch
            for key in ("energy", "energy_low", "energy_high", "latency")
        },
        "bound": model.shape.tokens_per_second(
            bandwidth, context, batch, bytes_a_weight=1, bytes_a_value=1
        ),
        "assumed_share": float(ds.assumed_share),
    }


def perplexities(windows: int) -> xr.Dataset:
    """Perplexity of the small model on the first windows of Genesis, with its interval, on an ideal
    machine and three others.
    """
    model, data = pim.load_model("small-lm"), pim.load_data("kjv", limit=windows)
    ideal = data.metric.summarise(
        data.metric.contributions(model.execute(data.inputs, model.exact), data.labels)
    )
    found = [ideal]
    for name, at in MEASURED.items():
        ds = pim.run(model, pim.target(name), data, at=at, seed=0)
        found.append(
            tuple(float(ds[key]) for key in ("perplexity", "perplexity_low", "perplexity_high"))
        )
    table = np.array(found)
    keys = ("perplexity", "perplexity_low", "perplexity_high")
    return xr.Dataset(
        {
            key: ("machine", table[:, i], {"units": "1", "long_name": key.replace("_", ", ")})
            for i, key in enumerate(keys)
        },
        coords={"machine": ["ideal", *MEASURED]},
    )


def compute(quick: bool = False) -> xr.Dataset:
    """Costs a token over model, target, context and batch; perplexity of the small model; formula
    checks by model.
    """
    models = ["llama2-7b"] if quick else ["llama2-7b", "llama2-13b", "llama2-70b", "hyperclova-82b"]
    contexts, batches = ([128, 2048], [1, 16]) if quick else ([128, 512, 2048], [1, 4, 16, 64])
    units = {
        "energy": "J",
        "energy_low": "J",
        "energy_high": "J",
        "latency": "s",
        "bound": "1/s",
        "assumed_share": "1",
    }
    shape = (len(models), len(TARGETS), len(contexts), len(batches))
    table = {key: np.empty(shape) for key in units}
    for index in np.ndindex(shape):
        point = token(models[index[0]], TARGETS[index[1]], contexts[index[2]], batches[index[3]])
        for key, value in point.items():
            table[key][index] = value
    dims = ("model", "target", "context", "batch")
    ds = xr.Dataset(
        {
            key: (
                dims,
                table[key],
                {"units": unit, "long_name": f"{key.replace('_', ' ')} a token"},
            )
            for key, unit in units.items()
        },
        coords={"model": models, "target": list(TARGETS), "context": contexts, "batch": batches},
        attrs={
            "sources": "touvron2023b, llama2config7b, llama2config70b, kim2021",
            "title": "Decode on three stages",
        },
    )
    return ds.merge(perplexities(1 if quick else 8)).merge(formulas())


def formulas() -> xr.Dataset:
    """What can be checked by hand or against print: parameters, cache of one token (float16),
    intensities (float16).
    """
    names = ["llama2-7b", "llama2-13b", "llama2-70b", "hyperclova-82b"]
    shapes = [hyperscale(name).shape for name in names]
    tied = {"hyperclova-82b": 1}
    parameters = [
        s.layer_weights + tied.get(n, 2) * s.head_weights
        for n, s in zip(names, shapes, strict=True)
    ]
    return xr.Dataset(
        {
            "parameters": ("shape", np.array(parameters, float), {"units": "1"}),
            "kv_bytes": ("shape", [s.kv_bytes(1) for s in shapes], {"units": "B"}),
            "kv_bytes_a_layer": (
                "shape",
                [s.kv_bytes(1) / s.layers for s in shapes],
                {"units": "B"},
            ),
            "attention_intensity": (
                "shape",
                [attention_intensity(s) for s in shapes],
                {"units": "op/B"},
            ),
            "weight_intensity": ("shape", [weight_intensity(1)] * len(shapes), {"units": "op/B"}),
        },
        coords={"shape": names},
    )


def _curves(axes: Any, ds: xr.Dataset, key: str) -> None:
    for name in TARGETS:
        each, stage = ds.sel(target=name), pim.target(name).stage
        axes.plot(
            ds.batch,
            each[key],
            LINES[name],
            color=STAGE_COLOURS[stage],
            marker=STAGE_MARKERS[stage],
            ms=3,
            label=name,
        )
        if key == "energy":
            axes.fill_between(
                ds.batch,
                each.energy_low,
                each.energy_high,
                color=STAGE_COLOURS[stage],
                alpha=0.12,
                lw=0,
            )
        elif np.isfinite(each.bound).all():
            axes.plot(ds.batch, 1 / each.bound, ":", color=STAGE_COLOURS[stage], lw=1)
    axes.set(xscale="log", yscale="log", xlabel="sequences decoded together")
    axes.set_xticks(ds.batch.values, [str(b) for b in ds.batch.values])
    axes.minorticks_off()


def found(ds: xr.Dataset, row: Row) -> float:
    """Ours for a row of targets.csv: what a formula says of a shape."""
    return float(ds[row.quantity].sel(shape=row.condition))


def tables(ds: xr.Dataset) -> dict[str, str]:
    """Energy and time of a token of LLaMA 2 7B at the longest context; perplexity of the small
    model.
    """
    chosen = ds.sel(model="llama2-7b").isel(context=-1)
    joule, second = EngFormatter(unit="J", places=1), EngFormatter(unit="s", places=1)
    lines = [
        [
            name,
            *(
                f"{joule(float(each.energy))}, {second(float(each.latency))}"
                for each in (chosen.sel(target=name, batch=batch) for batch in ds.batch.values)
            ),
        ]
        for name in TARGETS
    ]
    heads = ["", *(f"batch {batch}" for batch in ds.batch.values)]
    words = [
        [
            str(name),
            f"{float(one.perplexity):.2f}",
            f"{float(one.perplexity_low):.2f} to {float(one.perplexity_high):.2f}",
        ]
        for name, one in ((name, ds.sel(machine=name)) for name in ds.machine.values)
    ]
    return {
        "token": markdown(heads, lines),
        "perplexity": markdown(["machine", "perplexity", "95 %"], words),
    }


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Energy and time a token against batch for LLaMA 2 7B at the longest context; perplexity of
    the small model.
    """
    fig = figure(62)
    energy, time, words = fig.subplots(1, 3, width_ratios=[3, 3, 2])
    chosen = ds.sel(model="llama2-7b").isel(context=-1)
    _curves(energy, chosen, "energy")
    energy.set(
        ylabel="energy a token",
        title="Batching saves the NPU's energy,\nnot that of computing in memory",
    )
    energy.yaxis.set_major_formatter(EngFormatter(unit="J"))
    energy.legend(frameon=False)
    _curves(time, chosen, "latency")
    time.set(
        ylabel="time a token",
        title=f"LLaMA 2 7B, context {int(chosen.context)}\n(dotted: bound by the NPU's DRAM)",
    )
    time.yaxis.set_major_formatter(EngFormatter(unit="s"))
    spread = np.abs(np.stack([ds.perplexity_low, ds.perplexity_high]) - ds.perplexity.values)
    colours = ["0.4", *(STAGE_COLOURS[pim.target(name).stage] for name in MEASURED)]
    for i, colour in enumerate(colours):
        words.errorbar(
            i, ds.perplexity[i], spread[:, i : i + 1], fmt="o", color=colour, capsize=1.5
        )
    words.set_xticks(
        range(len(colours)), ["ideal", "warboy", "hbm-pim", "pcm-hermes\n1 day"], rotation=20
    )
    words.set(
        ylabel="perplexity (lower is better)",
        title="small-lm on Genesis,\n95 % over blocks of text",
    )
    return fig


if __name__ == "__main__":
    answer = compute()
    save(draw(answer), OUT)
    fill(__file__, lambda row: found(answer, row), tables(answer))
