"""What does a chain of binary16 multiplications and additions give when each step rounds, as an
in-bank FP16 unit does?

Values travel as float32 that lie on the binary16 grid (`to_half` puts them there). Lanes are
independent chains: lane l of output n sums `x[b, l, s] * w[l, s, n]` over s in order, `acc =
fp16(fp16(w x) + acc)` from zero.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from pimlab.kernels.half import round_half
from pimlab.kernels.jit import kernel, parallel

# 64 outputs x 4 rows keep 16 chains of 16 floats in flight: 25 GMAC/s on 2 cores; 32 x 4 gave 21,
# 256 x 1 gave 14.
_BLOCK = 64
_ROWS = 4
# Each of fewer rows than 48 reads 256 outputs' weights where they lie: the copy that serves many
# would cost more than it saves.
_WIDE = 256
_FEW = 48


@parallel
def to_half(x, out):
    """x rounded to the nearest binary16, ties to even; from 65520 on it becomes infinite.

    x, out : float32, shape (size,).
    """
    for i in prange(x.size):
        out[i] = round_half(x[i])


@kernel
def _chain(x, w, out):
    acc = np.zeros((_ROWS, _BLOCK), np.float32)
    for s in range(w.shape[0]):
        row = w[s]
        for i in range(_ROWS):
            value = x[i, s]
            for j in range(_BLOCK):
                acc[i, j] = round_half(round_half(value * row[j]) + acc[i, j])
    for i in range(_ROWS):
        for j in range(_BLOCK):
            out[i, j] = acc[i, j]


@kernel
def _rows_of(x, first, lane, out):
    for i in range(_ROWS):
        row = min(first + i, x.shape[0] - 1)
        for s in range(x.shape[2]):
            out[i, s] = x[row, lane, s]


@kernel
def _block_of(w, first, out):
    width = min(_BLOCK, w.shape[2] - first)
    for lane in range(w.shape[0]):
        for s in range(w.shape[1]):
            for j in range(width):
                out[lane, s, j] = w[lane, s, first + j]


@kernel
def _block_lanes(x, w, first, out):
    lanes, steps = w.shape[:2]
    width = min(_BLOCK, w.shape[2] - first)
    weights = np.zeros((lanes, steps, _BLOCK), np.float32)
    _block_of(w, first, weights)
    rows = np.empty((_ROWS, steps), np.float32)
    part = np.empty((_ROWS, _BLOCK), np.float32)
    for row in range(0, x.shape[0], _ROWS):
        for lane in range(lanes):
            _rows_of(x, row, lane, rows)
            _chain(rows, weights[lane], part)
            for i in range(min(_ROWS, x.shape[0] - row)):
                for j in range(width):
                    out[row + i, lane, first + j] = part[i, j]


@kernel
def _block_sums(x, w, first, out):
    lanes, steps = w.shape[:2]
    width = min(_BLOCK, w.shape[2] - first)
    weights = np.zeros((lanes, steps, _BLOCK), np.float32)
    _block_of(w, first, weights)
    rows = np.empty((_ROWS, steps), np.float32)
    part = np.empty((_ROWS, _BLOCK), np.float32)
    total = np.empty((_ROWS, _BLOCK), np.float32)
    for row in range(0, x.shape[0], _ROWS):
        total[:] = np.float32(0)
        for lane in range(lanes):
            _rows_of(x, row, lane, rows)
            _chain(rows, weights[lane], part)
            for i in range(_ROWS):
                for j in range(_BLOCK):
                    total[i, j] = round_half(total[i, j] + part[i, j])
        for i in range(min(_ROWS, x.shape[0] - row)):
            for j in range(width):
                out[row + i, first + j] = total[i, j]


@kernel
def _row_sums(x, w, first, out):
    lanes, steps = w.shape[:2]
    width = min(_WIDE, w.shape[2] - first)
    acc, total = np.empty(_WIDE, np.float32), np.zeros(_WIDE, np.float32)
    for lane in range(lanes):
        acc[:] = np.float32(0)
        for s in range(steps):
            value, row = x[lane, s], w[lane, s, first : first + width]
            for j in range(width):
                acc[j] = round_half(round_half(value * row[j]) + acc[j])
        for j in range(width):
            total[j] = round_half(total[j] + acc[j])
    for j in range(width):
        out[first + j] = total[j]


@parallel
def lane_partials(x, w, out):
    """The binary16 sum of every lane.

    x : float32, shape (batch, lanes, steps);  w : float32, shape (lanes, steps, n);  out : float32,
    shape (batch, lanes, n).
    """
    for block in prange((w.shape[2] + _BLOCK - 1) // _BLOCK):
        _block_lanes(x, w, block * _BLOCK, out)


@parallel
def matmul(x, w, out):
    """Lane sums added in lane order from zero, each addition rounded to binary16. One lane: a plain
    sequential product.

    x : float32, shape (batch, lanes, steps);  w : float32, shape (lanes, steps, n);  out : float32,
    shape (batch, n).
    """
    if x.shape[0] < _FEW:
        for block in prange((w.shape[2] + _WIDE - 1) // _WIDE):
            for i in range(x.shape[0]):
                _row_sums(x[i], w, block * _WIDE, out[i])
    else:
        for block in prange((w.shape[2] + _BLOCK - 1) // _BLOCK):
            _block_sums(x, w, block * _BLOCK, out)


@parallel
def combine(op, a, b, c, out):
    """Element by element, as the in-bank unit does: op 0 a + b, 1 a b, 2 fp16(a b) + c, 3 max(a,
    0), 4 a.

    a, b, c, out : float32, shape (size,) on the binary16 grid; each operation rounds to binary16.
    ReLU keeps a NaN.
    """
    for i in prange(a.size):
        if op == 0:
            out[i] = round_half(a[i] + b[i])
        elif op == 1:
            out[i] = round_half(a[i] * b[i])
        elif op == 2:
            out[i] = round_half(round_half(a[i] * b[i]) + c[i])
        elif op == 3:
            out[i] = np.float32(0) if a[i] < 0 else a[i]
        else:
            out[i] = a[i]
