"""Which training keeps a language model's perplexity in noisy cells: clipped weights, injected
noise, or both? And does it then match four-bit weights on a digital machine?

`python papers/analog-foundation-models/make.py` writes the figure and the tables of README.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import pimlab as pim
from pimlab.plot.style import PARTS, figure, for_print, save
from pimlab.studies.published import Row, fill, markdown

OUT = Path(__file__).with_name("analog-foundation-models")
NOISE = 0.03
"""Standard deviation of the noise that training adds to a weight, of its column's largest."""
BOUND = 14.0
"""Full scale of the one ADC range of all tiles, in cells at full input and full conductance."""
DIGITAL = "W4A8"
TRAININGS: dict[str, dict[str, float]] = {
    "as it was": {},
    "noise": {"noise": NOISE},
    "clip 2": {"clip": 2.0},
    "clip 2.5": {"clip": 2.5},
    "clip 3": {"clip": 3.0},
    "clip 2.5 and noise": {"clip": 2.5, "noise": NOISE},
    DIGITAL: {},
}
STEPS, BATCH, RATE, SEEDS = 48, 8, 5e-4, 10
PAIRS = (
    ("noise", "clip 2.5"),
    ("noise", "clip 2"),
    ("noise", "clip 3"),
    ("as it was", "noise"),
    ("clip 2.5", "clip 2.5 and noise"),
)
"""Trainings that are compared set of cells by set of cells."""
MACHINES = ("SI8-W16-O8", "noise, one ADC range", "noise, ADC range a tile", DIGITAL)


def machine(name: str) -> Any:
    """Static 8-bit inputs and 8-bit outputs, with cells that are exact or have the published
    programming error, and one range for every ADC or one each tile; or a digital machine with
    4-bit weights and 8-bit activations.
    """
    npu = pim.target("warboy")
    if name == DIGITAL:
        return npu.but(name=name, arithmetic=npu.arithmetic.but(weights="int4"))
    own = name == "noise, ADC range a tile"
    adc = pim.ADC(bits=8) if own else pim.ADC(bits=8, range="fixed", margin=BOUND)
    cell = pim.device("pcm-buchel2025") if name.startswith("noise") else None
    return pim.Crossbar(
        name=name, host=npu, rows=512, cols=512, cell=cell, dac=pim.DAC(bits=8), adc=adc
    )


def cut(text: Any, tokens: int = 32) -> Any:
    """A text with windows of a few tokens, two of which calibrate: the quick size."""
    few = text.inputs[:, : tokens + 1]
    seen = text.calibration.inputs[:2, : tokens + 1]
    return text.but(inputs=few, labels=text.labels[:, :tokens], calibration=seen)


def learned(training: str, quick: bool) -> Any:
    """The project's small language model after a training, by distillation from itself."""
    model = pim.load_model("small-lm")
    if training == "as it was":
        return model
    steps, batch = (2, 2) if quick else (STEPS, BATCH)
    text = pim.load_data("kjv", split="train")
    chosen = np.random.default_rng(0).permutation(len(text))[: steps * batch]
    text = text.but(inputs=text.inputs[chosen], labels=text.labels[chosen])
    text = cut(text) if quick else text
    target = machine(DIGITAL if training == DIGITAL else "SI8-W16-O8")
    recipe = pim.Recipe(distil=1.0, warm_up=0.05, schedule="linear", **TRAININGS[training])
    return pim.train(model, target, text, rate=RATE, batch=batch, recipe=recipe)


