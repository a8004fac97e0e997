"""Does each rule remove the weights that its paper says, as many as asked, and no others?"""

import numpy as np
import pytest

from pimlab.workload.transform.layer import output_error
from pimlab.workload.transform.pruning import magnitude, sparse_gpt, wanda

RNG = np.random.default_rng(5)
W = RNG.normal(size=(64, 12)).astype(np.float32)
X = (RNG.normal(size=(200, 64)) * np.logspace(-1, 1, 64)).astype(np.float32)
MIXED = (X @ (np.eye(64) + 0.5 * RNG.normal(size=(64, 64)))).astype(np.float32)


@pytest.mark.parametrize("rule", [magnitude, wanda, sparse_gpt])
@pytest.mark.parametrize(("pattern", "kept"), [(0.5, 384), (0.25, 576), ("2:4", 384), ("1:4", 192)])
def test_as_many_are_kept_as_asked(rule, pattern, kept):
    made = rule(W, pattern=pattern) if rule is magnitude else rule(W, X, pattern)
    assert made.mask.sum() == kept == np.count_nonzero(made.w)
    assert made.sparsity == pytest.approx(1 - kept / W.size)
    if isinstance(pattern, str):
        assert (made.mask.reshape(16, 4, 12).sum(axis=1) == int(pattern[0])).all()


def test_magnitude_keeps_the_largest():
    made = magnitude(W, 0.5)
    assert np.abs(W[made.mask]).min() >= np.abs(W[~made.mask]).max()
    np.testing.assert_array_equal(made.w[made.mask], W[made.mask])


def test_wanda_scores_by_the_norm_of_the_input():
    made = wanda(W, X, 0.5, within="output", power=1.0)
    score = np.abs(W) * np.linalg.norm(X, axis=0)[:, None]
    for column in range(12):
        kept, gone = score[made.mask[:, column], column], score[~made.mask[:, column], column]
        assert kept.min() >= gone.max()
    assert output_error(X, W, made) < output_error(X, W, magnitude(W, 0.5)) / 2


def test_sparse_gpt_makes_up_for_what_it_removes():
    made = sparse_gpt(W, MIXED, 0.5, damping=0.01)
    assert output_error(MIXED, W, made) < 0.7 * output_error(MIXED, W, wanda(W, MIXED, 0.5))
    assert not np.array_equal(made.w[made.mask], W[made.mask]), "kept weights take up the errors"


@pytest.mark.parametrize(
    ("pattern", "match"),
    [("4:2", "kept of"), ("2:5", "does not divide"), (1.0, "outside"), ("half", "kept of")],
)
def test_patterns_that_cannot_be_are_refused(pattern, match):
    with pytest.raises(ValueError, match=match):
        magnitude(W, pattern)
    with pytest.raises(ValueError, match="within"):
        wanda(W, X, within="column")
