"""Sums of products in NumPy's and ml_dtypes' own float16 and bfloat16, one step at a time: the
specification of `pimlab.kernels.accumulate`.
"""

from __future__ import annotations

import numpy as np

from pimlab.reference import cast

_BF16 = (
    np.int32(16),
    np.int32(0x00800000),
    np.float32(2.0**-110),
    np.int32(0x7F7F0000),
    np.int32(0x7F800000),
    np.int32(0x7F800000),
)


def _rounded(values, kind):
    if kind == 1:
        return values.astype(np.float16).astype(np.float32)
    return cast.nearest(values, *_BF16) if kind == 2 else values


def chunks(x, w, chunk, kind, rounded):
    """acc = round(acc + sum of the next `chunk` products), from zero, the sum in float32 in order
    from zero.

    x : float32, shape (batch, k);  w : float32, shape (k, n);  returns float32, shape (batch, n).
    """
    acc = np.zeros((x.shape[0], w.shape[1]), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        return _in_chunks(x, w, chunk, kind, rounded, acc)


def _in_chunks(x, w, chunk, kind, rounded, acc):
    for first in range(0, x.shape[1], chunk):
        part = np.zeros_like(acc)
        for p in range(first, min(first + chunk, x.shape[1])):
            part = part + _rounded(x[:, p, None] * w[p], rounded)
        acc = _rounded(acc + part, kind)
    return acc


def tree(x, w, kind, rounded):
    """Neighbours added pair by pair, level by level; an odd last one passes up unchanged.

    x : float32, shape (batch, k);  w : float32, shape (k, n);  returns float32, shape (batch, n).
    """
    with np.errstate(over="ignore", invalid="ignore"):
        level = [np.float32(0) + _rounded(x[:, p, None] * w[p], rounded) for p in range(x.shape[1])]
        while len(level) > 1:
            level = _one_level(level, kind)
    return level[0]


def _one_level(level, kind):
    pairs = [_rounded(a + b, kind) for a, b in zip(level[0::2], level[1::2], strict=False)]
    return pairs + level[len(level) - len(level) % 2 :]
