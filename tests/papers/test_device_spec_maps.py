"""papers/device-spec-maps: more error never helps much, tolerated errors are read off lines; the figure draws."""

import numpy as np
import pytest
import xarray as xr
from paper_checks import *  # noqa: F403  # the checks of every paper


def _lines(accuracy):
    return xr.Dataset(
        {
            "by_coding": (("coding", "window", "programming", "seed"), [[[[a] for a in accuracy]]]),
            "exact": ((), 1.0),
        },
        coords={"coding": ["offset"], "window": [10.0], "programming": [0.0, 0.1, 0.2]},
    )


@pytest.mark.parametrize(
    ("accuracy", "error"),
    [([1.0, 0.98, 0.5], 0.05), ([1.0, 0.995, 0.985], 0.15), ([0.9, 0.9, 0.9], 0.0)],
)
def test_tolerated_error_by_hand(make, accuracy, error):
    assert make.tolerated(_lines(accuracy), "offset", 10.0) == pytest.approx(error)


def test_an_error_that_is_never_too_large_is_no_number(make):
    assert np.isnan(make.tolerated(_lines([1.0, 1.0, 1.0]), "offset", 10.0))


def test_ideal_cells_keep_and_bad_ones_lose(ds):
    accuracy = ds.accuracy.isel(window=-1, read=0, drift=0).mean("seed")
    assert bool(ds.kept.isel(window=-1, programming=0, read=0, drift=0))
    assert float(accuracy[-1]) < float(accuracy[0])


def test_figure_draws(make, ds):
    assert len(make.draw(ds).axes) == ds.kept.sizes["window"] * ds.kept.sizes["drift"] + 1
