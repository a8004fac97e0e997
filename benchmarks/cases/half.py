"""Cases of `pimlab.kernels.half`, through the kernels that round whole arrays."""

from __future__ import annotations

import numpy as np

from benchmarks.cases import Case
from pimlab.kernels import bf16_tree, fp16
from pimlab.reference import half as reference


def _whole(kernel):
    def run(x):
        out = np.empty_like(x)
        kernel(x, out)
        return out

    return run


def _numbers(rng, size):
    count = {"tiny": 11, "small": 3000, "large": 2**22}[size]
    return (
        np.concatenate(
            [
                rng.standard_normal(count),
                rng.standard_normal(count) * 1e-6,
                rng.standard_normal(64) * 1e5,
            ]
        ).astype(np.float32),
    )


CASES = {
    "half.round_half": Case(
        _whole(fp16.to_half), reference.round_half, _numbers, covers=("half.round_half",)
    ),
    "half.round_bf16": Case(
        _whole(bf16_tree.to_bf16), reference.round_bf16, _numbers, covers=("half.round_bf16",)
    ),
}
