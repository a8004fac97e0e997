"""Does the loss follow from the data: classes, next tokens that count, or real numbers?"""

import numpy as np
import pytest

import pimlab as pim
from pimlab.workload.training import Objective, Recipe, cross_entropy

RNG = np.random.default_rng(2)
DIGITS = pim.load_data("digits", "train", limit=6)
TEXT = pim.load_data("kjv", "calibration", limit=2)


def test_classes():
    outputs, chosen = RNG.standard_normal((2, 10)).astype(np.float32), np.array([4, 1])
    judged = Objective(DIGITS, Recipe()).judged(outputs, chosen)
    loss, slope = cross_entropy(outputs, DIGITS.labels[chosen])
    assert judged.loss == pytest.approx(loss.sum())
    assert np.array_equal(judged.gradient, slope)
    assert (judged.terms, judged.guessing) == (2, pytest.approx(np.log(10)))


def test_tokens_that_are_not_scored_have_no_gradient():
    objective = Objective(TEXT, Recipe())
    chosen = np.array([0])
    assert np.array_equal(objective.inputs(chosen), TEXT.inputs[:1, :-1])
    outputs = RNG.standard_normal((1, 256, 1024)).astype(np.float32)
    judged = objective.judged(outputs, chosen)
    loss, _ = cross_entropy(outputs[0], TEXT.inputs[0, 1:])
    assert judged.loss == pytest.approx(loss.sum())
    hidden = TEXT.but(labels=np.arange(256)[None] % 2 == np.zeros((2, 1)))
    half = Objective(hidden, Recipe()).judged(outputs, chosen)
    assert half.terms == 128
    assert half.loss == pytest.approx(loss[::2].sum())
    assert not half.gradient[0, 1::2].any()


def test_real_numbers_and_classes_by_mean_square():
    data = pim.Data(RNG.random((8, 3)), RNG.random(8), metric="rmse", split="train", name="reals")
    judged = Objective(data, Recipe()).judged(np.ones((2, 1), np.float32), np.array([0, 1]))
    assert judged.right is None
    assert judged.loss == pytest.approx(0.5 * np.square(1 - data.labels[:2]).sum(), rel=1e-5)
    outputs = np.zeros((1, 10), np.float32)
    square = Objective(DIGITS, Recipe(loss="mean square")).judged(outputs, np.array([0]))
    assert square.loss == pytest.approx(0.05)


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_the_teacher_has_its_share(share):
    outputs, teacher = RNG.standard_normal((2, 3, 10)).astype(np.float32)
    chosen = np.arange(3)
    plain = Objective(DIGITS, Recipe()).judged(outputs, chosen, teacher)
    mixed = Objective(DIGITS, Recipe(distil=share)).judged(outputs, chosen, teacher)
    whole = Objective(DIGITS, Recipe(distil=1)).judged(outputs, chosen, teacher)
    assert mixed.loss == pytest.approx((1 - share) * plain.loss + share * whole.loss)
    np.testing.assert_allclose(
        mixed.gradient, (1 - share) * plain.gradient + share * whole.gradient, atol=1e-6
    )


def test_what_cannot_be_judged_is_refused():
    with pytest.raises(TypeError, match="has no class labels"):
        Objective(DIGITS.inputs, Recipe())
    with pytest.raises(TypeError, match="are tokens, which have no mean square"):
        Objective(TEXT, Recipe(loss="mean square"))
    reals = pim.Data(RNG.random((8, 3)), RNG.random(8), metric="r2", split="train")
    with pytest.raises(TypeError, match="has no class labels"):
        Objective(reals, Recipe(loss="cross entropy"))
