"""Do turning signs and a reference found on the way undo a reference that is wrong, and do several arrays learn together?"""

import numpy as np
import pytest

from pimlab.analog.learning import (
    AGAD,
    ChoppedTikiTaka,
    ChoppedTikiTakaV2,
    ResidualLearning,
    TikiTaka,
    TikiTakaV2,
    UpdateDevice,
    update_device,
)
from pimlab.analog.learning.steps import LinearStep
from pimlab.keys import Key

SOFT = UpdateDevice(
    name="soft", dw_min=0.02, w_min=-1.0, w_max=1.0, step=LinearStep(gamma_up=1.0, gamma_down=1.0)
)
KEY = Key(seed=3)
WRONG = 0.2


def _idle(rule, updates=200):
    """Root mean square of the weights after updates without errors: what a wrong reference does."""
    learner = rule.learner(np.zeros((2, 20), np.float32), KEY)
    learner.update(np.ones((updates, 2)), np.zeros((updates, 20)), 0.02)
    return float(np.sqrt(np.mean(np.square(learner.weights))))


@pytest.mark.parametrize(
    ("plain", "chopped"), [(TikiTaka, ChoppedTikiTaka), (TikiTakaV2, ChoppedTikiTakaV2)]
)
def test_a_wrong_reference_drives_weights_away_unless_signs_turn(plain, chopped):
    assert _idle(plain(device=SOFT)) == 0
    away = _idle(plain(device=SOFT, reference_error=WRONG))
    assert away > 0.2  # 100 transfers of a row, each of 0.02 x 0.2
    assert _idle(chopped(device=SOFT, reference_error=WRONG)) < 0.2 * away
    random = chopped(device=SOFT, reference_error=WRONG, chop_probability=0.2)
    assert _idle(random) < 0.6 * away


def test_agad_needs_no_reference():
    assert _idle(AGAD(device=SOFT, reference_error=WRONG)) == 0
    slope = LinearStep(gamma_up=0.9, gamma_down=0.5)  # cells whose symmetry point is not state 0
    uneven = SOFT.but(step=slope, up_down=0.3)
    assert _idle(AGAD(device=uneven)) == 0


def test_signs_turn_row_by_row_after_so_many_transfers():
    learner = ChoppedTikiTaka(device=SOFT, chop_every=2).learner(np.zeros((2, 3), np.float32), KEY)
    seen = []
    for _ in range(8):
        learner.update(np.zeros((1, 2)), np.zeros((1, 3)), 0.02)
        seen.append(learner.signs.tolist())
    assert seen[:4] == [[1, 1], [1, 1], [-1, 1], [-1, -1]]
    assert seen[4:] == [[-1, -1], [-1, -1], [1, -1], [1, 1]]


RULES = {
    "chopped": ChoppedTikiTaka(device=SOFT, chop_every=100),
    "chopped v2": ChoppedTikiTakaV2(device=SOFT, chop_every=100),
    "AGAD": AGAD(device=SOFT, chop_every=40),
    "residual": ResidualLearning(device=SOFT),
}


@pytest.mark.parametrize("name", RULES)
def test_each_rule_goes_towards_the_weight_that_is_asked_for(name):
    # turning signs unlearn A each time: 1200 updates are not enough to arrive
    learner, noise = RULES[name].learner(np.zeros((1, 40), np.float32), KEY), 0.1
    rng, found = np.random.default_rng(0), []
    for _ in range(1200):
        wrong = learner.weights - np.float32(0.4) + noise * rng.standard_normal((1, 40))
        learner.update(np.ones((1, 1)), wrong, 0.05)
        found.append(learner.weights.mean())
    assert 0.2 < np.mean(found[800:]) < 0.5
    assert learner.pulses > 0


def test_arrays_together_are_finer_than_one():
    coarse = SOFT.but(dw_min=0.25)
    w = np.linspace(-0.9, 0.9, 40, dtype=np.float32)[None]
    learner = ResidualLearning(device=coarse, arrays=3, gamma=0.25).learner(w, KEY)
    np.testing.assert_allclose(learner.weights, w, atol=1e-6)
    assert len(learner.tiles) == 3


def test_arrays_wait_and_move_as_in_the_published_code():
    """transfer_every_vec = 2, 10, 50, ... and transfer_lr_vec = ..., 0.12, 0.1, fastest first, of
    "ResL" in github.com/kdhhewuciedu/AIMC."""
    rule = ResidualLearning(device=SOFT.but(dw_min=1e-4), arrays=4)
    learner = rule.learner(np.zeros((2, 3), np.float32), KEY)
    assert [learner.wait(i) for i in (3, 2, 1)] == [2, 10, 50]
    assert [learner.rate(i) for i in (3, 2, 1)] == pytest.approx([0.144, 0.12, 0.1])
    calm, step = np.zeros((9, 3)), np.full((1, 3), -0.5)
    learner.update(np.eye(2)[:1], step, 1.0)  # array 3 holds 0.5 in row 0, and waits
    assert not learner.tiles[2].weights.any()
    learner.update(np.zeros((1, 2)), calm[:1], 1.0)  # the second update: row 0 moves on
    held = learner.tiles[3].weights[0].mean()
    assert learner.tiles[2].weights[0].mean() == pytest.approx(0.144 * held, rel=0.15)
    assert not learner.tiles[1].weights.any()


def test_one_sided_cells_are_refused():
    pcm = update_device("pcm-nandakumar2020")
    for rule in (AGAD, ChoppedTikiTakaV2, ResidualLearning):
        with pytest.raises(ValueError, match="one-sided cell has no symmetry point"):
            rule(device=pcm).learner(np.zeros((2, 2), np.float32), KEY)
