"""Are the 95 % intervals those of the formulas named, and do they hold the truth as often as they say?"""

import numpy as np
import pytest

from pimlab.workload import intervals

RNG = np.random.default_rng(8)


def test_a_ratio_and_its_half_interval_by_hand():
    counts, sizes = np.array([1.0, 0, 2, 3]), np.array([4.0, 2, 5, 5])
    value, half = intervals.ratio(counts, sizes)
    assert value == 6 / 16
    left = counts - value * sizes
    assert half == pytest.approx(1.959964 * np.sqrt(4 / 3 * (left @ left)) / 16, rel=1e-5)
    assert np.isnan(intervals.ratio(counts[:1], sizes[:1])[1])
    for wrong in ([], [0.0, 0.0]):
        with pytest.raises(ValueError, match="ratio over"):
            intervals.ratio(np.zeros(len(wrong)), np.array(wrong))


def test_intervals_hold_the_truth_nine_to_ten_times_in_ten():
    hit = np.zeros(3)
    for _ in range(200):
        right = (RNG.random(80) < 0.8).astype(float)
        _, low, high = intervals.proportion(right)
        hit[0] += low <= 0.8 <= high
        value, half = intervals.ratio(right, np.ones(80))
        hit[1] += abs(value - 0.8) <= half
        weigh = lambda w, r=right: (w * r).sum(axis=1) / w.sum(axis=1)  # noqa: E731
        low, high = intervals.bootstrap(weigh, 80)
        hit[2] += low <= 0.8 <= high
    assert (hit / 200 > 0.89).all(), hit
    assert (hit / 200 < 0.995).all(), hit


def test_a_bootstrap_is_the_same_in_every_call():
    values = RNG.normal(size=30)
    mean = lambda w: (w @ values) / w.sum(axis=1)  # noqa: E731
    assert intervals.bootstrap(mean, 30) == intervals.bootstrap(mean, 30)
    assert np.isnan(intervals.bootstrap(mean, 1)).all()


def test_the_jackknife_of_a_mean_is_its_standard_error():
    values = RNG.normal(size=50)
    without = (values.sum() - values) / 49
    low, high = intervals.jackknife(values.mean(), without)
    assert high - low == pytest.approx(2 * 1.959964 * values.std(ddof=1) / np.sqrt(50), rel=1e-5)
