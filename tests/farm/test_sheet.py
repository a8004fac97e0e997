"""Does the K-Perf table follow from the cluster's steps, and does the workbook hold it?"""

import numpy as np
import pytest

import pimlab as pim
from pimlab import farm
from pimlab.farm.sheet import MODELS


@pytest.fixture(scope="module")
def table():
    return farm.k_perf(["rngd"], ["llama3.1-8b", "llama3.1-405b"], [(512, 128)], [1, 16])


def test_a_row_is_what_the_cluster_computes(table):
    model, rack = pim.load_model("llama3.1-8b"), pim.Cluster(chip=pim.target("rngd"))
    step = pim.parallelise(model, rack, batch=16, context=576)
    prompt = pim.parallelise(model, rack, context=512, phase="prefill")
    row = table.isel(row=1)
    assert float(row.tpot) == pytest.approx(step.latency)
    assert float(row.ttft) == pytest.approx(prompt.latency + step.latency)
    seconds = 16 * prompt.latency + 128 * step.latency
    assert float(row.throughput) == pytest.approx(16 * 128 / seconds)
    joules = (16 * prompt.step.joules + 128 * step.step.joules) / (16 * 128)
    assert float(row.joules_a_token) == pytest.approx(joules)
    assert float(row.power) == pytest.approx(joules * 16 * 128 / seconds)


def test_intervals_and_precision(table):
    one = table.isel(row=0)
    assert one.joules_a_token_low < one.joules_a_token < one.joules_a_token_high
    assert one.precision.item() == "W8A8"
    assert "llama31config" not in table.attrs["sources"]
    assert "furiosa-rngd" in table.attrs["sources"]


def test_more_sequences_never_give_fewer_tokens(table):
    assert table.throughput[1] > table.throughput[0]


def test_what_no_server_holds_has_no_numbers(table):
    big = table.isel(row=table.model.values == "llama3.1-405b")
    assert big.throughput.isnull().all()  # 406 GB on 8 x 48 GB


def test_the_models_of_the_council_are_known_by_their_size():
    sizes = {
        "llama3.1-8b": 8.03,
        "exaone3.5-32b": 32.0,
        "llama3.3-70b": 70.6,
        "llama3.1-405b": 405.8,
    }
    assert set(sizes) == set(MODELS)
    for name, billions in sizes.items():
        shape = pim.load_model(name).shape
        weights = shape.layer_weights + 2 * shape.head_weights
        assert weights / 1e9 == pytest.approx(billions, rel=2e-3)


def test_the_workbook_holds_the_table(table, tmp_path):
    from openpyxl import load_workbook

    file = farm.write_sheet(table, tmp_path / "k-perf.xlsx")
    book = load_workbook(file)
    assert book.sheetnames == ["about", "llama3.1-8b", "llama3.1-405b"]
    assert "none is measured" in book["about"]["A2"].value
    rows = list(book["llama3.1-8b"].values)
    assert rows[0][:5] == ("offer", "precision", "input", "output", "batch")
    column = rows[0].index("joules_a_token (J)")
    assert rows[2][column] == pytest.approx(float(table.joules_a_token[1]))
    assert all(cell is None for cell in list(book["llama3.1-405b"].values)[1][5:])


def test_bad_input_is_refused(table, tmp_path):
    with pytest.raises(ValueError, match="input=0, output=1.*allowed: 1 or more"):
        farm.k_perf(["rngd"], ["llama3.1-8b"], [(0, 1)])
    with pytest.raises(ValueError, match="up to 32768"):
        farm.k_perf(["rngd"], ["exaone3.5-32b"], [(32000, 1000)])
    with pytest.raises(ValueError, match=r"ends in \.xlsx"):
        farm.write_sheet(table, tmp_path / "k-perf.csv")
    with pytest.raises(TypeError, match="what pimlab.farm.k_perf returned"):
        farm.write_sheet(table.drop_vars("joules_a_token"), tmp_path / "k.xlsx")
    assert np.isfinite(float(table.throughput[0]))
