"""How do written cells become something that can be read at a given time?"""

import numpy as np
import pytest

from pimlab.analog import ADC, DAC, Crossbar, Slices, device

W = np.random.default_rng(2).standard_normal((6, 4)).astype(np.float32)


def reader(at=0.0, **settings):
    return Crossbar(rows=4, **settings).program(W, 1).readers.at(at)


def test_a_tile_an_array_and_a_plane_a_slice():
    plain = reader()
    assert [tile.rows for tile in plain.planes[0].tiles] == [slice(0, 4), slice(4, 6)]
    sliced = reader(slices=Slices(bits=5, per_cell=2), dac=DAC(bits=4))
    assert [plane.weight for plane in sliced.planes] == pytest.approx([1, 4])


def test_readers_are_kept():
    programmed = Crossbar().program(W)
    assert programmed.readers.at(3.0) is programmed.readers.at(3.0)


def test_cells_that_keep_their_conductance_have_no_noise():
    tile = reader().planes[0].tiles[0]
    assert tile.variance is None
    assert tile.lsb is None


def test_the_size_of_a_code_is_the_range_by_the_top_code():
    tile = reader(adc=ADC(bits=4, range="fixed", margin=2.0)).planes[0].tiles[0]
    assert tile.lsb == pytest.approx(np.full(4, 2.0 / 7))


def test_reads_are_numbered_from_programming():
    cell = device("pcm-hermes")
    assert reader(1e-3, cell=cell, interval="10 us").first == 100
    assert reader(1e-3, cell=cell).parts  # 1/f noise outlasts a read
    assert not reader(1e-3).parts
