"""Do AiM devices behind a CXL switch answer CENT's latency, energy and power, for every split?

CENT's mapping and constants, our own schedule of the instructions; no constant is fitted.
`python papers/cent/make.py` writes the figure and the tables of README.md.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import pimlab as pim
from pimlab.plot.panels import engineering
from pimlab.plot.style import PARTS, PUBLISHED, figure, for_print, save
from pimlab.studies import published

OUT = Path(__file__).with_name("cent")
DEVICES = {"llama2-7b": 8, "llama2-13b": 20, "llama2-70b": 32}
PHASES = {"prefill": (128, 512), "decoding": (640, 4096)}
"""Contexts of the first and last token of each phase that the artefact simulates."""
TOKENS = {"prefill": 512, "decoding": 3584}
STEP = 128


def contexts(phase: str, quick: bool) -> list[int]:
    """Contexts that stand for a phase: every 128th as in the artefact; the middle of each seven of
    them while decoding if quick.
    """
    first, last = PHASES[phase]
    every = list(range(first, last + 1, STEP))
    return every[3::7] if quick and phase == "decoding" else every


def split(model: str, pipeline: int, tensor: int, phase: str, quick: bool) -> xr.Dataset:
    """Means over the contexts of a phase."""
    rack = pim.dram_pim.cxl_devices("cent", devices=DEVICES[model])
    shape = pim.load_model(model).shape
    each = [
        [rack.decode(shape, c, pipeline, tensor, compat=compat) for compat in ("cent", None)]
        for c in contexts(phase, quick)
    ]
    as_they, full = zip(*each, strict=True)

    def mean(several: tuple[xr.Dataset, ...], name: str) -> float:
        return float(np.mean([float(ds[name].sum()) for ds in several]))

    return xr.Dataset(
        {
            "latency": ((), mean(as_they, "latency") * TOKENS[phase], {"units": "s"}),
            "energy": ((), mean(as_they, "energy"), {"units": "J"}),
            "with_standby": ((), mean(full, "energy"), {"units": "J"}),
            "power": ((), mean(as_they, "power"), {"units": "W"}),
            "throughput": ((), mean(as_they, "throughput"), {"units": "1/s"}),
        },
        attrs={"sources": as_they[0].attrs["sources"]},
    )


def compute(quick: bool = False) -> xr.Dataset:
    """latency [s], energy [J], power [W], throughput [1/s] (case), and the energy with the standby
    of all channels; the first model alone if quick.
    """
    cases = [
        (model, pipeline, tensor, phase)
        for model, devices in list(DEVICES.items())[: 1 if quick else None]
        for pipeline, tensor in pim.dram_pim.cxl_devices("cent", devices=devices).splits(
            pim.load_model(model).shape.layers
        )
        for phase in PHASES
    ]
    found = [split(*case, quick) for case in cases]
    ds = xr.concat(found, "case", combine_attrs="drop_conflicts")
    return ds.assign_coords(
        case=[f"{m} {p} x {t} {phase}" for m, p, t, phase in cases],
        model=("case", [m for m, *_ in cases]),
        phase=("case", [phase for *_, phase in cases]),
        pipeline=("case", [p for _, p, *_ in cases]),
        tensor=("case", [t for _, _, t, _ in cases]),
    )


GPUS = {"llama2-7b": 1085, "llama2-13b": 1077, "llama2-70b": 1006}
"""Tokens a second of the A100s that CENT compares with, end to end (GPU_throughput.csv)."""


def gain(ds: xr.Dataset) -> float:
    """Geometric mean over models of the best split's tokens a second, prompt and answer weighted by
    their tokens as the artefact does, over those of the GPUs (unit 1).
    """
    gains = []
    for model, measured in GPUS.items():
        one = ds.where(ds.model == model, drop=True)
        phases = [one.throughput.values[one.phase.values == phase] for phase in PHASES]
        tokens = [TOKENS[phase] / sum(TOKENS.values()) for phase in PHASES]
        both = sum(share * each for share, each in zip(tokens, phases, strict=True))
        gains.append(both.max() / measured)
    return float(np.exp(np.mean(np.log(gains))))


_NAMES = {
    "latency": ("latency", 1),
    "energy a token": ("energy", 1e3),
    "power": ("power", 1),
    "throughput": ("throughput", 1),
}


def found(ds: xr.Dataset, row: published.Row) -> float | None:
    """Ours for a row of targets.csv; None where the model was not computed."""
    if row.quantity == "gain over measured GPUs":
        return gain(ds) if set(DEVICES) == set(map(str, ds.model.values)) else None
    if row.condition.split()[0] not in set(map(str, ds.model.values)):
        return None
    if row.quantity in _NAMES:
        name, factor = _NAMES[row.quantity]
        return float(ds[name].sel(case=row.condition)) * factor
    one = ds.where((ds.model == row.condition) & (ds.phase == "decoding"), drop=True)
    if not np.isfinite(one.latency).all():
        return float("nan")
    fast = row.quantity.endswith("latency")
    best = np.argmin(one.latency.values) if fast else np.argmax(one.throughput.values)
    return float(one.pipeline[int(best)])


def tables(ds: xr.Dataset) -> dict[str, str]:
    """Every split while decoding, ours beside the artefact's."""
    theirs = {
        (row.quantity, row.condition): row.value
        for row in published.targets(Path(__file__).with_name("targets.csv"))
    }
    lines = []
    for i in np.flatnonzero(ds.phase == "decoding"):
        one = ds.isel(case=int(i))
        case = str(one.case.values)
        cells: list[object] = [str(one.model.values), int(one.pipeline), int(one.tensor)]
        for quantity, (name, factor) in _NAMES.items():
            ours, wanted = float(one[name]) * factor, theirs[quantity, case]
            cells.append(f"{ours:.4g} ({100 * (ours / wanted - 1):+.1f} %)")
        lines.append([*cells, f"{float(one.with_standby) * 1e3:.4g}"])
    heads = ["model", "pipeline", "tensor", "latency (s)", "energy (mJ)", "power (W)",
             "throughput (1/s)", "energy, all channels on standby (mJ)"]  # fmt: skip
    return {"splits": published.markdown(heads, lines)}


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Energy of a token against its latency, a point a split; CENT's beside ours."""
    rows = published.targets(Path(__file__).with_name("targets.csv"))
    theirs = {(row.quantity, row.condition): row.value for row in rows}
    fig = figure(65)
    models = list(dict.fromkeys(map(str, ds.model.values)))
    for axes, model in zip(fig.subplots(1, len(models), squeeze=False)[0], models, strict=True):
        one = ds.where((ds.model == model) & (ds.phase == "decoding"), drop=True)
        one = one.sortby("latency")
        names = [str(case) for case in one.case.values]
        axes.loglog(one.latency, one.energy, "-", color=PARTS[0], label="ours")
        axes.loglog(one.latency, one.with_standby, ":", color=PARTS[0],
                    label="ours, all channels on standby")  # fmt: skip
        time, millijoules = ([theirs[q, n] for n in names] for q in ("latency", "energy a token"))
        axes.loglog(time, 1e-3 * np.array(millijoules), "o", **PUBLISHED, label="CENT")
        engineering(axes.xaxis, "s")
        engineering(axes.yaxis, "J")
        axes.set_title(f"{model}, {DEVICES[model]} devices")
        axes.set_xlabel("3,584 tokens decoded")
    fig.axes[0].set_ylabel("energy of a token")
    fig.axes[0].legend()
    return fig


def main() -> None:
    """Compute, write the figure and the tables."""
    ds = compute()
    save(draw(ds), OUT)
    published.fill(__file__, lambda row: found(ds, row), tables(ds))


if __name__ == "__main__":
    main()
