"""Folders in Hugging Face's form, written here, against the float64 decoder and codes packed by hand."""

import dataclasses
import json

import ml_dtypes
import numpy as np
import pytest

import pimlab as pim
from pimlab.reference import decoder as plain
from pimlab.workload.model import ModelError
from tests.workload.importers.test_hf_config import LLAMA
from tests.workload.importers.test_safetensors_file import write

SIZES = {
    "self_attn.q_proj": (64, 64), "self_attn.k_proj": (32, 64), "self_attn.v_proj": (32, 64),
    "self_attn.o_proj": (64, 64), "mlp.gate_proj": (96, 64), "mlp.up_proj": (96, 64),
    "mlp.down_proj": (64, 96),
}  # fmt: skip
RNG = np.random.default_rng(0)


def _tensors(layers=1):
    found = {"model.embed_tokens.weight": RNG.standard_normal((300, 64))}
    found["model.norm.weight"] = 1 + RNG.standard_normal(64) / 4
    for i in range(layers):
        for name, size in SIZES.items():
            found[f"model.layers.{i}.{name}.weight"] = RNG.standard_normal(size) / 8
        for name in ("input_layernorm", "post_attention_layernorm"):
            found[f"model.layers.{i}.{name}.weight"] = 1 + RNG.standard_normal(64) / 4
    return {name: array.astype(np.float32) for name, array in found.items()}


def _folder(path, tensors, **changed):
    path.mkdir(exist_ok=True)
    (path / "config.json").write_text(json.dumps(LLAMA | {"num_hidden_layers": 1} | changed))
    write(path / "model.safetensors", tensors)
    return path


def _agrees(model, **more):
    tokens = RNG.integers(0, 300, 9)
    arrays = {name: w[0] for name, w in model.weights.items()} | dict(model.parameters)
    arrays |= {f"{name}_bias": bias for name, bias in model.biases.items()}
    sizes = dataclasses.asdict(model.shape) | {"halves": True} | more
    wanted = plain.logits(sizes, arrays, tokens)
    np.testing.assert_allclose(model.logits(tokens[None])[0], wanted, atol=2e-3)


def test_a_folder_gives_the_logits_of_its_tensors(tmp_path):
    tensors = _tensors()
    model = pim.load_model(_folder(tmp_path / "tiny", tensors))
    assert model.name == "tiny"
    wanted = tensors["model.layers.0.mlp.down_proj.weight"].T
    np.testing.assert_array_equal(model.weights["layer0.down"][0], wanted)
    np.testing.assert_array_equal(model.weights["head"][0], tensors["model.embed_tokens.weight"].T)
    _agrees(model)
    again = pim.load_model(tmp_path / "tiny" / "model.safetensors")
    assert again.sha256 == model.sha256
    with pytest.raises(ModelError, match=r"has no tokenizer.json"):
        model.tokenizer.encode("a")


def test_halves_of_float32_a_head_of_its_own_and_biases(tmp_path):
    tensors = _tensors()
    tensors["lm_head.weight"] = RNG.standard_normal((300, 64)).astype(np.float32)
    tensors["model.layers.0.self_attn.q_proj.bias"] = RNG.standard_normal(64).astype(np.float32)
    halves = {name: array.astype(ml_dtypes.bfloat16) for name, array in tensors.items()}
    model = pim.load_model(_folder(tmp_path / "m", halves, model_type="qwen2"))
    wanted = halves["lm_head.weight"].astype(np.float32).T
    np.testing.assert_array_equal(model.weights["head"][0], wanted)
    assert set(model.biases) == {"layer0.q"}
    _agrees(model)


