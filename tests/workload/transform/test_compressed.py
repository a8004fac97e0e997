"""Compressed layers make a lighter model whose perplexity says what it costs."""

from functools import partial

import numpy as np
import pytest

import pimlab as pim
from pimlab.workload.transform import gptq, magnitude, round_to_nearest, smooth_quant, wanda
from pimlab.workload.transform.compressed import lightweight


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
    eight = perplexity(lightweight(model, data, rounded("int8")), data)
    four = perplexity(lightweight(model, data, rounded("int4")), data)
    better = perplexity(lightweight(model, data, partial(gptq, format="int4")), data)
    assert eight == pytest.approx(full, rel=0.01)
    assert full * 1.02 < four
    assert better < four


def test_pruning_by_inputs_costs_less_than_by_magnitude(model, data):
    plain = lightweight(model, data, lambda w, x: magnitude(w, "2:4"), name="2:4")
    informed = lightweight(model, data, partial(wanda, pattern="2:4"))
    assert plain.sparsity == pytest.approx(0.5, abs=0.01)
    assert informed.sparsity == pytest.approx(0.5, abs=0.01)
    assert perplexity(model, data) < perplexity(informed, data) < perplexity(plain, data)
    assert plain.name == "2:4"


def test_scales_of_the_inputs_change_nothing_by_themselves(model, data):
    smooth = lightweight(model, data, smooth_quant)
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
    model = lightweight(pim.load_model("digits-mlp"), data, partial(gptq, format="int4"))
    accuracy = data.metric.summarise(
        data.metric.contributions(model.execute(data.inputs, model.exact), data.labels)
    )[0]
    assert accuracy > 0.9
