"""Is a layer's error that of its outputs, and does each weight's error go to those that follow as the inverse says?"""

import numpy as np
import pytest

from pimlab.workload.transform import layer
from pimlab.workload.transform.layer import Compressed

RNG = np.random.default_rng(6)
W = RNG.normal(size=(20, 4)).astype(np.float32)
X = (RNG.normal(size=(90, 20)) @ RNG.normal(size=(20, 20))).astype(np.float32)
ONES = np.ones(20, np.float32)


def test_the_error_is_relative_to_the_outputs():
    assert layer.output_error(X, W, Compressed(W, ONES)) == 0
    assert layer.output_error(X, W, Compressed(0 * W, ONES)) == pytest.approx(1)
    assert layer.output_error(X, W, Compressed(1.1 * W, ONES)) == pytest.approx(0.01, rel=1e-4)


def test_inputs_divided_before_are_weights_multiplied():
    scale = RNG.random(20).astype(np.float32) + 0.5
    held = Compressed(W * scale[:, None], scale)
    np.testing.assert_allclose(held.effective, W, rtol=1e-6)
    assert held.sparsity == 0


def test_the_factor_is_that_of_the_inverse():
    factor = layer.inverse_factor(X, 0.1, "t")
    h = X.astype(float).T @ X.astype(float)
    h += 0.1 * np.diag(h).mean() * np.eye(20)
    np.testing.assert_allclose(factor.T @ factor, np.linalg.inv(h), rtol=1e-6, atol=1e-12)
    assert (np.tril(factor, -1) == 0).all()
    np.testing.assert_array_equal(layer.inverse_factor(X, np.inf, "t"), np.eye(20))
    with pytest.raises(ValueError, match="damping=0"):
        layer.inverse_factor(X, 0, "t")


@pytest.mark.parametrize("block", [4, 8, 128])
def test_errors_are_made_up_as_if_row_by_row(block, monkeypatch):
    """Optimal brain surgery: after each row the best of those left, by least squares."""
    monkeypatch.setattr(layer, "BLOCK", block)
    left = W.astype(float)
    factor = layer.inverse_factor(X, 0.01, "t")
    made = layer.made_up(left, factor, 1, lambda i: np.rint(left[i]))
    h = X.astype(float).T @ X.astype(float)
    h += 0.01 * np.diag(h).mean() * np.eye(20)
    wanted = W.astype(float)
    for i in range(20):
        rounded = np.rint(wanted[i])
        change = rounded - wanted[i]
        # minimise the change of the outputs over the rows that are still free
        wanted[i + 1 :] -= (
            np.linalg.solve(h[i + 1 :, i + 1 :], np.outer(h[i + 1 :, i], change)) if i < 19 else 0
        )
        wanted[i] = rounded
    np.testing.assert_array_equal(made, wanted)


def test_the_candidate_is_judged_on_rows_it_has_not_seen():
    seen = []

    def make(rows, each):
        seen.append(len(rows))
        return Compressed(W * np.float32(each), ONES)

    assert layer.chosen(X, W, make, [0.5, 1.1, 0.9]) == 0.9, "of equals the later"
    assert seen == [45, 45, 45]
    assert layer.chosen(X[:1], W, make, [1, 2]) == 2


@pytest.mark.parametrize(
    ("w", "x", "match"),
    [
        (W[0], None, "weights have shape"),
        (W * np.nan, None, "finite"),
        (W, X[:, :3], "calibration inputs"),
        (W, X[:0], "calibration inputs"),
    ],
)
def test_what_does_not_fit_is_refused(w, x, match):
    with pytest.raises(ValueError, match=match):
        layer.checked(w, x, "t")
