"""papers/scalesim-agreement: every count equals the tool's, and the figure draws."""

import csv
import importlib.util
from pathlib import Path

PAPER = Path(__file__).parents[2] / "papers" / "scalesim-agreement"


def test_every_count_equals_the_tools():
    spec = importlib.util.spec_from_file_location("papers_scalesim_agreement", PAPER / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    ds = make.compute(quick=True)
    with (PAPER / "targets.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == ds.same.size == 588
    missed = [row for row in rows if float(ds.same.sel(row=row["condition"], quantity=row["quantity"])) != float(row["published"])]
    assert not missed, missed
    assert (ds.corrected >= 1).all()
    assert len(make.draw(ds).axes) == 1
