"""papers/cent: latency, energy and power of every split of CENT, without a fitted constant."""

import numpy as np
from paper_checks import *  # noqa: F403  # the checks of every paper


def test_more_tensor_parallelism_is_faster_and_costs_energy(ds):
    decoding = ds.where((ds.phase == "decoding") & (ds.model == "llama2-7b"), drop=True)
    ordered = decoding.sortby("pipeline")
    assert (ordered.latency.diff("case") > 0).all()
    assert (ordered.energy.diff("case") < 0).all()


def test_standby_of_all_channels_costs_more(ds):
    more = ds.with_standby / ds.energy
    assert (more > 1.1).all()
    assert (more < 1.5).all()


def test_the_figure_draws(make, ds):
    assert len(make.draw(ds).axes) == 1


def test_the_quick_contexts_have_the_mean_of_all(make):
    for phase in make.PHASES:
        means = [np.mean(make.contexts(phase, quick)) for quick in (True, False)]
        assert means[0] == means[1]
