"""Are the cells that learn by pulses what their files say, and what their formulas say?"""

import numpy as np
import pytest

from pimlab import catalogue
from pimlab.analog.learning import UpdateDevice, tile, update_device, update_device_names
from pimlab.analog.learning.steps import ExponentialStep, LinearStep
from pimlab.keys import Key

SOFT = UpdateDevice(
    name="soft", dw_min=0.01, w_min=-1.0, w_max=1.0, step=LinearStep(gamma_up=1.0, gamma_down=1.0)
)
KEY = Key(seed=3)


@pytest.mark.parametrize("name", update_device_names())
def test_every_cell_builds_and_cites_what_exists(name):
    device, known = update_device(name), catalogue.sources()
    assert device.sources
    assert set(device.sources) <= set(known)
    assert device.states > 2
    assert 0 < device.granularity < device.w_max - device.w_min
    assert all(constant.status != "assumed" or constant.reason for _, constant in device.facts)
    cells = device.cells((40, 50), KEY)
    assert cells.shape == (6, 40, 50)
    assert np.isfinite(cells).all()
    assert (cells[:2] >= 0).all()
    assert cells[3].mean() == pytest.approx(device.w_max, rel=0.05)


def test_titles_name_the_number_of_states():
    for name in update_device_names():
        title, device = catalogue.entry("updates", name).meta["title"], update_device(name)
        if "states" in title:
            told = int(title.split(" states")[0].split(", ")[-1])
            assert told == pytest.approx(device.states, rel=0.1), name


def test_spreads_over_cells_are_as_stated():
    wide = SOFT.but(
        dw_min_spread=0.2, up_down=0.1, up_down_spread=0.05, w_max_spread=0.3, w_min_spread=0.1
    )
    up, down, low, high, slope_up, slope_down = wide.cells((300, 300), KEY).astype(np.float64)
    assert (up / wide.dw_min).mean() == pytest.approx(1.0, abs=0.005)
    assert (down / wide.dw_min).mean() == pytest.approx(0.9, abs=0.005)
    assert ((up + down) / 2 / wide.dw_min).std() == pytest.approx(0.2, rel=0.02)
    assert ((up - down) / 2 / wide.dw_min).std() == pytest.approx(0.05, rel=0.02)
    assert high.std() == pytest.approx(0.3, rel=0.02)
    assert low.std() == pytest.approx(0.1, rel=0.02)
    assert slope_up == pytest.approx(1 / high, rel=1e-5)
    assert slope_down == pytest.approx(1 / low, rel=1e-5)
    skewed = SOFT.but(dw_min_spread=0.7, dw_min_law="log-normal").cells((300, 300), KEY)[0]
    assert np.log(skewed / SOFT.dw_min).std() == pytest.approx(0.7, rel=0.02)


def test_a_bias_shrinks_one_direction_only():
    """aihwkit's `PulsedRPUDevice::populate`: up_down above 0 takes from downward steps, below 0 from upward ones."""
    up, down = SOFT.but(up_down=0.25).cells((2, 2), KEY)[:2] / SOFT.dw_min
    assert np.allclose(up, 1.0)
    assert np.allclose(down, 0.75)
    up, down = SOFT.but(up_down=-0.25).cells((2, 2), KEY)[:2] / SOFT.dw_min
    assert np.allclose(up, 0.75)
    assert np.allclose(down, 1.0)


def test_a_reram_cell_after_368_pulses():
    """The mean state that aihwkit's ReRamESPresetDevice reaches after 368 upward pulses from 0: 0.524."""
    device = update_device("reram-es-gong2018")
    one = tile(
        device.but(dw_min_spread=0, up_down_spread=0, w_max_spread=0, w_min_spread=0), (40, 40), KEY
    )
    for _ in range(368):
        one.pulse(np.ones((40, 40), np.int32))
    assert one.state.mean() == pytest.approx(0.524, abs=0.004)


