"""Cases of `pimlab.kernels.accumulate`: each accumulator, each order, bit for bit."""

from __future__ import annotations

import numpy as np

from benchmarks.cases import Case
from pimlab.kernels import accumulate as kernels
from pimlab.reference import accumulate as reference

_SHAPES = {"tiny": (1, 5, 3), "small": (9, 53, 70), "large": (1024, 1024, 1024)}
_KINDS = {"fp32": 0, "fp16": 1, "bf16": 2}


def _operands(rng, size, kind):
    """fp16 or bf16 numbers: wide ones, so that sums lose bits, overflow and, for fp16, meet
    subnormals.
    """
    batch, k, n = _SHAPES[size]
    spread = 10.0 ** rng.uniform(-4, 1.5, (batch, k)) if size != "large" else 1.0
    x, w = rng.standard_normal((batch, k)) * spread, rng.standard_normal((k, n))
    if size != "large":
        x[0] = rng.uniform(2e4, 6e4, k)
    x, w = (a.astype(np.float16).astype(np.float32) for a in (x, w))
    if kind == "bf16":
        x, w = ((a.view(np.int32) & np.int32(-65536)).view(np.float32) for a in (x, w))
    w.setflags(write=False)  # as `formats.accumulated` hands it over
    return x, w


def _chunks(x, w, *rest):
    out = np.empty((x.shape[0], w.shape[1]), np.float32)
    kernels.chunks(x, w, *rest, out)
    return out


def _tree(x, w, *rest):
    out = np.empty((x.shape[0], w.shape[1]), np.float32)
    kernels.tree(x, w, *rest, out)
    return out


def _make(kind, *rest):
    return lambda rng, size: (*_operands(rng, size, kind), *rest)


CASES = {
    **{
        f"accumulate.chunks {name} by {chunk}{' rounded products' if rounded else ''}": Case(
            _chunks,
            reference.chunks,
            _make(name, chunk, kind, rounded),
            gemm=(1024, 1024, 1024),
            covers=("accumulate.chunks",),
        )
        for name, kind in _KINDS.items()
        for chunk, rounded in ((1, 0), (1, kind), (32, 0), (16, kind))
        if kind or not rounded
    },
    **{
        f"accumulate.tree {name}": Case(
            _tree,
            reference.tree,
            _make(name, kind, kind),
            gemm=(1024, 1024, 1024),
            covers=("accumulate.tree",),
        )
        for name, kind in _KINDS.items()
    },
}
