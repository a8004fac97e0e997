"""Columns of the windows of a 3 x 3 convolution (im2col)."""

from __future__ import annotations

import numpy as np

from benchmarks.cases import Case
from pimlab.kernels import windows as fast
from pimlab.reference import windows as slow

_SIZE = {"tiny": (1, 1, 3), "small": (3, 2, 9), "large": (64, 32, 56)}


def _make(rng, size):
    images, channels, side = _SIZE[size]
    x = rng.random((images, channels * side * side), dtype=np.float32)
    starts = np.add.outer(np.arange(side - 2) * side, np.arange(side - 2)).ravel()
    offsets = np.add.outer(np.arange(channels) * side * side, np.add.outer(np.arange(3) * side, np.arange(3)).ravel()).ravel()
    return x, starts, offsets


def _gather(x, starts, offsets):
    out = np.empty((len(x), len(starts), len(offsets)), np.float32)
    fast.gather(x, starts, offsets, out)
    return out


CASES = {"convolution columns": Case(_gather, slow.gather, _make, covers=("windows.gather",))}
