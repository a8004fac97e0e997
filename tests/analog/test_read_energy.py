"""Do cells and wires dissipate V I t of the actual inputs?"""

import numpy as np
import pytest

from pimlab.analog import DAC, Crossbar, Wires, device
from pimlab.analog.devices import CubicCurrent

W = np.array([[1.0, 0.5], [0.25, 1.0]], np.float32)
X = np.array([[1.0, 0.5]], np.float32)


def joules(x=X, **settings):
    return Crossbar(scaling="layer", **settings).program(W).integrals(x)


def full(machine):
    return machine.read_voltage**2 * machine.integration_time * machine.pair_cell.g_max


def test_amplitudes_count_squared_and_pulses_as_they_are():
    """Rows conduct 1.5 and 1.25 of a full cell; inputs are 1 and about a half."""
    level, half = 64 / 127, DAC(bits=8, encoding="pulse width")
    volts = joules(dac=DAC(bits=8))["cell read"] / full(Crossbar())
    pulses = joules(dac=half)["cell read"] / full(Crossbar(dac=half))
    assert volts == pytest.approx(1.5 + 1.25 * level**2)
    assert pulses == pytest.approx(1.5 + 1.25 * level)


def test_wires_take_their_share():
    """Almost all of it in the cells where wires are short; all they take is counted."""
    ideal = joules()["cell read"]
    short = joules(wires=Wires(r_in=1e-3, r_out=1e-3))
    long = joules(wires=Wires(r_in=1e3, r_out=1e3))
    assert short["cell read"] == pytest.approx(ideal, rel=1e-5)
    assert 0 < short["wire read"] < long["wire read"]
    assert long["cell read"] < ideal


def test_switched_cells_are_on_in_the_steps_of_their_bits():
    """Supply lines of no resistance: each step of a one-bit input takes the row's conductance."""
    dac = DAC(bits=3, encoding="bit serial", codes="unsigned")
    found = joules(dac=dac, wires=Wires(r_in=1e-6, r_out=1e-6, topology="B"))
    codes = [7, 4]
    bits = [sum(int(b) for b in f"{code:b}") for code in codes]
    assert found["cell read"] / full(Crossbar()) == pytest.approx(
        bits[0] * 1.5 + bits[1] * 1.25, rel=1e-4
    )


def test_a_cubic_current_counts_by_the_fourth_power():
    """V times I of a current that goes with V^3."""
    cell = device("gaussian").but(programming=None, read_noise=None)
    cubic = cell.but(current=CubicCurrent(third=(1e-3,), limit=1.0))

    def beyond(x):
        x = np.array([x], np.float32)
        return joules(x, cell=cubic)["cell read"] - joules(x, cell=cell)["cell read"]

    assert beyond([1.0, 0.5]) / beyond([1.0, 0.0]) == pytest.approx(1 + 0.5**4, rel=1e-3)
