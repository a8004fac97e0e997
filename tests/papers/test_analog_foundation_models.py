"""papers/analog-foundation-models: the machines have the published noise, trainings differ, and the figure draws."""

import numpy as np
import pytest
from paper_checks import *  # noqa: F403  # the checks of every paper


def test_noise_costs_perplexity_on_every_model(ds):
    exact, noisy = (
        ds.perplexity.sel(machine=name).mean() for name in ("SI8-W16-O8", "noise, one ADC range")
    )
    assert 5 < float(exact) < float(noisy) < 60  # 64 tokens, without much context


def test_trainings_make_different_models(ds):
    assert len(np.unique(ds.perplexity.sel(machine="W4A8"))) == ds.sizes["training"]


def test_the_machines_are_those_of_the_authors_configuration(make):
    shared, own = make.machine("noise, one ADC range"), make.machine("noise, ADC range a tile")
    assert shared.cell.name == own.cell.name == "pcm-buchel2025"
    assert (shared.adc.range, shared.adc.margin, shared.dac.bits) == ("fixed", 14.0, 8)
    assert make.machine("SI8-W16-O8").cell is None
    assert make.machine("W4A8").arithmetic.weights == "int4"


def test_figure_draws(make, ds):
    assert "training" in make.draw(ds).axes[0].get_title()


def _two_seeds(make, better):
    """Two trainings on three sets of cells, the second better by `better` on each machine."""
    first = np.tile([20.0, 20.5, 21.0], (4, 1))
    return make.joined({"noise": first, "clip 2.5": first - np.reshape(better, (4, 3))})


def test_differences_are_taken_on_the_same_cells(make):
    text = make.differences(_two_seeds(make, [0, 0, 0, 1, 2, 3, 1, -1, 0, 0, 0, 0]))
    assert "| noise - clip 2.5 | +2.000 +- 0.577, 3/3 | +0.000 +- 0.577, 1/3 |" in text
    assert "clip 3" not in text


@pytest.mark.full
def test_the_ordering_at_full_size(make):
    found = make.compute().perplexity.sel(machine="noise, one ADC range")
    assert found.sizes["seed"] == 10
    noise, clipped = (found.sel(training=name) for name in ("noise", "clip 2.5"))
    assert (clipped < noise).all()
    assert noise.mean() < found.sel(training="as it was").mean()
