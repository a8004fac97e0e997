"""Does a swept metric have a line a value, its seeds shaded, and a title that says the best?"""

import numpy as np
import pytest
import xarray as xr

from pimlab.plot import swept


def answer(kind="higher"):
    values = np.array([[[0.5, 0.7], [0.9, 0.9]], [[0.4, 0.4], [0.6, 0.8]]])
    return xr.Dataset(
        {"accuracy": (("wires", "bits", "seed"), values, {"better": kind})},
        coords={"wires": ["none", "copper"], "bits": [4, 6], "seed": [0, 1]},
    )


def test_a_line_a_value_and_the_mean_over_seeds():
    axes = swept(answer()).axes[0]
    assert [line.get_label() for line in axes.lines] == ["wires=none", "wires=copper"]
    assert axes.lines[0].get_ydata() == pytest.approx([0.6, 0.9])
    assert axes.get_xlabel() == "bits"
    assert "all seeds" in axes.get_ylabel()


def test_the_title_says_where_it_is_best():
    assert swept(answer()).axes[0].get_title() == "accuracy 0.5 to 0.8; best at bits=6"
    assert swept(answer("lower")).axes[0].get_title().endswith("best at bits=4")


def test_values_out_of_order_are_drawn_in_order():
    axes = swept(answer().isel(bits=[1, 0], wires=0, seed=0, drop=True)).axes[0]
    assert list(axes.lines[0].get_xdata()) == [4, 6]
    assert axes.get_ylabel() == "accuracy"


def test_what_is_no_sweep_of_numbers_is_refused():
    with pytest.raises(TypeError, match="no metric over a swept number"):
        swept(xr.Dataset({"accuracy": ("wires", [1.0], {"better": "higher"})}))
    with pytest.raises(ValueError, match="did you mean 'bits'"):
        swept(answer(), "bit")
