"""Does the figure of a life show what it is spent on, with intervals, and the wear?"""

import numpy as np
import pytest
import xarray as xr

from pimlab import plot


def spent(wear):
    names = ("life_energy", "life_energy_low", "life_energy_high")
    table = ([1e3, 0.0, 2e6], [5e2, 0.0, 1e6], [2e3, 0.0, 3e6])
    return xr.Dataset(
        {
            **{name: ("spent_on", values) for name, values in zip(names, table, strict=True)},
            "inferences": 1e9,
            "wear": wear,
        },
        coords={"spent_on": ["inference", "refresh", "static"]},
    )


def test_only_what_costs_is_drawn_with_its_interval():
    ax = plot.life(spent(0.25)).axes[0]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["inference", "static"]
    (bars,) = ax.containers
    np.testing.assert_allclose(bars.lines[2][0].get_segments()[1][:, 0], [1e6, 3e6])
    assert ax.get_title() == "2 MJ for 1e+09 inferences;\n0.25 of the cells' endurance used"


def test_unknown_wear_is_left_out_and_others_are_refused():
    assert plot.life(spent(np.nan)).axes[0].get_title() == "2 MJ for 1e+09 inferences"
    with pytest.raises(TypeError, match="service_life"):
        plot.life(xr.Dataset())
