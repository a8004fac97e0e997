"""Cells after programming and drift, and the spread of their reads."""

from __future__ import annotations

import numpy as np

from benchmarks.cases import Case
from pimlab.kernels import cells as fast
from pimlab.reference import cells as slow

_CELLS = {"tiny": 40, "small": 700, "large": 1000 * 1024}
_WIDE = np.inf
_LOG = [1.0, 0.01, 0.04, 2.0, 0.3, -0.0117, -0.0057, 0.0]
_POLYNOMIAL = [0.0, -_WIDE, 0.9, 3.0, _WIDE, 0.0736, -0.0126, -0.0436]
_POWER = [2.0, 0.01, 0.2, 2.0, 0.5, 0.03, -0.6, 0.0]
_SATURATING = [3.0, 0.0, 0.0, 2.0, _WIDE, 0.1, 0.3, 0.0]
SPLIT, POWER = np.array([_LOG, _POLYNOMIAL]), np.array([_POWER, _SATURATING])
"""A logarithm below a polynomial, and a power below a curve that saturates."""
for _table in (SPLIT, POWER):
    _table.flags.writeable = False  # as those of devices are: another kind is compiled for seconds


def _cells(rng, size):
    target = rng.uniform(0, 20.0, _CELLS[size]) * (rng.random(_CELLS[size]) < 0.5)
    z = rng.standard_normal(target.size).astype(np.float32)
    return np.maximum(target + z, 0.0), target, z


def _written(kernel):
    def run(*arguments):
        out = np.empty_like(arguments[0])
        kernel(*arguments, out)
        return out

    return run


def _law(log_age):
    words = np.uint32(7), np.uint32(11)
    return fast.Law(
        *words, 20.0, POWER, 2.0, *words[::-1], 20.0, SPLIT, POWER, log_age, 19.0, SPLIT, 0.9
    )


def _read(log_age):
    def make(rng, size):
        target = _cells(rng, size)[1].reshape(10, -1)
        arrays = [rng.uniform(0, 1, target.shape) for _ in range(3)]
        sums = np.zeros((3, target.shape[1]))
        return target, _law(log_age), 5, -1.0, 2.0, np.zeros(len(target)), *arrays, sums

    return make


def _added(target, law, row, sign, devices, *arrays):
    arrays = [one.copy() for one in arrays]
    fast.add_read(target, law, row, sign, devices, *arrays)
    return tuple(arrays)


CASES = {
    "cells programmed": Case(
        _written(fast.programmed),
        slow.programmed,
        lambda rng, size: (*_cells(rng, size)[1:], 20.0, POWER, 2.0),
        rtol=1e-13,
        covers=("cells.programmed",),
    ),
    "cells drifted": Case(
        _written(fast.drifted),
        slow.drifted,
        lambda rng, size: (*_cells(rng, size), 20.0, SPLIT, POWER, 5.7),
        rtol=1e-13,
        covers=("cells.drifted",),
    ),
    "spread of reads": Case(
        _written(fast.flicker),
        slow.flicker,
        lambda rng, size: (*_cells(rng, size)[:2], 20.0, SPLIT, 4.9),
        rtol=1e-13,
        covers=("cells.flicker",),
    ),
    "cells right after programming": Case(
        _added, slow.add_read, _read(0.0), rtol=2e-5, atol=1e-9, covers=("cells.add_read",)
    ),
    "cells added to a read": Case(
        _added, slow.add_read, _read(5.7), rtol=2e-5, atol=1e-9, covers=("cells.add_read",)
    ),
}
