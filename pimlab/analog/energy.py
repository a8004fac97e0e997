"""What does one conversion, one write, one lifetime cost? ADC energy by survey, programming energy,
endurance, refresh.
"""

from __future__ import annotations

import math

import numpy as np

from pimlab import catalogue, units
from pimlab.analog.devices import Device
from pimlab.analog.physics import count
from pimlab.arguments import named, typed
from pimlab.constants import Constant
from pimlab.values import unknown

MODELS = ("envelope", "median", "regression")


@named
def adc_energy(
    enob: float, rate: str | float = 1e8, node: str | float = 22e-9, model: str = "envelope"
) -> float:
    """Joules [J] of one conversion with `enob` effective bits at `rate` (Hz or text), in CMOS of
    `node` (metres or text).

    "envelope": 0.267 pJ + 0.1446 aJ 4^ENOB, the best published (Murmann's survey, June 2025); from
    1 GHz on, what the best Schreier figure of merit of that decade asks for, if that is more.
    "median": what half of the designs since 2012 stay below, from the survey's bins of 4 to 12 bits
    (a bin with more bits bounds those with fewer: few designs of 4 to 6 bits aim at low power),
    four times as much for each bit beyond 12, and from 1 GHz on by the median figure of merit of
    that decade. Both are over designs of all nodes: `node` enters only "regression", the fit of
    Andrulis et al., arXiv 2404.06553, meant as the best possible (18.9 % of designs since 2010 beat
    it). ValueError outside 1..20 bits, 1 kHz..100 GHz, 1..250 nm, or for an unknown model.

    >>> round(pim.analog.adc_energy(8) * 1e12, 3), round(pim.analog.adc_energy(12) * 1e12, 2)  # pJ
    (0.276, 2.69)
    """
    enob, rate, node = (
        units.parse(enob, "", "enob"),
        units.parse(rate, "Hz", "rate"),
        units.parse(node, "m", "node"),
    )
    for name, value, low, high, unit in (
        ("enob", enob, 1, 20, "bits"),
        ("rate", rate, 1e3, 1e11, "Hz"),
        ("node", node, 1e-9, 2.5e-7, "m"),
    ):
        if not low <= value <= high:
            raise ValueError(f"adc_energy {name}={value} is outside {low:g}..{high:g} {unit}")
    if not isinstance(model, str) or model not in MODELS:
        raise ValueError(unknown("ADC energy model", model, MODELS))
    return {"envelope": _envelope, "median": _median, "regression": _regression}[model](
        enob, rate, node
    )


@named
def adc_price(enob: float, rate: str | float = 1e8, node: str | float = 22e-9) -> Constant:
    """Price of a conversion: the band from envelope to survey median, its geometric mean as the
    value [J].
    """
    low, high = (adc_energy(enob, rate, node, model) for model in ("envelope", "median"))
    return Constant(
        name=f"ADC conversion, ENOB {enob:g}",
        value=math.sqrt(low * high),
        low=low,
        high=high,
        unit="J",
        printed=f"{low:.3g}..{high:.3g} J",
        status="derived",
        sources=("murmann2025",),
        where="envelope and medians",
        reason="between the best published and the median; the geometric mean of the two",
    )


def _survey() -> catalogue.Entry:
    return catalogue.entry("analog", "adc-survey")


def _figure_of_merit(enob: float, rate: float, row: str) -> float:
    """Energy that a Schreier figure of merit allows: FOM = SNDR + 10 log10(rate / 2 / P), so E =
    10^((SNDR - FOM) / 10) / 2.
    """
    survey = _survey()
    decades, figures = np.log10(survey.row("rate_decade")), survey.row(row)
    figure = figures[int(np.clip(np.floor(np.log10(rate)) - decades[0], 0, len(figures) - 1))]
    return 10 ** ((6.02 * enob + 1.76 - figure) / 10) / 2


def _envelope(enob: float, rate: float, node: float) -> float:
    survey = _survey()
    least = survey["envelope_floor"].value + survey["envelope_slope"].value * 4**enob
    return max(least, _figure_of_merit(enob, rate, "best_fom")) if rate >= 1e9 else least


def _median(enob: float, rate: float, node: float) -> float:
    survey = _survey()
    bits, least = (
        survey.row("median_enob"),
        np.minimum.accumulate(np.array(survey.row("median_energy"))[::-1])[::-1],
    )
    inside = float(np.exp(np.interp(enob, bits, np.log(least)))) * 4.0 ** max(enob - bits[-1], 0.0)
    fast = (
        _figure_of_merit(enob, rate, "median_fom") / _figure_of_merit(enob, 1e8, "median_fom")
        if rate >= 1e9
        else 1.0
    )
    return max(inside * fast, _envelope(enob, rate, node))


def _regression(enob: float, rate: float, node: float) -> float:
    survey = _survey()
    by_rate, by_bits = survey.row("regression_rate"), survey.row("regression_bits")
    figure = min(
        by_rate[0] + by_rate[1] * math.log(rate), by_bits[0] + by_bits[1] * math.ceil(enob)
    )
    offset, size, bits = survey.row("regression_node")
    pico = math.exp(offset + size * math.log(node * 1e9) + bits * math.log(enob))
    return 10 ** ((6.02 * enob + 1.76 - figure) / 10) / 2 * pico * 1e-12


@typed
def programming_energy(device: Device, cells: int) -> Constant:
    """Joules [J] to write `cells` cells once, from the device's own pulse energy; KeyError for a
    device without one.
    """
    pulse, cells = device.fact("write_energy"), count(cells, "cells", least=0)
    return pulse.but(
        name=f"programming {cells} cells of {device.name}",
        value=pulse.value * cells,
        low=pulse.low * cells,
        high=pulse.high * cells,
    )


@typed
def lifetime(device: Device, interval: str | float) -> Constant:
    """Seconds [s] until the device's endurance is used up by one write every `interval` (s or
    text); KeyError without endurance.
    """
    seconds, endurance = units.seconds(interval, "interval"), device.fact("endurance")
    if seconds == 0:
        raise ValueError("interval=0 s between writes; allowed: above 0 s")
    return endurance.but(
        name=f"lifetime of {device.name}",
        unit="s",
        value=endurance.value * seconds,
        low=endurance.low * seconds,
        high=endurance.high * seconds,
    )
