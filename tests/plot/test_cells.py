"""Do the bands of a device's figure follow its published drift?"""

import numpy as np
import pytest

import pimlab as pim
from pimlab.plot import cells as draw
from pimlab.plot.cells import _bands


def test_bands_are_ordered_and_fall_with_drift():
    cell = pim.device("pcm-joshi2020")
    bands = _bands(cell, cell.g_max, ["1 min", "1 year"], 0)
    assert (np.diff(bands, axis=0) >= 0).all()
    assert bands[2, 1] < bands[2, 0]


def test_an_ideal_cell_stays_where_it_was_put():
    cell = pim.device("ideal")
    assert np.allclose(_bands(cell, cell.g_max / 2, ["1 h", "1 year"], 0), cell.g_max / 2)


def test_what_is_no_device_is_refused():
    with pytest.raises(TypeError, match="pim.device"):
        draw("pcm-joshi2020")
    for at in (None, 60.0, "1 min", []):
        with pytest.raises(TypeError, match="cells at=.*; allowed: a list of times"):
            draw(pim.device("ideal"), at)
