"""Are Adam's steps those of its paper?"""

import numpy as np
import pytest

from pimlab.workload.training.optimiser import Adam


def test_the_first_step_is_the_rate_whatever_the_gradient():
    """m / sqrt(v) after correction is the sign of the gradient."""
    values = {"w": np.zeros(3, np.float32)}
    Adam().start().step(values, {"w": np.array([1e-3, -5.0, 0.0], np.float32)}, 0.1)
    assert values["w"] == pytest.approx([-0.1, 0.1, 0.0], rel=1e-3)


def test_three_steps_by_the_algorithm():
    rule, values = Adam(first=0.8, second=0.9), {"w": np.ones(1, np.float32)}
    state, w, m, v = rule.start(), 1.0, 0.0, 0.0
    for t, g in enumerate((0.5, -0.25, 2.0), start=1):
        state.step(values, {"w": np.array([g], np.float32)}, 0.01)
        m, v = 0.8 * m + 0.2 * g, 0.9 * v + 0.1 * g * g
        w -= 0.01 * (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.9**t)) + 1e-8)
    assert values["w"][0] == pytest.approx(w, rel=1e-5)


def test_names_have_moments_of_their_own():
    values = {name: np.zeros(1, np.float32) for name in "ab"}
    state = Adam().start()
    state.step(values, {"a": np.ones(1, np.float32)}, 0.1)
    assert values["b"] == 0
    assert values["a"] != 0


@pytest.mark.parametrize("wrong", [{"first": 1.0}, {"second": -0.1}, {"smallest": 0.0}])
def test_constants_outside_their_range(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Adam(**wrong)
