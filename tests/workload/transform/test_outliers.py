"""Rearranged operands give the same function, and bring accuracy back where outliers took it."""

import numpy as np
import pytest

import pimlab as pim
from pimlab.keys import Key
from pimlab.machine.protocol import Calibration, MacOp, Range, VectorOp
from pimlab.machine.streamed import streamed
from pimlab.workload import ModelError, calibrate
from pimlab.workload.transform.outliers import layout, outlier_aware
from pimlab.workload.zoo import language_models


@pytest.fixture(autouse=True)
def short_calibration(monkeypatch):
    monkeypatch.setitem(language_models.CALIBRATION, "small-lm", 1)


@pytest.fixture(scope="module")
def model():
    return pim.load_model("small-lm").at(context=64)


@pytest.fixture(scope="module")
def data():
    whole = pim.load_data("kjv", limit=2)
    return whole.but(inputs=whole.inputs[:, :65], labels=whole.labels[:, :64])


def perplexity(model, data, multiply):
    return data.metric.summarise(
        data.metric.contributions(model.execute(data.inputs, multiply), data.labels)
    )[0]


@pytest.mark.parametrize(
    ("digital", "smoothing", "per_token"),
    [(0, None, False), (3, None, False), (0, 0.5, False), (0, None, True), (5, 0.7, True)],
)
def test_an_ideal_machine_sees_no_difference(model, data, digital, smoothing, per_token):
    mapped = outlier_aware(model, data, digital=digital, smoothing=smoothing, per_token=per_token)
    np.testing.assert_allclose(
        mapped.execute(data.inputs, mapped.exact),
        model.execute(data.inputs, model.exact),
        atol=2e-4,
    )
    assert mapped.macs == model.macs
    kinds = {op.name: op.kind for op in mapped.mac_ops}
    assert ("layer0.q.digital" in kinds) == bool(digital)
    assert kinds.get("layer0.q.digital", "activations") == "activations"
    again = outlier_aware(model, data, digital=digital, smoothing=smoothing, per_token=per_token)
    assert again.sha256 == mapped.sha256 != model.sha256


def test_the_largest_features_go_to_the_host_and_scales_follow_the_rule():
    sample = np.array([[1.0, -8.0, 0.0, 2.0], [0.5, 4.0, 0.0, -3.0]], np.float32)
    w = np.array([[2.0, -1], [0.5, 0.25], [1, 1], [0, 0]], np.float32)
    found = layout(sample, w, digital=2, smoothing=0.5)
    assert found.digital.tolist() == [1, 3]
    assert found.kept.tolist() == [0, 2]
    np.testing.assert_allclose(found.scale, [np.sqrt(1 / 2), np.sqrt(8 / 0.5), 1, 1])
    assert layout(sample, w, 0, None).scale.tolist() == [1, 1, 1, 1]


def test_digital_columns_win_back_what_outliers_cost(model, data):
    """Seven input features of every operator are made 64 times larger, and their weights smaller, which changes no output."""
    loud = np.arange(7)

    def with_outliers(op, x, w, first, exact):
        if w is None:
            x = x.copy()
            x[..., loud] *= 64
        return exact(op, x, w, first)

    weights = {name: w.copy() for name, w in model.weights.items()}
    for w in weights.values():
        w[:, loud] /= 64
    target, worse = pim.target("warboy"), model.at()
    worse.weights = weights
    plain_execute = worse.execute
    worse.execute = lambda inputs, multiply, first=0: plain_execute(
        inputs, lambda op, x, w, row: with_outliers(op, x, w, row, multiply), first
    )
    assert perplexity(worse, data, worse.exact) == pytest.approx(
        perplexity(model, data, model.exact), rel=1e-4
    )
    hurt = float(pim.run(worse, target, data).perplexity)
    won = float(pim.run(outlier_aware(worse, data, digital=7), target, data).perplexity)
    smoothed = float(pim.run(outlier_aware(worse, data, smoothing=0.5), target, data).perplexity)
    ideal = perplexity(model, data, model.exact)
    assert abs(won / ideal - 1) < 0.06
    assert abs(smoothed / ideal - 1) < 0.06
    assert hurt > 1.2 * ideal


def test_scaled_tokens_keep_the_bias():
    model, data = pim.load_model("digits-mlp"), pim.load_data("digits", limit=20)
    mapped = outlier_aware(model, data, digital=2, per_token=True)
    np.testing.assert_allclose(
        mapped.execute(data.inputs, mapped.exact),
        model.execute(data.inputs, model.exact),
        atol=1e-4,
    )
    seen = []

    def multiply(op, x, w, first):
        seen.append(np.abs(x).max() if w is None else 0)
        return mapped.exact(op, x, w, first)

    mapped.execute(data.inputs, multiply)
    assert max(seen) == 1


