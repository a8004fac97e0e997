"""Which noise does physics itself add to a read? Thermal, shot and sampling noise of resistors and
capacitors.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pimlab import units
from pimlab.arguments import named
from pimlab.units import is_integer

BOLTZMANN = 1.380649e-23
"""J/K, exact (SI Brochure, 9th edition, 2019)."""
CHARGE = 1.602176634e-19
"""C, exact (SI Brochure, 9th edition, 2019)."""
MOST_BITS = 256
"""Most bits of a sample: far beyond any converter, and 4^bits is still a number."""


def amount(value: str | float, unit: str, name: str, least: float = 0.0) -> float:
    """SI float of `value`, text or a number in `unit`; ValueError naming it when it is below
    `least` or not finite.
    """
    size = units.parse(value, unit, name)
    if not least <= size < math.inf:
        raise ValueError(
            f"{name}={value!r} is outside {least:g}..inf {unit}".rstrip() + " (and must be finite)"
        )
    return size


def some(value: str | float, unit: str, name: str) -> float:
    """As `amount`, for what cannot be zero. Returns a float in `unit`."""
    size = amount(value, unit, name)
    if not size:
        raise ValueError(f"{name}={value!r}; allowed: above 0 {unit}".rstrip())
    return size


def count(value: int, name: str, least: int = 1) -> int:
    """`value` as an int of at least `least` (unit 1); TypeError for what is no integer, ValueError
    for one that is too small.
    """
    if not is_integer(value):
        raise TypeError(f"{name}={value!r} is not an integer; allowed: {least} or more")
    if value.__index__() < least:
        raise ValueError(f"{name}={value!r}; allowed: {least} or more")
    if value.__index__() >= 2**63:
        raise ValueError(f"{name}={value!r:.60}; allowed: below 2^63")
    return value.__index__()


def numbers(array: Any, name: str) -> np.ndarray:
    """float64 of an array of real numbers; TypeError naming it for anything else, such as text with
    a unit.
    """
    held = np.asarray(array)
    if held.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} is {held.dtype} {array!r:.60}; allowed: an array of real numbers in SI units"
        )
    return held.astype(np.float64, copy=False)


@named
def thermal_current(
    g: str | float, bandwidth: str | float, temperature: str | float = 300.0
) -> float:
    """RMS current [A] of a conductance g (S) in `bandwidth` (Hz): sqrt(4 k T G B) (Johnson and
    Nyquist 1928).
    """
    kelvin, hertz = amount(temperature, "K", "temperature"), amount(bandwidth, "Hz", "bandwidth")
    return math.sqrt(4 * BOLTZMANN * kelvin * amount(g, "S", "g") * hertz)


@named
def shot_current(current: str | float, bandwidth: str | float) -> float:
    """RMS current [A] of a direct current (A) in `bandwidth` (Hz): sqrt(2 q I B) (Schottky
    1918).
    """
    amperes = units.parse(current, "A", "current")
    return math.sqrt(
        2 * CHARGE * amount(abs(amperes), "A", "current") * amount(bandwidth, "Hz", "bandwidth")
    )


@named
def sampled_voltage(capacitance: str | float, temperature: str | float = 300.0) -> float:
    """RMS voltage [V] that sampling leaves on a capacitor (F): sqrt(k T / C)."""
    return math.sqrt(
        BOLTZMANN * amount(temperature, "K", "temperature") / some(capacitance, "F", "capacitance")
    )


@named
def sampling_energy(
    bits: float, full_scale: str | float, temperature: str | float = 300.0
) -> float:
    """Least energy [J] to sample `bits` bits at full scale V: C V^2 with C = 12 k T 4^bits / V^2,
    so 12 k T 4^bits.

    The capacitor whose k T / C equals the quantisation noise of that many bits.
    """
    some(full_scale, "V", "full_scale")
    resolved = amount(bits, "", "bits")
    if resolved > MOST_BITS:
        raise ValueError(f"sampling_energy bits={bits!r:.60}; allowed: {MOST_BITS} at most")
    return 12 * BOLTZMANN * amount(temperature, "K", "temperature") * 4.0**resolved


def snr(signal: float, noise: float) -> float:
    """Signal-to-noise ratio in dB of two RMS values in one unit."""
    return 20 * math.log10(some(signal, "", "signal") / some(noise, "", "noise"))
