"""What a decoded token costs: counts by hand, cache and intensity formulas, published totals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pimlab as pim
from pimlab import catalogue
from pimlab.npu.memory import moved, reads
from pimlab.workload.language import hyperscale
from pimlab.workload.language.shape import (
    DecoderShape,
    attention_intensity,
    mac_ops,
    seen,
    vector_ops,
    weight_intensity,
)
from pimlab.workload.model import ModelError

TINY = DecoderShape(
    vocabulary=10, width=8, layers=2, heads=4, kv_heads=2, head_width=2, hidden=5, context=16
)
SMOLLM2 = DecoderShape(
    vocabulary=49152,
    width=576,
    layers=30,
    heads=9,
    kv_heads=3,
    head_width=64,
    hidden=1536,
    context=8192,
)
SHAPES = ("llama2-7b", "llama2-13b", "llama2-70b", "hyperclova-82b")

SIZES = st.builds(
    lambda v, d, layers, kv, group, size, f: DecoderShape(
        vocabulary=v,
        width=d,
        layers=layers,
        heads=kv * group,
        kv_heads=kv,
        head_width=2 * size,
        hidden=f,
        context=64,
    ),
    *[st.integers(1, 6)] * 7,
)


def test_a_tiny_model_counted_by_hand():
    ops = {op.name: (op.groups, op.m, op.k, op.n) for op in mac_ops(TINY, context=7, batch=3)}
    assert ops["layer0.q"] == (1, 3, 8, 8)
    assert ops["layer1.v"] == (1, 3, 8, 4)
    assert ops["layer1.scores"] == (6, 2, 2, 7)
    assert ops["layer1.values"] == (6, 2, 7, 2)
    assert ops["layer0.down"] == (1, 3, 5, 8)
    assert ops["head"] == (1, 3, 8, 10)
    each = 3 * (8 * 8 + 8 * 4 + 8 * 4 + 8 * 8 + 3 * 8 * 5) + 2 * (6 * 2 * 2 * 7)
    assert TINY.macs(7, 3) == 2 * each + 3 * 80


def test_smollm2_has_the_work_stated_for_it():
    ops = mac_ops(SMOLLM2, context=100)
    assert sum(op.kind == "weights" for op in ops) == 211
    assert SMOLLM2.layer_weights == 106_168_320
    assert SMOLLM2.head_weights == 28_311_552
    assert SMOLLM2.macs(100) - SMOLLM2.layer_weights - SMOLLM2.head_weights == 34_560 * 100


@given(SIZES, st.integers(1, 64), st.integers(1, 5))
@settings(deadline=None)
def test_costs_scale_as_they_must(shape, context, batch):
    linear = shape.layer_weights + shape.head_weights
    attention = 2 * shape.layers * shape.heads * shape.head_width * context
    assert shape.macs(context, batch) == batch * (linear + attention)
    assert (
        shape.kv_bytes(context, batch)
        == 2 * shape.layers * shape.kv_heads * shape.head_width * context * batch * 2
    )
    values = [
        op.n * op.k * op.groups for op in mac_ops(shape, context, batch) if op.kind == "activations"
    ]
    assert sum(values) * 2 == shape.kv_bytes(context, batch), (
        "attention reads each cached value once"
    )
    rows = {op.name: op.elements for op in vector_ops(shape, context, batch)}
    assert rows["layer0.softmax"] == batch * shape.heads * context


@given(SIZES, st.integers(1, 64), st.integers(1, 5))
def test_arithmetic_intensity_follows_from_the_operators(shape, context, batch):
    ops = mac_ops(shape, context, batch)
    for kind, expected in (
        ("weights", weight_intensity(batch)),
        ("activations", attention_intensity(shape)),
    ):
        chosen = [op for op in ops if op.kind == kind]
        assert sum(2 * op.macs for op in chosen) / sum(
            2 * op.groups * op.k * op.n for op in chosen
        ) == pytest.approx(expected)


@given(SIZES, st.integers(1, 64), st.integers(1, 4))
def test_bandwidth_bounds_tokens_a_second(shape, context, batch):
    bound = shape.tokens_per_second(1e9, context, batch)
    assert bound == pytest.approx(
        1e9
        * batch
        / (2 * (shape.layer_weights + shape.head_weights) + shape.kv_bytes(context, batch))
    )
    assert shape.tokens_per_second(1e9, context, batch + 1) > bound, "weights are shared"
    assert shape.tokens_per_second(1e9, context, batch, bytes_a_weight=1.0) > bound


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("llama2-7b", 6.738e9), ("llama2-13b", 13.016e9), ("llama2-70b", 68.977e9)],
)
def test_llama_shapes_have_the_parameters_of_their_release(name, parameters):
    shape = hyperscale(name).shape
    assert shape.layer_weights + 2 * shape.head_weights == pytest.approx(parameters, rel=1e-4)


def test_hyperclova_shape_fits_the_published_total():
    shape, published = (
        hyperscale("hyperclova-82b").shape,
        catalogue.entry("shapes", "hyperclova-82b")["parameters"].value,
    )
    assert shape.layer_weights + shape.head_weights == pytest.approx(published, rel=0.02)


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_without_weights_has_costs_and_no_outputs(name):
    model = hyperscale(name).at(context=128, batch=4)
    assert model.macs == model.shape.macs(128, 4)
    assert {op.kind for op in model.mac_ops} == {"weights", "activations"}
    with pytest.raises(
        ModelError, match=f"{name}: its weights are not here, so it has costs and no accuracy"
    ):
        model.execute(np.zeros((1, 4), int), None)


def test_grouped_queries_shrink_the_cache():
    seven, seventy = hyperscale("llama2-7b").shape, hyperscale("llama2-70b").shape
    assert seven.kv_bytes(4096) == 2 * 2**30
    assert seventy.kv_bytes(4096) == 1.25 * 2**30
    assert attention_intensity(seven) == 1
    assert attention_intensity(seventy) == 8


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"heads": 3}, "heads=3 is no multiple of kv_heads=2"),
        ({"head_width": 3}, "head_width=3 is odd"),
        ({"layers": 0}, "layers=0 is outside"),
        ({"rope_base": float("nan")}, "rope_base=nan"),
        ({"feed_forward": "geglu"}, "did you mean 'gelu'"),
    ],
)
def test_impossible_shapes_are_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        TINY.but(**wrong)


def test_misspelt_names_and_points_are_refused():
    with pytest.raises(TypeError, match="did you mean 'heads'"):
        TINY.but(head=3)
    with pytest.raises(ValueError, match=r"context=17 is outside 1\.\.16"):
        mac_ops(TINY, 17)
    with pytest.raises(ValueError, match="batch=0 is outside"):
        vector_ops(TINY, 4, 0)
    with pytest.raises(ValueError, match="did you mean 'llama2-7b'"):
        hyperscale("llama-7b")


@pytest.mark.parametrize(
    ("target", "context", "batch"),
    [("warboy", 4096, 1), ("h100", 4096, 1), ("h100", 128, 4), ("t4", 4096, 2)],
)
def test_a_cache_larger_than_the_chip_is_read_from_its_dram_every_token(target, context, batch):
    model, machine = (
        pim.load_model("llama2-7b").at(context=context, batch=batch),
        pim.target(target),
    )
    counts = pim.run(model, machine).events.sel(event="dram.read")
    cached = machine.memory.activations_in == "dram"
    inputs = sum(moved(op, machine.memory)[0] for op in model.mac_ops) if cached else 0
    others = [op for op in model.vector_ops if cached and op.kind != "softmax"]
    assert int(counts.sum()) == 8 * (
        model.shape.weight_bytes(1)
        + model.shape.kv_bytes(context, batch, 1)
        + inputs
        + sum(reads(op) * op.elements for op in others)
    )


@pytest.mark.parametrize(("context", "prompt", "window"), [(9, 9, None), (9, 4, None), (16, 16, 5)])
def test_each_token_of_a_prompt_sees_what_is_before_it(context, prompt, window):
    """By hand: the mean over the tokens of what the causal mask, or a window, leaves."""
    shape = TINY.but(window=window) if window else TINY
    keys = [min(i, window or i) for i in range(context - prompt + 1, context + 1)]
    assert seen(shape, 0, context, prompt) == -(-sum(keys) // prompt)
    assert seen(shape, 0, context) == min(context, window or context)


def test_a_prompt_is_read_at_once_and_only_its_last_token_is_scored():
    one, prompt = (mac_ops(TINY, 16, 2, new) for new in (1, 8))
    by = {op.name: op for op in prompt}
    assert by["layer0.q"].m == 2 * 8
    assert by["head"] == one[-1]
    assert by["layer0.scores"].m == 8 * TINY.heads // TINY.kv_heads
    assert by["layer0.scores"].n == seen(TINY, 0, 16, 8) == 13
    elements = {op.name: op.elements for op in vector_ops(TINY, 16, 2, 8)}
    assert elements["layer0.softmax"] == 2 * 8 * TINY.heads * 13
    assert elements["norm"] == 2 * TINY.width
    with pytest.raises(ValueError, match=r"prompt=17 is outside 1\.\.16"):
        mac_ops(TINY, 16, 1, 17)


def test_time_to_the_first_token_and_of_each_further_one():
    model, machine = pim.load_model("llama2-7b"), pim.target("h100")
    prefill = pim.run(model.at(prompt=512), machine)
    decode = pim.run(model.at(context=512, batch=4), machine)
    assert float(prefill.ttft) == pytest.approx(float(prefill.latency.sum()))
    assert float(prefill.token_rate) == pytest.approx(512 / float(prefill.ttft))
    assert float(decode.token_rate) == pytest.approx(4 / float(decode.tpot))
    assert "tpot" not in prefill
    assert "ttft" not in decode
    assert float(prefill.ttft) < 512 * float(decode.tpot) / 4
    assert pim.run(model.at(prompt=64), pim.target("hbm-pim")).ttft > 0
