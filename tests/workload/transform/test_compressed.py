"""Compressed layers make a lighter model whose perplexity says what it costs."""

from functools import partial

import numpy as np
import pytest

import pimlab as pim
from pimlab.workload.calibration import calibrate
from pimlab.workload.transform import gptq, magnitude, round_to_nearest, smooth_quant, wanda
from pimlab.workload.transform.compressed import compressed_by


@pytest.fixture(scope="module")
def model():
    return pim.load_model("small-lm")


@pytest.fixture(scope="module")
def data():
    return pim.load_data("kjv", limit=2)


def perplexity(model, data):
    return data.metric.summarise(
        data.metric.contributions(model.execute(data.inputs, model.exact), data.labels)
    )[0]


def rounded(format):
    def to_nearest(w, x):
        return round_to_nearest(w, format)

    return to_nearest


def test_eight_bits_cost_nothing_and_four_bits_less_with_gptq(model, data):
    full = perplexity(model, data)
    eight = perplexity(compressed_by(model, data, rounded("int8")), data)
    four = perplexity(compressed_by(model, data, rounded("int4")), data)
    better = perplexity(compressed_by(model, data, partial(gptq, format="int4")), data)
    assert eight == pytest.approx(full, rel=0.01)
    assert full * 1.02 < four
    assert better < four


def test_pruning_by_inputs_costs_less_than_by_magnitude(model, data):
    plain = compressed_by(model, data, lambda w, x: magnitude(w, "2:4"), name="2:4")
    informed = compressed_by(model, data, partial(wanda, pattern="2:4"))
    assert plain.sparsity == pytest.approx(0.5, abs=0.01)
    assert informed.sparsity == pytest.approx(0.5, abs=0.01)
    assert perplexity(model, data) < perplexity(informed, data) < perplexity(plain, data)
    assert plain.name == "2:4"


def test_scales_of_the_inputs_change_nothing_by_themselves(model, data):
    smooth = compressed_by(model, data, smooth_quant)
    np.testing.assert_allclose(
        smooth.execute(data.inputs, smooth.exact),
        model.execute(data.inputs, model.exact),
        atol=1e-3,
    )
    assert smooth.name == "small-lm smooth_quant"
    assert smooth.sha256 != model.sha256
    assert (smooth.macs, smooth.rows(data.inputs)) == (model.macs, model.rows(data.inputs))


def test_any_model_of_dense_layers_may_be_light():
    data = pim.load_data("digits", limit=200)
    model = compressed_by(pim.load_model("digits-mlp"), data, partial(gptq, format="int4"))
    accuracy = data.metric.summarise(
        data.metric.contributions(model.execute(data.inputs, model.exact), data.labels)
    )[0]
    assert accuracy > 0.9


def test_a_machine_multiplies_the_codes_that_a_method_chose(data, model):
    light = pim.compress(model, method="gptq", bits=4, group=32, asymmetric=True, data=data)
    assert light.name == "small-lm gptq uint4 g32"
    ranges = calibrate(light, data)
    warboy = pim.target("warboy")
    grouped = warboy.but(arithmetic=warboy.arithmetic.but(weights="uint4_g32", outputs=None))
    coarse = warboy.but(arithmetic=warboy.arithmetic.but(weights="int4", outputs=None))
    name = "layer1.gate"
    w, held = light.weights[name][0], light.held[name]
    programmed = grouped.program(w, calibration=ranges[name])
    np.testing.assert_array_equal(programmed.weights.integers, held.codes[0])
    np.testing.assert_array_equal(programmed.weights.values, w)
    again = coarse.program(w, calibration=ranges[name])
    assert not np.array_equal(again.weights.values, w)
    x = ranges[name].sample[:9]
    step = programmed._codes(x)[1]
    apart = np.abs(programmed.matmul(x) - x @ w).max(axis=0)
    assert (apart <= 0.5 * step[0, 0] * np.abs(w).sum(axis=0) + 1e-4).all()


def test_codes_without_groups_are_those_of_a_plain_machine(data, model):
    light = pim.compress(model, method="gptq", bits=4, data=data, skip=["head"])
    assert "head" not in light.held
    np.testing.assert_array_equal(light.weights["head"], model.weights["head"])
    ranges, warboy = calibrate(light, data), pim.target("warboy")
    machine = warboy.but(arithmetic=warboy.arithmetic.but(weights="int4"))
    for name in ("layer0.q", "layer2.down"):
        programmed = machine.program(light.weights[name][0], calibration=ranges[name])
        np.testing.assert_array_equal(programmed.weights.integers, light.held[name].codes[0])
    changed = 2 * light.weights["layer0.q"][0]
    other = machine.program(changed, calibration=ranges["layer0.q"])
    np.testing.assert_allclose(other.weights.values, changed, atol=np.abs(changed).max() / 14)


def test_a_model_runs_with_the_verb_alone(data, model):
    light = pim.compress(model, method="rtn", bits=8)
    out = pim.run(light, pim.target("warboy"), data)
    plain = pim.run(model, pim.target("warboy"), data)
    assert float(out.perplexity) == pytest.approx(float(plain.perplexity), rel=0.02)
    assert float(out.energy.sum()) == pytest.approx(float(plain.energy.sum()), rel=1e-6)


def test_two_of_four_costs_less_where_the_target_skips_them(data, model):
    light = pim.compress(model, method="wanda", pattern="2:4", data=data)
    assert light.name == "small-lm wanda 2:4"
    warboy = pim.target("warboy")
    skipping = pim.run(light, warboy.but(sparsity="2:4"), data)
    dense = pim.run(light, warboy, data)
    assert float(skipping.perplexity) == pytest.approx(float(dense.perplexity), rel=1e-3)
    assert float(skipping.energy.sum()) < float(dense.energy.sum())
    with pytest.raises(ValueError, match="not 2:4 sparse"):
        pim.run(model, warboy.but(sparsity="2:4"), data)


@pytest.mark.parametrize(("given", "words"), [
    ({"method": "gtpq"}, "did you mean 'gptq'"),
    ({"method": "gptq", "data": True}, "needs bits="),
    ({"method": "gptq", "bits": 4}, "needs data="),
    ({"method": "wanda", "bits": 4}, "no use for bits=4"),
    ({"method": "rtn", "bits": 4, "pattern": "2:4"}, "no use for pattern='2:4'"),
    ({"method": "rtn", "bits": 4, "skip": ["hedd"]}, "did you mean 'head'"),
    ({"method": "rtn", "bits": 4, "group": 100}, "small-lm: layer 'layer0.q': quantize group=100"),
    ({"method": "smoothquant", "asymmetric": True}, "no use for asymmetric=True"),
])  # fmt: skip
def test_what_cannot_be_compressed_is_refused(model, given, words):
    with pytest.raises(ValueError, match=words):
        pim.compress(model, **given)
