"""Counts of a read against hand counts: slots, rows, columns, converter steps, integrations."""

import pytest

from pimlab.analog import ADC, DAC, Crossbar, Slices, macro
from pimlab.analog.counts import adc_steps, counts, integrations
from pimlab.machine.protocol import MacOp

LAYER = MacOp(name="layer", m=2, k=27, n=16)


def test_a_small_layer_uses_its_rows_and_columns():
    """27 x 16 of one 256 x 256 array, 127 clocks a pulse, two products."""
    machine = Crossbar(dac=DAC(bits=8, encoding="pulse width"), adc=ADC(bits=8))
    found = counts(machine, LAYER)
    assert found["array slot"] == 2 * 127
    assert found["row slot"] == found["word line slot"] == 2 * 127 * 27
    assert found["column slot"] == 2 * 127 * 16
    assert found["cell slot"] == 2 * 127 * 27 * 16
    assert (found["ADC conversion"], found["ADC step"]) == (2 * 16, 2 * 16 * 8)


def test_what_does_not_rest_counts_whole_arrays():
    machine = Crossbar(dac=DAC(bits=8), adc=ADC(bits=8), costs=macro("generic-22nm").but(idle="on"))
    found = counts(machine, LAYER)
    assert found["row slot"] == found["column slot"] == 2 * 256
    assert found["cell slot"] == 2 * 256 * 256


def test_phases_follow_each_other():
    once = Crossbar(dac=DAC(bits=8, encoding="pulse width"))
    four = once.but(costs=once.costs.but(phases=4))
    assert counts(four, LAYER)["row slot"] == 4 * counts(once, LAYER)["row slot"]


@pytest.mark.parametrize(
    ("bits", "per_step", "slots", "steps", "integrated"),
    [(8, 7, 7, 10, 127), (8, 4, 7, 10 + 6, 15 + 7), (4, 3, 3, 10, 7), (2, 1, 1, 10, 1)],
)
def test_bits_weighted_by_integration(bits, per_step, slots, steps, integrated):
    """NeuRRAM's counts: p bits are p pulses and 2^p - 1 integrations; ten output bits, of the lower
    half as many less as the upper half counts for more.
    """
    dac = DAC(bits=bits, encoding="bit serial", accumulate="analog", slice_bits=per_step)
    assert dac.unit_times == slots
    assert adc_steps(dac, ADC(bits=10)) == steps
    assert integrations(dac) == integrated
    digital = dac.but(accumulate="digital")
    assert adc_steps(digital, ADC(bits=10)) == 10 * digital.steps


def test_analog_accumulation_gives_the_same_sum():
    import numpy as np

    w, x = np.float32([[1, -0.5], [0.25, 0.75]]), np.float32([[1.0, -0.3], [0.2, 0.9]])
    serial = Crossbar(dac=DAC(bits=8, encoding="bit serial", slice_bits=7))
    other = serial.but(dac=serial.dac.but(accumulate="analog"))
    assert (serial.program(w).matmul(x) == other.program(w).matmul(x)).all()
    with pytest.raises(ValueError, match="accumulate='analog' needs encoding='bit serial'"):
        DAC(bits=8, accumulate="analog")


def test_carries_take_columns():
    """Eight bits and seven carries: eight weights on 128 columns, so nine outputs take two arrays."""
    machine = Crossbar(rows=128, cols=128, coding="complement", carry_columns=7,
                       slices=Slices(bits=8, per_cell=1))  # fmt: skip
    assert machine.arrays(MacOp(name="x", m=1, k=128, n=8)) == (1, 1)
    assert machine.arrays(MacOp(name="x", m=1, k=129, n=9)) == (2, 2)
    with pytest.raises(ValueError, match="carry_columns=64"):
        machine.but(cols=16, carry_columns=64)
