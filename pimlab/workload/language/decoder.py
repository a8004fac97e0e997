"""What does a LLaMA-style decoder compute? Pure functions from tokens to hidden states, every
product given away.

RMS norm (Zhang and Sennrich 2019), rotary positions on neighbouring pairs (Su et al. 2021),
grouped-query attention (Ainslie et al. 2023) and SwiGLU (Shazeer 2020), in float32. `multiply(op,
x, w, first)` does each MAC product: x float32 (groups, rows, k) with w None for an operator with
constant weights, and both operands for attention.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pimlab.machine.protocol import MacOp
from pimlab.workload.language.shape import DecoderShape
from pimlab.workload.model import Multiply


class Cache:
    """Keys and values of `batch` sequences: float32 (layers, batch, kv_heads, capacity, head_width)
    each.
    """

    def __init__(self, shape: DecoderShape, batch: int, capacity: int):
        size = (shape.layers, batch, shape.kv_heads, capacity, shape.head_width)
        self.keys, self.values, self.length = (
            np.zeros(size, np.float32),
            np.zeros(size, np.float32),
            0,
        )

    @property
    def capacity(self) -> int:
        """Tokens a sequence may hold."""
        return self.keys.shape[3]


def rms_norm(x: np.ndarray, gain: np.ndarray, epsilon: float) -> np.ndarray:
    """x / sqrt(mean(x**2) + epsilon) * gain over the last axis, float32 (..., d)."""
    return x * (gain / np.sqrt(np.mean(np.square(x), axis=-1, keepdims=True) + np.float32(epsilon)))


def swish(x: np.ndarray) -> np.ndarray:
    """x / (1 + exp(-x)), float32; written with tanh, which does not overflow."""
    return x * (np.float32(0.5) * np.tanh(np.float32(0.5) * x) + np.float32(0.5))


def softmax(x: np.ndarray) -> np.ndarray:
    """exp(x) over its sum along the last axis; -inf gives 0."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def rotary_angles(shape: DecoderShape, start: int, tokens: int) -> tuple[np.ndarray, np.ndarray]:
    """cos and sin float32 (tokens, head_width / 2) of position p times base**(-2 i / head_width), p
    from `start`.
    """
    half = shape.head_width // 2
    angles = np.arange(start, start + tokens)[:, None] * shape.rope_base ** (
        -np.arange(half) / half
    )
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def rotate(x: np.ndarray, angles: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """x float32 (batch, heads, tokens, head_width) with each pair of features (2i, 2i + 1) turned
    by its angle.
    """
    cos, sin = angles
    out = np.empty_like(x)
    out[..., ::2] = x[..., ::2] * cos - x[..., 1::2] * sin
    out[..., 1::2] = x[..., ::2] * sin + x[..., 1::2] * cos
    return out


def causal_mask(queries: int, keys: int) -> np.ndarray:
    """float32 (queries, keys): 0 where a query may look, -inf at later keys; the last query sees
    every key.
    """
    return np.triu(np.full((queries, keys), -np.inf, np.float32), keys - queries + 1)


def hidden_states(
    shape: DecoderShape,
    parameters: Mapping[str, np.ndarray],
    ops: Mapping[str, MacOp],
    tokens: np.ndarray,
    cache: Cache,
    multiply: Multiply,
    first: int,
) -> np.ndarray:
    """Normalised states float32 (batch, tokens, width) that the head reads; keys and values are
    appended to `cache`.

    tokens : int (batch, tokens), the next tokens of each cached sequence.
    parameters : "embedding" (vocabulary, width) and the gains "layer{i}.attention_norm",
    "layer{i}.ffn_norm", "norm".
    """
    batch, count = tokens.shape
    angles, mask = (
        rotary_angles(shape, cache.length, count),
        causal_mask(count, cache.length + count),
    )

    def linear(name: str, x: np.ndarray) -> np.ndarray:
        return multiply(ops[name], x.reshape(1, batch * count, -1), None, first).reshape(
            batch, count, -1
        )

    x = parameters["embedding"][tokens]
    for i in range(shape.layers):
        y = rms_norm(x, parameters[f"layer{i}.attention_norm"], shape.norm_epsilon)
        q, k, v = (_heads(linear(f"layer{i}.{name}", y), shape.head_width) for name in "qkv")
        keys, values = _remember(cache, i, rotate(k, angles), v)
        x = x + linear(
            f"layer{i}.o",
            _attention(i, rotate(q, angles), keys, values, mask, ops, multiply, first),
        )
        y = rms_norm(x, parameters[f"layer{i}.ffn_norm"], shape.norm_epsilon)
        x = x + linear(
            f"layer{i}.down", swish(linear(f"layer{i}.gate", y)) * linear(f"layer{i}.up", y)
        )
    cache.length += count
    return rms_norm(x, parameters["norm"], shape.norm_epsilon)


def _heads(x: np.ndarray, size: int) -> np.ndarray:
    """(batch, tokens, heads x size) -> (batch, heads, tokens, size)."""
    return x.reshape(*x.shape[:2], -1, size).transpose(0, 2, 1, 3)


def _remember(
    cache: Cache, layer: int, k: np.ndarray, v: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The layer's keys and values so far, the new ones included."""
    span = slice(cache.length, cache.length + k.shape[2])
    cache.keys[layer, :, :, span], cache.values[layer, :, :, span] = k, v
    return cache.keys[layer, :, :, : span.stop], cache.values[layer, :, :, : span.stop]


def _attention(
    layer: int,
    q: np.ndarray,
    keys: np.ndarray,
    values: np.ndarray,
    mask: np.ndarray,
    ops: Mapping[str, MacOp],
    multiply: Multiply,
    first: int,
) -> np.ndarray:
    """Attended values (batch, tokens, heads x size) of q (batch, heads, tokens, size).

    A group is a sequence and key-value head; its rows are (query head of the group, token).
    """
    batch, kv_heads, length, size = keys.shape
    tokens, group = q.shape[2], q.shape[1] // kv_heads
    rows = q.reshape(batch * kv_heads, -1, size)
    turned = keys.reshape(batch * kv_heads, length, size).transpose(0, 2, 1)
    scores = multiply(ops[f"layer{layer}.scores"], rows, turned, first * group) * np.float32(
        size**-0.5
    )
    weights = softmax(scores.reshape(batch * kv_heads, -1, tokens, length) + mask).reshape(
        scores.shape
    )
    y = multiply(
        ops[f"layer{layer}.values"],
        weights,
        values.reshape(batch * kv_heads, length, size),
        first * group,
    )
    return y.reshape(batch, -1, tokens, size).transpose(0, 2, 1, 3).reshape(batch, tokens, -1)
