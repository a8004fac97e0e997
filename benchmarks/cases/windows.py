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
    offsets = np.add.outer(
        np.arange(channels) * side * side, np.add.outer(np.arange(3) * side, np.arange(3)).ravel()
    ).ravel()
    return x, starts.astype(np.uint64), offsets.astype(np.uint64), np.uint64(3)


def _apart(rng, size):
    """Windows of every second pixel, whose offsets have no neighbours."""
    x = _make(rng, size)[0]
    starts, offsets = np.arange(0, x.shape[1] // 2, 2), np.array([0, 2, 4])
    starts = starts[starts + 4 < x.shape[1]]
    return x, starts.astype(np.uint64), offsets.astype(np.uint64), np.uint64(1)


def _gather(x, starts, offsets, run):
    out = np.empty((len(x), len(starts), len(offsets)), np.float32)
    fast.gather(x, starts, offsets, run, out)
    return out


CASES = {
    "convolution columns": Case(_gather, slow.gather, _make, covers=("windows.gather",)),
    "convolution columns, dilated": Case(_gather, slow.gather, _apart, covers=("windows.gather",)),
}
