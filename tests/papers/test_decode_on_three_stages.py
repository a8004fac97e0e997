"""papers/decode-on-three-stages: formulas against print, bounds kept, and what batching does on each stage."""

import numpy as np
from paper_checks import *  # noqa: F403  # the checks of every paper


def test_no_npu_beats_its_memory(ds):
    npu = ds.sel(target=["warboy", "rngd"])
    assert (1 / npu.latency <= npu.bound * 1.001).all()
    assert float((1 / npu.latency / npu.bound).max()) > 0.9, "one of them is bound by its memory"


def test_batching_saves_energy_on_the_npu_alone(ds):
    saved = (ds.energy.sel(batch=1) / ds.energy.sel(batch=16)).sel(model="llama2-7b", context=128)
    assert (saved.sel(target=["warboy", "rngd"]) > 5).all()
    # what a batch shares there is the host's: a ninth of the energy since banks are priced by source
    assert (saved.sel(target=["hbm-pim", "gddr6-aim"]) < 1.15).all()
    assert 1.1 < saved.sel(target="pcm-hermes") < 2, "its host's fixed costs are shared"


def test_longer_contexts_cost_more_everywhere(ds):
    for key in ("energy", "latency"):
        assert (np.diff(ds[key], axis=2) > 0).all()


def test_intervals_hold_the_nominal_values(ds):
    assert (ds.energy_low <= ds.energy).all()
    assert (ds.energy <= ds.energy_high).all()
    assert (ds.perplexity_low < ds.perplexity).all()
    assert (ds.perplexity < ds.perplexity_high).all()


def test_digital_stages_keep_the_perplexity_and_the_analog_one_pays(ds):
    relative = (ds.perplexity / ds.perplexity.sel(machine="ideal")).to_series()
    assert relative[["warboy", "hbm-pim"]].max() < 1.02
    assert 1.02 < relative["pcm-hermes"] < 1.6


def test_the_figure_draws(make, ds):
    assert len(make.draw(ds).axes) == 3
