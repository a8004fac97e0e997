"""papers/three-stages: no workload beats a published bound, the stages are told apart, and the figures draw."""

import numpy as np
from paper_checks import test_nan_meets_no_row, test_targets  # noqa: F401


def test_a_streamed_model_is_bound_by_its_memory(make, ds, targets):
    found = make.reached(ds)
    bounds = {(row.quantity, row.condition): row.value for row in targets}
    assert bounds.keys() == found.keys()
    assert min(found.values()) > 0
    streaming = "weight and cache bytes a second", "warboy"
    assert found[streaming] > 0.9 * bounds[streaming]


def test_the_language_models_tell_the_stages_apart(ds):
    energy = ds.energy.sum("component").mean("seed").sel(workload="llama2-7b")
    assert (
        float(energy.sel(target="warboy"))
        > 2 * float(energy.sel(target="hbm-pim"))
        > 4 * float(energy.sel(target="pcm-hermes"))
    )
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
    assert ((ds.assumed_share > 0) & (ds.assumed_share <= 1)).all()


def test_figures_draw(make, ds):
    figures = make.draw(ds)
    assert (
        figures["accuracy_against_energy"]
        .get_suptitle()
        .startswith("Lowest nominal energy: stage 1 on")
    )
    assert [
        ax.get_title() for ax in figures["energy_breakdown"].axes
    ] == ds.workload.values.tolist()
