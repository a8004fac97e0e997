"""Which cells hold a matrix, and what do they conduct?"""

import numpy as np
import pytest

from pimlab.analog import Crossbar, Refresh, Slices, device
from pimlab.analog.written import WrittenCells
from pimlab.keys import Key

W = np.array([[1.0, -0.5], [0.25, 0.0]], np.float32)


def written(**settings):
    return WrittenCells(Crossbar(scaling="layer", **settings), W, Key(seed=1))


def test_a_pair_holds_positive_and_negative_weights():
    (plus, a), (minus, b) = written().conductances()
    top = Crossbar().pair_cell.g_max
    assert (plus, minus) == (1, -1)
    assert a[0] == pytest.approx(top * np.maximum(W, 0))
    assert b[0] == pytest.approx(top * np.maximum(-W, 0))


def test_cells_by_coding():
    assert written().cells == 2 * 4
    assert written(devices=3).cells == 3 * 2 * 4
    assert written(slices=Slices(bits=5, per_cell=2)).cells == 2 * 2 * 4


def test_refreshed_weights_are_as_old_as_their_last_writing():
    held = written(cell=device("pcm-hermes"), refresh=Refresh(period="1 day"))
    assert held.age(2.5 * 86400) == (2, pytest.approx(0.5 * 86400))
    assert written().age(2.5 * 86400) == (0, 2.5 * 86400)


def test_writing_again_is_power():
    cell = device("pcm-hermes")
    once = written(cell=cell).programming()
    again = written(cell=cell, refresh=Refresh(period="100 s")).programming()
    assert again["power"].value == pytest.approx(once["energy"].value / 100)
    assert again["power"].unit == "W"


def test_some_rows_are_rows_of_all():
    held = written()
    part, whole = held.rows(slice(1, 2))[0].plus, held.planes[0].plus
    np.testing.assert_array_equal(part, whole[1:])
