"""papers/quantisation-sqnr: every target within its tolerance, theory met, and the figure draws."""

import numpy as np
from paper_checks import *  # noqa: F403  # the checks of every paper


def test_exact_expectation_of_microscaling(ds):
    known = np.isfinite(ds.block_theory)
    assert known.sum() == 6
    assert float(abs(ds.block - ds.block_theory).where(known).max()) < 0.06


def test_the_sine_closes_in_on_its_asymptote(ds):
    gap = (6.0206 * ds.bits + 1.7609 - ds.sine).values
    assert (np.diff(gap) < 0).all()
    assert gap[-1] < 0.1


def test_more_bits_are_never_worse(ds):
    for name in ("uniform", "sine", "gaussian"):
        assert (np.diff(ds[name]) > 5).all()


def test_figure_draws(make, ds):
    left, right = make.draw(ds).axes
    assert "6.02" in left.get_title()
    assert "11 dB" in right.get_title()
