"""Is the interval that between answers in the middle of a run, never below the busiest resource's work?"""

import numpy as np
import pytest

from pimlab.schedule.answer import is_static, pace


def test_one_inference_is_its_own_interval():
    assert pace(np.array([[1.0, 4.0, 3.0]]), 2.0) == (4.0, 4.0)


def test_the_middle_half_sets_the_pace():
    ends = np.cumsum([10, 9, 2, 2, 2, 2, 7, 8.0])  # slow while the pipeline fills and empties
    latency, interval = pace(ends[:, None], 0.5)
    assert latency == 10
    assert interval == pytest.approx((ends[5] - ends[2]) / 3) == 2
    assert pace(ends[:, None], 3.0)[1] == 3.0, "no resource works faster than its work"


def test_layers_of_static_power_are_told_by_their_name():
    assert is_static("static warboy")
    assert not is_static("conv1")
    assert not is_static(3)