@pytest.mark.parametrize(("digital", "per_token"), [(0, False), (3, False), (2, True)])
def test_centred_inputs_change_nothing_but_their_mean(digital, per_token):
    model, data = pim.load_model("digits-mlp"), pim.load_data("digits", limit=20)
    mapped = outlier_aware(model, data, digital=digital, per_token=per_token, centred=True)
    expected = model.execute(data.inputs, model.exact)
    np.testing.assert_allclose(
        mapped.execute(data.inputs, mapped.exact), expected, atol=1e-5 * np.abs(expected).max()
    )
    assert {op.name: op.elements for op in mapped.vector_ops if op.kind == "sub"} == {
        f"{op.name}.centred": op.k - digital for op in model.mac_ops
    }
    if not per_token:
        seen = [
            one.sample.mean(axis=0)
            for name, one in calibrate(mapped, data).items()
            if not name.endswith(".digital")
        ]
        assert max(np.abs(mean).max() for mean in seen) < 1e-4


def test_centred_inputs_save_what_the_cells_spoil():
    """Every input feature stands four times its spread above zero."""
    rng = np.random.default_rng(0)
    w, x = (
        rng.standard_normal((256, 16)).astype(np.float32),
        (4 + rng.standard_normal((512, 256))).astype(np.float32),
    )
    target = pim.target("pcm-hermes").with_causes(("programming",))
    errors = []
    for centre in (np.zeros(256, np.float32), x.mean(axis=0)):
        given = x - centre
        ends = Range(low=float(given.min()), high=float(given.max()))
        calibration = Calibration(x=ends, y=Range(low=-1e3, high=1e3), sample=given, rule="minmax")
        y = target.program(w, 0, bias=centre @ w, calibration=calibration).matmul(given, 0)
        errors.append(np.std(y - x @ w) + np.abs((y - x @ w).mean(axis=0)).mean())
    assert errors[1] < errors[0] / 2


def test_impossible_mappings_are_refused(model, data):
    with pytest.raises(ModelError, match=r"digital=128; allowed: 0\.\.127"):
        outlier_aware(model, data, digital=128)
    with pytest.raises(ValueError, match=r"smoothing=1\.5 is outside 0\.\.1"):
        outlier_aware(model, data, smoothing=1.5)


@pytest.mark.parametrize("name", ["warboy", "pcm-hermes"])
def test_a_streamed_machine_is_the_machine(name):
    machine, rng = pim.target(name), np.random.default_rng(0)
    w, x = (
        rng.standard_normal((24, 70)).astype(np.float32),
        rng.standard_normal((9, 24)).astype(np.float32),
    )
    few = streamed(machine, columns=32)
    calibration = Calibration(
        x=Range(low=-4, high=4), y=Range(low=-20, high=20), sample=x, rule="minmax"
    )
    y = few.program(w, 3, bias=w[0], calibration=calibration).matmul(x, Key(seed=5))
    np.testing.assert_allclose(y, x @ w + w[0], atol=2.5)
    np.testing.assert_array_equal(
        y, few.program(w, 3, bias=w[0], calibration=calibration).matmul(x, Key(seed=5))
    )
    for op in (MacOp(name="a", m=2, k=24, n=70), VectorOp(name="b", kind="softmax", elements=5)):
        assert few.serves(op) == machine.serves(op)
        assert few.events(op) == machine.events(op)
        assert few.latency(op) == machine.latency(op)
        assert few.occupancy(op) == machine.occupancy(op)
    assert few.codes == machine.codes
    ops = (MacOp(name="a", m=2, k=4096, n=4096), MacOp(name="b", m=2, k=4096, n=16384))
    assert few.placed(ops).machine == machine.placed(ops)
    left = few.program(w, 3, calibration=calibration).counted(9 * x, Key(seed=5))[1]
    assert set(left) == set(
        machine.program(w, 3, calibration=calibration).counted(9 * x, Key(seed=5))[1]
    )
    np.testing.assert_array_equal(
        few.product(x[None], w[None], 1), machine.product(x[None], w[None], 1)
    )
    assert (few.name, few.host, few.stage, few.static, few.causes) == (
        machine.name,
        machine.host,
        machine.stage,
        machine.static,
        machine.causes,
    )
    assert few.with_causes(()).causes == ()
    read, unread = few.program(w, 3), few.program(w, 3)
    read.matmul(x)
    assert read.integrals(x) == unread.integrals(x)
    assert set(unread.integrals(x)) == set(machine.program(w, 3).integrals(x))
    assert read.integrals(x[:4]) == unread.integrals(x[:4])
    with pytest.raises(ValueError, match="columns=0 is outside"):
        streamed(machine, columns=0)