def test_pcm_steps_have_their_additive_noise():
    """aihwkit: std = 0.6 (|dw| + 0.042 + 0.108 |w|); at state 0 with dw = 0.28235 that is 0.1946."""
    device = update_device("pcm-nandakumar2020").but(
        one_sided=False, w_min=-2.0, dw_min_spread=0, up_down_spread=0, w_max_spread=0
    )
    for state in (0.0, 0.5):
        one = tile(device, (300, 300), KEY)
        one.state[:] = one.seen[:] = state
        one.pulse(np.ones((300, 300), np.int32))
        moved = one.state - state
        z = -2 * state / 4
        step = 0.01 * (1 + 27.235 * np.exp(2.5 * z))
        assert moved.mean() == pytest.approx(step, rel=0.02)
        assert moved.std() == pytest.approx(0.6 * (step + 0.042 + 0.108 * state), rel=0.01)


def test_one_spread_does_not_shift_the_draws_of_another():
    plain = SOFT.but(dw_min_spread=0.2).cells((5, 5), KEY)
    more = SOFT.but(dw_min_spread=0.2, w_max_spread=0.3).cells((5, 5), KEY)
    assert np.array_equal(plain[:3], more[:3])
    assert not np.array_equal(plain[3], more[3])


def test_soft_bounds_saturate_exponentially():
    one = tile(SOFT, (1, 1), KEY)
    for n in range(1, 201):
        one.pulse(np.ones((1, 1), np.int32))
        if n in (1, 50, 200):
            assert one.weights[0, 0] == pytest.approx(
                1 - 0.99**n, rel=1e-4
            )  # each step is dw_min (1 - w / w_max)
    assert one.used[0, 0] == 200


def test_constant_steps_end_at_the_bound():
    one = tile(SOFT.but(step=LinearStep(), dw_min=0.3), (1, 2), KEY)
    one.pulse(np.array([[5, -3]], np.int32))
    assert one.weights[0] == pytest.approx([1.0, -0.9])


def test_exponential_steps_follow_their_formula():
    law = ExponentialStep(
        a=-0.5, b=-0.5, a_up=-1.18445, gamma_up=5.0, a_down=-0.081404, gamma_down=5.0
    )
    device = SOFT.but(step=law, up_down=0.26)
    for sign, up in ((1, True), (-1, False)):
        one = tile(device, (1, 1), KEY)
        one.write(np.full((1, 1), 0.2, np.float32))
        before = float(one.weights[0, 0])
        one.pulse(np.full((1, 1), sign, np.int32))
        z = 2 * -0.5 * 0.2 / 2 - 0.5
        size = 1 + 1.18445 * np.exp(5 * z) if up else 1 + 0.081404 * np.exp(-5 * z)
        assert one.weights[0, 0] - before == pytest.approx(
            sign * 0.01 * (1 if up else 0.74) * size, rel=1e-4
        )


def test_granularity_is_the_mean_step_at_zero():
    for name in update_device_names():
        device = update_device(name).but(
            dw_min_spread=0.0,
            up_down_spread=0.0,
            w_min_spread=0.0,
            w_max_spread=0.0,
            cycle=0.0,
            write_noise=0.0,
        )
        if device.one_sided:
            continue
        steps = []
        for sign in (1, -1):
            one = tile(device, (1, 1), KEY)
            one.pulse(np.full((1, 1), sign, np.int32))
            steps.append(abs(float(one.weights[0, 0])))
        assert np.mean(steps) == pytest.approx(device.granularity, rel=1e-3), name


def test_a_soft_cell_walks_to_its_symmetry_point():
    device = SOFT.but(up_down=0.2, up_down_spread=0.1, cycle=0.3)
    some = tile(device, (20, 20), KEY)
    some.write(np.full((20, 20), 0.8, np.float32))
    up, down = some.cells[:2].astype(np.float64)
    by_hand = (up - down) / (up + down)  # up (1 - w) = down (1 + w), bounds at +-1
    assert some.symmetry_point() == pytest.approx(by_hand, abs=1e-5)
    rng, tail = np.random.default_rng(0), []
    for turn in range(1500):
        some.pulse(rng.choice([-1, 1], (20, 20)).astype(np.int32))
        if turn >= 500:
            tail.append(some.weights.astype(np.float64))
    # each cell ends around its own point with spread sqrt(dw_min / 2): a mean over 1000 correlated pulses leaves 0.03
    assert np.mean(tail, axis=0) == pytest.approx(by_hand, abs=0.12)
    assert np.mean(tail) == pytest.approx(by_hand.mean(), abs=0.01)


