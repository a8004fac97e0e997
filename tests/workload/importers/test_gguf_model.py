"""A GGUF file written here is read as the packages gguf and tokenizers read it; damage is refused by name."""

import dataclasses

import gguf
import numpy as np
import pytest
from gguf.quants import dequantize, quantize
from hypothesis import given, settings
from hypothesis import strategies as st

from pimlab.reference import decoder as plain
from pimlab.workload.importers.gguf_model import BlockWeights, load_gguf
from pimlab.workload.language.rotary import Divisors, Linear, Yarn
from pimlab.workload.model import ModelError

KINDS = ("Q4_0", "Q4_1", "Q8_0")
WIDTH, HIDDEN, KV = 64, 96, 32
BYTES = [
    *"!\"#$%&'()*+,-./0123456789:;<=>?@",
    *"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    *"abcdefghijklmnopqrstuvwxyz",
    "Ġ",
    "Ċ",
    "he",
    "Ġt",
    "Ġthe",
]
MERGES = ["h e", "Ġ t", "Ġt he"]


def tensors_of(kind, seed=0, family="llama"):
    rng = np.random.default_rng(seed)
    sizes = {
        "attn_q": (WIDTH, WIDTH),
        "attn_k": (KV, WIDTH),
        "attn_v": (KV, WIDTH),
        "attn_output": (WIDTH, WIDTH),
    }
    sizes |= {"ffn_gate": (HIDDEN, WIDTH), "ffn_up": (HIDDEN, WIDTH), "ffn_down": (WIDTH, HIDDEN)}
    tensors = {
        f"blk.0.{name}.weight": rng.standard_normal(size) / 8 for name, size in sizes.items()
    }
    tensors |= {"token_embd.weight": rng.standard_normal((len(BYTES), WIDTH))}
    gains = {"attn_norm": WIDTH, "ffn_norm": WIDTH}
    gains |= {"attn_q_norm": 16, "attn_k_norm": 16} if family in ("qwen3", "gemma3") else {}
    if family in ("gemma2", "gemma3"):
        gains |= {"post_attention_norm": WIDTH, "post_ffw_norm": WIDTH}
    gains = {f"blk.0.{name}.weight": n for name, n in gains.items()} | {"output_norm.weight": WIDTH}
    tensors |= {name: 1 + rng.standard_normal(n) / 4 for name, n in gains.items()}
    if family == "qwen2":
        widths = {"q": WIDTH, "k": KV, "v": KV}
        tensors |= {f"blk.0.attn_{n}.bias": rng.standard_normal(w) for n, w in widths.items()}
    if family == "phi3":
        parts = [tensors.pop(f"blk.0.attn_{n}.weight") for n in "qkv"]
        tensors["blk.0.attn_qkv.weight"] = np.concatenate(parts)
        parts = [tensors.pop(f"blk.0.ffn_{n}.weight") for n in ("gate", "up")]
        tensors["blk.0.ffn_up.weight"] = np.concatenate(parts)
    return {
        name: (array.astype(np.float32), "F32" if array.ndim == 1 else kind)
        for name, array in tensors.items()
    }


def write(path, tensors, architecture="llama", texts=None, split=None, **changed):
    fields = {
        "block_count": 1,
        "context_length": 32,
        "embedding_length": WIDTH,
        "feed_forward_length": HIDDEN,
        "attention.head_count": 4,
        "attention.head_count_kv": 2,
        "rope.dimension_count": 16,
    } | changed
    writer = gguf.GGUFWriter(path, architecture)
    for name, value in fields.items():
        if value is not None:
            add = writer.add_float32 if isinstance(value, float) else writer.add_uint32
            add(f"{architecture}.{name}", value)
    for name, value in (texts or {}).items():
        writer.add_string(f"{architecture}.{name}", value)
    writer.add_float32(f"{architecture}.attention.layer_norm_rms_epsilon", 1e-5)
    for name, value in (split or {}).items():
        writer.add_uint16(name, value)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(BYTES)
    writer.add_token_merges(MERGES)
    for name, (array, kind) in tensors.items():
        data_type = gguf.GGMLQuantizationType[kind]
        data = (
            array.astype({"F32": np.float32, "F16": np.float16}[kind])
            if kind in ("F32", "F16")
            else array
            if array.dtype == np.uint8
            else quantize(array, data_type)
        )
        writer.add_tensor(name, data, raw_dtype=data_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def file(tmp_path):
    return tmp_path / "tiny.gguf"


@pytest.mark.parametrize("kind", KINDS)
@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(1, 4))
@settings(max_examples=15, deadline=None)
def test_blocks_stand_for_what_ggml_says(kind, seed, rows, blocks):
    data_type = gguf.GGMLQuantizationType[kind]
    stored = quantize(
        np.random.default_rng(seed).standard_normal((rows, 32 * blocks)).astype(np.float32),
        data_type,
    )
    held = BlockWeights(kind, stored)
    np.testing.assert_array_equal(held.dense(), dequantize(stored, data_type).T)
    again = held.codes * np.repeat(held.scale, 32, axis=0) + np.repeat(held.minimum, 32, axis=0)
    np.testing.assert_allclose(again, held.dense(), rtol=1e-6)
    ends = {"Q4_0": (-8, 7), "Q4_1": (0, 15), "Q8_0": (-128, 127)}[kind]
    assert held.codes.dtype == np.int8
    assert ends[0] <= held.codes.min() <= held.codes.max() <= ends[1]


