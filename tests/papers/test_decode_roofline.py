"""papers/decode-roofline: targets are met at the quick size, and the figure draws."""

import csv
import importlib.util
from pathlib import Path

PAPER = Path(__file__).parents[2] / "papers" / "decode-roofline"


def _make():
    spec = importlib.util.spec_from_file_location("papers_decode_roofline", PAPER / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    return make


def _targets():
    return list(csv.DictReader((PAPER / "targets.csv").read_text().splitlines()))


def test_intensities_and_the_crossover():
    make = _make()
    ds = make.compute(quick=True)
    for row in _targets():
        ours = float(ds[row["quantity"]].sel(batch=int(row["condition"].removeprefix("batch="))))
        assert abs(ours / float(row["published"]) - 1) <= float(row["tolerance"]), (row, ours)
    both, banks, pins = (ds.seconds.sel(way=way) for way in ("both", "in the banks", "through the pins"))
    assert ((both <= banks) & (both <= pins)).all()
    assert float(banks.sel(batch=1)) < float(pins.sel(batch=1))
    assert 1 < make.crossover(ds) < 4
    assert len(make.draw(ds).axes) == 2
