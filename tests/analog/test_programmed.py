"""What do weights in cells answer when they are read?"""

import numpy as np
import pytest

from pimlab.analog import ADC, DAC, Crossbar, device
from pimlab.machine.protocol import Calibration, Range

W = np.array([[1.0, -0.5], [0.25, 0.75], [-1.0, 0.0]], np.float32)
X = np.array([[0.5, -1.0, 0.25], [0.0, 0.0, 0.0]], np.float32)
FIXED = Calibration(x=Range(low=-1, high=1), y=Range(low=-2, high=2), sample=X, rule="minmax")


def test_ideal_parts_compute_the_product():
    programmed = Crossbar().program(W, bias=np.array([1.0, 2.0], np.float32))
    assert programmed.matmul(X) == pytest.approx(X @ W + [1, 2], abs=1e-6)


def test_a_row_of_zeros_has_full_scale_one():
    programmed = Crossbar(dac=DAC(bits=4)).program(W)
    y, counts = programmed.counted(X)
    assert (y[1] == 0).all()
    assert counts["inputs clipped"] == 0


def test_inputs_beyond_the_calibrated_range_are_clipped_and_counted():
    programmed = Crossbar(dac=DAC(bits=4)).program(W, calibration=FIXED)
    y, counts = programmed.counted(np.array([[3.0, -2.0, 0.0]], np.float32))
    assert counts == {"inputs clipped": 2}
    assert y[0] == pytest.approx(np.array([1.0, -1.0, 0.0]) @ W, abs=1e-6)


def test_currents_beyond_the_adc_are_counted():
    machine = Crossbar(adc=ADC(bits=4, range="fixed", margin=0.5))
    assert machine.program(W).counted(X)[1]["sums clipped"] > 0


def test_energy_of_a_read_by_hand():
    """One cell of a pair at full conductance and full voltage: V^2 G t, twice that of two rows."""
    machine = Crossbar()
    one = machine.program(np.ones((1, 1), np.float32)).integrals(np.ones((1, 1), np.float32))
    v, t, g = machine.read_voltage, machine.integration_time, machine.pair_cell.g_max
    assert one["cell read"] == pytest.approx(v**2 * t * g)


def test_the_same_key_reads_the_same():
    programmed = Crossbar(cell=device("pcm-hermes")).program(W, 3)
    first, again, other = (programmed.matmul(X, key, "1 h") for key in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first[0] != other[0]).any()


def test_inputs_of_another_width_are_refused():
    with pytest.raises(ValueError, match=r"x has shape \(1, 2\), allowed \(batch, 3\)"):
        Crossbar().program(W).matmul(np.zeros((1, 2), np.float32))
