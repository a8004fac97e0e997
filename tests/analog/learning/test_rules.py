"""Do pulses make the update that was asked for, in mean and variance, and which rule forgives which cell?"""

import numba
import numpy as np
import pytest

from pimlab.analog.learning import (
    SGD,
    MixedPrecision,
    TikiTaka,
    TikiTakaV2,
    UpdateDevice,
    tile,
    update_device,
    update_device_names,
)
from pimlab.analog.learning.steps import LinearStep
from pimlab.analog.learning.tiles import LONGEST
from pimlab.keys import Key

FINE = UpdateDevice(name="fine", dw_min=1e-4, w_min=-10.0, w_max=10.0)
SOFT = UpdateDevice(
    name="soft", dw_min=0.01, w_min=-1.0, w_max=1.0, step=LinearStep(gamma_up=1.0, gamma_down=1.0)
)
KEY = Key(seed=3)
RULES = (SGD, MixedPrecision, TikiTaka, TikiTakaV2)


def _repeated(x, d, count):
    return np.repeat(np.array([x], np.float32), count, axis=0), np.repeat(
        np.array([d], np.float32), count, axis=0
    )


def _updates(device, x, d, rate, count):
    """The change of every cell by each of `count` equal updates, float64 (count, k, n)."""
    one = tile(device, (len(x), len(d)), KEY)
    rows = _repeated(x, d, 1)
    seen = np.empty((count + 1, *one.shape))
    seen[0] = 0
    for b in range(count):
        one.update(*rows, rate)
        seen[b + 1] = one.weights
        one.write(np.zeros(one.shape, np.float32))
    return seen[1:]


def test_mean_and_variance_of_an_update():
    x, d, rate = [1.0, -0.5, 0.25, 0.0], [0.8, -0.4, 0.1], 1.45e-3
    found = _updates(FINE, x, d, rate, 4000)
    asked = -rate * np.multiply.outer(x, d)
    length = int(np.ceil(rate * 0.8 / FINE.dw_min))  # 12 pulses
    p = np.abs(asked) / FINE.dw_min / length
    spread = (
        np.sqrt(length * p * (1 - p)) * FINE.dw_min
    )  # BL p (1 - p) dw^2: Gokmen and Vlasov 2016
    # four standard errors of 4000 draws: of the mean, spread / 63, and of a standard deviation, 1 / 90 of it and more for rare pulses
    assert (np.abs(found.mean(axis=0) - asked) <= 4 * spread / np.sqrt(4000) + 1e-10).all()
    assert found.std(axis=0) == pytest.approx(spread, rel=0.08, abs=1e-9)
    assert (found[:, 3] == 0).all()


def test_the_expected_update_is_linear_in_the_rate():
    for rate in (1e-5, 1e-4, 1e-3, 3e-3):
        one = tile(FINE, (2, 2), KEY)
        one.update(*_repeated([1.0, 0.5], [1.0, -0.5], 2000), rate)
        expected = -2000 * rate * np.array([[1.0, -0.5], [0.5, -0.25]])
        assert one.weights == pytest.approx(
            expected, abs=4 * np.sqrt(2000 * max(1, rate / 1e-4)) * 1e-4
        )


def test_an_update_beyond_the_longest_train_keeps_its_direction():
    one = tile(FINE, (3, 2), KEY)
    one.update(*_repeated([1.0, 0.5, -0.25], [1.0, -0.5], 1000), 0.1)  # asks for 1000 pulses
    mean = one.weights / 1000 / FINE.dw_min
    assert mean == pytest.approx(
        -LONGEST * np.multiply.outer([1.0, 0.5, -0.25], [1.0, -0.5]), abs=0.5
    )
    assert one.cut == 1000


def test_updates_that_diverge_are_refused_with_value_and_limit():
    one = tile(FINE, (1, 1), KEY)
    with pytest.raises(
        ValueError,
        match=r"fine: the updates diverge: rate=30 asks for 300000 pulses in one; allowed: 200000, the whole range",
    ):
        one.update(*_repeated([1.0], [1.0], 100), 30.0)
    with pytest.raises(ValueError, match="fine: an update of non-finite inputs or errors"):
        one.update(*_repeated([1.0], [np.nan], 1), 0.1)


