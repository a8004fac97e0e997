"""papers/three-stages: no workload beats a published bound, the stages are told apart, and the figures draw."""

import numpy as np
from paper_checks import (  # noqa: F401
    test_nan_meets_no_row,
    test_readme_says_what_is_computed,
    test_readme_says_what_is_computed_at_full_size,
    test_targets,
)

ENDS = ("energy_low", "energy_high")


def test_a_streamed_model_is_bound_by_its_memory(make, ds, targets):
    found = make.reached(ds)
    bounds = {(row.quantity, row.condition): row.value for row in targets}
    assert bounds.keys() == found.keys()
    assert min(found.values()) > 0
    streaming = "weight and cache bytes a second", "warboy"
    assert found[streaming] > 0.9 * bounds[streaming]


def test_the_language_models_tell_the_stages_apart(ds):
    llama = ds.sel(workload="llama2-7b", traffic="one request").mean("seed")
    energy = llama.energy.where(ds.component != "static array").sum("component")
    assert (
        float(energy.sel(target="warboy"))
        > 2 * float(energy.sel(target="hbm-pim"))
        > 2 * 1.4 * float(energy.sel(target="pcm-hermes"))
    )
    # what 1,576 idle chips of HERMES draw is assumed, and decides between it and HBM-PIM
    banks = float(llama.energy.sel(target="hbm-pim").sum("component"))
    low, high = (llama[name].sel(target="pcm-hermes").sum("component") for name in ENDS)
    assert float(low) < banks < float(high)
    perplexity = ds.perplexity.sel(workload="small-lm").mean("seed")
    assert float(perplexity.sel(target="pcm-hermes").isel(at=-1)) > 1.2 * float(
        perplexity.sel(target="hbm-pim").isel(at=-1)
    )
    assert np.isnan(ds.accuracy.sel(workload=["small-lm", "llama2-7b"])).all()


def test_intervals_hold_the_nominal_value(ds):
    low, middle, high = (
        ds[name].sum("component") for name in ("energy_low", "energy", "energy_high")
    )
    assert ((low < middle) & (middle < high)).all()
    assert ((ds.assumed_share >= 0) & (ds.assumed_share <= 1)).all()
    waiting = ds.assumed_share.sel(traffic="1 % load")
    busy = ds.assumed_share.sel(traffic="saturation")
    more = waiting > busy
    assert (more | np.isclose(busy, 1)).all(), "waking is assumed"
    assert more.sel(target=["warboy", "hbm-pim"]).all()


def test_the_analog_chip_gains_most_by_being_busy(ds):
    """Its arrays read one position of an image at a time: replicas and streaming pay there."""
    energy = ds.energy.sum("component").mean("seed").sel(workload="fashion-cnn")
    gain = energy.sel(traffic="one request") / energy.sel(traffic="saturation")
    assert str(gain.target[int(gain.values.argmax())].item()) == "pcm-hermes"
    assert float(gain.max()) > 10


def test_a_large_model_stands_on_as_many_chips_as_hold_it(ds):
    chips = ds.chips.isel(seed=0).sel(workload="llama2-7b")
    assert dict(
        zip(chips.target.values.tolist(), chips.values.astype(int).tolist(), strict=True)
    ) == {
        "warboy": 1,
        "hbm-pim": 2,
        "pcm-hermes": 1576,
    }


def test_figures_and_tables_are_made(make, ds):
    figures = make.draw(ds)
    assert (
        figures["operating_points"].get_suptitle().startswith("Lowest nominal energy\none request")
    )
    titles = [ax.get_title() for ax in figures["energy_breakdown"].axes]
    assert titles == ds.workload.values.tolist()
    found = make.tables(ds)
    assert set(found) == {"quality", "energy", "assumed"}
    assert "| llama2-7b | pcm-hermes | 1,576 |" in found["energy"]
