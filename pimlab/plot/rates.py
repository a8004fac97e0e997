"""Which machine costs least at which rate of requests? Energy of an inference from standby to
saturation, and where two machines cross.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator

from pimlab.arguments import typed
from pimlab.plot.style import PARTS, expected, figure, for_print
from pimlab.units import si


@for_print
@typed
def energy_against_rate(
    machines: Mapping[str, xr.Dataset], crossings: xr.Dataset | None = None
) -> Figure:
    """A line a machine, shaded between the low and the high of its prices, up to its saturation
    (dot); a circle where two lines cross.

    machines : name -> what `energy_at` returned for several rates.  crossings : what
    `pim.crossings` returned for the same machines; the title says the first crossing and between
    which rates prices leave it open.
    TypeError for what is no answer of `energy_at`.
    """
    fig = figure(75)
    ax = fig.subplots()
    for colour, (name, one) in zip(PARTS, machines.items(), strict=False):
        expected(one, xr.Dataset, ("energy", "energy_low", "rate"), "what pimlab.energy_at returns")
        served = one.isel(rate=np.flatnonzero(one.energy.notnull().values))
        ax.fill_between(
            served.rate, served.energy_low, served.energy_high, color=colour, alpha=0.12, lw=0
        )
        ax.plot(served.rate, served.energy, color=colour, label=name)
        ax.plot(served.rate[-1:], served.energy[-1:], "o", color=colour, ms=3.5)
    ax.set(xscale="log", yscale="log", xlabel="requests a second", ylabel="energy of an inference")
    ax.xaxis.set_major_locator(LogLocator(numticks=12))
    ax.xaxis.set_major_formatter(EngFormatter("Hz", sep=" "))
    ax.yaxis.set_major_formatter(EngFormatter("J", sep=" "))
    ax.grid(alpha=0.3)
    ax.set_title(_crossed(ax, machines, crossings), fontsize="medium")
    ax.legend(frameon=False)
    return fig


def _crossed(ax, machines: Mapping[str, xr.Dataset], crossings: xr.Dataset | None) -> str:
    """Draw the crossings; the title."""
    if crossings is None:
        return "What an inference costs follows from how often requests come"
    if not crossings.sizes["crossing"]:
        return "One machine costs least at every rate"
    for i in range(crossings.sizes["crossing"]):
        rate = float(crossings.rate[i])
        one = machines[str(crossings.above[i].item())]
        joules = np.interp(np.log(rate), np.log(one.rate.values), np.log(one.energy.values))
        ax.plot(rate, np.exp(joules), "o", mfc="none", color="black", ms=6.5)
    first = crossings.isel(crossing=0)
    names = ("rate", "rate_low", "rate_high")
    middle, low, high = (si(float(first[name]), "Hz", 3) for name in names)
    return (
        f"{first.below.item()} costs less below {middle}, {first.above.item()} above\n"
        f"(prices leave it open from {low} to {high})"
    )
