"""papers/adc-envelope: every target within its tolerance, the findings hold, and the figure draws."""

import csv
import importlib.util
from pathlib import Path

import numpy as np
import pytest

PAPER = Path(__file__).parents[2] / "papers" / "adc-envelope"


@pytest.fixture(scope="module")
def paper():
    spec = importlib.util.spec_from_file_location("papers_adc_envelope", PAPER / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    return make, make.compute(quick=True)


def _found(ds, quantity, condition):
    if quantity == "regression":
        return float(ds.energy.sel(model=quantity, enob=float(condition.split("=")[1]))) * 1e12
    slope, floor = np.polyfit(4.0**ds.enob.values, ds.energy.sel(model="envelope").values, 1)
    return slope * 1e18 if condition == "slope" else floor * 1e12


def test_targets(paper):
    _, ds = paper
    with (PAPER / "targets.csv").open() as file:
        rows = list(csv.DictReader(file))
    table = [(row["quantity"], row["condition"], float(row["published"]), _found(ds, row["quantity"], row["condition"])) for row in rows]
    missed = [line for line, row in zip(table, rows, strict=True) if abs(line[3] / line[2] - 1) > float(row["tolerance"])]
    assert not missed, "\n".join(map(str, table))
    assert not any("memory" in row["provenance"] for row in rows)


def test_the_median_is_far_above_the_envelope(paper):
    _, ds = paper
    ratio = ds.energy.sel(model="median") / ds.energy.sel(model="envelope")
    assert (ratio > 10).all()
    assert float(ds.isaac.sel(claim="as surveyed")) > float(ds.isaac.sel(claim="charged"))


def test_figure_draws(paper):
    make, ds = paper
    assert "band" in make.draw(ds).axes[0].get_title()
