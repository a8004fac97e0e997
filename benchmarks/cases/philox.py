"""Philox words, uniforms and normals."""

from __future__ import annotations

import numpy as np

from benchmarks.cases import Case
from pimlab.kernels import philox as fast
from pimlab.reference import philox as slow

_SHAPE = {"tiny": (1, 3), "small": (7, 131), "large": (1024, 4096)}


def _make(rng, size):
    return (
        np.uint32(rng.integers(2**32)),
        np.uint32(rng.integers(2**32)),
        int(rng.integers(2**40)),
        3,
        _SHAPE[size],
    )


def _filled(function, dtype):
    def run(k0, k1, row, lane, shape):
        out = np.empty(shape, dtype)
        function(k0, k1, row, lane, out)
        return out

    return run


CASES = {
    "philox words": Case(
        _filled(fast.words, np.uint32),
        slow.words,
        _make,
        covers=("philox.words", "philox.words_row", "philox.block"),
    ),
    "philox uniform": Case(
        _filled(fast.uniform, np.float32), slow.uniform, _make, covers=("philox.uniform",)
    ),
    "philox uniform on one thread": Case(
        _filled(fast.uniform_alone, np.float32),
        slow.uniform_alone,
        _make,
        covers=("philox.uniform_alone",),
    ),
    "philox normal on one thread": Case(
        _filled(fast.normal_alone, np.float32),
        slow.normal_alone,
        _make,
        rtol=2e-6,
        atol=2e-6,
        covers=("philox.normal_alone",),
    ),
    "philox uniform64": Case(
        _filled(fast.uniform64, np.float64), slow.uniform64, _make, covers=("philox.uniform64",)
    ),
    "philox normal": Case(
        _filled(fast.normal, np.float32),
        slow.normal,
        _make,
        rtol=2e-6,
        atol=2e-6,
        covers=("philox.normal", "philox.normal_row", "philox.normal_pair"),
    ),
}
