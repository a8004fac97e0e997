"""Cases of `pimlab.kernels.fp16`: bit for bit against NumPy's float16."""

from __future__ import annotations

import numpy as np

from benchmarks.cases import Case
from pimlab.kernels import fp16 as kernels
from pimlab.reference import fp16 as reference

_SIZES = {"tiny": 31, "small": 2000, "large": 2**22}


def _halves(rng, *shape):
    """Binary16 numbers of every kind: normal, subnormal, zero, infinite and NaN."""
    bits = rng.integers(0, 2**16, shape, dtype=np.uint16)
    return bits.view(np.float16).astype(np.float32)


def _operands(rng, size, lanes):
    batch, steps, n = {
        "tiny": (1, 3, 3),
        "small": (50, 24, 70),
        "large": (1024, 1024 // lanes, 1024),
    }[size]
    x = rng.standard_normal((batch, lanes, steps)).astype(np.float16).astype(np.float32)
    w = rng.standard_normal((lanes, steps, n)).astype(np.float16).astype(np.float32)
    if (
        size != "large"
        # "tiny" has the few rows of which each reads the weights where they lie, "small" takes them
        # block by block
    ):
        x[0], w[:, :, :3] = _halves(rng, lanes, steps), _halves(rng, lanes, steps, 3)
    return x, w


def _matmul(x, w):
    out = np.empty((x.shape[0], w.shape[2]), np.float32)
    kernels.matmul(x, w, out)
    return out


def _lane_partials(x, w):
    out = np.empty((x.shape[0], w.shape[0], w.shape[2]), np.float32)
    kernels.lane_partials(x, w, out)
    return out


def _to_half(x):
    out = np.empty_like(x)
    kernels.to_half(x, out)
    return out


def _combine(op, a, b, c):
    out = np.empty_like(a)
    kernels.combine(op, a, b, c, out)
    return out


def _wide(rng, size):
    return ((rng.standard_normal(_SIZES[size]) * 10.0 ** rng.integers(-9, 6)).astype(np.float32),)


def _triples(op):
    def make(rng, size):
        return op, *(_halves(rng, _SIZES[size]) for _ in range(3))

    return make


_CUBE = (1024, 1024, 1024)
CASES = {
    "fp16.matmul.sequential": Case(
        _matmul,
        reference.matmul,
        lambda rng, size: _operands(rng, size, 1),
        gemm=_CUBE,
        covers=("fp16.matmul",),
    ),
    "fp16.matmul.lanes": Case(
        _matmul,
        reference.matmul,
        lambda rng, size: _operands(rng, size, 16),
        gemm=_CUBE,
        covers=("fp16.matmul",),
    ),
    "fp16.lane_partials": Case(
        _lane_partials,
        reference.lane_partials,
        lambda rng, size: _operands(rng, size, 16),
        gemm=_CUBE,
        covers=("fp16.lane_partials",),
    ),
    "fp16.to_half": Case(_to_half, reference.to_half, _wide, covers=("fp16.to_half",)),
    **{
        f"fp16.combine.{name}": Case(
            _combine, reference.combine, _triples(op), covers=("fp16.combine",)
        )
        for op, name in enumerate(("add", "mul", "mad", "relu", "mov"))
    },
}
