"""Accuracy and its interval."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimlab.workload import Accuracy


def test_accuracy_counts_the_largest_output():
    outputs = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]])
    np.testing.assert_array_equal(Accuracy().contributions(outputs, np.array([1, 0, 0])), [1, 1, 0])


def test_wilson_interval_by_hand():
    value, low, high = Accuracy().summarise(np.array([1.0] * 8 + [0.0] * 2))
    # Wilson 1927 for 8 of 10 at z = 1.96: (0.4902, 0.9433)
    assert value == 0.8
    np.testing.assert_allclose([low, high], [0.49016, 0.94332], atol=1e-5)


@given(st.integers(1, 500), st.data())
def test_the_interval_holds_the_value_and_stays_in_zero_to_one(n, drawn):
    right = drawn.draw(st.integers(0, n))
    value, low, high = Accuracy().summarise(np.array([1.0] * right + [0.0] * (n - right)))
    assert 0 <= low <= value <= high <= 1
    assert high - low > 0


def test_no_samples_and_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="accuracy of no samples"):
        Accuracy().summarise(np.array([]))
    with pytest.raises(ValueError, match=r"outputs \(3,\) and labels \(3,\)"):
        Accuracy().contributions(np.zeros(3), np.zeros(3))
