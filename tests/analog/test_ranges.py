"""Is an ADC's full scale the current that calibration rows (or all weights) can make?"""

import numpy as np
import pytest

from pimlab.analog import ADC, DAC, Crossbar
from pimlab.analog.ranges import code_sizes
from pimlab.analog.written import WrittenCells
from pimlab.keys import Key

W = np.array([[1.0, -0.5], [0.5, 0.25], [-1.0, 1.0]], np.float32)


def sizes(calibration, **settings):
    machine = Crossbar(rows=2, scaling="layer", dac=DAC(bits=8), **settings)
    cells = WrittenCells(machine, W, Key(seed=0))
    return code_sizes(machine, cells.rows, len(W), calibration)


def test_none_without_a_converter():
    assert sizes(None) is None


def test_the_largest_current_of_the_calibration_rows():
    """Tiles of two rows: 1 + 0.5 and -0.5 + 0.25 in the first, -1 and 1 in the second."""
    ((first, second),) = sizes(
        np.ones((1, 3), np.float32), adc=ADC(bits=3, range="max", share="column")
    )
    assert first * 3 == pytest.approx([1.5, 0.25])
    assert second * 3 == pytest.approx([1.0, 1.0])


def test_the_worst_case_is_the_sum_of_magnitudes():
    ((first, second),) = sizes(None, adc=ADC(bits=3, range="worst case", share="column"))
    assert first * 3 == pytest.approx([1.5, 0.75])
    assert second * 3 == pytest.approx([1.0, 1.0])


def test_without_calibration_inputs_spread_over_the_range():
    """No current exceeds the worst case, and 256 rows come near it."""
    ((first, _),) = sizes(None, adc=ADC(bits=3, range="max"))
    assert 0.8 * 1.5 < first[0] * 3 <= 1.5
