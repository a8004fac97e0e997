"""papers/mlperf-roofline: published rates over published peaks, every target within its tolerance, and the figure draws."""

import csv
import importlib.util
from pathlib import Path

import numpy as np
import pytest

PAPER = Path(__file__).parents[2] / "papers" / "mlperf-roofline"


@pytest.fixture(scope="module")
def paper():
    spec = importlib.util.spec_from_file_location("papers_mlperf_roofline", PAPER / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    return make, make.compute(quick=True)


def test_targets(paper):
    _, ds = paper
    with (PAPER / "targets.csv").open() as file:
        rows = list(csv.DictReader(file))
    found = [
        float(ds[row["quantity"]].sel(result=row["condition"]) if row["quantity"] == "sustained" else ds[row["quantity"]]) for row in rows
    ]
    table = [(row["quantity"], row["condition"], float(row["published"]), value) for row, value in zip(rows, found, strict=True)]
    missed = [line for line, row in zip(table, rows, strict=True) if abs(line[3] - line[2]) > float(row["tolerance"])]
    assert not missed, "\n".join(map(str, table))
    assert not any("memory" in row["provenance"] for row in rows)


def test_no_result_exceeds_its_peak_or_the_roof_with_resident_weights(paper):
    _, ds = paper
    assert (ds.utilisation < 1).all()
    assert (ds.sustained <= np.minimum(ds.peak, ds.resident * ds.bandwidth)).all()


def test_warboy_cannot_have_fetched_all_weights_for_every_input(paper):
    _, ds = paper
    offline = ds.sel(result="Warboy resnet50 Offline")
    assert float(offline.sustained) > float(offline.fetched * offline.bandwidth)
    assert float(offline.sustained) < float(ds.warboy_array_bound)


def test_the_figure_draws(paper):
    make, ds = paper
    assert len(make.draw(ds).axes) == 2
