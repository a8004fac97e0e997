"""Products of squares and coarse weights in plain NumPy: the specification of
`pimlab.kernels.pairs`.
"""

from __future__ import annotations

import numpy as np


def squared_pairs(x, first, k, pairs):
    """int32, shape (rows, pairs): squares of x[:, first : first + k], float32, the odd ones 16 bits
    higher.
    """
    squares = np.zeros((len(x), 2 * pairs), np.int32)
    squares[:, :k] = np.square(x[:, first : first + k])
    return squares[:, ::2] + (squares[:, 1::2] << 16)


def pack(w, pairs, top):
    """int16, shape (panels, pairs, 2 width), and the scale, float32, shape (panels, width), of
    float32 panels w, shape (panels, k, width).
    """
    panels, k, width = w.shape
    largest = w.max(axis=1, initial=0)
    scale = np.where(largest > 0, largest / np.float32(top), np.float32(1))
    steps = np.zeros((panels, 2 * pairs, width), np.int16)
    steps[:, :k] = np.rint(w / scale[:, None])
    return steps.reshape(panels, pairs, 2, width).swapaxes(2, 3).reshape(panels, pairs, -1), scale


def product(x, w, scale, n, depth):
    """float32, shape (rows, n): sums of `depth` products are whole numbers, added as float32. x :
    int32, shape (rows, pairs);  w, scale : as `pack` returns them.
    """
    panels, pairs, width = w.shape[0], w.shape[1], w.shape[2] // 2
    halves = np.stack([x & 0xFFFF, x >> 16], axis=2).reshape(len(x), -1).astype(np.int64)
    rows = w.reshape(panels, pairs, width, 2).swapaxes(2, 3).reshape(panels, 2 * pairs, width)
    whole = np.concatenate(list(rows), axis=1).astype(np.int64)
    total = np.zeros((len(x), panels * width), np.float32)
    for start in range(0, 2 * pairs, depth):
        part = slice(start, start + depth)
        total += (halves[:, part] @ whole[part]).astype(np.float32)
    return (total * scale.reshape(-1))[:, :n]
