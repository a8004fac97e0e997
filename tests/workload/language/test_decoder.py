"""The decoder agrees with a second implementation, whichever way its tokens are read."""

import dataclasses

import numpy as np
import pytest

from pimlab.reference import decoder as plain
from pimlab.workload.language import decoder
from pimlab.workload.language.model import LanguageModel, Tokens
from pimlab.workload.language.rotary import Linear, Rotary
from pimlab.workload.language.shape import DecoderShape
from pimlab.workload.language.tokens import BytePairs
from pimlab.workload.model import ModelError

SHAPE = DecoderShape(
    vocabulary=259,
    width=24,
    layers=2,
    heads=6,
    kv_heads=2,
    head_width=4,
    hidden=20,
    context=12,
    rope_base=100.0,
)


def arrays_of(shape, seed=0):
    rng = np.random.default_rng(seed)
    sizes = {
        f"layer{i}.{name}": size
        for i in range(shape.layers)
        for name, size in shape.matrices.items()
    }
    sizes |= {"embedding": (shape.vocabulary, shape.width), "head": (shape.width, shape.vocabulary)}
    arrays = {name: rng.standard_normal(size) / np.sqrt(size[0]) for name, size in sizes.items()}
    arrays["embedding"] *= 16
    gains = {"norm": shape.width} | {
        f"layer{i}.{name}": n for i in range(shape.layers) for name, n in shape.gains.items()
    }
    arrays |= {name: 1 + 0.3 * rng.standard_normal(n) for name, n in gains.items()}
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def model_of(shape=SHAPE, seed=0, biases=None, **changed):
    arrays = arrays_of(shape, seed) | changed
    weights = {name: a[None] for name, a in arrays.items() if a.ndim == 2 and name != "embedding"}
    parameters = {name: a for name, a in arrays.items() if a.ndim == 1 or name == "embedding"}
    tokenizer = BytePairs("three", np.array([[97, 98], [98, 99], [256, 99]]))
    return LanguageModel(
        name="tiny",
        sha256="0",
        shape=shape,
        tokenizer=tokenizer,
        weights=weights,
        parameters=parameters,
        biases=biases,
    )


def tokens_of(windows, length, seed=1):
    return np.random.default_rng(seed).integers(0, SHAPE.vocabulary, (windows, length))


def test_logits_equal_the_second_implementation():
    model, tokens = model_of(), tokens_of(3, 12)
    expected = np.stack(
        [plain.logits(dataclasses.asdict(SHAPE), arrays_of(SHAPE), row) for row in tokens]
    )
    np.testing.assert_allclose(model.logits(tokens), expected, rtol=0, atol=2e-5)


QWEN3 = SHAPE.but(qk_norm=True, rotary=Rotary(pairs="halves"))
GEMMA2 = SHAPE.but(
    post_norms=True,
    gate="gelu",
    window=4,
    global_every=2,
    attention_scale=0.4,
    attention_cap=3.0,
    logit_cap=5.0,
    embedding_scale=24**0.5,
    rotary=Rotary(pairs="halves"),
)
GEMMA3 = GEMMA2.but(
    qk_norm=True,
    attention_cap=None,
    logit_cap=None,
    local_rope_base=10.0,
    rotary=Rotary(pairs="halves", scaling=Linear(factor=8.0)),
)
PHI3 = SHAPE.but(window=5, rotary=Rotary(pairs="halves", width=2))
FAMILIES = {"qwen3": QWEN3, "gemma2": GEMMA2, "gemma3": GEMMA3, "phi3": PHI3}


def _plain_sizes(shape):
    sizes = dataclasses.asdict(shape)
    scaling = shape.rotary.scaling
    rule = None if scaling is None else {"kind": "linear", "factor": scaling.factor}
    return sizes | {"halves": shape.rotary.pairs == "halves", "turned": shape.rotary.width,
                    "rope": rule}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_equals_the_second_implementation(family):
    shape = FAMILIES[family]
    model, tokens = model_of(shape), tokens_of(2, 12)
    expected = [plain.logits(_plain_sizes(shape), arrays_of(shape), row) for row in tokens]
    np.testing.assert_allclose(model.logits(tokens), expected, rtol=0, atol=2e-4)


