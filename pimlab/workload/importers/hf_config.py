"""Which decoder does a Hugging Face config.json describe? Its sizes, and what sets its family apart
from LLaMA.

Rotary positions stand in `rope_theta` and `rope_scaling`, or in `rope_parameters` (files of
transformers 5), where Gemma 3 has one entry for each kind of layer.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pimlab.values import nearest
from pimlab.workload.language.experts import ExpertShape
from pimlab.workload.language.rotary import Divisors, Linear, Llama3, Rotary, Yarn
from pimlab.workload.language.shape import DecoderShape
from pimlab.workload.model import ModelError

FAMILIES = (
    "llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "phi3", "granite",
)  # fmt: skip
"""Values of model_type that are read."""
COSTED = {
    "olmo2": "its norms stand behind attention and feed-forward layers",
    "smollm3": "some of its layers have no rotary angles",
}
"""Values of model_type whose shape is known for costs, as that of LLaMA (OLMo 2 with norms of
queries and keys), and why their values are not computed.
"""
EXPERTS = {"mixtral": "intermediate_size", "qwen3_moe": "moe_intermediate_size"}
"""Values of model_type whose shape is known for costs, but whose weights are not read, and where
the width of their experts stands.
"""
_SCALINGS = ("linear", "llama3", "yarn", "longrope", "dynamic")
_FULL, _LOCAL = "full_attention", "sliding_attention"


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
    if family not in (*FAMILIES, *EXPERTS, *COSTED):
        raise ModelError(
            f"{file}: model_type={family!r}{nearest(str(family), FAMILIES)}; allowed: "
            f"{', '.join(map(repr, FAMILIES))}, and for costs "
            f"{', '.join(map(repr, (*EXPERTS, *COSTED)))}"
        )
    if activation := _other_activation(given, family):
        raise ModelError(f"{file}: hidden_act={activation!r}; allowed: that of {family}")
    try:
        sizes = _sizes(given)
        rest = _family(given, family, sizes) | {"rotary": _rotary(given, sizes)}
        if family in EXPERTS:
            return ExpertShape(**sizes | _experts(given, family), **rest)
        return DecoderShape(**sizes, **rest)
    except KeyError as error:
        raise ModelError(f"{file}: has no {error.args[0]!r}, which a {family} needs") from error
    except ModelError:
        raise
    except (ArithmeticError, TypeError, ValueError) as error:
        raise ModelError(f"{file}: {error}") from error


def _other_activation(given: Mapping[str, Any], family: str) -> str | None:
    """An activation that a family does not have."""
    usual = ["gelu_pytorch_tanh"] if family.startswith("gemma") else ["silu", "swish"]
    if family == "gemma":  # its first files say "gelu" and mean the approximation too
        usual.append("gelu")
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
        "rope_base": _base(given),
        "norm_epsilon": given.get("rms_norm_eps", 1e-6),
    }


def multipliers(given: Mapping[str, Any]) -> dict[str, float]:
    """Operator -> what its results are multiplied by, where that is not 1 (Granite).

    The multiplier of residuals is one of the last matrices of attention and feed-forward layers;
    logits are divided by theirs. ModelError for what is no number above 0.
    """
    if given.get("model_type") != "granite":
        return {}
    residual, logits = given.get("residual_multiplier", 1.0), given.get("logits_scaling", 1.0)
    for name, value in (("residual_multiplier", residual), ("logits_scaling", logits)):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e6:
            raise ModelError(f"config.json: {name}={value!r}; allowed: a number above 0")
    return {"o": residual, "down": residual, "head": 1 / logits}


def _experts(given: Mapping[str, Any], family: str) -> dict[str, Any]:
    """What a mixture of experts has besides."""
    if given.get("mlp_only_layers") or given.get("decoder_sparse_step", 1) != 1:
        raise ValueError("layers without experts among others; allowed: experts in every layer")
    key = "num_experts" if "num_experts" in given else "num_local_experts"
    active, hidden = given["num_experts_per_tok"], given[EXPERTS[family]]
    return {"experts": given[key], "active": active, "hidden": hidden}


def _rope(given: Mapping[str, Any], kind: str = _FULL) -> Mapping[str, Any]:
    """The rule of rotary positions of one kind of layer; {} where none is given."""
    rule = given.get("rope_parameters") or {}
    if not isinstance(rule, Mapping):
        raise ValueError(f"rope_parameters={rule!r:.60}; allowed: entries by name")
    return rule.get(kind) or {} if _FULL in rule or _LOCAL in rule else rule


def _base(given: Mapping[str, Any]) -> float:
    usual = 1e6 if given["model_type"] == "gemma3_text" else 10000.0
    stated = (_rope(given).get("rope_theta"), given.get("rope_theta"))
    return next((base for base in stated if base is not None), usual)


def _family(given: Mapping[str, Any], family: str, sizes: Mapping[str, Any]) -> dict[str, Any]:
    """What a family does otherwise than LLaMA."""
    window = given.get("sliding_window")
    if family in ("mistral", "phi3", "mixtral"):
        return {"window": window if window and window < sizes["context"] else None}
    if not family.startswith("gemma"):
        if given.get("use_sliding_window"):
            raise ValueError("use_sliding_window=True is not read; allowed: False")
        names = {
            "embedding_multiplier": "embedding_scale",
            "attention_multiplier": "attention_scale",
        }
        stated = [key for key in names if family == "granite" and key in given]
        own = {names[key]: given[key] for key in stated}
        return {"qk_norm": family in ("qwen3", "qwen3_moe", "olmo2"), **own}
    found: dict[str, Any] = {"gate": "gelu", "embedding_scale": sizes["width"] ** 0.5}
    if family == "gemma":
        return found
    scale = given.get("query_pre_attn_scalar")
    found |= {
        "post_norms": True,
        "qk_norm": family == "gemma3_text",
        "attention_scale": None if scale is None else scale**-0.5,
        "window": window or 4096,
        "global_every": _global_every(given, family),
        "attention_cap": given.get("attn_logit_softcapping"),
        "logit_cap": given.get("final_logit_softcapping"),
    }
    if family == "gemma3_text":
        found["local_rope_base"] = _local_base(given)
    return found


def _global_every(given: Mapping[str, Any], family: str) -> int | None:
    """Every so manieth layer looks at all tokens; None: none does."""
    pattern = given.get("sliding_window_pattern") or given.get("_sliding_window_pattern")
    kinds = given.get("layer_types")
    if not kinds:
        return 2 if family == "gemma2" else pattern or 6
    if _FULL not in kinds:
        return None
    every = kinds.index(_FULL) + 1
    if every == 1 or any((kind == _FULL) != ((i + 1) % every == 0) for i, kind in enumerate(kinds)):
        raise ValueError(
            f"layer_types={kinds!r:.80}; allowed: {_FULL!r} in every so manieth layer, and "
            f"{_LOCAL!r} in the others"
        )
    return every


def _local_base(given: Mapping[str, Any]) -> float:
    """The base of the angles of layers that look at a window, which nothing stretches."""
    rule = _rope(given, _LOCAL)
    if (kind := rule.get("rope_type", "default")) != "default":
        raise ValueError(f"rope_type={kind!r} of {_LOCAL!r}; allowed: 'default'")
    return rule.get("rope_theta") or given.get("rope_local_base_freq") or 10000.0


def _rotary(given: Mapping[str, Any], sizes: Mapping[str, Any]) -> Rotary:
    share = _rope(given).get("partial_rotary_factor") or given.get("partial_rotary_factor", 1.0)
    width = None if share == 1.0 else int(sizes["head_width"] * share)
    return Rotary(pairs="halves", width=width, scaling=_scaling(given, sizes))


def _scaling(given: Mapping[str, Any], sizes: Mapping[str, Any]) -> Any:
    rule = _rope(given) or given.get("rope_scaling")
    kind = "default" if not rule else rule.get("rope_type", rule.get("type", "default"))
    if not rule or kind in ("default", "dynamic"):  # dynamic stretches beyond the context alone
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
        return _yarn(rule, trained)
    if kind in ("longrope", "su"):
        return _long(rule, trained, rule.get("factor") or sizes["context"] / trained)
    raise ValueError(f"rope_scaling type {kind!r}{nearest(str(kind), _SCALINGS)}; allowed: "
                     f"{', '.join(_SCALINGS)}")  # fmt: skip


def _yarn(rule: Mapping[str, Any], trained: int) -> Yarn:
    """YaRN, whose scores are scaled by `attention_factor`, or by what two `mscale` say."""
    if rule.get("truncate", True) is not True:
        raise ValueError(f"rope_scaling truncate={rule['truncate']!r}; allowed: True")
    attention, factor = rule.get("attention_factor"), rule["factor"]
    scales = rule.get("mscale"), rule.get("mscale_all_dim")
    if attention is None and all(scales) and factor > 1:
        above, below = (0.1 * float(scale or 0) * math.log(factor) + 1.0 for scale in scales)
        attention = above / below
    fast, slow = rule.get("beta_fast") or 32.0, rule.get("beta_slow") or 1.0
    return Yarn(factor=factor, trained=trained, fast=fast, slow=slow, attention=attention)


def _long(rule: Mapping[str, Any], trained: int, factor: float) -> Divisors:
    usual = math.sqrt(1 + math.log(factor) / math.log(trained)) if factor > 1 else 1.0
    return Divisors(
        short=tuple(map(float, rule["short_factor"])),
        long=tuple(map(float, rule["long_factor"])),
        trained=trained,
        attention=rule.get("attention_factor") or usual,
    )
