"""How do analog machines age, and what do their converters buy? Swept Datasets -> figures."""

from __future__ import annotations

import xarray as xr
from matplotlib.figure import Figure

from pimlab.plot.style import PARTS, figure, for_print


@for_print
def accuracy_over_time(ds: xr.Dataset, hue: str, title: str) -> Figure:
    """Accuracy against time after programming, one line a value of `hue`, shaded between the worst
    and best seed.

    ds : accuracy (1) over `hue`, seed and at [s]; time 0 is drawn at one second.
    """
    fig = figure(60, 1)
    axes = fig.subplots()
    age = ds["at"].clip(min=1.0)
    for colour, name in zip(PARTS, ds[hue].values, strict=False):
        one = ds.accuracy.sel({hue: name})
        axes.fill_between(age, one.min("seed"), one.max("seed"), color=colour, alpha=0.2, lw=0)
        axes.plot(age, one.mean("seed"), "o-", color=colour, ms=3, label=str(name))
    axes.set(
        xscale="log",
        xlabel="time after programming (s)",
        ylabel="accuracy (mean of seeds; shaded: all seeds)",
        title=title,
    )
    axes.legend(title=hue, frameon=False)
    return fig


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