@pytest.mark.parametrize("kind", ["F32", "F16", *KINDS])
def test_a_file_gives_the_logits_of_its_tensors(file, kind):
    model = load_gguf(write(file, tensors_of(kind)))
    tokens = model.tokenizer.encode("the heathen ate")
    arrays = {name: w[0] for name, w in model.weights.items()} | dict(model.parameters)
    expected = plain.logits(dataclasses.asdict(model.shape), arrays, tokens)
    np.testing.assert_allclose(model.logits(tokens[None])[0], expected, atol=1e-3)
    assert set(model.blocks) == ({"embedding", *model.weights} if kind in KINDS else set())
    assert model.name == "tiny"


def test_the_files_of_a_split_model_are_read_together(tmp_path):
    tensors = tensors_of("F32")
    whole = load_gguf(write(tmp_path / "whole.gguf", tensors))
    names = sorted(tensors)
    for i, part in enumerate((names[:4], names[4:]), start=1):
        path = tmp_path / f"tiny-{i:05}-of-00002.gguf"
        keys = {name: tensors[name] for name in part}
        write(path, keys, split={"split.no": i - 1, "split.count": 2})
    model = load_gguf(tmp_path / "tiny-00001-of-00002.gguf")
    tokens = np.array([[3, 4, 5]])
    np.testing.assert_array_equal(model.logits(tokens), whole.logits(tokens))
    with pytest.raises(ModelError, match=r"one of 2 files of a model; allowed: the first one"):
        load_gguf(path)
    path.unlink()
    with pytest.raises(ModelError, match=r"has no tiny-00002-of-00002.gguf beside it"):
        load_gguf(tmp_path / "tiny-00001-of-00002.gguf")


OWN = {
    "gemma": {},
    "qwen2": {},
    "qwen3": {"attention.key_length": 16},
    "gemma2": {"attention.sliding_window": 4, "attn_logit_softcapping": 3.0},
    "gemma3": {"attention.sliding_window": 4, "rope.scaling.factor": 8.0, "rope.freq_base": 1e6},
    "phi3": {"attention.sliding_window": 5, "rope.dimension_count": 12},
    "mistral3": {},
}


def test_codes_that_are_steps_are_known_to_machines(file):
    model = load_gguf(write(file, tensors_of("Q4_0")))
    held = model.held["layer0.down"]
    assert (held.part, held.bits, len(model.held)) == (32, 4, 8)
    assert held.kept(model.weights["layer0.down"][0], 4, True, 32) is not None
    assert not load_gguf(write(file, tensors_of("Q4_1"))).held


