"""What does a LLaMA-style decoder compute? Pure functions from tokens to hidden states, every
product given away.

RMS norm (Zhang and Sennrich 2019), rotary positions (`rotary`), grouped-query attention (Ainslie et
al. 2023) and SwiGLU or GeGLU (Shazeer 2020), in float32; and what a shape may add: norms of queries
and keys (Qwen3), norms after each half of a layer, sliding windows and capped scores (Gemma 2).
`multiply(op, x, w, first)` does each MAC product: x float32 (groups, rows, k) with w None for an
operator with constant weights, and both operands for attention.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pimlab.kernels.threads import MANY, each
from pimlab.machine.protocol import MacOp
from pimlab.workload.language.shape import DecoderShape
from pimlab.workload.model import Multiply


class Cache:
    """Keys and values of `batch` sequences: float32, shape (layers, batch, kv_heads, capacity,
    head_width) each.
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
        """Tokens a sequence may hold (unit: tokens)."""
        return self.keys.shape[3]


def rms_norm(x: np.ndarray, gain: np.ndarray, epsilon: float) -> np.ndarray:
    """x / sqrt(mean(x**2) + epsilon) * gain over the last axis, float32, shape (..., d)."""
    return x * (gain / np.sqrt(np.mean(np.square(x), axis=-1, keepdims=True) + np.float32(epsilon)))


def swish(x: np.ndarray) -> np.ndarray:
    """x / (1 + exp(-x)), float32; written with tanh, which does not overflow. Of the shape (...) of
    x.
    """
    return x * (np.float32(0.5) * np.tanh(np.float32(0.5) * x) + np.float32(0.5))


def softmax(x: np.ndarray) -> np.ndarray:
    """exp(x) over its sum along the last axis; -inf gives 0. Float32, of the shape (...) of x."""
    e = x - x.max(axis=-1, keepdims=True)
    np.exp(e, out=e)  # in place, because fresh memory is slow
    e /= e.sum(axis=-1, keepdims=True)
    return e


def gelu(x: np.ndarray) -> np.ndarray:
    """x Phi(x) by tanh (Hendrycks and Gimpel, arXiv:1606.08415), float32: Gemma's. Of the
    shape (...) of x.
    """
    inner = np.float32(np.sqrt(2 / np.pi)) * (x + np.float32(0.044715) * x * x * x)
    return np.float32(0.5) * x * (1 + np.tanh(inner))


def capped(x: np.ndarray, cap: float | None) -> np.ndarray:
    """cap tanh(x / cap); x where there is no cap. Of the shape (...) of x."""
    return x if cap is None else np.float32(cap) * np.tanh(x / np.float32(cap))


def causal_mask(queries: int, keys: int, window: int | None = None) -> np.ndarray:
    """float32, shape (queries, keys): 0 where a query may look, -inf at later keys and at those
    `window` or more before it; the last query sees the last key.
    """
    late = np.triu(np.full((queries, keys), -np.inf, np.float32), keys - queries + 1)
    if window is None:
        return late
    return late + np.tril(np.full((queries, keys), -np.inf, np.float32), keys - queries - window)


