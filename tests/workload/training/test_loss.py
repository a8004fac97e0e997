"""Are the losses what they are by hand, and their gradients their slopes?"""

import itertools

import numpy as np
import pytest

from pimlab.workload.edit_errors import collapsed
from pimlab.workload.training import ctc, distillation, mean_square

RNG = np.random.default_rng(9)


def test_mean_square_by_hand():
    outputs = np.array([[1.0, 2.0], [0.0, 0.0]], np.float32)
    loss, slope = mean_square(outputs, np.array([[0.0, 4.0], [0.0, 1.0]]))
    np.testing.assert_allclose(loss, [0.5 * (1 + 4) / 2, 0.25])
    np.testing.assert_allclose(slope, [[0.5, -1.0], [0.0, -0.5]])
    one, _ = mean_square(np.array([[3.0]], np.float32), np.array([1.0]))
    np.testing.assert_allclose(one, [2.0])
    with pytest.raises(ValueError, match=r"outputs \(2, 2\) and labels \(2,\)"):
        mean_square(outputs, np.array([0.0, 1.0]))
    with pytest.raises(ValueError, match="1 non-finite"):
        mean_square(np.array([[np.inf]], np.float32), np.array([0.0]))


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_distillation_is_a_divergence_and_its_gradient_a_slope(temperature):
    outputs, teacher = RNG.standard_normal((2, 4, 5)).astype(np.float32)
    same, flat = distillation(teacher, teacher, temperature)
    np.testing.assert_allclose(same, 0, atol=1e-12)
    np.testing.assert_allclose(flat, 0, atol=1e-7)
    loss, slope = distillation(outputs, teacher, temperature)
    assert (loss > 0).all()
    way = RNG.standard_normal(outputs.shape).astype(np.float32)
    up, down = (
        distillation(outputs + sign * np.float32(1e-3) * way, teacher, temperature)[0]
        for sign in (1, -1)
    )
    np.testing.assert_allclose((up - down) / 2e-3, (slope * way).sum(axis=1), rtol=2e-3, atol=1e-4)
    p = np.exp(teacher / temperature) / np.exp(teacher / temperature).sum(1, keepdims=True)
    q = np.exp(outputs / temperature) / np.exp(outputs / temperature).sum(1, keepdims=True)
    np.testing.assert_allclose(loss, temperature**2 * (p * np.log(p / q)).sum(1), rtol=1e-4)
    with pytest.raises(ValueError, match="distillation: outputs"):
        distillation(outputs, teacher[:, :3], temperature)


@pytest.mark.parametrize("temperature", [0.0, np.nan, 1e300])
def test_a_temperature_is_a_number_of_some_size(temperature):
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match="distillation temperature="):
        distillation(x, x, temperature)


def test_ctc_by_every_way_to_spell():
    """Against the sum over all 4**4 rows of characters that collapse to the label."""
    rng = np.random.default_rng(8)
    outputs = rng.standard_normal((3, 4, 4)).astype(np.float32)
    labels = np.array([[2, 3, 0], [1, 1, 0], [0, 0, 0]])
    loss, slope = ctc(outputs, labels)
    shares = np.exp(outputs.astype(float))
    shares /= shares.sum(axis=2, keepdims=True)
    for i, wanted in enumerate(labels):
        chance, through = 0.0, np.zeros((4, 4))
        for way in itertools.product(range(4), repeat=4):
            if np.array_equal(collapsed(np.array(way)), wanted[wanted > 0]):
                one = np.prod([shares[i, step, c] for step, c in enumerate(way)])
                chance += one
                through[np.arange(4), way] += one
        assert loss[i] == pytest.approx(-np.log(chance), rel=1e-6)
        np.testing.assert_allclose(slope[i], shares[i] - through / chance, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "labels", "words"),
    [
        ((1, 4), [[1]], r"outputs \(1, 4\) and labels \(1, 1\)"),
        ((1, 2, 4), [[1, 1]], "2 letters with a blank between equal ones do not fit in 2 steps"),
        ((1, 4, 4), [[4]], r"within 0\.\.4; allowed: integers within 0\.\.3"),
        ((1, 4, 4), [[-1]], r"within -1\.\.0"),
    ],
)
def test_lines_that_ctc_cannot_spell(shape, labels, words):
    with pytest.raises(ValueError, match=words):
        ctc(np.zeros(shape, np.float32), np.array(labels))
