"""A LLaMA-style decoder read token by token in float64, one head at a time: the specification of
workload/language.

The equations are those of Touvron et al. 2023, section 2.2: pre-norm, rotary positions, SwiGLU;
heads share keys and values in groups (Ainslie et al. 2023). No cache, no batch, no matrix of a
whole window.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np


def norm(x: np.ndarray, gain: np.ndarray, epsilon: float) -> np.ndarray:
    """x (d,) over its root mean square, times gain (d,)."""
    return x / math.sqrt(sum(v * v for v in x.tolist()) / len(x) + epsilon) * gain


def turn(x: np.ndarray, position: int, base: float) -> np.ndarray:
    """x (size,) with the complex number x[2i] + j x[2i + 1] multiplied by exp(j position base**(-2i
    / size)).
    """
    pairs = (x[0::2] + 1j * x[1::2]) * np.exp(
        1j * position * base ** (-np.arange(0, len(x), 2) / len(x))
    )
    return np.stack([pairs.real, pairs.imag], axis=1).reshape(-1)


def attend(q: np.ndarray, keys: list[np.ndarray], values: list[np.ndarray]) -> np.ndarray:
    """softmax(q . k / sqrt(size)) weighted sum of values (size,), over every position so far."""
    scores = [float(q @ k) / math.sqrt(len(q)) for k in keys]
    weights = [math.exp(s - max(scores)) for s in scores]
    return np.asarray(sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights))


def logits(
    sizes: Mapping[str, float], arrays: Mapping[str, np.ndarray], tokens: np.ndarray
) -> np.ndarray:
    """Logits float64 (tokens, vocabulary) of one sequence, int (tokens,).

    sizes : layers, heads, kv_heads, head_width, rope_base, norm_epsilon.
    arrays : embedding (vocabulary, d), head (d, vocabulary), norm (d,), and layer{i}.{q, k, v, o,
    gate, up, down} (k, n) with layer{i}.attention_norm and layer{i}.ffn_norm (d,).
    """
    a = {name: np.asarray(array, np.float64) for name, array in arrays.items()}
    layers, epsilon = int(sizes["layers"]), sizes["norm_epsilon"]
    past: list[list[tuple[list[np.ndarray], list[np.ndarray]]]] = [
        [([], []) for _ in range(int(sizes["kv_heads"]))] for _ in range(layers)
    ]
    out = []
    for position, token in enumerate(np.asarray(tokens).tolist()):
        x = a["embedding"][token]
        for i in range(layers):
            x = (
                x
                + _attention(
                    norm(x, a[f"layer{i}.attention_norm"], epsilon), i, position, sizes, a, past[i]
                )
                @ a[f"layer{i}.o"]
            )
            y = norm(x, a[f"layer{i}.ffn_norm"], epsilon)
            gate = y @ a[f"layer{i}.gate"]
            x = x + (gate / (1 + np.exp(-gate)) * (y @ a[f"layer{i}.up"])) @ a[f"layer{i}.down"]
        out.append(norm(x, a["norm"], epsilon) @ a["head"])
    return np.stack(out)


def _attention(
    y: np.ndarray,
    layer: int,
    position: int,
    sizes: Mapping[str, float],
    a: Mapping[str, np.ndarray],
    past: list[tuple[list[np.ndarray], list[np.ndarray]]],
) -> np.ndarray:
    size, base, group = (
        int(sizes["head_width"]),
        sizes["rope_base"],
        int(sizes["heads"]) // int(sizes["kv_heads"]),
    )
    q, k, v = (
        np.split(y @ a[f"layer{layer}.{name}"], a[f"layer{layer}.{name}"].shape[1] // size)
        for name in "qkv"
    )
    for head, (keys, values) in enumerate(past):
        keys.append(turn(k[head], position, base))
        values.append(v[head])
    return np.concatenate(
        [attend(turn(one, position, base), *past[head // group]) for head, one in enumerate(q)]
    )
