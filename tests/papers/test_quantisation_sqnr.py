"""papers/quantisation-sqnr: every target within its tolerance, theory met, and the figure draws."""

import csv
import importlib.util
from pathlib import Path

import numpy as np
import pytest

PAPER = Path(__file__).parents[2] / "papers" / "quantisation-sqnr"


def _make():
    spec = importlib.util.spec_from_file_location("papers_quantisation_sqnr", PAPER / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def paper():
    make = _make()
    return make, make.compute(quick=True)


def _found(ds, quantity, condition):
    coordinate, value = condition.split("=")
    return float(ds[quantity].sel({coordinate: int(value) if coordinate == "bits" else value}))


def test_targets(paper):
    _, ds = paper
    with (PAPER / "targets.csv").open() as file:
        rows = list(csv.DictReader(file))
    table = [(row["quantity"], row["condition"], float(row["published"]), _found(ds, row["quantity"], row["condition"])) for row in rows]
    missed = [line for line, row in zip(table, rows, strict=True) if abs(line[3] - line[2]) > float(row["tolerance"])]
    assert not missed, "\n".join(map(str, table))
    assert not any("memory" in row["provenance"] for row in rows)


def test_exact_expectation_of_microscaling(paper):
    _, ds = paper
    known = np.isfinite(ds.block_theory)
    assert known.sum() == 6
    assert float(abs(ds.block - ds.block_theory).where(known).max()) < 0.06


def test_the_sine_closes_in_on_its_asymptote(paper):
    _, ds = paper
    gap = (6.0206 * ds.bits + 1.7609 - ds.sine).values
    assert (np.diff(gap) < 0).all()
    assert gap[-1] < 0.1


def test_more_bits_are_never_worse(paper):
    _, ds = paper
    for name in ("uniform", "sine", "gaussian"):
        assert (np.diff(ds[name]) > 5).all()


def test_figure_draws(paper):
    make, ds = paper
    left, right = make.draw(ds).axes
    assert "6.02" in left.get_title()
    assert "11 dB" in right.get_title()
