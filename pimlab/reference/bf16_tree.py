"""Twin of `pimlab.kernels.bf16_tree`: rounding written out on the bits."""

from __future__ import annotations

import numpy as np


def to_bf16(x):
    """x rounded to the nearest bfloat16, ties to even, as float32 of the shape of x.

    x : float32, shape (...).
    """
    bits = x.view(np.uint32).astype(np.uint64)
    rounded = ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32)
    quiet = ((bits & 0xFFFF0000) | 0x400000).astype(np.uint32)
    return np.where(np.isnan(x), quiet, rounded).view(np.float32)


def matmul(x, w, tree, accumulator):
    """x @ w, sixteen products at a time, added and rounded as `tree` and `accumulator` say.

    x : float32, shape (batch, steps, 16);  w : float32, shape (steps, 16, n);  returns float32,
    shape (batch, n).
    """
    total = np.zeros((x.shape[0], w.shape[2]), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        for step in range(w.shape[0]):
            nodes = x[:, step, :, None] * w[step]
            nodes = to_bf16(nodes) if tree else nodes
            while nodes.shape[1] > 1:
                nodes = nodes[:, ::2] + nodes[:, 1::2]
                nodes = to_bf16(nodes) if tree else nodes
            total = total + nodes[:, 0]
            total = to_bf16(total) if accumulator else total
    return total
