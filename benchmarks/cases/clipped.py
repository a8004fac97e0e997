"""Cumulants of cells that noise cuts at the ends of their range."""

from __future__ import annotations

import numpy as np

from benchmarks.cases import Case
from pimlab.kernels import clipped as fast
from pimlab.reference import clipped as slow

_SHAPE = {"tiny": (3, 2), "small": (40, 17), "large": (1024, 1024)}


def _cells(high):
    def make(rng, size):
        shape = _SHAPE[size]
        g = rng.uniform(0.1, 1.0, shape).astype(np.float32)
        sigma = (rng.uniform(0, 0.4, shape) * (rng.random(shape) < 0.9)).astype(np.float32)
        arrays = [rng.uniform(0, 1, shape) for _ in range(3)]
        return g, sigma, 0.1, high, -1.0, 2, *arrays, np.zeros((3, shape[1]))

    return make


def _added(g, sigma, low, high, sign, devices, *arrays):
    arrays = [one.copy() for one in arrays]
    fast.add_cells(g, sigma, low, high, sign, devices, *arrays)
    return tuple(arrays)


def _each(g, sigma):
    out = np.empty((4, *g.shape))
    for place in np.ndindex(g.shape):
        out[(slice(None), *place)] = _one(np.float64(g[place]), np.float64(sigma[place]))
    return out


def _one(g, sigma):
    zero = np.zeros((1, 1))
    arrays = [zero.copy() for _ in range(3)]
    sums = np.zeros((3, 1))
    fast.add_cells(
        np.full((1, 1), g, np.float32),
        np.full((1, 1), sigma, np.float32),
        0.0,
        np.inf,
        1.0,
        1,
        *arrays,
        sums,
    )
    return [arrays[0][0, 0], arrays[1][0, 0], arrays[2][0, 0], sums[2, 0]]


CASES = {
    "cells cut at zero": Case(
        _added,
        slow.add_cells,
        _cells(np.inf),
        rtol=1e-6,
        atol=1e-9,
        covers=("clipped.add_cells", "clipped.add_row"),
    ),
    "cells cut at both ends": Case(
        _added, slow.add_cells, _cells(1.0), rtol=1e-6, atol=1e-9, covers=("clipped.add_cells",)
    ),
    "cumulants of one cell": Case(
        _each,
        lambda g, sigma: np.concatenate([(c := slow.cumulants(g, sigma))[:3], np.abs(c[3:])]),
        lambda rng, size: (
            rng.uniform(0, 1, (3, 4)).astype(np.float32),
            rng.uniform(0, 0.5, (3, 4)).astype(np.float32),
        ),
        rtol=1e-5,
        atol=1e-9,
        covers=("clipped.add_cells",),
    ),
}
