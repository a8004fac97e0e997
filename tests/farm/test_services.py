"""Is a service's demand what its day and its growth say, and is one without a bound refused?"""

import numpy as np
import pytest

from pimlab import farm

BASE = {"name": "s", "model": "digits-mlp", "rate": "10 Hz", "latency": "1 ms"}


def test_demand_grows_by_the_year():
    one = farm.Service(**BASE, growth=0.5, since=2025, day=(0.5, 1.0))
    assert one.peak(2025) == 10
    assert one.peak(2027) == pytest.approx(22.5)
    assert one.mean == 0.75
    assert one.tokens == 1


def test_the_assumed_day_has_24_hours_and_a_peak():
    assert len(farm.DAY) == 24
    assert max(farm.DAY) == 1
    assert 0.2 < np.mean(farm.DAY) < 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"ttft": "1 s", "tpot": "1 s"}, "allowed: latency alone, or ttft and tpot"),
        ({"latency": None}, "allowed: latency alone, or ttft and tpot"),
        ({"latency": None, "ttft": "1 s"}, "allowed: latency alone, or ttft and tpot"),
        ({"day": (0.5, 0.9)}, "allowed: shares from 0 to 1, the highest 1"),
        ({"day": ()}, "allowed: shares from 0 to 1"),
        ({"floor": 0.9}, "floor=0.9 of which metric"),
        ({"isolation": "vm"}, "not one of card, machine, container"),
        ({"rate": "0 Hz"}, "outside above 0 Hz"),
    ],
)
def test_bad_services_are_refused(change, says):
    with pytest.raises(ValueError, match=says):
        farm.Service(**{**BASE, **change})
