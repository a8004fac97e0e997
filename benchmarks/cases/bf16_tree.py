"""Cases of `pimlab.kernels.bf16_tree`: bit for bit against NumPy."""

from __future__ import annotations

import numpy as np

from benchmarks.cases import Case
from pimlab.kernels import bf16_tree as kernels
from pimlab.reference import bf16_tree as reference

_SHAPES = {"tiny": (1, 1, 3), "small": (3, 7, 70), "large": (1024, 64, 1024)}
_SIZES = {"tiny": 37, "small": 4000, "large": 2**22}


def _operands(tree, accumulator):
    def make(rng, size):
        batch, steps, n = _SHAPES[size]
        x = reference.to_bf16(rng.standard_normal((batch, steps, 16)).astype(np.float32))
        return (
            x,
            reference.to_bf16(rng.standard_normal((steps, 16, n)).astype(np.float32)),
            tree,
            accumulator,
        )

    return make


def _matmul(x, w, tree, accumulator):
    out = np.empty((x.shape[0], w.shape[2]), np.float32)
    kernels.matmul(x, w, tree, accumulator, out)
    return out


def _to_bf16(x):
    out = np.empty_like(x)
    kernels.to_bf16(x, out)
    return out


def _any_float(rng, size):
    return (rng.integers(0, 2**32, _SIZES[size], dtype=np.uint32).view(np.float32),)


CASES = {
    **{
        f"bf16_tree.matmul.{tree}{accumulator}": Case(
            _matmul,
            reference.matmul,
            _operands(tree, accumulator),
            gemm=(1024, 1024, 1024),
            covers=("bf16_tree.matmul",),
        )
        for tree in (0, 1)
        for accumulator in (0, 1)
    },
    "bf16_tree.to_bf16": Case(
        _to_bf16, reference.to_bf16, _any_float, covers=("bf16_tree.to_bf16",)
    ),
}
