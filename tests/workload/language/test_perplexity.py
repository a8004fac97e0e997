"""Perplexity and its interval: by hand, in any chunks, and covering what it should."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimlab.workload.language.perplexity import BLOCK, Perplexity, windows_of

METRIC = Perplexity()


def test_a_constant_surprise_is_its_exponential():
    outputs, labels = np.full((3, 40), np.log(7.0), np.float32), np.ones((3, 40), bool)
    assert METRIC.summarise(METRIC.contributions(outputs, labels)) == pytest.approx((7.0, 7.0, 7.0))


def test_what_is_not_scored_does_not_count():
    outputs, labels = np.full((2, 40), np.log(3.0), np.float32), np.ones((2, 40), bool)
    outputs[1, 5:], labels[1, 5:] = np.nan, False
    contributions = METRIC.contributions(outputs, labels)
    assert contributions[:, 1].tolist() == [32, 8, 5]
    assert METRIC.summarise(contributions)[0] == pytest.approx(3.0)


@given(st.integers(1, 6), st.integers(2, 90), st.integers(0, 1000))
def test_chunks_add_up(windows, context, seed):
    outputs = np.random.default_rng(seed).gamma(2, 1, (windows, context))
    labels = np.ones(outputs.shape, bool)
    whole = METRIC.contributions(outputs, labels)
    parts = np.concatenate(
        [METRIC.contributions(outputs[i : i + 2], labels[i : i + 2]) for i in range(0, windows, 2)]
    )
    np.testing.assert_array_equal(whole, parts)
    value, low, high = METRIC.summarise(whole)
    assert value == pytest.approx(np.exp(outputs.mean()))
    assert np.isnan(low) if len(whole) == 1 else low <= value <= high


def test_the_interval_covers_the_truth_as_often_as_it_says():
    surprise = np.random.default_rng(0).gamma(2.0, 1.0, (1500, 20, BLOCK))
    intervals = [
        METRIC.summarise(METRIC.contributions(s, np.ones(s.shape, bool)))[1:] for s in surprise
    ]
    covered = np.mean([low <= np.exp(2.0) <= high for low, high in intervals])
    assert 0.91 < covered < 0.97


def test_windows_predict_every_token_once():
    windows, scored = windows_of(np.arange(12), 5)
    assert windows.tolist() == [[0, 1, 2, 3, 4, 5], [5, 6, 7, 8, 9, 10], [10, 11, 11, 11, 11, 11]]
    assert windows[:, 1:][scored].tolist() == list(range(1, 12))
    assert windows_of(np.arange(11), 5)[0].shape == (2, 6)


def test_windows_that_begin_with_a_token_predict_the_first_one_too():
    windows, scored = windows_of(np.arange(7), 5, start=99)
    assert windows.tolist() == [[99, 0, 1, 2, 3, 4], [99, 5, 6, 6, 6, 6]]
    assert windows[:, 1:][scored].tolist() == list(range(7))
    with pytest.raises(ValueError, match="a text of 0 tokens predicts nothing; allowed: one token"):
        windows_of(np.array([], int), 5, start=99)


def test_wrong_shapes_and_empty_texts_are_refused():
    with pytest.raises(ValueError, match=r"outputs have shape \(2, 3\), labels \(2, 4\)"):
        METRIC.contributions(np.zeros((2, 3)), np.zeros((2, 4), bool))
    with pytest.raises(ValueError, match="a text of 1 tokens predicts nothing"):
        windows_of(np.array([4]), 5)
