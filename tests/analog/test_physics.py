"""Is the noise of resistors and capacitors that of the textbook?"""

import math

import pytest

from pimlab.analog import physics


def test_a_kiloohm_in_a_hertz():
    """4.07 nV/sqrt(Hz) over 1 kohm at 300 K (Johnson 1928): 4.07 pA."""
    assert physics.thermal_current("1 mS", "1 Hz") == pytest.approx(4.0704e-12, rel=1e-4)


def test_a_milliampere_in_a_megahertz():
    assert physics.shot_current("1 mA", "1 MHz") == pytest.approx(17.9e-9, rel=1e-3)
    assert physics.shot_current("-1 mA", "1 MHz") == physics.shot_current("1 mA", "1 MHz")


def test_a_picofarad_at_room_temperature():
    assert physics.sampled_voltage("1 pF") == pytest.approx(64.4e-6, rel=1e-3)


def test_sampling_energy_is_that_of_the_capacitor():
    """k T / C = (V / 2^bits)^2 / 12 gives C; charging it to V takes C V^2."""
    noise = (0.8 / 2**10) ** 2 / 12
    capacitance = physics.BOLTZMANN * 300 / noise
    assert physics.sampling_energy(10, "0.8 V") == pytest.approx(capacitance * 0.8**2)


def test_decibels():
    assert physics.snr(10.0, 1.0) == pytest.approx(20)
    assert physics.snr(math.sqrt(2), 1.0) == pytest.approx(3.0103, rel=1e-4)


def test_amounts_that_cannot_be():
    with pytest.raises(ValueError, match=r"g='-1 uS' is outside 0..inf S"):
        physics.amount("-1 uS", "S", "g")
    with pytest.raises(ValueError, match=r"capacitance=0; allowed: above 0 F"):
        physics.some(0, "F", "capacitance")
    with pytest.raises(ValueError, match=r"rows=0; allowed: 1 or more"):
        physics.count(0, "rows")
    with pytest.raises(ValueError, match=r"sampling_energy bits=1e.300; allowed: 256 at most"):
        physics.sampling_energy(1e300, "1 V")
    for wrong in (True, 2.0, "2"):
        with pytest.raises(TypeError, match="is not an integer"):
            physics.count(wrong, "rows")
    with pytest.raises(TypeError, match="array of real numbers in SI units"):
        physics.numbers(["1 uS"], "g")
