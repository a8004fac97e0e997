"""papers/energy-per-operation: the printed table, both cross-checks, and the figure draws."""

import csv
import importlib.util
from pathlib import Path

import pytest

PAPER = Path(__file__).parents[2] / "papers" / "energy-per-operation"


@pytest.fixture(scope="module")
def paper():
    spec = importlib.util.spec_from_file_location("papers_energy_per_operation", PAPER / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    return make, make.compute(quick=True)


def _found(ds, quantity, condition):
    if quantity == "value":
        return 1e12 * float(ds.value.sel(operation=condition))
    if quantity == "accelforge":
        return 1e12 * float(ds.accelforge.sel(check=condition, tool="ours"))
    return float(ds.scaling.sel(node=int(condition), tool="ours"))


def test_targets(paper):
    _, ds = paper
    with (PAPER / "targets.csv").open() as file:
        rows = list(csv.DictReader(file))
    table = [(row["quantity"], row["condition"], float(row["published"]), _found(ds, row["quantity"], row["condition"])) for row in rows]
    missed = [line for line, row in zip(table, rows, strict=True) if abs(line[3] - line[2]) > float(row["tolerance"])]
    assert not missed, "\n".join(map(str, table))
    assert not any("memory" in row["provenance"] for row in rows)


def test_fetching_weights_costs_dram_and_time(paper):
    _, ds = paper
    total = ds.energy.sum("component")
    on_chip, fetched = total.values[0], total.values[1]
    assert fetched > 2 * on_chip
    assert (ds.energy_low <= ds.energy).all()
    assert (ds.energy <= ds.energy_high).all()


def test_board_powers_meet_the_interval_but_for_the_one_reported(paper):
    _, ds = paper
    inside = (ds.tdp.sel(end="low") <= ds.power.sel(end="high")) & (ds.tdp.sel(end="high") >= ds.power.sel(end="low"))
    assert ds.chip.values[~inside.values].tolist() == ["tpu-v4i"]
    assert float(ds.tdp.sel(chip="tpu-v4i", end="low") / ds.power.sel(chip="tpu-v4i", end="high")) == pytest.approx(1.47, abs=0.02)
    nominal = ds.power.sel(end="nominal") / ds.tdp.sel(end="nominal")
    assert float(nominal.min()) == pytest.approx(0.14, abs=0.01)
    assert float(nominal.max()) == pytest.approx(0.50, abs=0.01)


def test_the_figure_draws(paper):
    make, ds = paper
    assert len(make.draw(ds).axes) == 3
