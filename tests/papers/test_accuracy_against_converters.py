"""papers/accuracy-against-converters: every claim holds on our network, and the figure draws."""

import csv
import importlib.util
from pathlib import Path

import pytest

PAPER = Path(__file__).parents[2] / "papers" / "accuracy-against-converters"


@pytest.fixture(scope="module")
def paper():
    spec = importlib.util.spec_from_file_location("papers_accuracy_against_converters", PAPER / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    return make, make.compute(quick=True)


def _accuracy(ds, cell, mapping, bits):
    return float(ds.accuracy.sel(cell=cell, mapping=mapping, bits=bits).mean("seed"))


def test_targets_have_sources():
    with (PAPER / "targets.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert all(row["role"] == "held-out" and "read in" in row["provenance"] for row in rows)


def test_a_proportional_sum_needs_no_more_than_8_bits(paper):
    _, ds = paper
    assert float(ds.needed.sel(cell="ideal cell", mapping="differential")) <= 8 < float(ds.needed.sel(cell="ideal cell", mapping="offset"))


def test_proportional_mapping_is_better_with_few_bits_and_with_noisy_cells(paper):
    _, ds = paper
    assert _accuracy(ds, "ideal cell", "differential", 6) > _accuracy(ds, "ideal cell", "offset", 6) + 0.3
    assert _accuracy(ds, "PCM", "differential", 10) > _accuracy(ds, "PCM", "offset", 10) + 0.15


def test_slicing_pairs_gains_next_to_nothing_with_noisy_cells(paper):
    _, ds = paper
    assert _accuracy(ds, "PCM", "differential", 10) > _accuracy(ds, "PCM", "differential, 2-bit slices", 10) - 0.06


def test_figure_draws(paper):
    make, ds = paper
    assert [axes.get_xlabel() for axes in make.draw(ds).axes] == ["ADC bits"] * 2
