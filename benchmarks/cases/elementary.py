"""Logarithms and exponentials of arrays."""

from __future__ import annotations

import numpy as np

from benchmarks.cases import Case
from pimlab.kernels import elementary as fast
from pimlab.reference import elementary as slow

_SIZE = {"tiny": 30, "small": 4000, "large": 1 << 20}


def _written(kernel):
    def run(x):
        out = np.empty_like(x)
        kernel(x, out)
        return out

    return run


def _exponents(rng, size):
    return (np.concatenate([rng.uniform(-800, 800, _SIZE[size]), [0.0, -0.0, 1.0, -1e-17]]),)


def _positive(rng, size):
    near = rng.uniform(0.5, 2.0, _SIZE[size])
    return (np.concatenate([near, np.exp(rng.uniform(-700, 700, _SIZE[size])), [1.0, 0.5]]),)


CASES = {
    "logarithms": Case(
        _written(fast.logarithms),
        slow.logarithms,
        _positive,
        rtol=1e-15,
        covers=("elementary.logarithms", "elementary.ln"),
    ),
    "exponentials": Case(
        _written(fast.exponentials),
        slow.exponentials,
        _exponents,
        rtol=1e-15,
        covers=("elementary.exponentials", "elementary.exp"),
    ),
}
