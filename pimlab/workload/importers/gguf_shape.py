"""Which decoder does the header of a GGUF file describe? Its sizes, and what sets its family apart
from LLaMA.

The keys are those of the GGUF specification; what a family does that no key says (which layers of
Gemma look at a window, how its scores are scaled) is that of the published models.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pimlab.values import nearest
from pimlab.workload.importers.gguf_header import Header
from pimlab.workload.language.rotary import Divisors, Linear, Rotary, Yarn
from pimlab.workload.language.shape import DecoderShape
from pimlab.workload.model import ModelError

ARCHITECTURES = ("llama", "mistral3", "qwen2", "qwen3", "gemma", "gemma2", "gemma3", "phi3")
"""Families that are read; Mistral's files up to version 0.3 say "llama"."""
_UNREAD: dict[str, tuple[Any, ...]] = {
    "attention.causal": (True,),
    "attention.clamp_kqv": (0.0,),
    "attention.max_alibi_bias": (0.0,),
    "attention.output_scale": (0.0, 1.0),
    "attention.shared_kv_layers": (0,),
    "attention.temperature_scale": (0.0,),
    "embedding_scale": (0.0, 1.0),
    "expert_count": (0,),
    "logit_scale": (0.0, 1.0),
    "residual_scale": (0.0, 1.0),
    "rope.scaling.yarn_attn_factor": (1.0,),
    "use_parallel_residual": (False,),
}
"""Keys that change what a network computes and are not read -> values at which they do nothing."""
_CAPS = {"attention_cap": "attn_logit_softcapping", "logit_cap": "final_logit_softcapping"}
_GEMMA2_CAPS = {"attention_cap": 50.0, "logit_cap": 30.0}
_GEMMA_27B = {"gemma2": 46, "gemma3": 62}
"""Layers of the one size of a family whose scores are scaled by the mean width of its heads."""


def shape_of(header: Header, tensors: Mapping[str, Any]) -> DecoderShape:
    """The shape in a header; ModelError names the file, the key and what is allowed.

    tensors : name -> tensor of the package gguf.
    """
    family = header.architecture
    if family not in ARCHITECTURES:
        raise ModelError(
            f"{header.name}: general.architecture={family!r}{nearest(family, ARCHITECTURES)}; "
            f"allowed: {', '.join(map(repr, ARCHITECTURES))}"
        )
    layers = header.own("block_count")
    if not isinstance(layers, int) or not 1 <= layers <= len(tensors):
        raise ModelError(
            f"{header.name}: {family}.block_count={layers!r}; allowed: an integer, 1 to "
            f"{len(tensors)}, the number of its tensors"
        )
    if "token_embd.weight" not in tensors:
        raise ModelError(f"{header.name}: has no tensor 'token_embd.weight'")
    try:
        sizes = _sizes(header) | {"vocabulary": int(tensors["token_embd.weight"].shape[1])}
        return DecoderShape(**sizes, **_family(header, sizes), rotary=_rotary(header, tensors))
    except ModelError:
        raise
    except (ArithmeticError, TypeError, ValueError) as error:
        raise ModelError(f"{header.name}: {error}") from error


