"""What does a Hugging Face config.json alone cost? Its shape; that of GPT-2 and OPT too, whose
values are not computed; and a word for an entry that is misspelt.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from pimlab.workload.importers.hf_config import shape_of
from pimlab.workload.language.shape import DecoderShape
from pimlab.workload.model import ModelError

FAMILIES = {
    "gpt2": {
        "vocabulary": "vocab_size", "width": "n_embd", "layers": "n_layer", "heads": "n_head",
        "hidden": "n_inner", "context": "n_positions",
    },
    "opt": {
        "vocabulary": "vocab_size", "width": "hidden_size", "layers": "num_hidden_layers",
        "heads": "num_attention_heads", "hidden": "ffn_dim", "context": "max_position_embeddings",
    },
}  # fmt: skip
"""Values of model_type -> their names of sizes: two matrices in the feed-forward layer, and no
rotary angles."""
READ = (
    "num_attention_heads", "hidden_size", "vocab_size", "num_hidden_layers", "head_dim",
    "num_key_value_heads", "intermediate_size", "max_position_embeddings", "rope_theta",
    "rms_norm_eps", "sliding_window", "use_sliding_window", "query_pre_attn_scalar", "hidden_act",
    "sliding_window_pattern", "attn_logit_softcapping", "final_logit_softcapping",
    "rope_local_base_freq", "partial_rotary_factor", "rope_scaling", "rope_parameters",
    "original_max_position_embeddings", "hidden_activation", "_sliding_window_pattern",
    "layer_types", "num_experts_per_tok", "moe_intermediate_size", "decoder_sparse_step",
    "num_local_experts", "num_experts", "mlp_only_layers", "embedding_multiplier",
    "attention_multiplier", "residual_multiplier", "logits_scaling",
)  # fmt: skip
"""Entries that `shape_of` reads. What resembles none of them (dates, token numbers) says nothing of
the shape."""
ALIKE = 0.85
"""Share of letters in common from which an entry is one that is misspelt."""


def cost_shape_of(given: Mapping[str, Any], file: str) -> DecoderShape:
    """The shape in the entries of a config.json, for costs: as `shape_of`, and of GPT-2 and OPT. An
    activation by ReLU is charged as one by GELU is.

    ModelError as there, and for an entry that is spelt almost as one that is read.
    """
    family = given.get("model_type")
    if family not in FAMILIES:
        _spelt(given, READ, file)
        return shape_of(given, file)
    names = FAMILIES[family]
    _spelt(given, names.values(), file)
    lacking = [key for size, key in names.items() if size != "hidden" and key not in given]
    if lacking:
        raise ModelError(f"{file}: has no {lacking[0]!r}, which a {family} needs")
    width = given[names["width"]]
    projected = given.get("word_embed_proj_dim", width)
    if projected != width:
        raise ModelError(f"{file}: word_embed_proj_dim={projected}; allowed: hidden_size, {width}")
    return _shape({size: given.get(key) for size, key in names.items()}, file)


def _shape(sizes: dict[str, Any], file: str) -> DecoderShape:
    try:
        return DecoderShape(
            **{**sizes, "hidden": sizes["hidden"] or 4 * sizes["width"]},
            kv_heads=sizes["heads"],
            head_width=sizes["width"] // sizes["heads"],
            feed_forward="gelu",
        )
    except (ArithmeticError, TypeError, ValueError) as error:
        raise ModelError(f"{file}: {error}") from error


def _spelt(given: Mapping[str, Any], read: Iterable[str], file: str) -> None:
    """ModelError for an entry that is spelt almost as one that is read and not there."""
    known = tuple(read)
    others = [key for key in given if key not in READ and key not in known]
    for name in known:
        like = difflib.get_close_matches(name, others, n=1, cutoff=ALIKE)
        if name not in given and like:
            raise ModelError(f"{file}: unknown entry {like[0]!r}; did you mean {name!r}?")