def test_cells_without_a_symmetry_point_keep_the_reference_zero():
    fixed = tile(SOFT.but(step=LinearStep(), up_down=0.1), (3, 3), KEY)
    assert (fixed.symmetry_point() > 0.99).all()  # they drift to a bound
    fixed.refer_to_symmetry_point()
    assert (fixed.reference == 0).all()
    assert (fixed.weights == 0).all()
    soft = tile(SOFT.but(up_down=0.1), (3, 3), KEY)
    soft.refer_to_symmetry_point()
    assert soft.reference == pytest.approx(0.1 / 1.9, abs=1e-5)
    assert (soft.weights == 0).all()


def test_write_noise_is_seen_and_not_kept():
    one = tile(SOFT.but(write_noise=50.0), (100, 100), KEY)
    one.pulse(np.ones((100, 100), np.int32))
    assert one.state == pytest.approx(0.01)
    assert one.weights.std() == pytest.approx(0.5, rel=0.05)


@pytest.fixture
def pair():
    device = UpdateDevice(
        name="pair",
        dw_min=0.05,
        w_min=0.0,
        w_max=1.0,
        one_sided=True,
        reset=0.02,
        reset_spread=0.01,
    )
    return tile(device, (3, 4), KEY)


def test_a_pair_moves_both_ways_and_a_full_one_is_written_anew(pair):
    counts = np.zeros((3, 4), np.int32)
    counts[0, 0], counts[1, 1] = 10, -10
    pair.pulse(counts)
    assert pair.weights[0, 0] == pytest.approx(0.5)
    assert pair.weights[1, 1] == pytest.approx(-0.5)
    counts[:] = 0
    counts[0, 0], counts[2, 2] = -16, 16  # minus cell at 0.8, difference -0.3
    pair.pulse(counts)
    before = pair.weights.copy()
    for _ in range(100):
        pair.pulse(np.zeros((3, 4), np.int32))
    assert pair.resets == 2
    assert pair.weights == pytest.approx(
        before, abs=0.11
    )  # within two steps: reset states and whole pulses
    assert pair.sides[0].state[0, 0] < 0.1
    assert pair.sides[1].state[0, 0] < 0.4
    assert pair.used[1, 1] == 10


def test_a_user_adds_a_cell_as_one_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'title = "mine"\nmodel = "linear"\nsource = "gong2018"\n'
        + "".join(
            f'[{name}]\nvalue = {value}\nstatus = "published"\nwhere = "figure 1"\n'
            for name, value in (
                ("dw_min", 0.02),
                ("w_min", -1.0),
                ("w_max", 1.0),
                ("gamma_up", 0.5),
            )
        )
    )
    device = update_device(path)
    assert device.name == "mine"
    assert device.states == 100
    assert device.step.gamma_up == 0.5
    assert device.sources == ("gong2018",)


BAD = {
    "an unknown name": (lambda: update_device("ecram-tang2019"), "ecram-tang2018"),
    "a step of zero": (lambda: SOFT.but(dw_min=0), "dw_min=0 is outside above 0"),
    "no negative weights": (lambda: SOFT.but(w_min=0), "w_min=0 but one_sided=False"),
    "steps beyond the range": (
        lambda: SOFT.but(dw_min=1.5),
        r"dw_min=1.5 is more than half of the range -1.0\.\.1.0",
    ),
    "asymmetry beyond one": (lambda: SOFT.but(up_down=1.5), r"up_down=1.5 is outside -1\.\.1"),
    "an unknown law": (lambda: SOFT.but(dw_min_law="lognormal"), "log-normal"),
}


@pytest.mark.parametrize("name", BAD)
def test_wrong_cells_are_refused(name):
    call, message = BAD[name]
    with pytest.raises((ValueError, TypeError), match=message):
        call()
