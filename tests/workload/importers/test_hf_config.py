"""What config.json says of a family, entry by entry."""

import json

import pytest

import pimlab as pim
from pimlab.workload.importers.hf_config import config, multipliers, shape_of
from pimlab.workload.language.rotary import Divisors, Linear, Llama3, Yarn
from pimlab.workload.model import ModelError

LLAMA = {
    "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "intermediate_size": 96, "max_position_embeddings": 128,
    "vocab_size": 300, "rms_norm_eps": 1e-6, "rope_theta": 500000.0, "hidden_act": "silu",
}  # fmt: skip


def test_a_config_alone_is_a_shape_for_costs(tmp_path):
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(LLAMA))
    model = pim.load_model(folder / "config.json")
    assert model.name == "tiny"
    assert model.shape.head_width == 16
    out = pim.run(model.at(context=64), pim.target("warboy"))
    assert float(out.energy.sum()) > 0
    with pytest.raises(ModelError, match="its weights are not here"):
        model.execute(None)


@pytest.mark.parametrize(("rule", "wanted"), [
    (None, None),
    ({"rope_type": "default"}, None),
    ({"type": "linear", "factor": 4.0}, Linear(factor=4.0)),
    ({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
      "original_max_position_embeddings": 8192}, Llama3(factor=8.0, trained=8192)),
    ({"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32},
     Yarn(factor=4.0, trained=32)),
])  # fmt: skip
def test_scalings_of_positions(rule, wanted):
    assert shape_of(LLAMA | {"rope_scaling": rule}, "c").rotary.scaling == wanted


def test_long_divisors_grow_scores_by_their_factor():
    rule = {"type": "longrope", "short_factor": [1.0] * 8, "long_factor": [2.0] * 8}
    given = LLAMA | {"model_type": "phi3", "rope_scaling": rule, "sliding_window": 100,
                     "original_max_position_embeddings": 32}  # fmt: skip
    shape = shape_of(given, "c")
    assert isinstance(shape.rotary.scaling, Divisors)
    assert shape.rotary.scaling.attention == pytest.approx((1 + 2 / 5) ** 0.5)  # ln 4 / ln 32
    assert shape.window == 100


def test_families():
    gemma = LLAMA | {"model_type": "gemma2", "hidden_act": "gelu_pytorch_tanh", "head_dim": 32,
                     "query_pre_attn_scalar": 16, "attn_logit_softcapping": 50.0,
                     "final_logit_softcapping": 30.0, "sliding_window": 64}  # fmt: skip
    shape = shape_of(gemma, "c")
    assert (shape.attention_scale, shape.window, shape.global_every) == (0.25, 64, 2)
    assert (shape.embedding_scale, shape.head_width, shape.gate) == (8.0, 32, "gelu")
    third = shape_of(gemma | {"model_type": "gemma3_text"}, "c")
    assert (third.global_every, third.local_rope_base, third.qk_norm) == (6, 10000.0, True)
    assert shape_of(LLAMA | {"model_type": "qwen3"}, "c").qk_norm
    part = LLAMA | {"model_type": "phi3", "partial_rotary_factor": 0.5}
    assert shape_of(part, "c").rotary.width == 8


def test_positions_as_files_of_transformers_5_write_them():
    """`rope_parameters` holds base, share and scaling; Gemma 3's one rule for each kind of layer."""
    rule = {"rope_theta": 1e6, "rope_type": "linear", "factor": 4.0, "partial_rotary_factor": 0.5}
    bare = {key: value for key, value in LLAMA.items() if key != "rope_theta"}
    shape = shape_of(bare | {"rope_parameters": rule}, "c")
    assert (shape.rope_base, shape.rotary.width) == (1e6, 8)
    assert shape.rotary.scaling == Linear(factor=4.0)
    kinds = {"full_attention": rule, "sliding_attention": {"rope_theta": 500.0}}
    layers = ["sliding_attention", "sliding_attention", "full_attention", "sliding_attention"]
    gemma = bare | {"model_type": "gemma3_text", "hidden_act": "gelu_pytorch_tanh",
                    "rope_parameters": kinds, "layer_types": layers}  # fmt: skip
    third = shape_of(gemma, "c")
    assert (third.rope_base, third.local_rope_base, third.global_every) == (1e6, 500.0, 3)
    assert third.rotary.scaling == Linear(factor=4.0)
    assert shape_of(gemma | {"layer_types": layers[:2]}, "c").global_every is None
    plain = {key: value for key, value in gemma.items() if key != "rope_parameters"}
    assert shape_of(plain, "c").rope_base == 1e6


def test_scores_of_yarn_by_two_scales():
    """(0.1 m ln 4 + 1) / (0.1 n ln 4 + 1), as DeepSeek's files say; both alike leave them."""
    rule = {"rope_type": "yarn", "factor": 4.0, "mscale": 1.0, "mscale_all_dim": 0.5}
    found = shape_of(LLAMA | {"rope_scaling": rule}, "c").rotary.scaling.attention
    assert found == pytest.approx((1 + 0.13862944) / (1 + 0.06931472))
    same = rule | {"mscale_all_dim": 1.0}
    assert shape_of(LLAMA | {"rope_scaling": same}, "c").rotary.scaling.attention == 1.0


def test_experts_are_a_shape_for_costs_whose_weights_are_not_read():
    mixture = LLAMA | {"model_type": "mixtral", "num_local_experts": 4, "num_experts_per_tok": 2}
    shape = shape_of(mixture, "c")
    assert (shape.experts, shape.active, shape.hidden) == (4, 2, 96)
    third = {"model_type": "qwen3_moe", "moe_intermediate_size": 32, "num_experts": 8}
    shape = shape_of(mixture | third, "c")
    assert (shape.experts, shape.hidden, shape.qk_norm) == (8, 32, True)


def test_families_whose_shape_alone_is_known():
    assert shape_of(LLAMA | {"model_type": "smollm3"}, "c") == shape_of(LLAMA, "c")
    assert shape_of(LLAMA | {"model_type": "olmo2"}, "c") == shape_of(LLAMA, "c").but(qk_norm=True)


def test_multipliers_of_granite():
    given = LLAMA | {"model_type": "granite", "embedding_multiplier": 12.0}
    given |= {"attention_multiplier": 0.0625, "residual_multiplier": 0.5, "logits_scaling": 8.0}
    shape = shape_of(given, "c")
    assert (shape.embedding_scale, shape.attention_scale) == (12.0, 0.0625)
    assert multipliers(given) == {"o": 0.5, "down": 0.5, "head": 0.125}
    assert multipliers(LLAMA | {"logits_scaling": 8.0}) == {}
    with pytest.raises(ModelError, match=r"logits_scaling=0; allowed: a number above 0"):
        multipliers(given | {"logits_scaling": 0})


def test_gemma_of_the_first_generation():
    shape = shape_of(LLAMA | {"model_type": "gemma", "hidden_act": "gelu"}, "c")
    assert (shape.gate, shape.embedding_scale, shape.post_norms) == ("gelu", 8.0, False)


@pytest.mark.parametrize(("change", "words"), [
    ({"model_type": "lama"}, "model_type='lama'; did you mean 'llama'"),
    ({"model_type": "bert"}, "allowed: 'llama', 'mistral'"),
    ({"hidden_act": "relu"}, "hidden_act='relu'; allowed: that of llama"),
    ({"num_attention_heads": 3}, "c: DecoderShape"),
    ({"num_attention_heads": 0}, "c: "),
    ({"rope_scaling": {"type": "yarm", "factor": 2.0}}, "type 'yarm'; did you mean 'yarn'"),
    ({"rope_scaling": {"type": "yarn", "factor": 2.0, "truncate": False}}, "truncate=False"),
    ({"rope_parameters": {"rope_theta": 0.0}}, "rope_base=0.0 is outside above 0"),
    ({"rope_parameters": [1]}, r"rope_parameters=\[1\]; allowed: entries by name"),
    ({"model_type": "gemma2", "hidden_act": "gelu_pytorch_tanh",
      "layer_types": ["full_attention", "sliding_attention"]}, "layer_types=.*every so manieth"),
    ({"model_type": "gemma3_text", "hidden_act": "gelu_pytorch_tanh", "rope_parameters": {
      "sliding_attention": {"rope_type": "linear", "factor": 2.0}}}, "of 'sliding_attention'"),
    ({"model_type": "mixtral", "decoder_sparse_step": 2}, "allowed: experts in every layer"),
    ({"model_type": "qwen2", "use_sliding_window": True}, "use_sliding_window=True is not read"),
])  # fmt: skip
def test_what_is_not_read_is_refused(change, words):
    with pytest.raises(ModelError, match=words):
        shape_of(LLAMA | change, "c")


def test_missing_entries_and_files_are_named(tmp_path):
    short = {key: value for key, value in LLAMA.items() if key != "vocab_size"}
    with pytest.raises(ModelError, match="c: has no 'vocab_size', which a llama needs"):
        shape_of(short, "c")
    with pytest.raises(ModelError, match="is not a file"):
        config(tmp_path / "config.json")
    for text in ("{", "[]"):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(ModelError, match=r"config.json: (damaged|no entries)"):
            config(tmp_path / "config.json")