def test_gains_of_gemma_are_stored_less_one(tmp_path):
    tensors = _tensors()
    for name in ("pre_feedforward_layernorm", "post_feedforward_layernorm"):
        tensors[f"model.layers.0.{name}.weight"] = RNG.standard_normal(64).astype(np.float32) / 4
    given = {"model_type": "gemma2", "hidden_act": "gelu_pytorch_tanh", "sliding_window": 4}
    model = pim.load_model(_folder(tmp_path / "m", tensors, **given))
    wanted = 1 + tensors["model.layers.0.pre_feedforward_layernorm.weight"]
    np.testing.assert_array_equal(model.parameters["layer0.ffn_norm"], wanted)
    _agrees(model)


def test_matrices_of_phi3_are_cut(tmp_path):
    tensors, base = _tensors(), "model.layers.0."
    parts = [tensors.pop(f"{base}self_attn.{n}_proj.weight") for n in "qkv"]
    tensors[f"{base}self_attn.qkv_proj.weight"] = np.concatenate(parts)
    gate, up = (tensors.pop(f"{base}mlp.{n}_proj.weight") for n in ("gate", "up"))
    tensors[f"{base}mlp.gate_up_proj.weight"] = np.concatenate([gate, up])
    model = pim.load_model(_folder(tmp_path / "m", tensors, model_type="phi3"))
    np.testing.assert_array_equal(model.weights["layer0.k"][0], parts[1].T)
    np.testing.assert_array_equal(model.weights["layer0.up"][0], up.T)


