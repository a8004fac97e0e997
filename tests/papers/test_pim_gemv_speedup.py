"""papers/pim-gemv-speedup: targets are met at the quick size, and the figure draws."""

import csv
import importlib.util
from pathlib import Path

PAPER = Path(__file__).parents[2] / "papers" / "pim-gemv-speedup"


def _make():
    spec = importlib.util.spec_from_file_location("papers_pim_gemv_speedup", PAPER / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    return make


def _targets():
    return list(csv.DictReader((PAPER / "targets.csv").read_text().splitlines()))


def test_bounds_are_the_published_ratios_and_are_never_exceeded():
    make = _make()
    ds = make.compute(quick=True)
    for row in _targets():
        ours = float(ds[row["quantity"]].sel(machine=row["condition"]))
        assert abs(ours / float(row["published"]) - 1) <= float(row["tolerance"]), (row, ours)
    assert (ds.speedup < ds.bound).all()
    assert (ds.speedup_batch.diff("batch") < 0).all()
    for machine in make.MACHINES:
        best = float(ds.speedup_batch.sel(machine=machine, batch=1))
        assert 0.8 * best < make.crossing(ds, machine) < 1.2 * best
    assert len(make.draw(ds).axes) == 3
