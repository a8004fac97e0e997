"""Does a recipe say how the rate falls, where weights are cut and what a step writes?"""

import numpy as np
import pytest

from pimlab.workload.training import Recipe

RNG = np.random.default_rng(3)


def test_the_rate_rises_in_a_line_and_falls_by_its_schedule():
    assert [Recipe(schedule="constant").rate(i, 4) for i in range(4)] == [1, 1, 1, 1]
    assert [Recipe(schedule="linear").rate(i, 4) for i in range(4)] == [1, 0.75, 0.5, 0.25]
    np.testing.assert_allclose(
        [Recipe().rate(i, 4) for i in range(4)], 0.5 * (1 + np.cos(np.pi * np.arange(4) / 4))
    )
    warm = [Recipe(warm_up=0.5, schedule="linear").rate(i, 8) for i in range(8)]
    np.testing.assert_allclose(warm, [0.2, 0.4, 0.6, 0.8, 1, 0.75, 0.5, 0.25])


def test_weights_are_cut_at_so_many_root_mean_squares_of_their_column():
    w = np.array([[[3.0, 1.0], [4.0, -1.0], [0.0, 1.0], [0.0, -1.0]]], np.float32)
    Recipe(clip=1.2).clipped(w)
    np.testing.assert_allclose(w[0, :, 0], [3.0, 3.0, 0, 0])  # rms 2.5
    np.testing.assert_allclose(np.abs(w[0, :, 1]), 1.0)
    before = w.copy()
    Recipe().clipped(w)
    assert np.array_equal(w, before)


def test_a_step_writes_weights_with_errors_and_with_some_at_zero():
    w = np.array([[1.0, 4.0], [-2.0, 2.0]] * 2000, np.float32)

    def normals(shape):
        return RNG.standard_normal(shape).astype(np.float32)

    def uniforms(shape):
        return RNG.random(shape).astype(np.float32)

    assert Recipe().disturbed(w, normals, uniforms) is w
    errors = Recipe(noise=0.1).disturbed(w, normals, uniforms) - w
    np.testing.assert_allclose(errors.std(axis=0), [0.2, 0.4], rtol=0.05)
    dropped = Recipe(drop_connect=0.25).disturbed(w, normals, uniforms)
    assert (dropped == 0).mean() == pytest.approx(0.25, abs=0.02)
    assert np.array_equal(dropped[dropped != 0], w[dropped != 0])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"schedule": "cosin"}, "schedule='cosin'.*cosine"),
        ({"clip": 0}, "clip"),
        ({"clip": -2.5}, "clip"),
        ({"noise": -0.1}, "noise"),
        ({"drop_connect": 1.0}, "drop_connect"),
        ({"distil": 1.5}, "distil"),
        ({"temperature": 0}, "temperature"),
        ({"adapter": 0}, "adapter"),
        ({"warm_up": float("nan")}, "warm_up"),
        ({"adapter": 4, "clip": 2.0}, r"Recipe clip=2.0 with adapter=4"),
        ({"adapter": 4, "parameters": True}, r"Recipe parameters=True with adapter=4"),
    ],
)
def test_wrong_choices_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**given)
