"""How does a loss pass products of two computed operands? Attention's scores and values, and the
steps of a decoder between them.
"""

from __future__ import annotations

import numpy as np

from pimlab.kernels.blas import one_thread
from pimlab.workload.importers.products import ActivationProduct, Call
from pimlab.workload.language.decoder import causal_mask, softmax
from pimlab.workload.language.shape import DecoderShape
from pimlab.workload.training.layers import Gradients, Layer, summed_to


class ActivationMac(Layer):
    """MatMul of two computed operands; the way back multiplies exactly."""

    call: Call
    """What multiplies; set before each forward pass."""

    def __init__(self, made: ActivationProduct):
        super().__init__(made.name, made.inputs, made.output)
        self.made = made

    def forward(self, *values: np.ndarray) -> np.ndarray:
        self.operands = values
        return self.made.apply(self.call, *values)

    def backward(self, dy: np.ndarray) -> Gradients:
        """dx = dy w^T and dw = x^T dy, each summed over the axes along which it was repeated."""
        x, w = self.operands
        rows, columns = x if x.ndim > 1 else x[None], w if w.ndim > 1 else w[:, None]
        dy = dy if x.ndim > 1 else dy[..., None, :]
        dy = dy if w.ndim > 1 else dy[..., None]
        wanted, answers = self.wanted_of(2), list[np.ndarray | None]()
        with one_thread():
            dx = np.matmul(dy, columns.swapaxes(-1, -2)) if wanted[0] else None
            dw = np.matmul(rows.swapaxes(-1, -2), dy) if wanted[1] else None
        for gradient, laid, operand in ((dx, rows, x), (dw, columns, w)):
            answers.append(
                None if gradient is None else summed_to(gradient, laid.shape).reshape(operand.shape)
            )
        return answers


class Heads(Layer):
    """(batch, tokens, heads x size) -> (batch, heads, tokens, size)."""

    def __init__(self, name: str, inputs: tuple[str, ...], output: str, size: int):
        super().__init__(name, inputs, output)
        self.size = size

    def forward(self, *values: np.ndarray) -> np.ndarray:
        x = values[0]
        return x.reshape(*x.shape[:2], -1, self.size).transpose(0, 2, 1, 3)

    def backward(self, dy: np.ndarray) -> Gradients:
        y = dy.transpose(0, 2, 1, 3)
        return [np.ascontiguousarray(y).reshape(*y.shape[:2], -1)]


class Turned(Layer):
    """Rotary positions of (batch, heads, tokens, size), from position 0; the way back turns the
    other way.
    """

    def __init__(
        self, name: str, inputs: tuple[str, ...], output: str, shape: DecoderShape, local: bool
    ):
        super().__init__(name, inputs, output)
        self.rotary, self.base = shape.rotary, shape.rope_base
        if local and shape.local_rope_base is not None:
            self.rotary, self.base = self.rotary.but(scaling=None), shape.local_rope_base

    def forward(self, *values: np.ndarray) -> np.ndarray:
        tokens, size = values[0].shape[2:]
        self.angles = self.rotary.angles(self.base, size, np.arange(tokens), tokens)
        return self.rotary.turned(values[0], self.angles)

    def backward(self, dy: np.ndarray) -> Gradients:
        cos, sin = self.angles
        return [self.rotary.turned(dy, (cos, -sin))]


class Attention(Layer):
    """Attended values (batch, tokens, heads x size) of q (batch, heads, tokens, size), keys and
    values (batch, kv_heads, tokens, size): softmax(scale q k^T + mask) v, with capped scores where
    the shape says so.

    `scores` and `values` multiply as the caller says, rows grouped by key-value head as
    `language.decoder` has them; the way back multiplies exactly.
    """

    scores: Call
    values: Call

    def __init__(self, layer: int, inputs: tuple[str, ...], output: str, shape: DecoderShape):
        super().__init__(f"layer{layer}.attention", inputs, output)
        self.ops = f"layer{layer}.scores", f"layer{layer}.values"
        self.cap = shape.attention_cap
        self.window = shape.window if shape.is_local(layer) else None
        scale = shape.head_width**-0.5 if shape.attention_scale is None else shape.attention_scale
        self.scale = np.float32(scale)

    def forward(self, *values: np.ndarray) -> np.ndarray:
        q, k, v = values
        self.shapes = q.shape, k.shape
        batch, kv_heads, tokens, size = k.shape
        self.q = q.reshape(batch * kv_heads, -1, size)
        self.k, self.v = (one.reshape(batch * kv_heads, tokens, size) for one in (k, v))
        raw = self.scores(self.q, np.ascontiguousarray(self.k.transpose(0, 2, 1)))
        scores = raw * self.scale
        if self.cap is not None:
            self.softened = np.tanh(scores / np.float32(self.cap))
            scores = np.float32(self.cap) * self.softened
        mask = causal_mask(tokens, tokens, self.window)
        split = scores.reshape(batch * kv_heads, -1, tokens, tokens)
        self.p = softmax(split + mask).reshape(scores.shape)
        y = self.values(self.p, self.v)
        return self._merged(y)

    def _merged(self, y: np.ndarray) -> np.ndarray:
        (batch, _, tokens, size), _ = self.shapes
        split = y.reshape(batch, -1, tokens, size).transpose(0, 2, 1, 3)
        return np.ascontiguousarray(split).reshape(batch, tokens, -1)

    def backward(self, dy: np.ndarray) -> Gradients:
        """With p = softmax(s): ds = p (dp - sum(dp p)), dp = dy v^T."""
        (batch, heads, tokens, size), kv = self.shapes
        d = dy.reshape(batch, tokens, heads, size).transpose(0, 2, 1, 3)
        d = np.ascontiguousarray(d).reshape(self.q.shape)
        with one_thread():
            dv = np.matmul(self.p.transpose(0, 2, 1), d)
            dp = np.matmul(d, self.v.transpose(0, 2, 1))
            ds = self.p * (dp - np.sum(dp * self.p, axis=-1, keepdims=True))
            if self.cap is not None:
                ds *= 1 - self.softened * self.softened
            ds *= self.scale
            dq, dk = np.matmul(ds, self.k), np.matmul(ds.transpose(0, 2, 1), self.q)
        return [dq.reshape(self.shapes[0]), dk.reshape(kv), dv.reshape(kv)]
