"""Tables of one's own: one column of labels, numbers in the others."""

import numpy as np
import pandas as pd
import pytest

import pimlab as pim
from pimlab.workload import DataError
from pimlab.workload.tables import load_table

DIGITS = pim.load_data("digits", limit=30)


def _table():
    return pd.DataFrame(DIGITS.inputs, columns=[f"p{i}" for i in range(64)])


def test_a_table_is_the_same_as_its_arrays(tmp_path):
    path = tmp_path / "mine.csv"
    _table().assign(Label=DIGITS.labels).to_csv(path, index=False)
    data, own = pim.load_data(str(path)), pim.Data(DIGITS.inputs, DIGITS.labels)
    np.testing.assert_allclose(data.inputs, own.inputs)
    np.testing.assert_array_equal(data.labels, own.labels)
    assert (data.name, data.metric.name, len(pim.load_data(path, limit=5))) == (
        "mine",
        "accuracy",
        5,
    )


def test_labels_that_are_no_whole_numbers_are_judged_as_numbers(tmp_path):
    _table().assign(y=DIGITS.labels + 0.5).to_csv(tmp_path / "m.csv", index=False)
    assert load_table(tmp_path / "m.csv").metric.name == "rmse"


@pytest.mark.parametrize(("change", "words"), [
    ({}, r"columns \['p0', .* hold the labels; allowed: one column called label, labels"),
    ({"y": 1, "target": 2}, r"columns \['y', 'target'\] hold the labels"),
    ({"y": 1, "p3": "a"}, r"column 'p3' holds text; allowed: numbers"),
    ({"y": "cat"}, "labels are object|labels are <U|labels are str|allowed: an array"),
])  # fmt: skip
def test_what_is_no_table_of_samples_is_named(tmp_path, change, words):
    _table().assign(**change).to_csv(tmp_path / "m.csv", index=False)
    with pytest.raises(DataError, match=words):
        load_table(tmp_path / "m.csv")


def test_files_that_are_no_tables_are_named(tmp_path):
    with pytest.raises(DataError, match="there is no such file"):
        pim.load_data(tmp_path / "none.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(DataError, match=r"empty.csv is no table"):
        pim.load_data(tmp_path / "empty.csv")
    (tmp_path / "m.parquet").write_text("no table")
    with pytest.raises(DataError, match=r"m.parquet(: a .parquet file needs| is no table)"):
        pim.load_data(tmp_path / "m.parquet")
    with pytest.raises(DataError, match=r"m.npy holds one array; allowed: an .npz file of x and y"):
        pim.load_data(tmp_path / "m.npy")
