"""Is what other programs read the answer, number by number?"""

import json
import os

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import pimlab as pim
from pimlab import interchange


@pytest.fixture(scope="module")
def answer():
    model, data = pim.load_model("digits-mlp"), pim.load_data("digits", limit=5)
    return pim.run(model, pim.target("pcm-hermes"), data, at=["0 s", "1 day"])


def test_a_table_holds_every_number_once(answer):
    rows = interchange.table(answer)
    sizes = {name: one.size for name, one in answer.data_vars.items() if one.dtype.kind in "fiub"}
    assert rows.variable.value_counts().to_dict() == sizes
    assert rows[rows.variable == "energy"].value.sum() == float(answer.energy.sum())
    assert rows[rows.variable == "latency"].unit.unique().tolist() == ["s"]
    first = rows[(rows.variable == "energy") & (rows.component == answer.component.values[0])]
    assert first.set_index("layer").value.to_dict() == {
        str(layer): float(answer.energy.isel(component=0).sel(layer=layer))
        for layer in answer.layer.values
    }


def test_numbers_are_those_of_the_summary(answer):
    rows = interchange.numbers(answer)
    assert rows["at"].tolist() == [0.0, 86400.0]
    assert rows.accuracy.tolist() == answer.accuracy.values.tolist()
    assert rows.energy_low.tolist() == [float(answer.energy_low.sum())] * 2


@pytest.mark.parametrize("ending", ["csv", "json", "nc"])
def test_files_are_read_again(answer, tmp_path, ending):
    path = interchange.write_answer(answer, tmp_path / f"a.{ending}")
    if ending == "nc":
        xr.testing.assert_identical(xr.load_dataset(path), answer)
    elif ending == "csv":
        again, rows = pd.read_csv(path), interchange.table(answer)
        assert np.array_equal(again.value, rows.value)
        assert again.variable.tolist() == rows.variable.tolist()
    else:
        held = json.loads(path.read_text())
        assert [row["energy"] for row in held["rows"]] == interchange.numbers(
            answer
        ).energy.tolist()
        assert held["attributes"]["sources"] == answer.attrs["sources"]


def test_parquet_is_written_or_says_what_it_needs(answer, tmp_path, monkeypatch):
    seen = {}

    def to_parquet(table, **how):
        seen.update(how, rows=len(table))
        return b"PAR1"

    monkeypatch.setattr(pd.DataFrame, "to_parquet", to_parquet)
    path = interchange.write_answer(answer, tmp_path / "a.parquet")
    assert path.read_bytes() == b"PAR1"
    assert seen == {"index": False, "engine": "pyarrow", "rows": len(interchange.table(answer))}

    def absent(*_, **__):
        raise ImportError("no pyarrow")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", absent)
    with pytest.raises(ImportError, match="pip install pyarrow"):
        interchange.write_answer(answer, tmp_path / "b.parquet")


def test_nan_is_null_in_json():
    both = pim.compare(["digits-mlp", "llama2-7b"], ["warboy"], limit=3)
    rows = json.loads(interchange.as_json(both))["rows"]
    assert [row["accuracy"] is None for row in rows] == [False, True]


def test_other_endings_and_datasets_are_refused(answer, tmp_path):
    with pytest.raises(ValueError, match="allowed: a path that ends in"):
        interchange.write_answer(answer, tmp_path / "a.txt")
    with pytest.raises(ValueError, match="no variable with numbers"):
        interchange.table(xr.Dataset({"a": ("x", np.array(["t"], object))}))
    with pytest.raises(ValueError, match="neither a metric nor energy"):
        interchange.numbers(xr.Dataset({"a": 1.0}))


def test_a_folder_that_takes_no_file_is_named(answer):
    with pytest.raises(OSError, match="nothing was written: '/proc/answer.csv'"):
        interchange.write_answer(answer, "/proc/answer.csv")


def test_a_folder_that_may_not_be_written_to_is_refused_before_anything_is_computed(
    monkeypatch, tmp_path
):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PermissionError, match=r"nothing was written: '.*a\.csv'"):
        interchange.writable(tmp_path / "a.csv")
