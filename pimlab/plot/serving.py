"""How long do users of a service wait, what does it draw, and which rate can it carry? Figures."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from pimlab.arguments import typed
from pimlab.plot.style import ALARM, PARTS, expected, figure, for_print
from pimlab.units import si

NAMES = {
    "ttft": "time to the first token",
    "tpot": "time of a further token",
    "latency": "time to the last token",
}


@for_print
@typed
def latencies(load: xr.Dataset) -> Figure:
    """Cumulative distributions of TTFT, TPOT and latency over the requests that were answered; the
    title says the 99th percentiles.

    load : what `pim.serve` returned. TypeError for anything else.
    """
    expected(load, xr.Dataset, ("ttft", "tpot", "ttft_percentile"), "what pimlab.serve returns")
    known = {name: np.sort(load[name].values[~np.isnan(load[name].values)]) for name in NAMES}
    shown = {name: values for name, values in known.items() if values.size}
    fig = figure(58)
    worst = []
    for ax, (name, values) in zip(
        np.atleast_1d(fig.subplots(1, max(len(shown), 1))), shown.items(), strict=False
    ):
        ax.step(values, np.arange(1, values.size + 1) / values.size, where="post", color=PARTS[0])
        last = float(load[f"{name}_percentile"].sel(percentile=99))
        ax.axvline(last, color=ALARM, lw=1, ls="--")
        ax.set(xlabel=NAMES[name], ylim=(0, 1.02))
        ax.xaxis.set_major_formatter(EngFormatter("s", sep=" "))
        ax.xaxis.set_major_locator(MaxNLocator(3))
        ax.grid(alpha=0.3)
        worst.append(f"{name.upper()} {si(last, 's', 3)}")
    fig.axes[0].set_ylabel("share of requests")
    fig.suptitle(f"99 of 100 requests wait at most: {', '.join(worst)}", fontsize="medium")
    return fig


@for_print
@typed
def service_over_time(load: xr.Dataset) -> Figure:
    """Power, shaded between the low and the high of its prices, and requests that wait and run,
    over time.

    load : what `pim.serve` returned. TypeError for anything else.
    """
    expected(load, xr.Dataset, ("power", "queue", "running"), "what pimlab.serve returns")
    fig = figure(80)
    top, bottom = fig.subplots(2, 1, sharex=True)
    at = load.time.values
    top.fill_between(at, load.power_low, load.power_high, step="post", color=PARTS[0], alpha=0.15)
    top.step(at, load.power, where="post", color=PARTS[0])
    top.yaxis.set_major_formatter(EngFormatter("W", sep=" "))
    top.set_ylabel("power")
    for colour, name in zip(PARTS[1:], ("running", "queue"), strict=False):
        bottom.step(at, load[name], where="post", color=colour, label=load[name].long_name)
    bottom.xaxis.set_major_formatter(EngFormatter("s", sep=" "))
    bottom.set(xlabel="time", ylabel="requests")
    bottom.legend(frameon=False)
    most, joules = float(load.power.max()), float(load.token_energy)
    fig.suptitle(
        f"{load.attrs['requests']}: {si(most, 'W', 3)} at most, {si(joules, 'J', 3)} a token",
        fontsize="medium",
    )
    return fig


@for_print
@typed
def goodput_against_rate(services: Mapping[str, xr.Dataset]) -> Figure:
    """Requests a second that keep the SLO against requests a second that come, a line a service; a
    dot where the SLO still holds.

    services : name -> what `pim.serving.most_rate` returned. TypeError for anything else.
    """
    fig = figure(62, 1)
    ax = fig.subplots()
    best, most = "", -1.0
    for colour, (name, one) in zip(PARTS, services.items(), strict=False):
        expected(one, xr.Dataset, ("rate", "attainment"), "what pimlab.serving.most_rate returns")
        tried = one.tried_rate.values
        good = tried * one.attainment.values
        ax.plot(np.r_[0, tried], np.r_[0, good], ".-", ms=2, color=colour, label=name)
        rate = float(one.rate)
        ax.plot(rate, float(np.interp(rate, tried, good)), "o", color=colour)
        best, most = (name, rate) if rate > most else (best, most)
    ax.axline((0, 0), slope=1, color="#999999", lw=0.8, zorder=0)
    ax.set(xlabel="requests a second", ylabel="of them good", xlim=(0, None), ylim=(0, None))
    ax.legend(frameon=False)
    ax.grid(alpha=0.3)
    ax.set_title(f"{best} carries most: {si(most, 'Hz', 3)}", fontsize="medium")
    return fig


@for_print
@typed
def cost_against_slo(curve: xr.Dataset) -> Figure:
    """Joules of an output token, with the interval of prices, against the bound on TPOT (or TTFT),
    each at the highest rate that keeps it.

    curve : what `pim.serving.against_slo` returned. TypeError for anything else.
    """
    expected(curve, xr.Dataset, ("token_energy", "rate"), "what pimlab.serving.against_slo returns")
    bound = "tpot_bound" if curve.tpot_bound.notnull().all() else "ttft_bound"
    one = curve.sortby(bound)
    fig = figure(62, 1)
    ax = fig.subplots()
    x = one[bound].values
    ax.fill_between(x, one.token_energy_low, one.token_energy_high, color=PARTS[0], alpha=0.15)
    ax.plot(x, one.token_energy, "o-", color=PARTS[0])
    for at, joules, rate in zip(x, one.token_energy.values, one.rate.values, strict=True):
        text = si(float(rate), "Hz", 3)
        ax.annotate(text, (at, joules), (0, 6), textcoords="offset points", fontsize="small")
    ax.set(xscale="log", yscale="log", xlabel=one[bound].long_name, ylabel="energy of a token")
    ax.xaxis.set_major_formatter(EngFormatter("s", sep=" "))
    ax.yaxis.set_major_formatter(EngFormatter("J", sep=" "))
    ax.grid(alpha=0.3)
    first, last = (float(one.token_energy[i]) for i in (0, -1))
    ax.set_title(
        f"The tightest bound costs {first / last:.2g} times as much as the loosest "
        "(beside the points: rate)",
        fontsize="medium",
    )
    return fig
