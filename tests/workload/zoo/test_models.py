"""The project's own models: baselines, and agreement of the split with ONNX Runtime on the whole model."""

import numpy as np
import pytest

from pimlab.workload import load_data, load_model

WORKLOADS = {
    "fashion-cnn": ("fashion-mnist", 4, 1_117_056),
    "digits-mlp": ("digits", 2, 4_736),
    "cancer-mlp": ("breast-cancer", 2, 1_024),
    "magika": ("magika-files", 3, 366_717_952),
}
BASELINE = {
    "fashion-cnn": 0.9250,
    "digits-mlp": 440 / 450,
    "cancer-mlp": 137 / 143,
    "magika": 288 / 323,
}


@pytest.mark.parametrize("name", WORKLOADS)
def test_the_split_agrees_with_the_whole_model(name):
    model, data = (
        load_model(name),
        load_data(WORKLOADS[name][0], limit=8 if name == "magika" else 64),
    )
    expected = model.oracle(data.inputs)
    found = model.execute(data.inputs, model.exact)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", WORKLOADS)
def test_operators_and_their_work(name):
    model = load_model(name)
    assert (len(model.mac_ops), model.macs) == WORKLOADS[name][1:]
    assert set(model.weights) == {op.name for op in model.mac_ops}
    for op in model.mac_ops:
        assert model.weights[op.name].shape == (op.groups, op.k, op.n)
        assert model.weights[op.name].dtype == np.float32
    assert all(op.elements > 0 for op in model.vector_ops)
    assert len(model.sha256) == 64
    assert f"{model.macs:,} MACs" in repr(model)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.full] if name == "magika" else []) for name in BASELINE],
)
def test_the_baseline_accuracy_on_all_test_samples(name):
    model, data = load_model(name), load_data(WORKLOADS[name][0])
    value, low, high = data.metric.summarise(
        data.metric.contributions(model.oracle(data.inputs), data.labels)
    )
    assert value == pytest.approx(BASELINE[name], abs=1.5 / len(data))
    assert low < value < high
