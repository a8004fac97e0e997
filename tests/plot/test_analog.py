"""Do figures of analog machines say what is on their axes, what is lost, and draw every line?"""

import numpy as np
import pytest
import xarray as xr

from pimlab.plot.analog import accuracy_and_adc, drift

TIMES = [0, 3600.0, 31557600.0]


def aged(better="higher", seeds=True):
    values = np.array([[[0.9, 0.8, 0.7], [0.9, 0.9, 0.8]], [[0.9, 0.9, 0.9], [0.9, 0.9, 0.8]]])
    dims = ("rule", "seed", "at") if seeds else ("rule", "at")
    return xr.Dataset(
        {"accuracy": (dims, values if seeds else values[:, 0], {"better": better})},
        coords={"rule": ["a", "b"], "at": TIMES},
    )


def test_drift_has_a_line_a_value_and_says_which_loses_least():
    axes = drift(aged(), "rule").axes[0]
    assert axes.get_title() == "rule b loses least,\naccuracy -5.0 points after 1 y"
    assert axes.get_xscale() == "log"
    assert [line.get_label() for line in axes.lines] == ["a", "b"]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0 s", "1 h", "1 y"]
    assert axes.lines[0].get_xdata()[0] == 1, "time 0 has a place on a logarithmic axis"
    assert "all seeds" in axes.get_ylabel()


def test_drift_names_none_that_seeds_disagree_on():
    """A third seed on which b loses more: both are shown, and neither is named."""
    two = aged()
    third = xr.zeros_like(two.isel(seed=0)) + xr.DataArray([0.0, 0.3], dims="rule")
    third = third * xr.DataArray([1.0, 1.0, 0.0], dims="at")
    three = xr.concat([two, third.expand_dims("seed")], "seed")
    three.accuracy.attrs["better"] = "higher"
    assert drift(three, "rule").axes[0].get_title() == "accuracy -13.3 to -10.0 points after 1 y"


def test_drift_of_one_seed_names_none():
    assert "loses" not in drift(aged(seeds=False), "rule").axes[0].get_title()


def test_drift_of_a_metric_where_less_is_better_names_the_other():
    assert drift(aged("lower"), "rule").axes[0].get_title().startswith("rule a loses least")


def test_drift_of_one_chip_is_shaded_by_its_interval():
    one = aged(seeds=False).sel(rule="a", drop=True)
    one["accuracy_low"], one["accuracy_high"] = one.accuracy - 0.1, one.accuracy + 0.05
    axes = drift(one).axes[0]
    shaded = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (shaded.min(), shaded.max()) == pytest.approx((0.6, 0.95))
    assert axes.get_title() == "accuracy -20.0 points after 1 y"


def test_what_has_no_times_or_metric_is_said():
    with pytest.raises(TypeError, match="several times"):
        drift(xr.Dataset())
    with pytest.raises(TypeError, match="no metric"):
        drift(xr.Dataset(coords={"at": TIMES}))
    with pytest.raises(ValueError, match="no dimension 'cell'"):
        drift(aged(), "cell")


def test_accuracy_and_adc():
    shape = (("adc_bits", "cell", "seed"), np.full((3, 2, 2), 1e-9))
    names = ("accuracy", "adc_energy", "adc_energy_low", "adc_energy_high")
    ds = xr.Dataset(dict.fromkeys(names, shape), coords={"adc_bits": [4, 6, 8], "cell": ["x", "y"]})
    left, right = accuracy_and_adc(ds, "finding").axes
    assert (len(left.lines), len(right.lines)) == (2, 1)
    assert "nJ" in right.get_ylabel()


def test_drift_needs_several_times():
    once = xr.Dataset({"accuracy": ((), 0.5)}, coords={"at": 0.0})
    with pytest.raises(TypeError, match="no 'accuracy' over several times"):
        drift(once, metric="accuracy")
