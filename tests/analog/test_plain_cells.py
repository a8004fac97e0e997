"""Does the kernel that follows cells from their targets on give what the steps one by one give?"""

import numpy as np
import pytest

import pimlab as pim
from pimlab.analog import cells as room
from pimlab.analog.devices import Device, GaussianReadNoise
from pimlab.analog.plain_cells import in_range, law_of
from pimlab.keys import Key

HERMES, JOSHI = pim.device("pcm-hermes"), pim.device("pcm-joshi2020")
W = np.random.default_rng(0).normal(size=(70, 37)).astype(np.float32)


def _moments(machine, seconds):
    """Cumulants of the two tiles of the machine's only plane."""
    written = machine.program(W, 4).written
    how = room.Reading(seconds, 0.2, None, machine.place, False, machine.drive, False, 1e-5)
    return [room.tile_moments(written.polarities(0)[0], part, how) for part in ROWS]


ROWS = (slice(0, 64), slice(64, 70))


@pytest.mark.parametrize("cell", [HERMES, JOSHI, HERMES.but(drift=None)])
@pytest.mark.parametrize("seconds", [0.0, 86400.0])
def test_cumulants_have_the_bits_of_the_steps_one_by_one(cell, seconds, monkeypatch):
    machine = pim.target("pcm-hermes").but(cell=cell, rows=64, devices=2)
    assert law_of(machine.pair_cell, seconds, Key(seed=0)) is not None
    ours = _moments(machine, seconds)
    monkeypatch.setattr(room, "law_of", lambda *_: None)
    for one, other in zip(ours, _moments(machine, seconds), strict=True):
        np.testing.assert_array_equal(one.mean, other.mean)
        np.testing.assert_array_equal(one.variance, other.variance)
        np.testing.assert_array_equal(one.third, other.third)
        np.testing.assert_allclose(one.load[0][1], other.load[0][1], rtol=1e-14)


class _Own(Device):
    pass


@pytest.mark.parametrize(
    "cell",
    [
        HERMES.but(levels=8),
        HERMES.but(bounded=True),
        HERMES.but(programming=None),
        HERMES.but(read_noise=GaussianReadNoise(absolute="0.1 uS")),
        pim.device("reram-wan2022"),
        _Own(name="own", g_min=0.0, g_max=HERMES.g_max, programming=HERMES.programming),
    ],
)
def test_cells_that_do_something_else_have_no_such_law(cell):
    assert law_of(cell, 60.0, Key(seed=0)) is None


def test_targets_beyond_the_range_are_seen():
    assert in_range(HERMES, np.array([0.0, HERMES.g_max]))
    assert not in_range(HERMES, np.array([0.0, HERMES.g_max * (1 + 1e-9)]))
    assert not in_range(HERMES, np.array([-1e-12, 1e-6]))