def test_biases_of_queries_keys_and_values_are_added():
    rng, names = np.random.default_rng(2), [f"layer{i}.{n}" for i in range(2) for n in "qkv"]
    sizes = {name: arrays_of(SHAPE)[name].shape[1] for name in names}
    biases = {name: rng.standard_normal(n).astype(np.float32) for name, n in sizes.items()}
    model, tokens = model_of(biases=biases), tokens_of(1, 12)
    arrays = arrays_of(SHAPE) | {f"{name}_bias": bias for name, bias in biases.items()}
    expected = plain.logits(dataclasses.asdict(SHAPE), arrays, tokens[0])
    np.testing.assert_allclose(model.logits(tokens)[0], expected, rtol=0, atol=2e-5)
    with pytest.raises(ModelError, match=r"'bias of layer0.q' has shape \(3,\), needed \(24,\)"):
        model_of(biases={"layer0.q": np.zeros(3, np.float32)})


@pytest.mark.parametrize("family", FAMILIES)
def test_local_layers_hand_out_the_macs_they_count(family):
    model, counted = model_of(FAMILIES[family]).at(context=9, batch=2), []

    def multiply(op, x, w, first):
        y = model.exact(op, x, w, first)
        counted.append(y.size * x.shape[-1])
        return y

    logits, cache = model.prefill(tokens_of(2, 8))
    after = model.decode_step(np.zeros(2, int), cache, multiply)
    assert sum(counted) == model.macs
    whole = model.logits(np.concatenate([tokens_of(2, 8), np.zeros((2, 1), int)], axis=1))
    np.testing.assert_allclose(logits, whole[:, 7], atol=1e-4)
    np.testing.assert_allclose(after, whole[:, 8], atol=1e-4)
    model.graph.order([op.name for op in (*model.mac_ops, *model.vector_ops)])


def test_prefill_and_decode_steps_continue_as_one_window():
    model, tokens = model_of(), tokens_of(2, 12)
    whole = model.logits(tokens)
    logits, cache = model.prefill(tokens[:, :5])
    np.testing.assert_allclose(logits, whole[:, 4], atol=1e-5)
    for position in range(5, 12):
        np.testing.assert_allclose(
            model.decode_step(tokens[:, position], cache), whole[:, position], atol=1e-5
        )


def test_later_tokens_change_nothing_before_them():
    model, tokens = model_of(), tokens_of(1, 12)
    other = tokens.copy()
    other[:, 7:] = tokens_of(1, 5, seed=9)
    np.testing.assert_allclose(model.logits(tokens)[:, :7], model.logits(other)[:, :7], atol=1e-6)


def test_windows_do_not_see_each_other(monkeypatch):
    model, tokens = model_of(), tokens_of(5, 13)
    together = model.execute(tokens, model.exact)
    monkeypatch.setattr("pimlab.workload.language.model.ROWS", 24)
    monkeypatch.setattr("pimlab.workload.language.model.LOGITS", 5 * SHAPE.vocabulary)
    np.testing.assert_allclose(model.execute(tokens, model.exact), together, atol=1e-5)


def test_surprise_is_the_cross_entropy_of_the_logits():
    model, tokens = model_of(), tokens_of(2, 13)
    logits = model.logits(tokens[:, :-1]).astype(np.float64)
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    expected = -np.log(np.take_along_axis(p, tokens[:, 1:, None], axis=2)[..., 0])
    np.testing.assert_allclose(model.execute(tokens, model.exact), expected, atol=1e-5)


def test_every_product_is_handed_out_in_order_with_its_row():
    model, seen = model_of(), []

    def multiply(op, x, w, first):
        seen.append((op.name, x.shape, None if w is None else w.shape, first))
        return model.exact(op, x, w, first)

    model.execute(tokens_of(2, 9), multiply, first=10)
    assert [name for name, *_ in seen] == [op.name for op in model.mac_ops]
    assert {first for name, *_, first in seen if name[7:] not in ("scores", "values")} == {80}
    assert {first for name, *_, first in seen if name[7:] in ("scores", "values")} == {240}, (
        "three query heads a group"
    )
    shapes = {name: (x, w) for name, x, w, _ in seen}
    assert shapes["layer0.q"] == ((1, 16, 24), None)
    assert shapes["layer1.scores"] == ((4, 24, 4), (4, 4, 8))
    assert shapes["layer1.values"] == ((4, 24, 8), (4, 8, 4))
    assert shapes["head"] == ((1, 16, 24), None)


