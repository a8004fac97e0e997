"""papers/mlperf-roofline: published rates over published peaks, every target within its tolerance, and the figure draws."""

import numpy as np
import pytest
from paper_checks import *  # noqa: F403  # the checks of every paper


def test_no_result_exceeds_its_peak_or_the_roof_with_resident_weights(ds):
    assert (ds.utilisation < 1).all()
    assert (ds.sustained <= np.minimum(ds.peak, ds.resident * ds.bandwidth)).all()


def test_warboy_cannot_have_fetched_all_weights_for_every_input(ds):
    offline = ds.sel(result="Warboy resnet50 Offline")
    assert float(offline.sustained) > float(offline.fetched * offline.bandwidth)
    assert float(offline.sustained) < float(ds.warboy_array_bound)


def test_rows_of_one_image_fill_the_slices(ds):
    assert float(ds.warboy_array_bound) / 64e12 == pytest.approx(0.975, abs=0.002)
    assert float(ds.warboy_array_bound_8) / 64e12 == pytest.approx(0.975, abs=0.002)


def test_the_figure_draws(make, ds):
    assert len(make.draw(ds).axes) == 2
