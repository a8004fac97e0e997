"""Twin of `pimlab.kernels.fp16` in NumPy's own float16, which rounds every operation to
binary16.
"""

from __future__ import annotations

import numpy as np


def to_half(x):
    with np.errstate(over="ignore"):
        return x.astype(np.float16).astype(np.float32)


def lane_partials(x, w):
    x, w = x.astype(np.float16), w.astype(np.float16)
    total = np.zeros((x.shape[0], w.shape[0], w.shape[2]), np.float16)
    with np.errstate(over="ignore", invalid="ignore"):
        for s in range(w.shape[1]):
            total = x[:, :, s, None] * w[None, :, s, :] + total
    return total.astype(np.float32)


def matmul(x, w):
    total = np.zeros((x.shape[0], w.shape[2]), np.float16)
    with np.errstate(over="ignore", invalid="ignore"):
        for part in lane_partials(x, w).astype(np.float16).transpose(1, 0, 2):
            total = total + part
    return total.astype(np.float32)


def combine(op, a, b, c):
    a, b, c = (v.astype(np.float16) for v in (a, b, c))
    with np.errstate(over="ignore", invalid="ignore"):
        results = (a + b, a * b, a * b + c, np.where(a < 0, np.float16(0), a), a)
    return results[op].astype(np.float32)
