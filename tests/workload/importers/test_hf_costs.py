"""Which shapes does a config.json alone give, and which entry is misspelt?"""

import pytest

from pimlab.workload.importers.hf_config import shape_of
from pimlab.workload.importers.hf_costs import cost_shape_of
from pimlab.workload.model import ModelError

LLAMA = {
    "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "intermediate_size": 96, "max_position_embeddings": 128,
    "vocab_size": 300, "rms_norm_eps": 1e-6, "rope_theta": 500000.0, "hidden_act": "silu",
}  # fmt: skip
GPT2 = {"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "n_positions": 1024,
        "n_inner": None, "vocab_size": 50257, "activation_function": "gelu_new"}  # fmt: skip
OPT = {"model_type": "opt", "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
       "ffn_dim": 3072, "max_position_embeddings": 2048, "vocab_size": 50272,
       "word_embed_proj_dim": 768}  # fmt: skip


@pytest.mark.parametrize("given", [GPT2, OPT], ids=["gpt2", "opt"])
def test_families_of_costs_alone_count_by_hand(given):
    shape = cost_shape_of(given, "c")
    assert (shape.hidden, shape.head_width, shape.feed_forward) == (3072, 64, "gelu")
    matrices = 12 * (4 * 768**2 + 2 * 768 * 3072)
    assert sum(k * n for layer in [shape.matrices] for k, n in layer.values()) * 12 == matrices
    with pytest.raises(ModelError, match="allowed: 'llama'"):
        shape_of(given, "c")


def test_families_of_costs_alone_say_what_they_lack():
    with pytest.raises(ModelError, match="has no 'n_embd', which a gpt2 needs"):
        cost_shape_of({k: v for k, v in GPT2.items() if k != "n_embd"}, "c")
    with pytest.raises(ModelError, match="word_embed_proj_dim=512; allowed: hidden_size, 768"):
        cost_shape_of(OPT | {"word_embed_proj_dim": 512}, "c")
    with pytest.raises(ModelError, match="unknown entry 'fnn_dim'; did you mean 'ffn_dim'"):
        cost_shape_of({**{k: v for k, v in OPT.items() if k != "ffn_dim"}, "fnn_dim": 1}, "c")


def test_a_misspelt_entry_is_named():
    given = {k: v for k, v in LLAMA.items() if k != "num_key_value_heads"}
    assert cost_shape_of(given, "c").kv_heads == 4
    words = "unknown entry 'num_key_value_head'; did you mean 'num_key_value_heads'"
    with pytest.raises(ModelError, match=words):
        cost_shape_of(given | {"num_key_value_head": 2}, "c")
