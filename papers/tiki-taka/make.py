"""Which rule learns in cells with few states that move up and down unequally: SGD, Tiki-Taka or its
second version?

`python papers/tiki-taka/make.py` writes the figure and the tables of README.md.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import pimlab as pim
from pimlab.analog.learning import (
    SGD,
    MixedPrecision,
    TikiTaka,
    TikiTakaV2,
    UpdateDevice,
    UpdateRule,
    update_device,
)
from pimlab.analog.learning.steps import LinearStep
from pimlab.keys import Key
from pimlab.plot.style import PARTS, figure, for_print, save
from pimlab.studies.published import Row, fill, markdown

OUT = Path(__file__).with_name("tiki-taka")
RULES: dict[str, type[UpdateRule]] = {"SGD": SGD, "Tiki-Taka": TikiTaka, "Tiki-Taka v2": TikiTakaV2}
STATES = (6, 20, 60, 200, 1000)
MEASURED = ("reram-hfo2-gong2022", "reram-om-gong2022", "reram-es-gong2018")
NOISES = (0.0, 0.1, 0.3, 0.6, 1.0)
WANTED = 0.5
"""The weight that the noisy errors of the right panel ask for; the symmetry point is 0."""
RATE, BATCH = 0.02, 8


def cell(states: int, slope: float) -> UpdateDevice:
    """Soft bounds (slope 1) to constant steps (0): up and down steps differ by 2 slope w at weight
    w, as in the papers.
    """
    return UpdateDevice(
        name=f"{states} states, slope {slope:g}",
        dw_min=2 / states,
        w_min=-1.0,
        w_max=1.0,
        step=LinearStep(gamma_up=slope, gamma_down=slope),
        dw_min_spread=0.3,
        up_down_spread=0.05,
        w_min_spread=0.1,
        w_max_spread=0.1,
        cycle=0.3,
    )


def cells(quick: bool) -> list[UpdateDevice]:
    """The cells compared; quick keeps three of them."""
    if quick:
        return [cell(20, 1.0), cell(1000, 1.0), cell(1000, 0.0)]
    made = [cell(states, 1.0) for states in STATES] + [
        cell(20, 0.0),
        cell(20, 0.5),
        cell(1000, 0.0),
    ]
    return made + [update_device(name) for name in MEASURED]


def _accuracy(rule: UpdateRule, quick: bool, seed: int) -> float:
    """Test accuracy of the digits MLP, learned from random weights."""
    data, test = (
        pim.load_data("digits", split="train", limit=500 if quick else None),
        pim.load_data("digits", split="test"),
    )
    made = pim.train(
        pim.load_model("digits-mlp"),
        rule,
        data,
        epochs=5 if quick else 6,
        rate=RATE,
        batch=BATCH,
        start="random",
        seed=seed,
    )
    return float((made.execute(test.inputs, made.exact).argmax(axis=1) == test.labels).mean())


def _rest(rule: UpdateRule, noise: float, steps: int) -> float:
    """Mean of 60 weights, over the last half of `steps` updates, that learn WANTED from errors with
    Gaussian noise.
    """
    learner, rng, kept = (
        rule.learner(np.zeros((1, 60), np.float32), Key(seed=1)),
        np.random.default_rng(1),
        [],
    )
    for _ in range(steps):
        learner.update(
            np.ones((1, 1)), learner.weights - WANTED + noise * rng.standard_normal((1, 60)), RATE
        )
        kept.append(learner.weights.mean())
    return float(np.mean(kept[steps // 2 :]))


def bias_law(noise: float) -> float:
    """Where SGD rests on soft bounds of -1..1: E[e] + w E|e| = 0 with e normal around w - WANTED,
    by bisection.
    """
    low, high = 0.0, WANTED
    for _ in range(60):
        w = (low + high) / 2
        mean = w - WANTED
        size = abs(mean)
        if noise > 0:
            size = noise * math.sqrt(2 / math.pi) * math.exp(
                -(mean**2) / 2 / noise**2
            ) + mean * math.erf(mean / noise / math.sqrt(2))
        low, high = (low, w) if mean + w * size > 0 else (w, high)
    return (low + high) / 2


def fewest(ds: xr.Dataset, rule: str, loss: float = 0.05) -> float:
    """Fewest states of a soft-bounds cell that lose under `loss` to float, log-interpolated; the
    ends of the sweep bound it.
    """
    soft = ds.where(ds.slope == 1, drop=True).sortby("states")
    lost = (float(ds.bound) - soft.accuracy.sel(rule=rule).mean("seed")).values
    place = np.log(soft.states.values.astype(float))
    return float(np.exp(np.interp(-loss, -lost, place)))


def compute(quick: bool = False) -> xr.Dataset:
    """Accuracies over `cell`, `rule` and `seed`, and rest points over `noise`; quick takes three
    cells, a third of the data, one seed.
    """
    seeds, devices = [0] if quick else [0, 1, 2], cells(quick)
    accuracy = [
        [[_accuracy(rule(device=one), quick, seed) for seed in seeds] for rule in RULES.values()]
        for one in devices
    ]
    plain = cell(200, 1.0).but(
        dw_min_spread=0.0, up_down_spread=0.0, w_min_spread=0.0, w_max_spread=0.0
    )
    noises = NOISES[2::2] if quick else NOISES
    rest = [
        [_rest(rule(device=plain), noise, 1200 if quick else 6000) for noise in noises]
        for rule in RULES.values()
    ]
    fine = MixedPrecision(device=UpdateDevice(name="float", dw_min=1e-3, w_min=-100.0, w_max=100.0))
    slopes: list[Any] = [
        one.step.gamma_up if one.name not in MEASURED else np.nan for one in devices
    ]  # type: ignore[union-attr]
    return xr.Dataset(
        {
            "accuracy": (
                ("cell", "rule", "seed"),
                np.array(accuracy),
                {"units": "1", "long_name": "test accuracy, 450 digits"},
            ),
            "bound": (
                (),
                float(np.mean([_accuracy(fine, quick, seed) for seed in seeds])),
                {"units": "1", "long_name": "accuracy in float"},
            ),
            "rest": (
                ("rule", "noise"),
                np.array(rest),
                {"units": "1", "long_name": "mean weight learned"},
            ),
        },
        coords={
            "cell": [one.name for one in devices],
            "states": ("cell", [round(one.states) for one in devices]),
            "slope": ("cell", slopes),
            "rule": list(RULES),
            "seed": seeds,
            "noise": list(noises),
        },
        attrs={
            "sources": ", ".join(["gokmen2020", "gokmen2021", *update_device(MEASURED[0]).sources])
        },
    )


def _over_states(axis: Any, ds: xr.Dataset) -> None:
    soft = ds.where(ds.slope == 1, drop=True).sortby("states")
    for colour, rule in zip(PARTS, RULES, strict=False):
        one = soft.accuracy.sel(rule=rule)
        axis.fill_between(
            soft.states, one.min("seed"), one.max("seed"), color=colour, alpha=0.2, lw=0
        )
        axis.plot(soft.states, one.mean("seed"), "o-", color=colour, label=rule)
    axis.axhline(float(ds.bound), color="black", lw=1, ls="--", label="float")
    axis.set(
        xscale="log",
        xlabel="states of a soft-bounds cell",
        ylabel="test accuracy",
        title="Tiki-Taka keeps what SGD loses\nin cells with few states",
    )
    axis.fill_between([], [], [], color="0.5", alpha=0.2, lw=0, label=_seeds(ds))
    axis.legend()


def _seeds(ds: xr.Dataset) -> str:
    return f"range over {ds.sizes['seed']} seeds"


def _over_cells(axis: Any, ds: xr.Dataset) -> None:
    chosen = [
        name for name in ds.cell.values if name in MEASURED or name.split()[0] in ("20", "1000")
    ]
    chosen.sort(key=lambda name: (name in MEASURED, str(name)))
    for place, (colour, rule) in enumerate(zip(PARTS, RULES, strict=False)):
        values = ds.accuracy.sel(rule=rule, cell=chosen)
        y = np.arange(len(chosen)) + 0.2 * (place - 1)
        ends = np.stack([values.min("seed"), values.max("seed")])
        middle = values.mean("seed").values
        axis.errorbar(middle, y, xerr=np.abs(ends - middle), fmt="o", color=colour, elinewidth=0.8)
    axis.set_yticks(range(len(chosen)), chosen)
    axis.invert_yaxis()
    axis.axvline(float(ds.bound), color="black", lw=0.8, ls="--")
    axis.set(
        xlabel="test accuracy (range over seeds)",
        title="Asymmetry hurts SGD, not Tiki-Taka;\nmeasured ReRAM needs version 2",
    )


def _over_noise(axis: Any, ds: xr.Dataset) -> None:
    axis.plot(
        NOISES,
        [bias_law(noise) for noise in NOISES],
        color="black",
        lw=1,
        label="balance of pulses",
    )
    for colour, rule, marker in zip(PARTS, RULES, ("o", "o", "x"), strict=False):
        axis.plot(ds.noise, ds.rest.sel(rule=rule), marker, color=colour, label=rule)
    axis.axhline(WANTED, color="0.6", lw=0.8, zorder=0)
    axis.text(0.98, WANTED + 0.01, "weight asked for", color="0.4", ha="right")
    axis.set(
        xlabel="noise of the error",
        ylabel="mean weight learned",
        ylim=(0, 0.6),
        title="Noise draws SGD towards\nthe symmetry point, 0",
    )
    axis.legend(loc="lower left")


def found(ds: xr.Dataset, row: Row) -> float | None:
    """Ours for a row of targets.csv; None for what asks for every cell and all of the data."""
    if row.quantity == "bias":
        return float(ds.rest.sel(rule="SGD", noise=float(row.condition.rsplit(" ", 1)[1])))
    if ds.sizes["seed"] < 3:
        return None
    if row.quantity == "states":
        return fewest(ds, "Tiki-Taka v2" if "second" in row.condition else "Tiki-Taka")
    mean = ds.accuracy.mean("seed")
    return float(
        mean.sel(cell="1000 states, slope 1", rule="Tiki-Taka")
        - mean.sel(cell="1000 states, slope 0", rule="SGD")
    )


def tables(ds: xr.Dataset) -> dict[str, str]:
    """Test accuracy by cell and rule, mean over the seeds."""
    mean = ds.accuracy.mean("seed")
    lines = [
        [str(name), *(f"{float(mean.sel(cell=name, rule=rule)):.3f}" for rule in ds.rule.values)]
        for name in ds.cell.values
    ]
    lines.append(["float", *[f"{float(ds.bound):.3f}"] * ds.sizes["rule"]])
    return {"accuracy": markdown(["cell", *map(str, ds.rule.values)], lines)}


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Left: number of states. Middle: asymmetry and measured cells. Right: the bias of SGD."""
    fig = figure(62)
    axes = fig.subplots(1, 3, width_ratios=[1, 1, 0.8])
    _over_states(axes[0], ds)
    _over_cells(axes[1], ds)
    _over_noise(axes[2], ds)
    return fig


if __name__ == "__main__":
    answer = compute()
    save(draw(answer), OUT)
    fill(__file__, lambda row: found(answer, row), tables(answer))
