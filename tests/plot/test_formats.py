"""The figure of formats: it draws, and its title names the cheapest format within the best one's interval."""

import numpy as np
import pytest
import xarray as xr

from pimlab.plot.formats import by_format


@pytest.mark.parametrize(
    ("metric", "values", "cheapest", "better"),
    [
        ("accuracy", [0.9, 0.89, 0.5], "int8", "higher"),
        ("r2", [0.9, 0.89, 0.5], "int8", "higher"),
        ("perplexity", [20.0, 20.5, 90.0], "int8", "lower"),
        ("rmse", [20.0, 20.5, 90.0], "int8", "lower"),
    ],
)
def test_the_title_names_the_cheapest_good_format(metric, values, cheapest, better):
    values = np.array(values)
    energy = np.array([[[4.0, 1], [9, 9]], [[2, 0.5], [9, 9]], [[1, 0.2], [9, 9]]]) * 1e-6
    ds = xr.Dataset(
        {
            metric: ("format", values, {"better": better}),
            f"{metric}_low": ("format", values * 0.95),
            f"{metric}_high": ("format", values * 1.05),
            **dict.fromkeys(
                ("energy", "energy_low", "energy_high"), (("format", "layer", "component"), energy)
            ),
        },
        coords={
            "format": ["fp16", "int8", "int4"],
            "layer": ["fc", "static warboy"],
            "component": ["SRAM", "MAC"],
        },
    )
    left, right = by_format(ds, metric).axes
    assert left.get_title().startswith(cheapest)
    assert right.get_title() == "SRAM takes 80% of it"
