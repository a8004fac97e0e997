"""Figures of analog machines say what is on their axes and draw every line."""

import numpy as np
import xarray as xr

from pimlab.plot.analog import accuracy_and_adc, accuracy_over_time


def test_accuracy_over_time():
    ds = xr.Dataset(
        {"accuracy": (("rule", "seed", "at"), np.full((2, 3, 4), 0.9))},
        coords={"rule": ["a", "b"], "at": [0, 1, 60, 3600.0]},
    )
    axes = accuracy_over_time(ds, "rule", "finding").axes[0]
    assert axes.get_title() == "finding"
    assert axes.get_xscale() == "log"
    assert len(axes.lines) == 2


def test_accuracy_and_adc():
    shape = (("adc_bits", "cell", "seed"), np.full((3, 2, 2), 1e-9))
    names = ("accuracy", "adc_energy", "adc_energy_low", "adc_energy_high")
    ds = xr.Dataset(dict.fromkeys(names, shape), coords={"adc_bits": [4, 6, 8], "cell": ["x", "y"]})
    left, right = accuracy_and_adc(ds, "finding").axes
    assert (len(left.lines), len(right.lines)) == (2, 1)
    assert "nJ" in right.get_ylabel()
