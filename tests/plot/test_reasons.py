"""Do figures of reasons show what is sure, and what would change an order?"""

import numpy as np
import pytest
import xarray as xr

import pimlab as pim
from pimlab import plot


def story(first, last, shapley):
    """An explanation with these changes, (seed, cause)."""
    parts = {"first": first, "last": last, "shapley": shapley}
    return xr.Dataset(
        {f"accuracy_{name}": (("seed", "cause"), np.array(v, float)) for name, v in parts.items()},
        coords={"cause": ["drift", "adc"], "seed": range(len(first))},
    )


SURE = [[-0.1, 0.01], [-0.12, -0.02], [-0.11, 0.01]]


def test_only_causes_of_one_sign_in_every_order_are_sure():
    ax = plot.causes(story(SURE, SURE, SURE)).axes[0]
    assert ax.get_title() == "Whatever the order: drift"
    turned = [[-one[0], one[1]] for one in SURE]
    assert "no cause" in plot.causes(story(SURE, turned, SURE)).axes[0].get_title()
    assert plot.causes(story(SURE[:1], SURE[:1], SURE[:1])).axes[0].get_title().startswith("One")


def test_prices_that_change_the_order_are_of_another_colour():
    found = xr.Dataset(
        {
            "energy": ("target", [1.0, 2.0]),
            "moved": (
                ("price", "end", "target"),
                [[[0.5, 2.0], [3.0, 2.0]], [[1.0, 1.9], [1.0, 2.1]]],
            ),
            "reorders": (("price", "end"), [[False, True], [False, False]]),
        },
        coords={"target": ["a", "b"], "price": ["p", "q"], "end": ["low", "high"]},
    )
    ax = plot.prices(found).axes[0]
    assert ax.get_title() == "1 of 2 assumed prices can change the order"
    assert len({bar.get_facecolor() for bar in ax.patches}) == 2
    assert [text.get_text() for text in ax.get_yticklabels()] == ["p (a)", "q (b)"]


def test_differences_are_drawn_by_reason():
    model = pim.load_model("digits-mlp")
    one, two = (pim.run(model, pim.target(name)) for name in ("warboy", "rngd"))
    why = pim.compare_results(one, two)
    ax = why.pim.plot().axes[0]
    widths = [bar.get_width() for bar in ax.patches]
    assert sum(widths) == pytest.approx(float(why.energy_change.isel(reason=slice(10)).sum()))


def test_other_datasets_are_refused():
    for draw in (plot.causes, plot.prices, plot.differences):
        with pytest.raises(TypeError):
            draw(xr.Dataset())
