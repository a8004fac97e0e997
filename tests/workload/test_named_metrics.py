"""Is a metric found by its name, a function only with its direction, and everything else refused?"""

import numpy as np
import pytest

from pimlab.workload.metric import Metric, finite
from pimlab.workload.named_metrics import metric


@pytest.mark.parametrize(
    ("name", "called", "better"),
    [
        ("accuracy", "accuracy", "higher"),
        ("top-7", "top_7_accuracy", "higher"),
        ("r2", "r2", "higher"),
        ("rmse", "rmse", "lower"),
        ("average_precision", "average_precision", "higher"),
        ("character_error", "character_error", "lower"),
        ("word_error", "word_error", "lower"),
    ],
)
def test_names(name, called, better):
    found = metric(name)
    assert isinstance(found, Metric)
    assert (found.name, found.better) == (called, better)
    assert metric(found) is found
    with pytest.raises(ValueError, match=f"{found.better} is better of"):
        metric(name, {"higher": "lower", "lower": "higher"}[better])


def test_a_function_needs_its_direction():
    def bias(outputs, labels):
        return outputs[:, 0] - labels

    with pytest.raises(ValueError, match="which way is better"):
        metric(bias)
    found = metric(bias, "lower")
    made = found.contributions(np.array([[2.0], [4.0]]), np.array([1.0, 1.0]))
    assert found.summarise(made)[0] == 2
    assert (found.name, found.better) == ("bias", "lower")


def test_what_is_none_is_refused():
    with pytest.raises(ValueError, match="did you mean 'accuracy'"):
        metric("acuracy")
    with pytest.raises(ValueError, match="better='up'"):
        metric("r2", "up")
    for wrong in (3, None, dict):
        with pytest.raises(TypeError, match="allowed: a name"):
            metric(wrong)


def test_labels_and_outputs_are_finite_numbers():
    finite("m", "labels", np.arange(3))
    with pytest.raises(ValueError, match="2 non-finite"):
        finite("m", "labels", np.array([1, np.nan, np.inf]))
    with pytest.raises(ValueError, match="allowed: numbers"):
        finite("m", "labels", np.array(["a"]))
