"""Twin of `pimlab.kernels.fp16` in NumPy's own float16, which rounds every operation to
binary16.
"""

from __future__ import annotations

import numpy as np


def to_half(x):
    """x rounded to the nearest binary16, ties to even, as float32, shape (size,)."""
    with np.errstate(over="ignore"):
        return x.astype(np.float16).astype(np.float32)


def lane_partials(x, w):
    """The binary16 sum of every lane: x float32, shape (batch, lanes, steps), w
    shape (lanes, steps, n), gives float32, shape (batch, lanes, n).
    """
    x, w = x.astype(np.float16), w.astype(np.float16)
    total = np.zeros((x.shape[0], w.shape[0], w.shape[2]), np.float16)
    with np.errstate(over="ignore", invalid="ignore"):
        for s in range(w.shape[1]):
            total = x[:, :, s, None] * w[None, :, s, :] + total
    return total.astype(np.float32)


def matmul(x, w):
    """Lane sums added in lane order, each addition rounded to binary16: float32,
    shape (batch, n).
    """
    total = np.zeros((x.shape[0], w.shape[2]), np.float16)
    with np.errstate(over="ignore", invalid="ignore"):
        for part in lane_partials(x, w).astype(np.float16).transpose(1, 0, 2):
            total = total + part
    return total.astype(np.float32)


def combine(op, a, b, c):
    """op 0 a + b, 1 a b, 2 fp16(a b) + c, 3 max(a, 0), 4 a, in binary16: float32,
    shape (size,).
    """
    a, b, c = (v.astype(np.float16) for v in (a, b, c))
    with np.errstate(over="ignore", invalid="ignore"):
        results = (a + b, a * b, a * b + c, np.where(a < 0, np.float16(0), a), a)
    return results[op].astype(np.float32)
