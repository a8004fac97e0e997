"""What do weights in cells answer when they are read?"""

import numpy as np
import pytest

from pimlab.analog import ADC, DAC, Crossbar, Slices, device
from pimlab.machine.protocol import Calibration, Range
from pimlab.machine.stored import Affine, StoredProduct, StoredWeights

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


def in_codes(scale=0.02, zero_point=0):
    """W's product as a file holds it in codes of 4 bits, with inputs of 8."""
    codes = np.array([[[7, -3], [2, 5], [-6, 0]]])
    steps = np.full((1, 1, 2), 0.125, np.float32)
    x = Affine(scale=scale, zero_point=zero_point)
    known = Calibration(
        x=Range(low=-1, high=1), y=Range(low=-9, high=9), sample=X, rule="minmax",
        stored=StoredProduct(codes, steps, x),
        held=StoredWeights(codes, steps, np.zeros(3, int), 4),
    )  # fmt: skip
    return known, codes[0] * steps[0], codes[0]


@pytest.mark.parametrize("bits", [8, 10])
def test_inputs_in_codes_of_the_file_pass_the_dac_as_they_are(bits):
    known, w, _ = in_codes()
    x = np.float32(0.02) * np.array([[127, -101, 3], [1, -1, 0]], np.float32)
    y, counts = Crossbar(dac=DAC(bits=bits)).program(w, calibration=known).counted(x)
    np.testing.assert_allclose(y, x @ w, rtol=1e-5, atol=1e-6)
    assert counts["inputs clipped"] == 0


def test_codes_that_a_dac_has_not_are_rounded_by_the_calibrated_range():
    for known, dac in (
        (in_codes(zero_point=-128)[0], DAC(bits=8)),
        (in_codes()[0], DAC(bits=7)),
        (in_codes()[0], DAC(bits=8, codes="offset binary")),
    ):
        one = Crossbar(dac=dac).program(in_codes()[1], calibration=known)
        assert one.input_scale == 1.0


def test_slices_hold_the_codes_of_the_file():
    known, w, codes = in_codes()
    machine = Crossbar(slices=Slices(bits=8, per_cell=8), scaling="column")
    kept = machine.program(w, calibration=known)
    assert kept.weights_as == "the model's codes"
    np.testing.assert_allclose(kept.written.scale, 0.125 * 127 / 18)
    plane = kept.written.planes[0]
    np.testing.assert_allclose((plane.plus - plane.minus) * plane.digit / 18, codes, atol=1e-9)
    rounded = Crossbar(slices=Slices(bits=3, per_cell=3)).program(w, calibration=known)
    assert rounded.weights_as == "values in codes of 3 bits"
    assert Crossbar().program(w, calibration=known).weights_as == "values in conductances"
