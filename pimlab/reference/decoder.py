"""A LLaMA-style decoder read token by token in float64, one head at a time: the specification of
workload/language.

The equations are those of Touvron et al. 2023, section 2.2: pre-norm, rotary positions, SwiGLU;
heads share keys and values in groups (Ainslie et al. 2023); what Qwen and Gemma add is optional. No
cache, no batch, no matrix of a whole window.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np


def norm(x: np.ndarray, gain: np.ndarray, epsilon: float) -> np.ndarray:
    """x over its root mean square, times gain. x, gain : float64, shape (d,)."""
    return x / math.sqrt(sum(v * v for v in x.tolist()) / len(x) + epsilon) * gain


def frequencies(rule: Mapping[str, Any] | None, base: float, width: int) -> tuple[list, float]:
    """Radians a position of each pair of `width` features, and what multiplies cos and sin.

    rule : None; or kind "linear" (factor), "divisors" (by), "llama3" (factor, low, high, trained)
    or "yarn" (factor, trained, fast, slow), pair by pair as their papers give them. The first has
    shape (width / 2,).
    """
    plain = [base ** (-2 * i / width) for i in range(width // 2)]
    if rule is None:
        return plain, 1.0
    if rule["kind"] == "divisors":
        return [f / d for f, d in zip(plain, rule["by"], strict=True)], 1.0
    if rule["kind"] == "linear":
        return [f / rule["factor"] for f in plain], 1.0
    if rule["kind"] == "llama3":
        return [_by_wavelength(f, rule) for f in plain], 1.0
    edges = [
        width * math.log(rule["trained"] / (turns * 2 * math.pi)) / (2 * math.log(base))
        for turns in (rule["fast"], rule["slow"])
    ]
    first, last = max(math.floor(edges[0]), 0), min(math.ceil(edges[1]), width - 1)
    shares = [min(max((i - first) / (last - first), 0.0), 1.0) for i in range(width // 2)]
    mixed = [f / rule["factor"] * g + f * (1 - g) for f, g in zip(plain, shares, strict=True)]
    return mixed, 0.1 * math.log(rule["factor"]) + 1


def _by_wavelength(f: float, rule: Mapping[str, Any]) -> float:
    length = 2 * math.pi / f
    if length < rule["trained"] / rule["high"]:
        return f
    if length > rule["trained"] / rule["low"]:
        return f / rule["factor"]
    share = (rule["trained"] / length - rule["low"]) / (rule["high"] - rule["low"])
    return (1 - share) * f / rule["factor"] + share * f


def turn(
    x: np.ndarray, position: int, rates: list[float], scale: float = 1.0, halves: bool = False
) -> np.ndarray:
    """x (size,) whose first 2 len(rates) features, as complex numbers, are multiplied by scale
    exp(j position rate).

    Pair i is (x[2i], x[2i + 1]), or (x[i], x[i + len(rates)]) with `halves`. x and the result :
    float64, shape (size,).
    """
    out, pairs = x.copy(), len(rates)
    for i, rate in enumerate(rates):
        a, b = (i, i + pairs) if halves else (2 * i, 2 * i + 1)
        turned = complex(x[a], x[b]) * np.exp(1j * position * rate) * scale
        out[a], out[b] = turned.real, turned.imag
    return out


def attend(
    q: np.ndarray,
    keys: list[np.ndarray],
    values: list[np.ndarray],
    scale: float | None = None,
    cap: float | None = None,
) -> np.ndarray:
    """softmax of q . k scale, or of cap tanh(q . k scale / cap), weighted sum of values (size,).

    scale : 1 / sqrt(size) where it is None. q, keys and values : float64, shape (size,) each.
    """
    scale = 1 / math.sqrt(len(q)) if scale is None else scale
    scores = [float(q @ k) * scale for k in keys]
    scores = scores if cap is None else [cap * math.tanh(s / cap) for s in scores]
    weights = [math.exp(s - max(scores)) for s in scores]
    return np.asarray(sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights))


def logits(
    sizes: Mapping[str, Any], arrays: Mapping[str, np.ndarray], tokens: np.ndarray
) -> np.ndarray:
    """Logits of one sequence, float64, shape (tokens, vocabulary).

    tokens : int, shape (tokens,); sizes : layers, heads, kv_heads, head_width, rope_base,
    norm_epsilon.
    """
    a = {name: np.asarray(array, np.float64) for name, array in arrays.items()}
    past: list[list[tuple[list[np.ndarray], list[np.ndarray]]]] = [
        [([], []) for _ in range(int(sizes["kv_heads"]))] for _ in range(int(sizes["layers"]))
    ]
    out = []
    for position, token in enumerate(np.asarray(tokens).tolist()):
        x = a["embedding"][token] * sizes.get("embedding_scale", 1.0)
        for i in range(int(sizes["layers"])):
            x = _layer(x, i, position, sizes, a, past[i])
        y = norm(x, a["norm"], sizes["norm_epsilon"]) @ a["head"]
        cap = sizes.get("logit_cap")
        out.append(y if cap is None else cap * np.tanh(y / cap))
    return np.stack(out)


def _layer(
    x: np.ndarray,
    i: int,
    position: int,
    sizes: Mapping[str, Any],
    a: Mapping[str, np.ndarray],
    past: list[tuple[list[np.ndarray], list[np.ndarray]]],
) -> np.ndarray:
    epsilon = sizes["norm_epsilon"]

    def after(name: str, y: np.ndarray) -> np.ndarray:
        gain = a.get(f"layer{i}.{name}")
        return y if gain is None else norm(y, gain, epsilon)

    y = norm(x, a[f"layer{i}.attention_norm"], epsilon)
    y = _attention(y, i, position, sizes, a, past) @ a[f"layer{i}.o"]
    x = x + after("attention_post_norm", y)
    y = norm(x, a[f"layer{i}.ffn_norm"], epsilon)
    gate = y @ a[f"layer{i}.gate"]
    opened = _gelu(gate) if sizes.get("gate") == "gelu" else gate / (1 + np.exp(-gate))
    return x + after("ffn_post_norm", (opened * (y @ a[f"layer{i}.up"])) @ a[f"layer{i}.down"])


def _gelu(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def _attention(
    y: np.ndarray,
    layer: int,
    position: int,
    sizes: Mapping[str, Any],
    a: Mapping[str, np.ndarray],
    past: list[tuple[list[np.ndarray], list[np.ndarray]]],
) -> np.ndarray:
    size, group = int(sizes["head_width"]), int(sizes["heads"]) // int(sizes["kv_heads"])
    every, window = sizes.get("global_every"), sizes.get("window")
    local = window is not None and (every is None or (layer + 1) % every != 0)
    base, rule = sizes["rope_base"], sizes.get("rope")
    if local and sizes.get("local_rope_base"):
        base, rule = sizes["local_rope_base"], None
    rates, scale = frequencies(rule, base, int(sizes.get("turned") or size))

    def heads(name: str) -> list[np.ndarray]:
        made = y @ a[f"layer{layer}.{name}"] + a.get(f"layer{layer}.{name}_bias", 0.0)
        parts = np.split(made, len(made) // size)
        gain = a.get(f"layer{layer}.{name}_norm")
        parts = parts if gain is None else [norm(p, gain, sizes["norm_epsilon"]) for p in parts]
        if name == "v":
            return parts
        return [turn(p, position, rates, scale, bool(sizes.get("halves"))) for p in parts]

    for (keys, values), k, v in zip(past, heads("k"), heads("v"), strict=True):
        keys.append(k)
        values.append(v)
    seen = slice(max(0, position + 1 - window), None) if local and window else slice(None)
    scale_of_scores, cap = sizes.get("attention_scale"), sizes.get("attention_cap")
    attended = [
        attend(q, past[h // group][0][seen], past[h // group][1][seen], scale_of_scores, cap)
        for h, q in enumerate(heads("q"))
    ]
    return np.concatenate(attended)