@pytest.mark.parametrize("family", OWN)
def test_every_family_gives_the_logits_of_its_tensors(file, family):
    texts = {"rope.scaling.type": "linear"} if family == "gemma3" else {}
    tensors = tensors_of("F32", family=family)
    model = load_gguf(write(file, tensors, family, texts, **OWN[family]))
    shape, tokens = model.shape, model.tokenizer.encode("the heathen ate 42 hens")
    arrays = {name: w[0] for name, w in model.weights.items()} | dict(model.parameters)
    arrays |= {f"{name}_bias": bias for name, bias in model.biases.items()}
    sizes = dataclasses.asdict(shape) | {
        "halves": family != "mistral3",
        "turned": shape.rotary.width,
        "rope": {"kind": "linear", "factor": 8.0} if family == "gemma3" else None,
    }
    np.testing.assert_allclose(
        model.logits(tokens[None])[0], plain.logits(sizes, arrays, tokens), atol=2e-3
    )
    assert bool(model.biases) == (family == "qwen2")
    assert shape.embedding_scale == (8.0 if family.startswith("gemma") else 1.0)
    if family == "phi3":
        whole = tensors["blk.0.attn_qkv.weight"][0]
        np.testing.assert_array_equal(model.weights["layer0.k"][0].T, whole[WIDTH : WIDTH + KV])
        gate = tensors["blk.0.ffn_up.weight"][0][:HIDDEN]
        np.testing.assert_array_equal(model.weights["layer0.gate"][0].T, gate)


def test_rotary_scaling_is_what_the_file_states(file):
    yarn = {"rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 8}
    texts = {"rope.scaling.type": "yarn"}
    model = load_gguf(write(file, tensors_of("F32"), texts=texts, **yarn))
    assert model.shape.rotary.scaling == Yarn(factor=4.0, trained=8)
    more = yarn | {"rope.scaling.attn_factor": 2.0}
    model = load_gguf(write(file, tensors_of("F32"), texts=texts, **more))
    assert model.shape.rotary.scaling.attention == pytest.approx(2 * (0.1 * np.log(4) + 1))
    linear = {"rope.scaling.type": "linear"}
    model = load_gguf(write(file, tensors_of("F32"), texts=linear, **{"rope.scaling.factor": 2.0}))
    assert model.shape.rotary.scaling == Linear(factor=2.0)
    divisors = np.arange(1, 9, dtype=np.float32)
    tensors = tensors_of("F32") | {"rope_freqs.weight": (divisors, "F32")}
    model = load_gguf(write(file, tensors))
    assert model.shape.rotary.scaling == Divisors(short=tuple(range(1, 9)))
    write(file, tensors_of("F32"), texts={"rope.scaling.type": "su"}, **yarn)
    with pytest.raises(ModelError, match=r"rope.scaling.type='su'; allowed: 'none', 'linear'"):
        load_gguf(file)


def test_long_divisors_of_phi3(file):
    tensors = tensors_of("F32", family="phi3")
    for name, start in (("short", 1), ("long", 5)):
        divisors = np.arange(start, start + 8, dtype=np.float32)
        tensors[f"rope_factors_{name}.weight"] = divisors, "F32"
    keys = {"rope.scaling.original_context_length": 16, "rope.scaling.attn_factor": 1.25}
    model = load_gguf(write(file, tensors, "phi3", **keys))
    rule = model.shape.rotary.scaling
    assert (rule.short[0], rule.long[0], rule.trained, rule.attention) == (1.0, 5.0, 16, 1.25)
    del tensors["rope_factors_short.weight"]
    with pytest.raises(ModelError, match=r"has no tensor 'rope_factors_short.weight'"):
        load_gguf(write(file, tensors, "phi3", **keys))


def test_brain_floats_are_read(file):
    rng = np.random.default_rng(0)
    halves = rng.standard_normal((len(BYTES), WIDTH)).astype(np.float32).view(np.uint32) >> 16
    tensors = tensors_of("F32")
    stored = halves.astype(np.uint16).view(np.uint8)
    tensors["token_embd.weight"] = stored, "BF16"
    model = load_gguf(write(file, tensors))
    wanted = (halves << 16).astype(np.uint32).view(np.float32)
    np.testing.assert_array_equal(model.parameters["embedding"], wanted)


def test_a_head_of_its_own_is_used(file):
    tensors = tensors_of("F32")
    tensors["output.weight"] = (2 * tensors["token_embd.weight"][0], "F32")
    tied, untied = (
        load_gguf(write(file, tensors_of("F32"))),
        load_gguf(write(file.with_name("two.gguf"), tensors)),
    )
    tokens = np.array([[3, 4, 5]])
    np.testing.assert_allclose(untied.logits(tokens), 2 * tied.logits(tokens), rtol=1e-5)


def test_every_truncation_is_refused(file):
    whole = write(file, tensors_of("Q4_1")).read_bytes()
    cut = file.with_name("cut.gguf")
    for length in (0, 3, 20, 200, len(whole) // 2, len(whole) - 40):
        cut.write_bytes(whole[:length])
        with pytest.raises(
            ModelError, match=r"cut\.gguf: damaged or truncated \(\d+ bytes\), or no GGUF file"
        ):
            load_gguf(cut)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"architecture": "gemma4"},
            "general.architecture='gemma4'; did you mean 'gemma'.*allowed: 'llama', 'mistral3'",
        ),
        ({"block_count": 2}, "has no tensor 'blk.1"),
        (
            {"feed_forward_length": 100},
            r"'layer0.gate' has shape \(1, 64, 96\), needed \(1, 64, 100\)",
        ),
        ({"rope.dimension_count": 18}, "rotary width=18; allowed: an even number up to 16"),
        ({"attention.value_length": 8}, "attention.value_length=8; allowed: 16"),
        ({"context_length": None}, "has no 'llama.context_length'"),
        (
            {"attention.head_count": 3, "rope.dimension_count": None},
            "tiny.gguf: DecoderShape heads=3 is no multiple of kv_heads=2",
        ),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(file, changes, words):
    with pytest.raises(ValueError, match=words):
        load_gguf(write(file, tensors_of("F32"), **changes))