def test_a_transfer_that_diverges_names_its_own_parameter():
    learner = TikiTaka(device=SOFT, transfer_rate=100.0).learner(np.zeros((1, 1), np.float32), KEY)
    with pytest.raises(
        ValueError, match="transfer_rate=100 asks for .* Take a smaller transfer_rate"
    ):
        learner.update(*_repeated([1.0], [1.0], 500), 0.05)


def test_threads_and_chunks_do_not_matter():
    rng = np.random.default_rng(0)
    x, d = (
        rng.standard_normal((40, 260)).astype(np.float32),
        rng.standard_normal((40, 260)).astype(np.float32),
    )  # above the limit of threads
    device, found, before = update_device("reram-es-gong2018"), [], numba.get_num_threads()
    for threads, chunk in ((1, 40), (before, 40), (before, 7)):
        numba.set_num_threads(threads)
        one = tile(device, (260, 260), KEY)
        for first in range(0, 40, chunk):
            one.update(x[first : first + chunk], d[first : first + chunk], 0.01)
        found.append(one.weights.tobytes())
    numba.set_num_threads(before)
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("rule", RULES)
def test_the_same_seed_learns_the_same_and_another_does_not(rule):
    rng, made = np.random.default_rng(0), []
    x, d = (
        rng.standard_normal((30, 6)).astype(np.float32),
        rng.standard_normal((30, 5)).astype(np.float32),
    )
    for seed in (1, 1, 2):
        learner = rule(
            device=update_device("reram-om-gong2022"),
            **({"transfer_rate": 1.0} if issubclass(rule, TikiTaka) else {}),
        )
        learner = learner.learner(np.zeros((6, 5), np.float32), Key(seed=seed))
        learner.update(x, d, 0.1)
        made.append(learner.weights.tobytes())
    assert made[0] == made[1] != made[2]


def _descended(rule, device, target, seed=0, steps=4000, rate=0.02, noise=0.6):
    """Mean of the last half of the weights that learn y = target x from noisy errors; each weight alone."""
    learner = rule(device=device).learner(np.zeros((1, 40), np.float32), Key(seed=seed))
    rng, tail = np.random.default_rng(seed), []
    one = np.ones((1, 1), np.float32)
    for step in range(steps):
        error = learner.weights - target + noise * rng.standard_normal((1, 40)).astype(np.float32)
        learner.update(one, error, rate)
        if step > steps // 2:
            tail.append(learner.weights.mean())
    return float(np.mean(tail))


def test_sgd_is_drawn_to_the_symmetry_point_and_tiki_taka_is_not():
    target = 0.5
    sgd, first, second = (_descended(rule, SOFT, target) for rule in (SGD, TikiTaka, TikiTakaV2))
    # SGD rests where the gradient's pull equals the asymmetry's: rate (target - w) = w rate E|error|, so w = target / (1 + E|error|)
    assert sgd == pytest.approx(target / (1 + 0.6 * np.sqrt(2 / np.pi)), abs=0.03)
    assert first == pytest.approx(target, abs=0.04)
    assert second == pytest.approx(target, abs=0.04)
    assert target - sgd > 3 * abs(target - first)


def test_without_asymmetry_sgd_has_no_bias():
    assert _descended(SGD, SOFT.but(step=LinearStep()), 0.5) == pytest.approx(0.5, abs=0.02)


def test_mixed_precision_loses_nothing_below_a_step():
    device = FINE.but(dw_min=0.1, w_min=-1.0, w_max=1.0)
    learner = MixedPrecision(device=device).learner(np.zeros((1, 2), np.float32), KEY)
    rows = _repeated([1.0], [1.0, -0.3], 1)
    for _ in range(95):
        learner.update(*rows, 0.01)
    assert learner.weights[0] == pytest.approx(
        [-0.9, 0.2], abs=1e-6
    )  # 9 and 2 whole steps of 0.95 and 0.285 asked
    assert learner.owed[0] == pytest.approx([-0.05, 0.085], abs=1e-6)
    assert learner.pulses == 11
    assert learner.most == 9


