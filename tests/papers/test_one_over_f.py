"""papers/one-over-f: draws keep what the spectrum says, which is neither white nor frozen; the figure draws."""

import numpy as np
from paper_checks import *  # noqa: F403  # the checks of every paper


def test_means_lie_between_white_and_frozen_noise(ds):
    one = ds.drawn.sel(reads=1000)
    assert (one > 10 * 1000**-0.5).all()
    assert (one < 0.97).all()
    assert (np.diff(one) > 0).all()  # the longer noise has accumulated, the less averages help


def test_parts_are_the_spectrum_as_far_as_the_readme_says(ds):
    off = np.abs(ds.correlation - ds.correlation_of_parts).max("lag")
    assert float(off[-1]) < 0.04
    assert float(off.max()) < 0.07
    assert float(np.abs(ds.exact - ds.parts).max()) < 0.04


def test_kept_by_hand(make):
    """Two reads of correlation 0.5: (1 + 0.5) / 2."""
    np.testing.assert_allclose(make.kept(np.array([1.0, 0.5])), [1, 0.75**0.5])


def test_figure_draws(make, ds):
    assert len(make.draw(ds).axes) == 2
