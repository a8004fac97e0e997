"""Which decoder does a Hugging Face config.json describe? Its sizes, and what sets its family apart
from LLaMA.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pimlab.values import nearest
from pimlab.workload.language.rotary import Divisors, Linear, Llama3, Rotary, Yarn
from pimlab.workload.language.shape import DecoderShape
from pimlab.workload.model import ModelError

FAMILIES = ("llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3_text", "phi3")
"""Values of model_type that are read."""
_SCALINGS = ("linear", "llama3", "yarn", "longrope")


def config(path: Path) -> dict[str, Any]:
    """The entries of a config.json; ModelError where it is damaged."""
    if not path.is_file():
        raise ModelError(f"{path} is not a file; allowed: a config.json")
    try:
        found = json.loads(path.read_text())
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ModelError(f"{path.name}: damaged ({error})") from error
    if not isinstance(found, dict):
        raise ModelError(f"{path.name}: no entries by name; allowed: a Hugging Face config.json")
    return found


def shape_of(given: Mapping[str, Any], file: str) -> DecoderShape:
    """The shape in the entries of a config.json; ModelError names the file, the entry and what is
    allowed.
    """
    family = given.get("model_type")
    if family not in FAMILIES:
        raise ModelError(
            f"{file}: model_type={family!r}{nearest(str(family), FAMILIES)}; allowed: "
            f"{', '.join(map(repr, FAMILIES))}"
        )
    if activation := _other_activation(given, family):
        raise ModelError(f"{file}: hidden_act={activation!r}; allowed: that of {family}")
    try:
        sizes = _sizes(given)
        return DecoderShape(**sizes, **_family(given, family, sizes), rotary=_rotary(given, sizes))
    except KeyError as error:
        raise ModelError(f"{file}: has no {error.args[0]!r}, which a {family} needs") from error
    except ModelError:
        raise
    except (ArithmeticError, TypeError, ValueError) as error:
        raise ModelError(f"{file}: {error}") from error


def _other_activation(given: Mapping[str, Any], family: str) -> str | None:
    """An activation that a family does not have."""
    usual = ("gelu_pytorch_tanh",) if family.startswith("gemma") else ("silu", "swish")
    found = given.get("hidden_activation") or given.get("hidden_act") or usual[0]
    return None if found in usual else str(found)


def _sizes(given: Mapping[str, Any]) -> dict[str, Any]:
    heads, width = given["num_attention_heads"], given["hidden_size"]
    return {
        "vocabulary": given["vocab_size"],
        "width": width,
        "layers": given["num_hidden_layers"],
        "heads": heads,
        "kv_heads": given.get("num_key_value_heads") or heads,
        "head_width": given.get("head_dim") or width // heads,
        "hidden": given["intermediate_size"],
        "context": given["max_position_embeddings"],
        "rope_base": given.get("rope_theta") or 10000.0,
        "norm_epsilon": given.get("rms_norm_eps", 1e-6),
    }


def _family(given: Mapping[str, Any], family: str, sizes: Mapping[str, Any]) -> dict[str, Any]:
    """What a family does otherwise than LLaMA."""
    window = given.get("sliding_window")
    if family in ("mistral", "phi3"):
        return {"window": window if window and window < sizes["context"] else None}
    if not family.startswith("gemma"):
        if given.get("use_sliding_window"):
            raise ValueError("use_sliding_window=True is not read; allowed: False")
        return {"qk_norm": family == "qwen3"}
    scale = given.get("query_pre_attn_scalar")
    found = {
        "post_norms": True,
        "gate": "gelu",
        "qk_norm": family == "gemma3_text",
        "embedding_scale": sizes["width"] ** 0.5,
        "attention_scale": None if scale is None else scale**-0.5,
        "window": window or 4096,
        "global_every": 2 if family == "gemma2" else given.get("sliding_window_pattern", 6),
        "attention_cap": given.get("attn_logit_softcapping"),
        "logit_cap": given.get("final_logit_softcapping"),
    }
    if family == "gemma3_text":
        found["local_rope_base"] = given.get("rope_local_base_freq", 10000.0)
    return found


def _rotary(given: Mapping[str, Any], sizes: Mapping[str, Any]) -> Rotary:
    share = given.get("partial_rotary_factor", 1.0)
    width = None if share == 1.0 else int(sizes["head_width"] * share)
    return Rotary(pairs="halves", width=width, scaling=_scaling(given, sizes))


def _scaling(given: Mapping[str, Any], sizes: Mapping[str, Any]) -> Any:
    rule = given.get("rope_scaling")
    kind = "default" if not rule else rule.get("rope_type", rule.get("type"))
    if not rule or kind == "default":
        return None
    trained = rule.get("original_max_position_embeddings") or given.get(
        "original_max_position_embeddings", sizes["context"]
    )
    if kind == "linear":
        return Linear(factor=rule["factor"])
    if kind == "llama3":
        return Llama3(
            factor=rule["factor"],
            low=rule["low_freq_factor"],
            high=rule["high_freq_factor"],
            trained=trained,
        )
    if kind == "yarn":
        fast, slow = rule.get("beta_fast") or 32.0, rule.get("beta_slow") or 1.0
        attention = rule.get("attention_factor")
        return Yarn(
            factor=rule["factor"], trained=trained, fast=fast, slow=slow, attention=attention
        )
    if kind in ("longrope", "su"):
        return _long(rule, trained, sizes["context"] / trained)
    raise ValueError(f"rope_scaling type {kind!r}{nearest(str(kind), _SCALINGS)}; allowed: "
                     f"{', '.join(_SCALINGS)}")  # fmt: skip


def _long(rule: Mapping[str, Any], trained: int, factor: float) -> Divisors:
    usual = math.sqrt(1 + math.log(factor) / math.log(trained)) if factor > 1 else 1.0
    return Divisors(
        short=tuple(map(float, rule["short_factor"])),
        long=tuple(map(float, rule["long_factor"])),
        trained=trained,
        attention=rule.get("attention_factor") or usual,
    )
