"""Do operators stand under the roof, marked by what limits them?"""

import numpy as np
import pytest
import xarray as xr

from pimlab import plot


@pytest.fixture
def ds():
    names = ("intensity", "achieved", "attainable", "utilisation")
    table = [[10.0, 100.0, np.inf], [1e9, 8e9, 9e9], [1e9, 1e10, 1e10], [0.1, 0.8, 0.9]]
    return xr.Dataset(
        {
            **{name: ("layer", values) for name, values in zip(names, table, strict=True)},
            "bound": ("layer", ["memory", "array", "compute"]),
        },
        coords={"layer": ["a", "b", "c"]},
        attrs={"target": "npu", "peak": 1e10, "ridge": 100.0},
    )


def test_each_operator_has_a_point_and_the_roof_bends_at_the_ridge(ds):
    ax = plot.roofline(ds).axes[0]
    roof, ridge, *points = ax.lines
    assert np.interp(100, *roof.get_data()) == pytest.approx(1e10, rel=0.1)
    assert np.interp(20, *roof.get_data()) == pytest.approx(2e9, rel=0.02)
    assert ridge.get_xdata()[0] == 100
    assert {line.get_label() for line in points} == {"memory", "array", "compute"}
    places = {line.get_label(): line.get_xdata()[0] for line in points}
    assert places["memory"] == 10
    assert places["compute"] > 100, "no traffic: at the right end"


def test_the_title_says_what_waits_for_memory(ds):
    title = plot.roofline(ds).axes[0].get_title()
    assert (
        title
        == "npu: 1 of 3 operators wait for memory\n(ridge at 100 op/B); the best reaches 90 % of the peak"
    )
    with pytest.raises(TypeError, match=r"npu\.roofline"):
        plot.roofline(ds.drop_vars("bound"))