def _packed(codes, bits, order=None):
    """Codes (rows, n) as 32-bit integers along n, code order[i] of each word at place i."""
    words = codes.reshape(len(codes), -1, 32 // bits).astype(np.uint64)
    order = range(32 // bits) if order is None else order
    places = sum(words[..., j] << np.uint64(bits * i) for i, j in enumerate(order))
    return places.astype(np.uint32).view(np.int32)


def _quantised(tensors, method, bits, order=None, shuffled=False):
    """The tensors with every layer's matrix as codes in groups of 32; what they stand for by name."""
    found, wanted = {}, {}
    for name, w in tensors.items():
        if ".layers." not in name or w.ndim == 1:
            found[name] = w
            continue
        base, (n, k) = name.removesuffix(".weight"), w.shape
        codes = RNG.integers(0, 2**bits, (k, n))
        zeros = RNG.integers(0, 2**bits, (k // 32, n))
        scales = (RNG.random((k // 32, n)) / 50 + 0.01).astype(np.float16)
        part_of = RNG.permutation(np.arange(k) // 32) if shuffled else np.arange(k) // 32
        wanted[base] = (codes - zeros[part_of]).astype(np.float32) * scales.astype(np.float32)[
            part_of
        ]
        if method == "awq":
            found[f"{base}.qweight"] = _packed(codes, 4, order)
            found[f"{base}.qzeros"] = _packed(zeros, 4, order)
        else:
            found[f"{base}.qweight"] = np.ascontiguousarray(_packed(codes.T, bits).T)
            found[f"{base}.qzeros"] = _packed((zeros - 1) % 2**bits, bits)
            found[f"{base}.g_idx"] = part_of.astype(np.int32)
        found[f"{base}.scales"] = scales
    return found, wanted


@pytest.mark.parametrize(("method", "bits", "shuffled"), [
    ("gptq", 4, False), ("gptq", 8, False), ("gptq", 2, False), ("gptq", 4, True), ("awq", 4, False),
])  # fmt: skip
def test_packed_codes_are_kept(tmp_path, method, bits, shuffled):
    order = (0, 2, 4, 6, 1, 3, 5, 7)  # in which AWQ packs eight outputs
    tensors, wanted = _quantised(_tensors(), method, bits, order, shuffled)
    rule = {"quant_method": method, "bits": bits, "group_size": 32}
    model = pim.load_model(_folder(tmp_path / "m", tensors, quantization_config=rule))
    for ours, theirs in {"q": "self_attn.q_proj", "down": "mlp.down_proj"}.items():
        w = wanted[f"model.layers.0.{theirs}"]
        np.testing.assert_array_equal(model.weights[f"layer0.{ours}"][0], w)
        held = model.held[f"layer0.{ours}"]
        assert held.holds(w)
        assert held.bits == bits
        assert held.part == (0 if shuffled else 32)
    assert "head" not in model.held
    _agrees(model)


def test_blocks_of_fp8_are_multiplied_by_their_scales(tmp_path):
    tensors, base = _tensors(), "model.layers.0.mlp.down_proj.weight"
    stored = tensors[base].astype(ml_dtypes.float8_e4m3fn)
    scale = RNG.random((2, 3)).astype(np.float32)
    tensors |= {base: stored, f"{base}_scale_inv": scale}
    rule = {"quant_method": "fp8", "weight_block_size": [32, 32]}
    model = pim.load_model(_folder(tmp_path / "m", tensors, quantization_config=rule))
    wanted = stored.astype(np.float32) * np.repeat(np.repeat(scale, 32, 0), 32, 1)
    np.testing.assert_array_equal(model.weights["layer0.down"][0], wanted.T)
    tensors[f"{base}_scale_inv"] = scale.T.copy()
    _folder(tmp_path / "m", tensors, quantization_config=rule)
    with pytest.raises(ModelError, match=r"_scale_inv' has shape \(3, 2\), needed \(2, 3\)"):
        pim.load_model(tmp_path / "m")
    for wrong in (7, [32], [0, 32], {"rows": 32}):
        _folder(tmp_path / "m", tensors, quantization_config=rule | {"weight_block_size": wrong})
        with pytest.raises(ModelError, match=r"weight_block_size=.*two integers above 0"):
            pim.load_model(tmp_path / "m")


@pytest.mark.parametrize(("change", "words"), [
    ({"vocab_size": 301}, r"'head' has shape \(1, 64, 300\), needed \(1, 64, 301\)"),
    ({"intermediate_size": 100}, r"'layer0.gate' has shape \(1, 64, 96\), needed \(1, 64, 100\)"),
    ({"num_hidden_layers": 2}, r"has no tensor 'model.layers.1.*'; did you mean"),
    ({"quantization_config": {"quant_method": "gtpq"}}, r"quant_method='gtpq'; did you mean 'gptq'"),
])  # fmt: skip
def test_checkpoints_that_contradict_their_config_are_refused(tmp_path, change, words):
    with pytest.raises(ModelError, match=words):
        pim.load_model(_folder(tmp_path / "m", _tensors(), **change))


def test_the_tokenizer_of_the_folder_is_used(tmp_path):
    import tokenizers

    run = tokenizers.Tokenizer(tokenizers.models.BPE({"a": 0, "b": 1, "ab": 2}, [("a", "b")]))
    folder = _folder(tmp_path / "m", _tensors())
    run.save(str(folder / "tokenizer.json"))
    tokenizer = pim.load_model(folder).tokenizer
    assert tokenizer.encode("abba").tolist() == [2, 1, 0]
    assert (tokenizer.name, tokenizer.size, tokenizer.start) == ("m", 300, None)
    run.post_processor = tokenizers.processors.TemplateProcessing(
        single="b $A", special_tokens=[("b", 1)]
    )
    run.save(str(folder / "tokenizer.json"))
    begun = pim.load_model(folder).tokenizer
    assert (begun.start, begun.encode("abba").tolist()) == (1, [2, 1, 0])
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(ModelError, match="tokenizer.json is damaged"):
        pim.load_model(folder)
    run.add_tokens([str(i) for i in range(400)])
    run.save(str(folder / "tokenizer.json"))
    with pytest.raises(
        ModelError, match=r"tokenizer.json has 403 tokens, config.json vocab_size=300"
    ):
        pim.load_model(folder)


def test_files_that_an_index_names_are_read_and_no_others(tmp_path):
    tensors = _tensors()
    folder = _folder(tmp_path / "m", tensors)
    (folder / "model.safetensors").unlink()
    names, places = sorted(tensors), {}
    for i, part in enumerate((names[:5], names[5:]), start=1):
        write(folder / f"part{i}.safetensors", {name: tensors[name] for name in part})
        places |= dict.fromkeys(part, f"part{i}.safetensors")
    write(folder / "consolidated.safetensors", {"norm.weight": np.zeros(64, np.float32)})
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": places}))
    model = pim.load_model(folder)
    np.testing.assert_array_equal(model.parameters["norm"], tensors["model.norm.weight"])
    (folder / "part2.safetensors").unlink()
    with pytest.raises(ModelError, match=r"has no part2.safetensors, which .*index.json names"):
        pim.load_model(folder)
    index.write_text("{}")
    with pytest.raises(ModelError, match="has no weight_map that names files"):
        pim.load_model(folder)


def test_a_layer_beyond_those_of_the_config_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"layer 1; config.json has num_hidden_layers=1"):
        pim.load_model(_folder(tmp_path / "m", _tensors(layers=2)))


def test_older_checkpoints_state_their_quantisation_in_a_file_of_its_own(tmp_path):
    tensors, wanted = _quantised(_tensors(), "gptq", 8)
    folder = _folder(tmp_path / "m", tensors)
    with pytest.raises(ModelError, match=r"no quantization_config that says how"):
        pim.load_model(folder)
    (folder / "quantize_config.json").write_text(json.dumps({"bits": 8, "group_size": 32}))
    model = pim.load_model(folder)
    w = wanted["model.layers.0.self_attn.q_proj"]
    np.testing.assert_array_equal(model.weights["layer0.q"][0], w)


def test_one_scale_and_scales_of_outputs_and_blocks(tmp_path):
    tensors, base = _tensors(), "model.layers.0.mlp.down_proj.weight"
    stored = tensors[base].astype(ml_dtypes.float8_e4m3fn)
    weights = {"num_bits": 8, "type": "float", "block_structure": [32, 32]}
    rule = {"quant_method": "compressed-tensors", "format": "float-quantized",
            "config_groups": {"group_0": {"weights": weights}}}  # fmt: skip
    for shape in ((1,), (64, 1), (2, 3)):
        scale = RNG.random(shape).astype(np.float32)
        held = tensors | {base: stored, f"{base}_scale": scale}
        model = pim.load_model(_folder(tmp_path / "m", held, quantization_config=rule))
        wide = np.kron(scale, np.ones((32, 32), np.float32)) if shape == (2, 3) else scale
        wanted = stored.astype(np.float32) * wide
        np.testing.assert_array_equal(model.weights["layer0.down"][0], wanted.T)


def test_multipliers_of_granite_stand_in_its_weights(tmp_path):
    """Residuals times 0.5 and logits over 8, against the decoder on weights that hold both."""
    tensors = _tensors()
    more = {"residual_multiplier": 0.5, "logits_scaling": 8.0, "embedding_multiplier": 12.0}
    model = pim.load_model(_folder(tmp_path / "g", tensors, model_type="granite", **more))
    own = {name: tensors[f"model.layers.0.{theirs}.weight"].T
           for name, theirs in (("o", "self_attn.o_proj"), ("down", "mlp.down_proj"))}  # fmt: skip
    for name, w in own.items():
        np.testing.assert_array_equal(model.weights[f"layer0.{name}"][0], w / 2)
    head = tensors["model.embed_tokens.weight"].T
    np.testing.assert_array_equal(model.weights["head"][0], head / 8)
    _agrees(model)


def test_weights_of_a_family_known_for_costs_are_refused(tmp_path):
    folder = _folder(tmp_path / "m", _tensors(), model_type="smollm3")
    with pytest.raises(ModelError, match=r"'smollm3' are not read \(some of its layers have no"):
        pim.load_model(folder)
    assert pim.load_model(folder / "config.json").macs > 0
