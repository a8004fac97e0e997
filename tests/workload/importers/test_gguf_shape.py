"""What a header says of a family, field by field."""

import numpy as np
import pytest

from pimlab.workload.importers.gguf_shape import shape_of
from pimlab.workload.model import ModelError


class _Header:
    """Keys of a network as `gguf_header.Header` gives them."""

    def __init__(self, architecture, **keys):
        self.name, self.architecture = "x.gguf", architecture
        self.keys = {
            "embedding_length": 64, "block_count": 2, "attention.head_count": 4,
            "attention.head_count_kv": 2, "feed_forward_length": 96, "context_length": 8192,
            "attention.layer_norm_rms_epsilon": 1e-6,
        } | keys  # fmt: skip

    def own(self, key):
        return self.keys[key]

    def own_or(self, key, default=None):
        return self.keys.get(key, default)


TENSORS = {"token_embd.weight": np.zeros((64, 300)), "output_norm.weight": np.zeros(64)}


def test_gemma2_alternates_windows_and_caps():
    shape = shape_of(_Header("gemma2"), TENSORS)
    assert (shape.window, shape.global_every) == (4096, 2)
    assert [shape.is_local(i) for i in range(2)] == [True, False]
    assert (shape.attention_cap, shape.logit_cap) == (50.0, 30.0)
    assert (shape.embedding_scale, shape.gate, shape.post_norms) == (8.0, "gelu", True)
    assert shape.attention_scale is None


def test_the_largest_gemma_scales_scores_by_its_mean_head():
    keys = {"block_count": 46, "attention.key_length": 32}
    tensors = TENSORS | {str(i): None for i in range(46)}
    assert shape_of(_Header("gemma2", **keys), tensors).attention_scale == 0.25


def test_gemma3_turns_local_layers_by_a_base_of_their_own():
    shape = shape_of(_Header("gemma3", **{"rope.freq_base": 1e6}), TENSORS)
    assert (shape.rope_base, shape.local_rope_base, shape.global_every) == (1e6, 10000.0, 6)
    assert shape.qk_norm
    assert shape.logit_cap is None


def test_a_window_as_long_as_the_context_is_none():
    assert shape_of(_Header("phi3", **{"attention.sliding_window": 8192}), TENSORS).window is None
    assert shape_of(_Header("phi3", **{"attention.sliding_window": 2047}), TENSORS).window == 2047


def test_windows_scales_and_caps_that_a_file_states_are_taken():
    keys = {"attention.sliding_window": 100, "attention.scale": 0.5, "logit_scale": 1.0}
    shape = shape_of(_Header("llama", **keys, attn_logit_softcapping=3.0), TENSORS)
    assert (shape.window, shape.attention_scale, shape.attention_cap) == (100, 0.5, 3.0)
    caps = shape_of(_Header("gemma2", final_logit_softcapping=7.0), TENSORS)
    assert (caps.attention_cap, caps.logit_cap) == (50.0, 7.0)
    assert shape_of(_Header("gemma"), TENSORS).window is None


def test_sizes_that_every_layer_states_are_one():
    keys = {"attention.head_count_kv": [2, 2], "feed_forward_length": [96, 96]}
    shape = shape_of(_Header("llama", **keys), TENSORS)
    assert (shape.kv_heads, shape.hidden) == (2, 96)


@pytest.mark.parametrize(("pattern", "every"), [
    (3, 3), ([True, True, False, True], 3), ([True, True], None),
])  # fmt: skip
def test_which_layers_look_at_a_window(pattern, every):
    keys = {"attention.sliding_window_pattern": pattern}
    assert shape_of(_Header("gemma3", **keys), TENSORS).global_every == every


@pytest.mark.parametrize(("architecture", "keys", "words"), [
    ("gemma3", {"attention.sliding_window_pattern": [False, True]}, "every so manieth layer"),
    ("llama", {"attention.head_count": [4, 2]}, r"head_count=\[4, 2\] differs from layer"),
    ("llama", {"expert_count": 8}, "llama.expert_count=8 is not read; allowed: none"),
    ("llama", {"residual_scale": 0.2}, "llama.residual_scale=0.2 is not read"),
    ("mamba", {}, r"general.architecture='mamba'.*allowed: 'llama', 'mistral3', 'qwen2', 'qwen3'"),
    ("mistral3", {"attention.temperature_scale": 0.1}, r"temperature_scale=0.1 is not read"),
    ("qwen2", {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0,
               "rope.scaling.yarn_log_multiplier": 0.1}, r"yarn_log_multiplier=0.1; allowed: none"),
])  # fmt: skip
def test_what_is_not_read_is_refused(architecture, keys, words):
    with pytest.raises(ModelError, match=words):
        shape_of(_Header(architecture, **keys), TENSORS)
