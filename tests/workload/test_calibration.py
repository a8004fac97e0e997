"""Activation ranges come from the calibration split, by a named rule, and do not depend on chunks."""

import numpy as np
import pytest

from pimlab.workload import calibrate, calibration, load_data, load_model

MODEL, DATA = load_model("digits-mlp"), load_data("digits", limit=5)


def test_minmax_is_the_range_of_what_passes():
    found = calibrate(MODEL, DATA)
    x = DATA.calibration.inputs
    assert (found["fc1"].x.low, found["fc1"].x.high) == (x.min(), x.max())
    y = np.maximum(x @ MODEL.weights["fc1"][0] + MODEL.biases["fc1"], 0)  # a Relu alone reads fc1
    assert found["fc1"].y.low == 0
    np.testing.assert_allclose(found["fc1"].y.high, y.max(), rtol=1e-6)
    np.testing.assert_allclose(
        found["fc2"].y.low, (y @ MODEL.weights["fc2"][0] + MODEL.biases["fc2"]).min(), rtol=1e-5
    )


def test_the_test_split_is_not_looked_at():
    hidden = calibrate(MODEL, DATA)["fc2"]
    other = calibrate(MODEL, load_data("digits"))["fc2"]
    assert (hidden.x, hidden.y) == (other.x, other.y)
    own = calibrate(MODEL, DATA.calibration)["fc2"]
    assert (own.x, own.y) == (other.x, other.y)


def test_chunks_do_not_change_ranges_or_sample(monkeypatch):
    before = calibrate(MODEL, DATA, "percentile")
    monkeypatch.setattr(calibration, "BATCH", 7)
    after = calibrate(MODEL, DATA, "percentile")
    for name in before:
        np.testing.assert_allclose(
            [before[name].y.low, before[name].y.high],
            [after[name].y.low, after[name].y.high],
            rtol=1e-3,
            atol=1e-6,
        )
        np.testing.assert_allclose(before[name].sample, after[name].sample, rtol=1e-5, atol=1e-6)
        assert before[name].rule == "percentile"


def test_the_sample_holds_evenly_spaced_rows():
    sample = calibrate(load_model("fashion-cnn"), load_data("fashion-mnist", limit=1))["fc1"].sample
    assert sample.shape == (512, 1568)
    assert (sample.max(axis=1) > 0).all()


@pytest.mark.parametrize("rule", calibration.RULES)
def test_every_rule_stays_within_what_was_seen(rule):
    seen, found = calibrate(MODEL, DATA), calibrate(MODEL, DATA, rule, format="int4")
    for name in found:
        assert seen[name].x.low <= found[name].x.low <= 0 < found[name].x.high <= seen[name].x.high
    narrowed = [found[name].y.high < seen[name].y.high for name in found]
    assert any(narrowed) or rule in ("minmax", "percentile")


def test_an_unknown_rule_answers_with_the_nearest():
    with pytest.raises(
        ValueError, match="calibration rule 'percentil' is not known; did you mean 'percentile'"
    ):
        calibrate(MODEL, DATA, "percentil")


@pytest.mark.parametrize("rule", ["minmax", "percentile", "mse", "entropy"])
def test_a_format_that_is_none_is_refused_whatever_the_rule(rule):
    model, data = load_model("digits-mlp"), load_data("digits", limit=20)
    with pytest.raises(ValueError, match="format 'gibberish' is not known"):
        calibrate(model, data, rule, "gibberish")


def test_operators_that_read_the_same_rows_share_the_sample():
    found = calibrate(load_model("small-lm"), load_data("kjv", limit=1))
    q, k, v, o = (found[f"layer0.{name}"].sample for name in "qkvo")
    assert q is k
    assert k is v
    assert not np.array_equal(o, q)