def perplexities(training: str, quick: bool = False) -> np.ndarray:
    """float64, shape (machines, seeds): perplexity of a training on each of `MACHINES`."""
    model = learned(training, quick)
    text = pim.load_data("kjv", split="test")
    text = cut(text[:2]) if quick else text[:: len(text) // 16]
    seeds = 1 if quick else SEEDS

    def by_seed(name: str) -> list[float]:
        """Once for every set of cells; machines without cells answer the same for all."""
        target = machine(name)
        drawn = seeds if name.startswith("noise") else 1
        found = [float(pim.run(model, target, text, seed=s).perplexity) for s in range(drawn)]
        return found * (seeds // drawn)

    return np.array([by_seed(name) for name in MACHINES])


def joined(tables: dict[str, np.ndarray]) -> xr.Dataset:
    """The perplexities of every training as one Dataset."""
    values = np.stack(list(tables.values()))
    about = {"units": "1", "long_name": "perplexity a token"}
    g = np.array([10.0, 100.0])
    error = pim.device("pcm-buchel2025").programming
    spread = 1e6 * error.spread(1e-6 * g)
    said = {"units": "uS", "long_name": "standard deviation of programming"}
    return xr.Dataset(
        {
            "perplexity": (("training", "machine", "seed"), values, about),
            "spread": ("conductance", spread, said),
        },
        coords={
            "training": list(tables),
            "machine": list(MACHINES),
            "seed": np.arange(values.shape[2]),
            "conductance": ("conductance", g, {"units": "uS"}),
        },
        attrs={"sources": "buchel2025"},
    )


def compute(quick: bool = False) -> xr.Dataset:
    """Perplexities over `training`, `machine` and `seed`; quick takes two trainings of two
    steps, and windows of 32 tokens.
    """
    chosen = ("as it was", "clip 2.5") if quick else TRAININGS
    return joined({name: perplexities(name, quick) for name in chosen})


def found(ds: xr.Dataset, row: Row) -> float | None:
    """Ours for a row of targets.csv; None for what the quick size has not trained."""
    if row.quantity == "programming":
        return float(ds.spread.sel(conductance=float(row.condition.split()[-1])))
    mean = ds.perplexity.mean("seed")
    if ds.sizes["seed"] < 3:
        return None
    noisy = mean.sel(machine="noise, one ADC range")
    if row.quantity == "ordering":
        return float(noisy.sel(training="noise") / noisy.sel(training="clip 2.5"))
    if row.quantity == "gain":
        return float(noisy.sel(training="as it was") / noisy.sel(training="clip 2.5 and noise"))
    digital = mean.sel(training=DIGITAL, machine=DIGITAL)
    return float(noisy.sel(training="clip 2.5 and noise") / digital)


def tables(ds: xr.Dataset) -> dict[str, str]:
    """Perplexity by training and machine: mean and standard deviation over the seeds."""
    mean, spread = ds.perplexity.mean("seed"), ds.perplexity.std("seed", ddof=1)
    lines = []
    for name in ds.training.values:
        pairs = [
            (float(mean.sel(training=name, machine=m)), float(spread.sel(training=name, machine=m)))
            for m in ds.machine.values
        ]
        cells = [
            f"{value:.2f} +- {width:.2f}" if width > 1e-9 else f"{value:.2f}"
            for value, width in pairs
        ]
        lines.append([str(name), *cells])
    header = ["training", *map(str, ds.machine.values)]
    return {"perplexity": markdown(header, lines), "differences": differences(ds)}


def differences(ds: xr.Dataset) -> str:
    """Perplexity of one training less that of another on the same cells: mean and standard error,
    and on how many sets of cells it is above 0.
    """
    lines = []
    for first, second in PAIRS:
        if not {first, second} <= set(ds.training.values):
            continue
        less = ds.perplexity.sel(training=first) - ds.perplexity.sel(training=second)
        cells = [f"{first} - {second}"]
        for name in MACHINES[1:3]:
            one = less.sel(machine=name)
            error = float(one.std("seed", ddof=1)) / np.sqrt(one.size)
            cells.append(
                f"{float(one.mean()):+.3f} +- {error:.3f}, {int((one > 0).sum())}/{one.size}"
            )
        lines.append(cells)
    return markdown(["difference", *MACHINES[1:3]], lines)


def _finding(ds: xr.Dataset) -> str:
    """Which trainings stay, with their worst set of noisy cells, below the best set without."""
    noisy = ds.perplexity.sel(machine="noise, one ADC range")
    lower = noisy.max("seed") < noisy.sel(training="as it was").min("seed")
    names = ", ".join(map(str, ds.training.values[lower.values]))
    return f"In noisy cells all below the best untrained set: {names or 'no training'}"


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Perplexity of every training, by machine."""
    fig = figure(72)
    axis = fig.subplots()
    places = np.arange(ds.sizes["training"])
    for index, (colour, name) in enumerate(zip(PARTS, ds.machine.values, strict=False)):
        one = ds.perplexity.sel(machine=name)
        x = places + 0.18 * (index - 1.5)
        middle = one.mean("seed").values
        ends = np.abs(np.stack([one.min("seed"), one.max("seed")]) - middle)
        axis.errorbar(x, middle, ends, fmt="o", color=colour, label=str(name), elinewidth=0.8)
    axis.set_xticks(places, [str(name) for name in ds.training.values])
    axis.set(
        xlabel=f"training (bars: range over {ds.sizes['seed']} seeds)",
        ylabel="perplexity (lower is better)",
        title=_finding(ds),
    )
    fig.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return fig


if __name__ == "__main__":
    answer = compute()
    save(draw(answer), OUT)
    fill(__file__, lambda row: found(answer, row), tables(answer))
