"""papers/five-year-drift: the published effect of a gain within its tolerance, the orderings, and the figure draws."""

import importlib.util
from pathlib import Path

import pytest

PAPER = Path(__file__).parents[2] / "papers" / "five-year-drift"


@pytest.fixture(scope="module")
def paper():
    spec = importlib.util.spec_from_file_location("papers_five_year_drift", PAPER / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    return make, make.compute(quick=True)


@pytest.fixture(scope="module")
def last(paper):
    return paper[1].error.isel(cell=0, at=-1).mean("seed")


def test_targets(paper, last):
    rows = {row["quantity"]: row for row in paper[0].targets()}
    found = float(last.sel(rule="one gain a layer") / last.sel(rule="none"))
    assert abs(found / float(rows["gain"]["published"]) - 1) < float(rows["gain"]["tolerance"]), found
    assert not any("memory" in row["provenance"] for row in paper[0].targets())


def test_left_alone_the_error_grows_and_every_rule_takes_some_back(paper, last):
    first = paper[1].error.isel(cell=0, at=0).mean("seed")
    assert float(last.sel(rule="none")) > 1.5 * float(first.sel(rule="none"))
    assert all(float(last.sel(rule=rule)) < 0.8 * float(last.sel(rule="none")) for rule in last.rule.values if rule != "none")


def test_figure_draws(paper):
    make, ds = paper
    assert make.draw(ds).axes[0].get_xlabel() == "time after programming"
