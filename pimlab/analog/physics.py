"""Which noise does physics itself add to a read? Thermal, shot and sampling noise of resistors and capacitors."""

from __future__ import annotations

import math

from pimlab import units

BOLTZMANN = 1.380649e-23
"""J/K, exact (SI Brochure, 9th edition, 2019)."""
CHARGE = 1.602176634e-19
"""C, exact (SI Brochure, 9th edition, 2019)."""


def thermal_current(g: str | float, bandwidth: str | float, temperature: float = 300.0) -> float:
    """RMS current in A of a conductance g (S) in `bandwidth` (Hz): sqrt(4 k T G B) (Johnson and Nyquist 1928)."""
    return math.sqrt(4 * BOLTZMANN * temperature * units.parse(g, "S", "g") * units.parse(bandwidth, "Hz", "bandwidth"))


def shot_current(current: str | float, bandwidth: str | float) -> float:
    """RMS current in A of a direct current (A) in `bandwidth` (Hz): sqrt(2 q I B) (Schottky 1918)."""
    return math.sqrt(2 * CHARGE * abs(units.parse(current, "A", "current")) * units.parse(bandwidth, "Hz", "bandwidth"))


def sampled_voltage(capacitance: str | float, temperature: float = 300.0) -> float:
    """RMS voltage in V that sampling leaves on a capacitor (F): sqrt(k T / C)."""
    return math.sqrt(BOLTZMANN * temperature / units.parse(capacitance, "F", "capacitance"))


def sampling_energy(bits: float, full_scale: str | float, temperature: float = 300.0) -> float:
    """Least energy in J to sample `bits` bits at full scale V: C V^2 with C = 12 k T 4^bits / V^2, so 12 k T 4^bits.

    The capacitor whose k T / C equals the quantisation noise of that many bits.
    """
    volts = units.parse(full_scale, "V", "full_scale")
    if not volts > 0:
        raise ValueError(f"full_scale={full_scale} is not above 0 V")
    return 12 * BOLTZMANN * temperature * 4.0**bits


def snr(signal: float, noise: float) -> float:
    """Signal-to-noise ratio in dB of two RMS values in one unit."""
    return 20 * math.log10(signal / noise)
