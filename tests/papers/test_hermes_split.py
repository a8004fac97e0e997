"""papers/hermes-split: every target within its tolerance, the findings hold, and the figure draws."""

import numpy as np
import pytest
from paper_checks import *  # noqa: F403  # the checks of every paper

from pimlab.analog import TARGETS


def test_a_small_layer_does_not_pay_for_a_whole_core(ds):
    total = ds.energy.sel(bound="nominal").sum("component")
    assert float(total.sel(layer="27 x 16") / total.sel(layer="256 x 256")) < 0.2
    on = ds.idle_on.sel(bound="nominal").sum("component")
    assert float(on.sel(layer="27 x 16") / on.sel(layer="256 x 256")) > 0.9


def test_bits_values_rows_and_columns_change_the_answer(make, ds):
    total = ds.bit_energy.sel(bound="nominal").sum("component").values
    assert (np.diff(total) > 0).all()
    machine = TARGETS["pcm-hermes"]()
    w = np.random.default_rng(0).standard_normal((256, 256)).astype(np.float32)
    programmed = machine.program(w, 0)
    x = np.random.default_rng(1).uniform(-1, 1, (1, 256)).astype(np.float32)
    scarce = np.where(np.arange(256) % 4 == 0, x, 0).astype(np.float32)
    scarce[0, np.abs(x).argmax()] = x[0, np.abs(x).argmax()]
    assert programmed.integrals(scarce)["cell read"] < 0.5 * programmed.integrals(x)["cell read"]


def test_the_catalogue_holds_the_split(make):
    constants = dict(TARGETS["pcm-hermes"]().costs.constants)
    slots = {"ADC": 256 * constants["column slot"].value, "DAC": 256 * constants["row slot"].value,
             "rest of the macro": constants["array slot"].value}  # fmt: skip
    whole = sum(slots.values())
    shares = {part: amount / whole for part, amount in slots.items()}
    assert shares == pytest.approx(make.split(), abs=0.01)


def test_figure_draws(make, ds):
    assert "27 x 16" in make.draw(ds).axes[0].get_title()
