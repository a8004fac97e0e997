"""papers/upmem-pipeline: targets are met at the quick size, and the figure draws."""

import csv
import importlib.util
from pathlib import Path

PAPER = Path(__file__).parents[2] / "papers" / "upmem-pipeline"


def _make():
    spec = importlib.util.spec_from_file_location("papers_upmem_pipeline", PAPER / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    return make


def _targets():
    return list(csv.DictReader((PAPER / "targets.csv").read_text().splitlines()))


def test_the_pipeline_saturates_where_published():
    make = _make()
    ds = make.compute(quick=True)
    (row,) = _targets()
    assert make.saturation(ds) == int(row["published"])
    assert (ds.bandwidth.diff("transfer") > 0).all()
    assert len(make.draw(ds).axes) == 2
