"""Products in panels, against chains of fused multiply-adds one by one."""

from __future__ import annotations

import numpy as np

from benchmarks.cases import Case
from pimlab.kernels import panels as fast
from pimlab.reference import panels as slow

_SHAPE = {"tiny": (3, 4, 2), "small": (13, 70, 37), "large": (64, 1024, 1024)}


def _packed(w):
    out = np.empty((-(-w.shape[1] // fast.WIDTH), len(w), fast.WIDTH), np.float32)
    fast.pack(w, out)
    return out


def _operands(rows=None):
    def make(rng, size):
        m, k, n = _SHAPE[size]
        x = rng.standard_normal((m if rows is None else rows, k + 3)).astype(np.float32)
        return x, 2, _packed(rng.standard_normal((k, n)).astype(np.float32)), n

    return make


def _panel(rng, size):
    x, first, w, _ = _operands()(rng, size)
    return x, first, w[0]


def _product(x, first, w, n):
    out = np.empty((len(x), n), np.float32)
    fast.product(x, first, w, out)
    return out


def _panel_product(x, first, w):
    """The panel's product, put where it is the second one, and where its last columns are left
    out: both have the same numbers.
    """
    out, cut = (np.empty((len(x), 2 * fast.WIDTH - less), np.float32) for less in (0, 3))
    for found in (out, cut):
        fast.panel_product(x, first, w, found, fast.WIDTH)
    assert (cut[:, fast.WIDTH :] == out[:, fast.WIDTH : -3]).all()
    return out[:, fast.WIDTH :]


def _strip(x, first, k):
    near, start = fast.strip(x, first, k)
    return near[:, start : start + k]


def _many(rng, size):
    """More rows than are read in place, but for the tiny case."""
    rows, k = {"tiny": (2, 3), "small": (80, 5), "large": (256, 256)}[size]
    return rng.standard_normal((rows, 4 * k)).astype(np.float32), k, k


CASES = {
    "panels.strip": Case(_strip, slow.strip, _many, covers=("panels.strip",)),
    "panels.product": Case(
        _product, slow.product, _operands(), gemm=(64, 1024, 1024), covers=("panels.product",)
    ),
    "panels.product, 1 row": Case(
        _product, slow.product, _operands(1), gemm=(1, 1024, 1024), covers=("panels.product",)
    ),
    "panels.panel_product": Case(
        _panel_product, slow.panel_product, _panel, covers=("panels.panel_product",)
    ),
    "panels.pack": Case(
        _packed,
        lambda w: slow.pack(w, fast.WIDTH),
        lambda rng, size: (rng.standard_normal(_SHAPE[size][1:]).astype(np.float32),),
        covers=("panels.pack",),
    ),
}