def test_tensors_of_another_kind_or_name_are_refused(file):
    blocks = np.zeros((len(BYTES), 66), np.uint8), "IQ2_XXS"
    write(file, tensors_of("F32") | {"token_embd.weight": blocks})
    with pytest.raises(
        ModelError,
        match=r"tensor 'token_embd.weight' has type IQ2_XXS.*; allowed: F32, F16, BF16, Q4_0",
    ):
        load_gguf(file)
    with pytest.raises(
        ModelError,
        match=r"tensor 'blk.0.attn_z.bias' has no place in this decoder; did you mean",
    ):
        load_gguf(
            write(
                file.with_name("b.gguf"),
                tensors_of("F32") | {"blk.0.attn_z.bias": (np.ones(WIDTH, np.float32), "F32")},
            )
        )


def test_weights_that_are_no_numbers_are_refused(file):
    tensors = tensors_of("F32")
    tensors["blk.0.ffn_up.weight"][0][2, 3] = np.inf
    with pytest.raises(ModelError, match=r"tiny: 'layer0.up' holds 1 values that are not finite"):
        load_gguf(write(file, tensors))


def test_a_missing_file_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.gguf is not a file"):
        load_gguf(tmp_path / "none.gguf")


def test_a_length_that_no_file_could_hold_is_refused_at_once(file):
    write(file, tensors_of("F32"))
    content = bytearray(file.read_bytes())
    key = b"tokenizer.ggml.tokens"
    kind = content.index(key) + len(key) + 4
    content[kind : kind + 12] = (4).to_bytes(4, "little") + (2**60).to_bytes(8, "little")
    file.write_bytes(content)
    with pytest.raises(
        ModelError, match=r"tiny.gguf: damaged or truncated .* an entry ends at byte"
    ):
        load_gguf(file)


def test_damaged_text_and_merges_are_refused_by_name(file, monkeypatch):
    content = write(file, tensors_of("F32")).read_bytes()
    file.write_bytes(content.replace(b"smollm", b"\xa2mollm"))
    with pytest.raises(ModelError, match=r"tiny.gguf: 'tokenizer.ggml.pre' is damaged"):
        load_gguf(file)
    monkeypatch.setitem(globals(), "MERGES", ["h é"])
    with pytest.raises(
        ModelError, match=r"tiny.gguf: merge 'h é' of the tokenizer has 'é', which is not among its"
    ):
        load_gguf(write(file, tensors_of("F32")))


def test_more_layers_than_tensors_are_refused(tmp_path):
    for layers in (0, 2**31):
        path = tmp_path / "many.gguf"
        write(path, tensors_of("Q8_0"), block_count=layers)
        with pytest.raises(ModelError, match=rf"many.gguf: llama.block_count={layers}; allowed"):
            load_gguf(path)


def test_no_heads_is_one_clear_error(tmp_path):
    write(tmp_path / "none.gguf", tensors_of("Q8_0"), **{"attention.head_count": 0})
    with pytest.raises(ModelError, match=r"none.gguf: "):
        load_gguf(tmp_path / "none.gguf")
