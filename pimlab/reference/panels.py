"""Products as chains of correctly rounded fused multiply-adds, in plain NumPy: the specification of
`pimlab.kernels.panels`.
"""

from __future__ import annotations

import numpy as np


def fma(a, b, c):
    """round(a b + c) of float32 arrays of one shape (...): exact in float64 but for one sum, which
    is rounded to odd there before it is rounded to float32.
    """
    product, c = np.asarray(a, np.float64) * np.asarray(b, np.float64), np.asarray(c, np.float64)
    total = product + c
    back = total - product
    error = (product - (total - back)) + (c - back)
    even = total.view(np.int64) & 1 == 0
    away = np.nextafter(total, np.where(error > 0, np.inf, -np.inf))
    return np.where((error != 0) & even, away, total).astype(np.float32)


def strip(x, first, k):
    """x[:, first : first + k]: float32, shape (rows, k)."""
    return x[:, first : first + k]


def product(x, first, w, n):
    """float32, shape (rows, n): x[:, first : first + k] @ w, of w in panels (panels, k, WIDTH)."""
    whole = np.concatenate(list(w), axis=1)[:, :n]
    total = np.zeros((len(x), n), np.float32)
    for i, row in enumerate(whole):
        total = fma(x[:, first + i, None], row, total)
    return total


def panel_product(x, first, w):
    """As `product`, of one panel w, float32, shape (k, WIDTH)."""
    return product(x, first, w[None], w.shape[1])


def pack(w, width):
    """float32, shape (panels, k, width)."""
    panels = -(-w.shape[1] // width)
    padded = np.pad(w, ((0, 0), (0, panels * width - w.shape[1])))
    return padded.reshape(len(w), panels, width).transpose(1, 0, 2)