def test_the_second_version_waits_for_whole_steps():
    learner = TikiTakaV2(device=SOFT, transfer_rate=0.02).learner(np.zeros((1, 1), np.float32), KEY)
    fast, slow = learner.tiles
    fast.write(np.full((1, 1), 0.2, np.float32))
    for turn in range(1, 6):
        learner.update(
            *_repeated([0.0], [0.0], 1), 0.01
        )  # nothing to learn: transfers alone, 0.4 of a step each
        assert slow.used[0, 0] == (turn * 2) // 5
    only = TikiTakaV2(device=SOFT, transfer_rate=1.0, transfer_pulses=1).learner(
        np.zeros((1, 1), np.float32), KEY
    )
    only.tiles[0].write(np.full((1, 1), 0.255, np.float32))
    only.update(*_repeated([0.0], [0.0], 1), 0.01)
    assert only.tiles[1].used[0, 0] == 1
    assert only.buffer[0, 0] == pytest.approx(
        0.5, abs=1e-3
    )  # what is beyond one pulse is forgotten


def test_rows_are_transferred_in_turn():
    learner = TikiTaka(device=SOFT, transfer_every=2, transfer_rate=0.5, gamma=0.25).learner(
        np.zeros((3, 1), np.float32), KEY
    )
    learner.tiles[0].write(np.array([[0.5], [0.5], [0.5]], np.float32))
    assert learner.weights[:, 0] == pytest.approx(0.125)
    learner.update(*_repeated([0.0, 0.0, 0.0], [0.0], 5), 0.01)
    assert (learner.tiles[1].used[:, 0] > 0).tolist() == [True, True, False]


def test_read_noise_of_a_transfer_is_drawn_anew():
    learner = TikiTaka(device=SOFT, read_noise=0.1).learner(np.zeros((2, 500), np.float32), KEY)
    first = learner.row(0)
    learner.transfers += 1
    assert first.std() == pytest.approx(0.1, rel=0.1)
    assert not np.array_equal(first, learner.row(0))


@pytest.mark.parametrize("name", update_device_names())
def test_every_cell_descends_by_every_rule_with_defaults(name):
    device, rng = update_device(name), np.random.default_rng(0)
    x = rng.random((160, 8), np.float32)
    wanted = 0.3 * rng.standard_normal((8, 6)).astype(np.float32)
    for rule in RULES:
        if device.one_sided and issubclass(rule, TikiTaka):
            continue
        learner = rule(device=device).learner(np.zeros((8, 6), np.float32), KEY)
        seen = []
        for row in x[:, None]:
            error = row @ (learner.weights - wanted)
            seen.append(float(np.mean(error**2)))
            learner.update(row, error, 0.05)
        assert np.isfinite(seen).all()
        if device.states > 50:  # fewer states move by more than what is left to learn here
            assert np.mean(seen[-40:]) < np.mean(seen[:10]), rule.__name__


def test_a_one_sided_cell_has_no_tiki_taka():
    for rule in (TikiTaka, TikiTakaV2):
        with pytest.raises(
            ValueError,
            match="one-sided cell has no symmetry point; allowed: a two-sided cell, or SGD or MixedPrecision",
        ):
            rule(device=update_device("pcm-nandakumar2020")).learner(
                np.zeros((1, 1), np.float32), KEY
            )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"transfer_every": 0}, "transfer_every=0"),
        ({"transfer_rate": 0}, "transfer_rate=0 is outside above 0"),
        ({"transfer_rate": float("nan")}, "transfer_rate=nan"),
        ({"gamma": -1}, "gamma=-1"),
        ({"transfer_pulses": 32}, r"transfer_pulses=32 is outside 1\.\.31"),
        ({"transfer_pulse": 3}, "did you mean 'transfer_pulses'"),
        ({"device": "soft"}, "device='soft'"),
    ],
)
def test_wrong_settings_of_a_rule_are_refused(given, message):
    with pytest.raises((TypeError, ValueError), match=message):
        TikiTakaV2(**{"device": SOFT, **given})
