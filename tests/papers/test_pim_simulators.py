"""papers/pim-simulators: targets are met at the quick size, and the figure draws."""

import csv
import importlib.util
from pathlib import Path

PAPER = Path(__file__).parents[2] / "papers" / "pim-simulators"


def _make():
    spec = importlib.util.spec_from_file_location("papers_pim_simulators", PAPER / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    return make


def _targets():
    return list(csv.DictReader((PAPER / "targets.csv").read_text().splitlines()))


def test_every_count_is_met_by_the_tools_rules():
    make = _make()
    ds = make.compute(quick=True)
    table = [(row["quantity"], row["condition"], float(row["published"]), float(row["tolerance"])) for row in _targets()]
    missed = [
        (q, c, p, int(s)) for (q, c, p, t), s in zip(table, ds.same.values, strict=True) if abs(s - p) > max(t * p, 1 if "pim_" in q else 0)
    ]
    assert not missed, missed
    assert (ds.right >= 0.99 * ds.published).all()
    assert len(make.draw(ds).axes) == 1
