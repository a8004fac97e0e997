"""Do word lines hold a bias as cells driven at full scale?"""

import numpy as np
import pytest

from pimlab.analog import Crossbar
from pimlab.machine.protocol import Calibration, Range

W = np.array([[0.5, -1.0], [0.25, 0.75]], np.float32)
BIAS = np.array([1.5, -2.0], np.float32)


def calibration(low, high):
    sample = np.ones((4, 2), np.float32)
    return Calibration(x=Range(low=low, high=high), y=Range(low=-4, high=4), sample=sample, rule="")


@pytest.mark.parametrize("rows", [2, 3])
def test_an_input_of_nothing_gives_the_bias(rows):
    programmed = Crossbar(bias_rows=rows).program(W, bias=BIAS, calibration=calibration(0, 2))
    assert programmed.matmul(np.zeros((1, 2), np.float32))[0] == pytest.approx(BIAS, abs=1e-6)


def test_rows_are_driven_at_the_larger_end_of_the_calibrated_range():
    programmed = Crossbar(bias_rows=2).program(W, bias=BIAS, calibration=calibration(-3, 2))
    assert programmed.full_scale == 3
    assert programmed.inner.k == 2 + 2


def test_too_few_rows_say_how_many_would_do():
    with pytest.raises(ValueError, match=r"bias_rows=1 cannot hold bias 2.0; allowed: 2 or more"):
        Crossbar(bias_rows=1).program(W, bias=BIAS, calibration=calibration(0, 1))
    Crossbar(bias_rows=2).program(W, bias=BIAS, calibration=calibration(0, 1))
