"""Should prompts be processed in analog arrays and tokens decoded in DRAM, as HALO proposes?

Ordering only: our GDDR6-AiM with its attention in the banks stands for compute in DRAM, and two
machines for the arrays that multiply: PCM chips that hold all weights, and an NPU that reads them
from its memory, as HALO's arrays read theirs. Nothing is fitted.
`python papers/halo/make.py` writes the figure and the tables of README.md.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import pimlab as pim
from pimlab.cluster import Degrees, Work
from pimlab.cluster.capacity import fullest
from pimlab.cluster.options import Stages, options
from pimlab.plot.panels import engineering, grouped
from pimlab.plot.style import figure, for_print, save
from pimlab.studies import published

OUT = Path(__file__).with_name("halo")
MODEL = "llama2-7b"
REQUESTS = ((512, 512), (2048, 512), (2048, 2048))
"""Tokens of the prompt and of the answer, one sequence at a time."""
ARRAYS = ("pcm-hermes", "warboy")
MAPPINGS = ("HALO", "all in DRAM", "all in arrays", "attention in DRAM")
CHANNELS = 32
LINK = "ucie-advanced"


def dram() -> pim.Cluster:
    """Compute in DRAM alone: every product in the banks, whatever its rows."""
    banks = pim.target("gddr6-aim").but(attention="banks", widest=None)
    return pim.Cluster(chip=banks.but(organisation=banks.organisation.but(channels=CHANNELS)))


def arrays(name: str) -> pim.Cluster:
    """One machine, or as many chips of it as hold the weights, which count as one."""
    chip, shape = pim.target(name), pim.load_model(MODEL).shape
    work = Work(batch=1, context=shape.context)
    held = fullest(shape, pim.Cluster(chip=chip), work, Degrees(), shape.layers)
    return pim.Cluster(chip=chip.spread(math.ceil(max(one.share for one in held))))


def both(first: pim.Cluster, second: pim.Cluster) -> pim.Cluster:
    """Two machines, and the link between them."""
    return first.but(beside=[second], between=pim.link(LINK))


def attention_aside(rack: pim.Cluster, memory: pim.Cluster, context: int) -> float:
    """Seconds of a decoded token with the attention in DRAM and all other products in arrays, as
    AttAcc divides them.
    """
    shape = pim.load_model(MODEL).shape
    on = Stages(shape, both(rack, memory), Work(batch=1, context=context), 1, 1, 1)
    one = next(o for o in options(on) if (o.rack, o.tensor, o.aside) == (0, 1, 1))
    return shape.layers * one.layer.seconds + sum(end.seconds for end in one.ends)


def seconds(rack: pim.Cluster, phase: str, context: int) -> float:
    """Seconds of a prompt, or of a token."""
    plan = pim.parallelise(pim.load_model(MODEL), rack, context=context, phase=phase)
    return plan.latency


def compute(quick: bool = False) -> xr.Dataset:
    """latency (arrays, mapping, request) s of a request; phase_latency (phase, machine, request) s
    of a prompt and of one token.
    """
    memory, machines = dram(), {name: arrays(name) for name in ARRAYS}
    racks = {"DRAM": memory, **machines}
    requests = REQUESTS[:1] if quick else REQUESTS
    latency = np.empty((len(ARRAYS), len(MAPPINGS), len(requests)))
    phases = np.empty((2, len(racks), len(requests)))
    for r, (prompt, output) in enumerate(requests):
        mean = prompt + output // 2
        for m, rack in enumerate(racks.values()):
            phases[:, m, r] = seconds(rack, "prefill", prompt), seconds(rack, "decode", mean)
        for a, name in enumerate(ARRAYS):
            (first, slow), (long, token) = phases[:, a + 1, r], phases[:, 0, r]
            plan = pim.parallelise(
                pim.load_model(MODEL),
                both(machines[name], memory),
                context=prompt + output,
                output=output,
                phase="both",
                arrangement="apart",
            )
            aside = first + output * attention_aside(machines[name], memory, mean)
            latency[a, :, r] = plan.latency, long + output * token, first + output * slow, aside
    return xr.Dataset(
        {
            "latency": (("arrays", "mapping", "request"), latency, {"units": "s"}),
            "phase_latency": (("phase", "machine", "request"), phases, {"units": "s"}),
        },
        coords={
            "arrays": list(ARRAYS),
            "mapping": list(MAPPINGS),
            "request": [f"{p} + {o}" for p, o in requests],
            "phase": ["prefill", "decode"],
            "machine": list(racks),
        },
        attrs={"sources": ",".join(sorted({"halo", *both(machines[ARRAYS[0]], memory).cited}))},
    )


def mean_ratio(over: xr.DataArray, under: xr.DataArray) -> float:
    """Geometric mean of a ratio over the requests."""
    return float(np.exp(np.log(over / under).mean()))


def found(ds: xr.Dataset, row: published.Row) -> float:
    """Ours for a row of targets.csv: how many times as long the other one takes."""
    name, phases = row.condition.split()[0], ds.phase_latency
    if row.quantity == "prefill in DRAM over arrays":
        return mean_ratio(phases.sel(phase="prefill", machine="DRAM"),
                          phases.sel(phase="prefill", machine=name))  # fmt: skip
    if row.quantity == "decoding in arrays over DRAM":
        return mean_ratio(phases.sel(phase="decode", machine=name),
                          phases.sel(phase="decode", machine="DRAM"))  # fmt: skip
    other = row.quantity.removesuffix(" over HALO")
    one = ds.latency.sel(arrays=name)
    return mean_ratio(one.sel(mapping=other), one.sel(mapping="HALO"))


def tables(ds: xr.Dataset) -> dict[str, str]:
    """Seconds of every mapping and request."""
    lines = []
    for name in ds.arrays.values:
        for mapping in ds.mapping.values:
            cells = ds.latency.sel(arrays=name, mapping=mapping).values
            lines.append([str(name), str(mapping), *(f"{x:.2f}" for x in cells)])
    heads = ["arrays", "mapping", *(f"{request} tokens (s)" for request in ds.request.values)]
    return {"mappings": published.markdown(heads, lines)}


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Time of a request by mapping, for each kind of arrays."""
    fig = figure(62)
    requests = [str(one) for one in ds.request.values]
    for axes, name in zip(fig.subplots(1, len(ARRAYS), sharey=True), ARRAYS, strict=True):
        one = ds.latency.sel(arrays=name)
        grouped(axes, requests, {mapping: one.sel(mapping=mapping) for mapping in MAPPINGS})
        axes.set_yscale("log")
        axes.set_title(f"arrays: {name}")
        axes.set_xlabel("tokens of prompt + answer")
    engineering(fig.axes[0].yaxis, "s")
    fig.axes[0].set_ylabel("time of a request")
    fig.axes[0].legend()
    return fig


def main() -> None:
    """Compute, write the figure and the tables."""
    ds = compute()
    save(draw(ds), OUT)
    published.fill(__file__, lambda row: found(ds, row), tables(ds))


if __name__ == "__main__":
    main()
