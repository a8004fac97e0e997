"""What do pulses leave in an array of cells?"""

import numpy as np
import pytest

from pimlab.analog import update_device
from pimlab.analog.learning.tiles import EVERY, PairTile, tile
from pimlab.keys import Key

KEY = Key(seed=2)
IDEAL = update_device("rpu-idealized")


def made(device=IDEAL, shape=(3, 2)):
    return tile(device, shape, KEY)


def test_writing_stops_at_the_bounds():
    one = made()
    one.write(np.array([[9, -9], [0.25, 0], [0, 0]], np.float32))
    assert one.weights[0].tolist() == pytest.approx([one.cells[3][0, 0], one.cells[2][0, 1]])
    assert one.weights[1, 0] == np.float32(0.25)


def test_a_pulse_is_one_step_and_is_counted():
    one = made()
    one.pulse(np.array([[1, -2], [0, 0], [3, 0]], np.int32))
    assert (np.sign(one.weights) == [[1, -1], [0, 0], [1, 0]]).all()
    assert one.weights[:, 0] == pytest.approx(np.array([1, 0, 3]) * IDEAL.dw_min, rel=1.0)
    assert one.used.tolist() == [[1, 2], [0, 0], [3, 0]]


def test_the_mean_change_is_the_outer_product():
    """-rate x d^T, each pulse drawn: 1,000 updates of one product."""
    one = made()
    x, d = np.array([[0.5, -1.0, 0.0]], np.float32), np.array([[1.0, -0.25]], np.float32)
    rate = 0.2 * IDEAL.granularity
    for _ in range(1000):
        one.update(x, d, rate)
    wanted = -1000 * rate * np.outer(x, d)
    spread = np.sqrt(1000) * IDEAL.granularity
    assert one.weights == pytest.approx(wanted, abs=4 * spread)


def test_values_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="the training has diverged"):
        made().update(np.full((1, 3), np.nan), np.ones((1, 2)), 0.1)


def test_updates_beyond_a_cell_are_refused_with_what_would_do():
    with pytest.raises(ValueError, match="asks for .* the whole range of a cell. Take a smaller"):
        made().update(np.ones((200, 3)), np.ones((200, 2)), 1e3)


def test_the_symmetry_point_is_where_steps_are_equal():
    one = made(update_device("reram-es-gong2018"))
    one.write(one.symmetry_point())
    before = one.weights.copy()
    one.refer_to_symmetry_point()
    assert np.abs(one.weights).max() <= np.abs(before).max()


def test_a_pair_moves_one_of_its_cells():
    pair = made(update_device("pcm-nandakumar2020"))
    assert isinstance(pair, PairTile)
    pair.write(np.array([[0.2, -0.2], [0, 0], [0, 0]], np.float32))
    assert pair.weights[0] == pytest.approx([0.2, -0.2])
    counts = np.zeros((3, 2), np.int32)
    counts[0] = (1, -1)
    before = [side.seen.copy() for side in pair.sides]
    pair.pulse(counts)
    moved = [(side.seen != old).tolist() for side, old in zip(pair.sides, before, strict=True)]
    assert moved[0][1:] == moved[1][1:] == [[False, False]] * 2
    assert not moved[0][0][1]
    assert not moved[1][0][0]


def test_a_full_pair_is_reset_and_keeps_its_weight():
    pair = made(update_device("pcm-nandakumar2020"), (1, 1))
    for side in pair.sides:
        side.write(0.9 * side.cells[3])
    pair.updates, held = EVERY - 1, pair.weights.copy()
    pair.pulse(np.zeros((1, 1), np.int32))
    assert pair.resets == 1
    assert all((side.state < 0.75 * side.cells[3]).all() for side in pair.sides)
    wanted = np.maximum(held, 0)
    assert (pair.sides[0].seen >= wanted).all()  # raised until a read said so
