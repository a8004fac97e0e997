"""Products of squares and coarse weights, against whole numbers in NumPy."""

from __future__ import annotations

import numpy as np

from benchmarks.cases import Case
from pimlab.kernels import pairs as fast
from pimlab.kernels.panels import WIDTH
from pimlab.reference import pairs as slow

_SHAPE = {"tiny": (2, 3, 2), "small": (7, 45, 20), "large": (64, 1024, 1024)}


def _pairs(k):
    return -(-k // fast.DEPTH) * fast.DEPTH // 2


def _codes(rng, size):
    rows, k, _ = _SHAPE[size]
    x = rng.integers(-fast.MOST, fast.MOST, (rows, k + 2)).astype(np.float32)
    return x, 2, k, _pairs(k)


def _squared(x, first, k, pairs):
    out = np.empty((len(x), pairs), np.int32)
    fast.squared_pairs(x, first, k, out)
    return out


def _weights(rng, size):
    _, k, n = _SHAPE[size]
    w = rng.random((-(-n // WIDTH), k, WIDTH), np.float32)
    w[0, :, 1] = 0
    return w, _pairs(k), fast.TOP


def _pack(w, pairs, _top):
    out = np.empty((len(w), pairs, 2 * WIDTH), np.int16)
    scale = np.empty((len(w), WIDTH), np.float32)
    fast.pack(w, scale, out)
    return out, scale


def _operands(rng, size):
    x = slow.squared_pairs(*_codes(rng, size)).astype(np.int32)
    return x, *slow.pack(*_weights(rng, size)), _SHAPE[size][2], fast.DEPTH


def _product(x, w, scale, n, _depth):
    out = np.empty((len(x), n), np.float32)
    fast.product(x, w, scale, out)
    return out


CASES = {
    "pairs.squared_pairs": Case(
        _squared, slow.squared_pairs, _codes, covers=("pairs.squared_pairs",)
    ),
    "pairs.pack": Case(_pack, slow.pack, _weights, covers=("pairs.pack",)),
    "pairs.product": Case(
        _product,
        slow.product,
        _operands,
        gemm=(64, 1024, 1024),
        covers=("pairs.product",),
    ),
}
