"""Tables: fixed splits, standardised on training samples, and a network trained the same way each time."""

import numpy as np
import pytest

from pimlab.workload import load_data, load_model
from pimlab.workload.zoo import tabular_mlps
from pimlab.workload.zoo.tabular_mlps import Table


@pytest.fixture
def blobs(monkeypatch):
    rng = np.random.default_rng(0)
    y = np.repeat(["a", "b", "c"], 40)
    x = rng.standard_normal((120, 5)) + 3 * np.repeat(np.eye(5)[:3], 40, axis=0)
    x[:, 4] = 7.0  # a measure that never changes
    monkeypatch.setitem(
        tabular_mlps.TABLES,
        "sonar",
        Table(read=lambda: (x, y), hidden=8, source="made here", note="made here"),
    )
    for cached in (tabular_mlps._splits, tabular_mlps.network):
        cached.cache_clear()
    yield x
    for cached in (tabular_mlps._splits, tabular_mlps.network):
        cached.cache_clear()


def test_splits_are_standardised_on_training_samples(blobs):
    train, test = load_data("sonar", split="train"), load_data("sonar")
    assert (len(train), len(test)) == (90, 30)
    np.testing.assert_allclose(train.inputs.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(train.inputs[:, :4].std(axis=0), 1, rtol=1e-5)
    assert (test.inputs[:, 4] == 0).all()
    rows = {row.tobytes() for row in train.inputs}
    assert all(row.tobytes() in rows for row in test.calibration.inputs)
    assert np.bincount(test.labels).tolist() == [10, 10, 10]


def test_the_network_learns_and_is_the_same_each_time(blobs):
    model, data = load_model("sonar-mlp"), load_data("sonar")
    value, _, _ = data.metric.summarise(
        data.metric.contributions(model.execute(data.inputs, model.exact), data.labels)
    )
    assert value > 0.9
    assert [(op.k, op.n) for op in model.mac_ops] == [(5, 8), (8, 3)]
    tabular_mlps.network.cache_clear()
    again = load_model("sonar-mlp")
    assert again is not model
    assert again.sha256 == model.sha256


def test_signals_share_one_scale(monkeypatch, blobs):
    monkeypatch.setitem(
        tabular_mlps.TABLES, "sonar", tabular_mlps.TABLES["sonar"]._replace(one_scale=True)
    )
    tabular_mlps._splits.cache_clear()
    x = load_data("sonar", split="train").inputs
    assert abs(x.mean()) < 1e-5
    assert x.std() == pytest.approx(1, rel=1e-5)
    assert np.ptp(x.std(axis=0)) > 0.1, "features keep their own spread"


def test_a_table_with_its_own_test_split_keeps_it(monkeypatch, blobs):
    monkeypatch.setitem(
        tabular_mlps.TABLES, "sonar", tabular_mlps.TABLES["sonar"]._replace(tests=7)
    )
    tabular_mlps._splits.cache_clear()
    assert len(load_data("sonar")) == 7
    assert len(load_data("sonar", split="train")) == 113
