"""What does a bank with 16 bfloat16 multipliers and an adder tree give? Sums of 16 products, added
to one accumulator.

A product of two bfloat16 numbers is exact in float32 (16 bits). The tree adds neighbours level by
level in float32; `tree` 1 rounds every product and node to bfloat16. `accumulator` 1 rounds the
running sum to bfloat16 after every 16 products.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from pimlab.kernels.half import round_bf16
from pimlab.kernels.jit import kernel, parallel

_BLOCK = 64
_WIDTH = 16


@kernel
def _products(x, w, tree, nodes):
    for i in range(_WIDTH):
        for j in range(_BLOCK):
            product = x[i] * w[i, j]
            nodes[i, j] = round_bf16(product) if tree == 1 else product


@kernel
def _fold(tree, nodes):
    half = _WIDTH // 2
    while half > 0:
        for i in range(half):
            for j in range(_BLOCK):
                total = nodes[2 * i, j] + nodes[2 * i + 1, j]
                nodes[i, j] = round_bf16(total) if tree == 1 else total
        half //= 2


@kernel
def _block(x, w, first, tree, accumulator, out):
    width = min(_BLOCK, w.shape[2] - first)
    weights = np.zeros((w.shape[0], _WIDTH, _BLOCK), np.float32)
    for step in range(w.shape[0]):
        for i in range(w.shape[1]):
            for j in range(width):
                weights[step, i, j] = w[step, i, first + j]
    nodes = np.empty((_WIDTH, _BLOCK), np.float32)
    for b in range(x.shape[0]):
        total = np.zeros(_BLOCK, np.float32)
        for step in range(w.shape[0]):
            _products(x[b, step], weights[step], tree, nodes)
            _fold(tree, nodes)
            for j in range(_BLOCK):
                added = total[j] + nodes[0, j]
                total[j] = round_bf16(added) if accumulator == 1 else added
        for j in range(width):
            out[b, first + j] = total[j]


@parallel
def matmul(x, w, tree, accumulator, out):
    """out = x @ w, sixteen products at a time, every addition rounded by `tree` and `accumulator`.

    x : float32, shape (batch, steps, 16);  w : float32, shape (steps, 16, n), both bfloat16 values;
    out : float32, shape (batch, n), written.
    """
    for block in prange((w.shape[2] + _BLOCK - 1) // _BLOCK):
        _block(x, w, block * _BLOCK, tree, accumulator, out)


@parallel
def to_bf16(x, out):
    """x rounded to the nearest bfloat16, ties to even.  x, out : float32, shape (size,)."""
    for i in prange(x.size):
        out[i] = round_bf16(x[i])
