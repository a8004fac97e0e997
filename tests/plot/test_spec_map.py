"""Does the map have a panel for each window and drift, and a cross for each cell that fails?"""

import numpy as np
import pytest
import xarray as xr

from pimlab.plot import spec_map


def _made(kept):
    axes = {"window": [10.0, 100.0], "programming": [0.0, 0.1], "read": [0.0], "drift": [0.0]}
    accuracy = np.where(kept, 0.97, 0.5)[..., None]
    ds = xr.Dataset(
        {
            "accuracy": ((*axes, "seed"), accuracy, {"better": "higher"}),
            "kept": (tuple(axes), kept),
        },
        coords={**axes, "seed": [0]},
        attrs={"tolerance": 0.01},
    )
    return ds.assign(exact=0.98)


def test_a_panel_a_window_and_a_cross_a_failure():
    kept = np.array([True, False, True, True]).reshape(2, 2, 1, 1)
    fig = spec_map(_made(kept))
    panels = [ax for ax in fig.axes if ax.get_title()]
    assert [ax.get_title() for ax in panels] == ["window 10, drift 0", "window 100, drift 0"]
    assert [len(ax.lines) for ax in panels] == [1, 0]
    assert panels[0].lines[0].get_xdata()[0] == 1


def test_another_dataset_is_refused():
    with pytest.raises(TypeError, match="device_spec_map"):
        spec_map(xr.Dataset({"accuracy": 1.0}))