def test_decoding_hands_out_exactly_the_macs_it_counts():
    model, counted = model_of().at(context=8, batch=3), []

    def multiply(op, x, w, first):
        y = model.exact(op, x, w, first)
        counted.append(y.size * x.shape[-1])
        return y

    _, cache = model.prefill(tokens_of(3, 7))
    model.decode_step(np.zeros(3, int), cache, multiply)
    assert sum(counted) == model.macs == model.shape.macs(8, 3)


def test_generated_tokens_are_the_likeliest_ones():
    model, prompt = model_of(), tokens_of(2, 4)
    made = model.generate(prompt, 5)
    whole = np.concatenate([prompt, made], axis=1)
    assert (model.logits(whole)[:, 3:-1].argmax(axis=-1) == made).all()


def test_activations_at_their_ends():
    ends = np.array([-200.0, 0.0, 200.0], np.float32)
    np.testing.assert_allclose(decoder.swish(ends), [0.0, 0.0, 200.0], atol=1e-5)
    np.testing.assert_allclose(
        decoder.softmax(np.array([1e4, 1e4, -np.inf], np.float32)), [0.5, 0.5, 0.0]
    )
    assert (decoder.causal_mask(2, 4) == [[0, 0, 0, -np.inf], [0, 0, 0, 0]]).all()


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (np.zeros((1, 14), int), "a window of 13 tokens; allowed: 1..12"),
        (
            np.full((1, 4), 259),
            "token 259 is outside its vocabulary 0..258; were the tokens made with the tokenizer 'three'",
        ),
        (np.full((1, 4), -1), "token -1 is outside"),
        (np.zeros((1, 4)), "float64; allowed: integers"),
        (np.zeros(4, int), r"shape \(4,\)"),
        (Tokens(np.zeros((3, 4)), "four")[1:], "tokens of the tokenizer 'four'; allowed: 'three'"),
    ],
)
def test_wrong_tokens_are_refused(tokens, words):
    model = model_of()
    with pytest.raises(ModelError, match=words):
        model.execute(tokens, model.exact)


def test_a_full_cache_is_refused():
    model = model_of()
    _, cache = model.prefill(tokens_of(1, 4), capacity=5)
    model.decode_step(np.array([1]), cache)
    with pytest.raises(ModelError, match="5 cached \\+ 1 tokens exceed the context of 5"):
        model.decode_step(np.array([1]), cache)
    with pytest.raises(ModelError, match="exceed the context of 12"):
        model.generate(tokens_of(1, 4), 12)


def test_damaged_weights_are_refused_by_name():
    broken = arrays_of(SHAPE)["layer1.up"].copy()
    broken[3, 4] = np.nan
    with pytest.raises(ModelError, match=r"tiny: 'layer1\.up' holds 1 values that are not finite"):
        model_of(**{"layer1.up": broken})
    with pytest.raises(ModelError, match=r"'norm' has shape \(3,\), needed \(24,\)"):
        model_of(norm=np.ones(3, np.float32))
    with pytest.raises(ModelError, match="tokenizer 'three' has 259 tokens, its embedding 260"):
        model_of(SHAPE.but(vocabulary=260))


def test_overflowing_products_are_refused():
    model = model_of()

    def multiply(op, x, w, first):
        return np.full_like(model.exact(op, x, w, first), np.nan if op.name == "head" else 0.0)

    with pytest.raises(ModelError, match="logits of 3 tokens are not finite"):
        model.execute(tokens_of(1, 4), multiply)


@pytest.mark.parametrize(("ask", "kind", "words"), [
    (lambda m, x: m.generate(x, 0), ValueError, "generate count=0; allowed"),
    (lambda m, x: m.prefill(x, capacity=-2), ValueError, "prefill capacity=-2; allowed"),
    (lambda m, x: m.at(context="3"), TypeError, "context='3' is not an integer"),
    (lambda m, x: m.at(batch=1.5), TypeError, "batch=1.5 is not an integer"),
])  # fmt: skip
def test_numbers_of_another_kind_are_named(ask, kind, words):
    with pytest.raises(kind, match=words):
        ask(model_of(SHAPE), np.zeros((1, 3), np.int32))