def hidden_states(
    shape: DecoderShape,
    parameters: Mapping[str, np.ndarray],
    ops: Mapping[str, MacOp],
    tokens: np.ndarray,
    cache: Cache,
    multiply: Multiply,
    first: int,
) -> np.ndarray:
    """Normalised states float32, shape (batch, tokens, width) that the head reads; keys and values
    are appended to `cache`.

    tokens : int, shape (batch, tokens), the next tokens of each cached sequence.
    parameters : "embedding" (vocabulary, width) and the gains "norm" and "layer{i}.<name>" of
    `shape.gains`.
    """
    batch, count = tokens.shape
    turns = {local: _angles(shape, local, cache, count) for local in (False, True)}
    gains = {name: f"layer{{}}.{name}" for name in shape.gains}

    def linear(name: str, x: np.ndarray) -> np.ndarray:
        return multiply(ops[name], x.reshape(1, batch * count, -1), None, first).reshape(
            batch, count, -1
        )

    def normed(i: int, name: str, x: np.ndarray) -> np.ndarray:
        if name not in gains:
            return x
        return rms_norm(x, parameters[gains[name].format(i)], shape.norm_epsilon)

    x = parameters["embedding"][tokens] * np.float32(shape.embedding_scale)
    for i in range(shape.layers):
        local, y = shape.is_local(i), normed(i, "attention_norm", x)
        q, k, v = (_heads(linear(f"layer{i}.{name}", y), shape.head_width) for name in "qkv")
        q, k = normed(i, "q_norm", q), normed(i, "k_norm", k)
        q, k = (shape.rotary.turned(one, turns[local]) for one in (q, k))
        past = _seen(shape, local, count, *_remember(cache, i, k, v))
        y = linear(f"layer{i}.o", _attention(shape, i, q, *past, ops, multiply, first))
        x = x + normed(i, "attention_post_norm", y)
        y = normed(i, "ffn_norm", x)
        opened = _ACTIVATIONS[shape.gate](linear(f"layer{i}.gate", y))
        y = linear(f"layer{i}.down", opened * linear(f"layer{i}.up", y))
        x = x + normed(i, "ffn_post_norm", y)
    cache.length += count
    return rms_norm(x, parameters["norm"], shape.norm_epsilon)


_ACTIVATIONS = {"silu": swish, "gelu": gelu}


def _angles(
    shape: DecoderShape, local: bool, cache: Cache, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """cos and sin of the next `count` positions, in a local layer or a global one."""
    rotary, base = shape.rotary, shape.rope_base
    if local and shape.local_rope_base is not None:
        rotary, base = rotary.but(scaling=None), shape.local_rope_base
    positions = np.arange(cache.length, cache.length + count)
    return rotary.angles(base, shape.head_width, positions, cache.capacity)


def _seen(
    shape: DecoderShape, local: bool, count: int, keys: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keys and values that the last `count` queries may look at, and the mask (count, keys)."""
    window = shape.window if local else None
    first = 0 if window is None else max(0, keys.shape[2] - window - count + 1)
    keys, values = keys[:, :, first:], values[:, :, first:]
    return keys, values, causal_mask(count, keys.shape[2], window)


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
    shape: DecoderShape,
    layer: int,
    q: np.ndarray,
    keys: np.ndarray,
    values: np.ndarray,
    mask: np.ndarray,
    ops: Mapping[str, MacOp],
    multiply: Multiply,
    first: int,
) -> np.ndarray:
    """Attended values, shape (batch, tokens, heads x size) of q,
    shape (batch, heads, tokens, size).

    A group is a sequence and key-value head; its rows are (query head of the group, token).
    """
    batch, kv_heads, length, size = keys.shape
    tokens, group = q.shape[2], q.shape[1] // kv_heads
    rows = q.reshape(batch * kv_heads, -1, size)
    turned = keys.reshape(batch * kv_heads, length, size).transpose(0, 2, 1)
    scale = size**-0.5 if shape.attention_scale is None else shape.attention_scale
    scores = multiply(ops[f"layer{layer}.scores"], rows, turned, first * group)
    weights = np.empty_like(scores)

    def weigh(i: int) -> None:
        own = capped(scores[i] * np.float32(scale), shape.attention_cap)
        masked = own.reshape(-1, tokens, length) + mask
        weights[i] = softmax(masked).reshape(own.shape)

    each(weigh, range(len(scores)), least=0 if scores[0].size >= MANY else len(scores))
    y = multiply(
        ops[f"layer{layer}.values"],
        weights,
        values.reshape(batch * kv_heads, length, size),
        first * group,
    )
    return y.reshape(batch, -1, tokens, size).transpose(0, 2, 1, 3).reshape(batch, tokens, -1)
