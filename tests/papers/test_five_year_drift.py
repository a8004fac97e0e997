"""papers/five-year-drift: the published effect of a gain within its tolerance, the orderings, and the figure draws."""

import pytest
from paper_checks import *  # noqa: F403  # the checks of every paper


@pytest.fixture(scope="module")
def last(ds):
    return ds.error.isel(cell=0, at=-1).mean("seed")


def test_left_alone_the_error_grows_and_every_rule_takes_some_back(ds, last):
    first = ds.error.isel(cell=0, at=0).mean("seed")
    assert float(last.sel(rule="none")) > 1.5 * float(first.sel(rule="none"))
    assert all(
        float(last.sel(rule=rule)) < 0.8 * float(last.sel(rule="none"))
        for rule in last.rule.values
        if rule != "none"
    )


def test_figure_draws(make, ds):
    assert make.draw(ds).axes[0].get_xlabel() == "time after programming"
