"""A GGUF file written here is read as the packages gguf and tokenizers read it; damage is refused by name."""

import dataclasses

import gguf
import numpy as np
import pytest
from gguf.quants import dequantize, quantize
from hypothesis import given, settings
from hypothesis import strategies as st

from pimlab.reference import decoder as plain
from pimlab.workload.importers.gguf_model import BlockWeights, extra, load_gguf
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


def tensors_of(kind, seed=0):
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
    tensors |= {
        name: 1 + rng.standard_normal(WIDTH) / 4
        for name in ("blk.0.attn_norm.weight", "blk.0.ffn_norm.weight", "output_norm.weight")
    }
    return {
        name: (array.astype(np.float32), "F32" if array.ndim == 1 else kind)
        for name, array in tensors.items()
    }


def write(path, tensors, architecture="llama", **changed):
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
            writer.add_uint32(f"{architecture}.{name}", value)
    writer.add_float32(f"{architecture}.attention.layer_norm_rms_epsilon", 1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(BYTES)
    writer.add_token_merges(MERGES)
    for name, (array, kind) in tensors.items():
        data_type = gguf.GGMLQuantizationType[kind]
        data = (
            array.astype({"F32": np.float32, "F16": np.float16}[kind])
            if kind in ("F32", "F16")
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


def test_a_head_of_its_own_is_used(file):
    tensors = tensors_of("F32")
    tensors["output.weight"] = (2 * tensors["token_embd.weight"][0], "F32")
    tied, untied = (
        load_gguf(write(file, tensors_of("F32"))),
        load_gguf(write(file.with_name("two.gguf"), tensors)),
    )
    tokens = np.array([[3, 4, 5]])
    np.testing.assert_allclose(untied.logits(tokens), 2 * tied.logits(tokens), rtol=1e-5)


def test_the_tokenizer_of_the_file_is_used(file):
    tokenizer = load_gguf(write(file, tensors_of("F32"))).tokenizer
    assert tokenizer.encode("the 42").tolist() == [
        BYTES.index(word) for word in ("t", "he", "Ġ", "4", "2")
    ]
    assert tokenizer.encode(" the").tolist() == [BYTES.index("Ġthe")]
    assert tokenizer.decode(tokenizer.encode("the heathen\n42")) == "the heathen\n42"


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
        ({"architecture": "gemma"}, "general.architecture='gemma'; allowed: 'llama'"),
        ({"block_count": 2}, "has no tensor 'blk.1"),
        (
            {"feed_forward_length": 100},
            r"'layer0.gate' has shape \(1, 64, 96\), needed \(1, 64, 100\)",
        ),
        ({"rope.dimension_count": 8}, "rope.dimension_count=8; allowed: 16"),
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
    with pytest.raises(
        ModelError,
        match=r"tensor 'token_embd.weight' has type Q5_0; allowed: F32, F16, Q4_0, Q4_1, Q8_0",
    ):
        load_gguf(
            write(
                file,
                tensors_of("F32")
                | {"token_embd.weight": (np.ones((len(BYTES), WIDTH), np.float32), "Q5_0")},
            )
        )
    with pytest.raises(
        ModelError,
        match=r"tensor 'blk.0.attn_q.bias' has no place in this decoder; did you mean 'blk.0.attn_q.weight'",
    ):
        load_gguf(
            write(
                file.with_name("b.gguf"),
                tensors_of("F32") | {"blk.0.attn_q.bias": (np.ones(WIDTH, np.float32), "F32")},
            )
        )


def test_weights_that_are_no_numbers_are_refused(file):
    tensors = tensors_of("F32")
    tensors["blk.0.ffn_up.weight"][0][2, 3] = np.inf
    with pytest.raises(ModelError, match=r"tiny: 'layer0.up' holds 1 values that are not finite"):
        load_gguf(write(file, tensors))


def test_missing_files_and_packages_say_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.gguf is not a file"):
        load_gguf(tmp_path / "none.gguf")
    with pytest.raises(
        ImportError,
        match=r"reading a GGUF file needs the package 'gguf_missing': pip install pimlab\[llm\]",
    ):
        extra("gguf_missing", "reading a GGUF file")


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


def test_more_layers_than_tensors_and_scaled_positions_are_refused(tmp_path):
    for layers in (0, 2**31):
        path = tmp_path / "many.gguf"
        write(path, tensors_of("Q8_0"), block_count=layers)
        with pytest.raises(ModelError, match=rf"many.gguf: llama.block_count={layers}; allowed"):
            load_gguf(path)
    writer = gguf.GGUFWriter(tmp_path / "yarn.gguf", "llama")
    writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(ModelError, match=r"yarn.gguf: llama.rope.scaling.type='yarn'"):
        load_gguf(tmp_path / "yarn.gguf")


def test_no_heads_is_one_clear_error(tmp_path):
    write(tmp_path / "none.gguf", tensors_of("Q8_0"), **{"attention.head_count": 0})
    with pytest.raises(ModelError, match=r"none.gguf: "):
        load_gguf(tmp_path / "none.gguf")
