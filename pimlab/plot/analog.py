"""How do analog machines age, and what do their converters buy? Swept Datasets -> figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from pimlab.arguments import typed
from pimlab.plot.stages import time_text
from pimlab.plot.style import PARTS, expected, figure, for_print
from pimlab.result import HIGH, LOW, better, metrics


@for_print
@typed
def drift(ds: xr.Dataset, hue: str | None = None, metric: str | None = None) -> Figure:
    """A metric against time after programming, a line a value of `hue`; the title says what most
    of it loses.

    ds : what `run(..., at=[...])` or a sweep of it answers: a metric over at [s], and `hue` and
    seed where they are; time 0 is drawn at one second.  metric : which (default: the first).
    Shaded: the 95 % interval, or from the worst to the best seed. Unit: the metric's.
    TypeError for an answer without times or metric; ValueError for a `hue` it does not have.
    """
    expected(ds, xr.Dataset, ("at",), "what pimlab.run answers for several times, or its sweep")
    if not (metric or metrics(ds)):
        raise TypeError("this Dataset has no metric of quality over time")
    name = metric or metrics(ds)[0]
    if name not in ds.data_vars or "at" not in ds[name].dims:
        raise TypeError(f"drift: this Dataset has no {name!r:.60} over several times at")
    if hue is not None and hue not in ds[name].dims:
        raise ValueError(f"drift: {name} has no dimension {hue!r}; it has {ds[name].dims}")
    fig = figure(60, 1)
    axes = fig.subplots()
    age = ds["at"].clip(min=1.0)
    lost = {}
    sign = 1 if better(ds, name) == "higher" else -1
    for colour, value in zip(PARTS, [None] if hue is None else ds[hue].values, strict=False):
        one = ds if value is None else ds.sel({hue: value})
        middle, low, high = spread(one, name)
        axes.fill_between(age, low, high, color=colour, alpha=0.2, lw=0)
        axes.plot(age, middle, "o-", color=colour, label=None if value is None else str(value))
        first, last = one[name].isel(at=0).values, one[name].isel(at=-1).values
        lost[value] = np.atleast_1d(first - last)
    said = "shaded: all seeds" if "seed" in ds[name].dims else "shaded: 95 % interval"
    axes.set(xscale="log", xlabel="time after programming", ylabel=f"{name} ({said})")
    axes.set_xticks(age.values, [time_text(float(each)) for each in ds["at"].values])
    axes.minorticks_off()
    axes.set_title(_change(name, lost, float(ds["at"].max()), hue, sign))
    if hue is not None:
        axes.legend(title=hue)
    return fig


def spread(one: xr.Dataset, name: str) -> tuple[np.ndarray, ...]:
    """Middle, low and high of a metric, each of the shape that is left without seeds; over seeds
    the mean, the least and the most, else the interval of the samples. In the metric's unit.
    """
    values = one[name]
    if "seed" in values.dims:
        three = values.mean("seed"), values.min("seed"), values.max("seed")
    else:
        three = values, one.get(name + LOW, values), one.get(name + HIGH, values)
    return tuple(each.values for each in three)


def _change(
    name: str, lost: dict[Any, np.ndarray], seconds: float, hue: str | None, sign: int
) -> str:
    """How `name` changes until `seconds` [s]; lost : (seeds,) a value of `hue`. The value that
    loses least is named only where two seeds or more agree on it, each against itself.
    """
    means = {value: float(each.mean()) for value, each in lost.items()}
    least, *others = sorted(means, key=lambda value: sign * means[value])
    apart = [sign * (lost[other] - lost[least]) for other in others]
    sure = bool(apart) and all(a.size > 1 and (a >= 0).all() and (a > 0).any() for a in apart)
    shown = [means[least]] if sure or not others else [means[others[-1]], means[least]]
    scale, form, unit = (100, "+.1f", " points") if name == "accuracy" else (1, "+.2g", "")
    amounts = " to ".join(f"{round(-scale * each, 6) + 0.0:{form}}" for each in shown)
    who = f"{hue} {least} loses least,\n" if sure else ""
    return f"{who}{name} {amounts}{unit} after {time_text(seconds)}"


@for_print
def accuracy_and_adc(ds: xr.Dataset, title: str) -> Figure:
    """Left: accuracy against ADC bits, one line a cell. Right: energy of the conversions of one
    inference, with its band.

    ds : accuracy (1), adc_energy, adc_energy_low, adc_energy_high [J] over adc_bits, cell and seed.
    """
    fig = figure(70)
    left, right = fig.subplots(1, 2)
    for colour, cell in zip(PARTS, ds.cell.values, strict=False):
        one = ds.accuracy.sel(cell=cell)
        left.fill_between(
            ds.adc_bits, one.min("seed"), one.max("seed"), color=colour, alpha=0.2, lw=0
        )
        left.plot(ds.adc_bits, one.mean("seed"), "o-", color=colour, ms=3, label=str(cell))
    energy = ds.isel(cell=0, seed=0)
    right.fill_between(
        ds.adc_bits,
        energy.adc_energy_low * 1e9,
        energy.adc_energy_high * 1e9,
        color=PARTS[0],
        alpha=0.2,
        lw=0,
    )
    right.plot(ds.adc_bits, energy.adc_energy * 1e9, "o-", color=PARTS[0], ms=3)
    left.set(xlabel="ADC bits", ylabel="accuracy", title=title)
    left.legend(frameon=False)
    right.set(
        xlabel="ADC bits",
        ylabel="ADC energy of an inference (nJ)",
        yscale="log",
        title="best published to survey median",
    )
    return fig
