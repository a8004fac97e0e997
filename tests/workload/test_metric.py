"""What must a metric answer, and what does every metric refuse?"""

import numpy as np
import pytest

from pimlab.workload.metric import Metric, finite


class Mean(Metric):
    name, long_name = "mean", "mean output"

    def contributions(self, outputs, labels):
        return np.asarray(outputs, float)

    def summarise(self, contributions):
        return float(contributions.mean()), 0.0, 1.0


def test_more_is_better_unless_a_metric_says_otherwise():
    assert Mean().better == "higher"


def test_chunks_are_summarised_together():
    one = Mean()
    parts = [one.contributions(part, None) for part in ([1.0, 2.0], [6.0])]
    assert one.summarise(np.concatenate(parts))[0] == 3


def test_labels_that_are_objects_are_refused():
    with pytest.raises(ValueError, match="mean: labels are objects"):
        Mean().check(np.array([{}, {}]))
    Mean().check(np.array(["a", "b"]))


def test_a_metric_without_its_two_steps_cannot_be_made():
    with pytest.raises(TypeError, match="abstract"):
        Metric()


def test_numbers_are_finite():
    with pytest.raises(ValueError, match="labels hold 1 non-finite values"):
        finite("rmse", "labels", np.array([1.0, np.inf]))
    with pytest.raises(ValueError, match="labels are <U1; allowed: numbers"):
        finite("rmse", "labels", np.array(["a"]))
