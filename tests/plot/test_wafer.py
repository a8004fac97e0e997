"""Does a wafer show a die a chip, and its yield?"""

import numpy as np
import pytest
import xarray as xr

from pimlab import plot
from pimlab.plot.wafer import places


def chips(values, better="higher"):
    return xr.Dataset(
        {"accuracy": ("seed", values, {"better": better})}, coords={"seed": range(len(values))}
    )


@pytest.mark.parametrize("count", [1, 2, 12, 60])
def test_dies_do_not_overlap_and_lie_around_the_middle(count):
    x, y, side = places(count)
    assert len(set(zip(x, y, strict=True))) == count
    assert np.hypot(x, y).max() <= side / 2
    assert abs(x.mean()) <= 0.5
    assert abs(y.mean()) <= 0.5


def test_bad_dies_are_crossed_and_the_title_says_the_yield():
    left, right = plot.wafer(chips([0.9, 0.8, 0.95, 0.7]), least=0.85).axes[:2]
    assert left.get_title() == "50% of 4 chips keep 0.85"
    assert len(left.lines[0].get_xdata()) == 2
    assert right.get_xlabel() == "accuracy"
    worse = plot.wafer(chips([5.0, 9.0], "lower"), least=8.0).axes[0]
    assert worse.get_title() == "50% of 2 chips keep 8"


def test_without_a_limit_the_title_says_the_spread():
    assert plot.wafer(chips([0.9, 0.8])).axes[0].get_title() == "accuracy of 2 chips:\n0.8 to 0.9"


def test_other_dimensions_are_refused():
    with pytest.raises(TypeError, match="seed alone"):
        plot.wafer(chips([0.9]).expand_dims(at=[0, 1]))
    with pytest.raises(TypeError, match="over seed"):
        plot.wafer(xr.Dataset({"accuracy": 1.0}))


def test_a_metric_that_is_not_there_is_refused():
    with pytest.raises(TypeError, match="wafer takes a sweep with a metric"):
        plot.wafer(xr.Dataset(coords={"seed": [0, 1]}), metric="acuracy")