def _sizes(header: Header) -> dict[str, Any]:
    width = header.own("embedding_length")
    heads = _of_all(header, "attention.head_count", header.own("attention.head_count"))
    kv_heads = _of_all(
        header, "attention.head_count_kv", header.own_or("attention.head_count_kv", heads)
    )
    head_width = header.own_or("attention.key_length", width // heads)
    values = header.own_or("attention.value_length", head_width)
    if values != head_width:
        raise ValueError(f"attention.value_length={values}; allowed: {head_width}, that of keys")
    return {
        "width": width,
        "layers": header.own("block_count"),
        "heads": heads,
        "kv_heads": kv_heads,
        "head_width": head_width,
        "hidden": _of_all(header, "feed_forward_length", header.own("feed_forward_length")),
        "context": header.own("context_length"),
        "rope_base": header.own_or("rope.freq_base", 10000.0),
        "norm_epsilon": header.own("attention.layer_norm_rms_epsilon"),
    }


def _of_all(header: Header, key: str, value: Any) -> Any:
    """A size of every layer, where a file lists it layer by layer; ValueError where they differ."""
    if not isinstance(value, list):
        return value
    if len(set(value)) != 1:
        raise ValueError(
            f"{header.architecture}.{key}={value!r:.80} differs from layer to layer; allowed: one "
            "number for all"
        )
    return value[0]


def _family(header: Header, sizes: Mapping[str, Any]) -> dict[str, Any]:
    """What a family does otherwise than LLaMA."""
    family, window = header.architecture, header.own_or("attention.sliding_window")
    for key, neutral in _UNREAD.items():
        if (value := header.own_or(key)) not in (None, *neutral):
            raise ValueError(f"{family}.{key}={value!r} is not read; allowed: none")
    caps = {ours: header.own_or(key) for ours, key in _CAPS.items()}
    found = {"qk_norm": family in ("qwen3", "gemma3")} | {
        ours: cap for ours, cap in caps.items() if cap
    }
    if scale := header.own_or("attention.scale"):
        found["attention_scale"] = scale
    if not family.startswith("gemma"):
        return found | {"window": window if window and window < sizes["context"] else None}
    found |= {"gate": "gelu", "embedding_scale": sizes["width"] ** 0.5}
    if family == "gemma":
        return found
    found |= {"post_norms": True, "window": window or 4096}
    found["global_every"] = _global_every(header, 2 if family == "gemma2" else 6)
    if sizes["layers"] == _GEMMA_27B[family]:
        found["attention_scale"] = (sizes["width"] / sizes["heads"]) ** -0.5
    if family == "gemma2":
        return _GEMMA2_CAPS | found
    return found | {"local_rope_base": header.own_or("rope.freq_base_swa", 10000.0)}


def _global_every(header: Header, usual: int) -> int | None:
    """Every so manieth layer looks at all tokens; None: none does. A file may say it as a number,
    or of each layer whether it looks at a window.
    """
    pattern = header.own_or("attention.sliding_window_pattern", usual)
    if isinstance(pattern, int):
        return pattern
    local = [bool(one) for one in pattern]
    if all(local):
        return None
    every = local.index(False) + 1
    if every == 1 or any(one != bool((i + 1) % every) for i, one in enumerate(local)):
        raise ValueError(
            f"attention.sliding_window_pattern={local!r:.80}; allowed: every so manieth layer "
            "without a window"
        )
    return every


def _rotary(header: Header, tensors: Mapping[str, Any]) -> Rotary:
    neighbours = header.architecture in ("llama", "mistral3")
    return Rotary(
        pairs="neighbours" if neighbours else "halves",
        width=header.own_or("rope.dimension_count"),
        scaling=_scaling(header, tensors),
    )


def _scaling(header: Header, tensors: Mapping[str, Any]) -> Any:
    kind, factor = (
        header.own_or("rope.scaling.type", "none"),
        header.own_or("rope.scaling.factor", header.own_or("rope.scale_linear")),
    )
    if "rope_freqs.weight" in tensors:
        return Divisors(short=_numbers(tensors["rope_freqs.weight"]))
    if "rope_factors_long.weight" in tensors:
        return _long(header, tensors)
    if kind == "none" or factor is None:
        return None
    if kind == "linear":
        return Linear(factor=factor)
    if kind == "yarn":
        return _yarn(header, factor)
    raise ModelError(
        f"{header.name}: {header.architecture}.rope.scaling.type={kind!r}; allowed: 'none', "
        "'linear', 'yarn', and 'longrope' with tensors of divisors"
    )


def _long(header: Header, tensors: Mapping[str, Any]) -> Divisors:
    if "rope_factors_short.weight" not in tensors:
        raise ModelError(f"{header.name}: has no tensor 'rope_factors_short.weight'")
    return Divisors(
        short=_numbers(tensors["rope_factors_short.weight"]),
        long=_numbers(tensors["rope_factors_long.weight"]),
        trained=header.own("rope.scaling.original_context_length"),
        attention=header.own_or("rope.scaling.attn_factor", 1.0),
    )


def _yarn(header: Header, factor: float) -> Yarn:
    for key in ("yarn_log_multiplier", "yarn_ext_factor"):
        value = header.own_or(f"rope.scaling.{key}")
        if value not in (None, 1.0) and not (key == "yarn_ext_factor" and value < 0):
            raise ModelError(
                f"{header.name}: {header.architecture}.rope.scaling.{key}={value}; allowed: none"
            )
    rule = Yarn(
        factor=factor,
        trained=header.own_or("rope.scaling.original_context_length", header.own("context_length")),
        fast=header.own_or("rope.scaling.yarn_beta_fast", 32.0),
        slow=header.own_or("rope.scaling.yarn_beta_slow", 1.0),
    )
    more = header.own_or("rope.scaling.attn_factor", 1.0)
    if more == 1.0:
        return rule
    return rule.but(attention=more * rule.stretched(np.ones(2), 10000.0, 1)[1])


def _numbers(tensor: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in np.asarray(tensor.data, np.float32).reshape(-1))
