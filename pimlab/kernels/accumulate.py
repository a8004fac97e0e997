"""What does a product of matrices give when the accumulator is a float of few bits? Sums in a
stated order, to the bit.

Every product x[b, p] w[p, n] is formed in float32 (exact for operands of at most 12 significant
bits) and may be rounded. Every addition is formed in float32 and rounded to the accumulator: `kind`
0 is float32, 1 binary16, 2 bfloat16 (nearest even).

`chunks` sums `chunk` products in float32 in order from zero, and adds that sum to the accumulator;
`tree` adds neighbours pair by pair, level by level, an odd last one passing up unchanged.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from pimlab.kernels.half import round_half
from pimlab.kernels.jit import inline, kernel, parallel_from

# 64 outputs x 4 rows stay in registers and first-level cache, as in `pimlab.kernels.fp16`.
_BLOCK, _ROWS, _SLAB = 64, 4, 256
_ONE, _SIXTEEN, _BIAS = np.int32(1), np.int32(16), np.int32(0x7FFF)
_ZERO = np.float32(0)
_SMALL = 2**12


@inline
def _round_bf16(value):
    """A float32 to bfloat16, nearest even; a NaN keeps its upper bits, which are not zero for quiet
    NaN.
    """
    bits = np.float32(value).view(np.int32)
    odd = np.int32(np.int32(bits >> _SIXTEEN) & _ONE)
    return np.int32(np.int32(np.int32(bits + _BIAS + odd) >> _SIXTEEN) << _SIXTEEN).view(np.float32)


@kernel
def _sum_exact(x, w, part):
    for p in range(w.shape[0]):
        row = w[p]
        for i in range(_ROWS):
            value = x[i, p]
            for j in range(_BLOCK):
                part[i, j] += value * row[j]


@kernel
def _sum_half(x, w, part):
    for p in range(w.shape[0]):
        row = w[p]
        for i in range(_ROWS):
            value = x[i, p]
            for j in range(_BLOCK):
                part[i, j] += round_half(value * row[j])


@kernel
def _sum_bf16(x, w, part):
    for p in range(w.shape[0]):
        row = w[p]
        for i in range(_ROWS):
            value = x[i, p]
            for j in range(_BLOCK):
                part[i, j] += _round_bf16(value * row[j])


@kernel
def _sum(x, w, rounded, part):
    part[:] = np.float32(0)
    if rounded == 1:
        _sum_half(x, w, part)
    elif rounded == 2:
        _sum_bf16(x, w, part)
    else:
        _sum_exact(x, w, part)


@kernel
def _fold(part, kind, acc):
    flat, sums = part.reshape(_ROWS * _BLOCK), acc.reshape(_ROWS * _BLOCK)
    if kind == 1:
        for j in range(_ROWS * _BLOCK):
            sums[j] = round_half(sums[j] + flat[j])
    elif kind == 2:
        for j in range(_ROWS * _BLOCK):
            sums[j] = _round_bf16(sums[j] + flat[j])
    else:
        for j in range(_ROWS * _BLOCK):
            sums[j] = sums[j] + flat[j]


@kernel
def _sequence_half(x, w, rounded, acc):
    """As `_chain` with chunk 1; adding zero turns a product of -0 into +0, as a sum that starts
    from zero does.
    """
    for p in range(w.shape[0]):
        row = w[p]
        for i in range(_ROWS):
            value = x[i, p]
            if rounded == 1:
                for j in range(_BLOCK):
                    acc[i, j] = round_half(acc[i, j] + (round_half(value * row[j]) + _ZERO))
            else:
                for j in range(_BLOCK):
                    acc[i, j] = round_half(acc[i, j] + (value * row[j] + _ZERO))


@kernel
def _sequence_bf16(x, w, rounded, acc):
    for p in range(w.shape[0]):
        row = w[p]
        for i in range(_ROWS):
            value = x[i, p]
            if rounded == 2:
                for j in range(_BLOCK):
                    acc[i, j] = _round_bf16(acc[i, j] + (_round_bf16(value * row[j]) + _ZERO))
            else:
                for j in range(_BLOCK):
                    acc[i, j] = _round_bf16(acc[i, j] + (value * row[j] + _ZERO))


@kernel
def _chain(x, w, chunk, kind, rounded, part, acc):
    acc[:] = np.float32(0)
    # rounding in the innermost loop keeps sums in registers: chunks of one need no `part`
    if chunk == 1 and kind == 1 and rounded < 2:
        _sequence_half(x, w, rounded, acc)
        return
    if chunk == 1 and kind == 2 and rounded != 1:
        _sequence_bf16(x, w, rounded, acc)
        return
    if chunk == 1 and kind == 0:
        _sum(x, w, rounded, acc)
        return
    for first in range(0, w.shape[0], chunk):
        _sum(x[:, first : first + chunk], w[first : first + chunk], rounded, part)
        _fold(part, kind, acc)


@inline
def _narrow_product(a, b, kind):
    value = a * b + _ZERO
    if kind == 1:
        value = round_half(a * b) + _ZERO
    elif kind == 2:
        value = _round_bf16(a * b) + _ZERO
    return value


@inline
def _narrow_sum(a, b, kind):
    value = a + b
    if kind == 1:
        value = round_half(a + b)
    elif kind == 2:
        value = _round_bf16(a + b)
    return value


@kernel
def _four_products(x, w, kind, rounded, part):
    """The first two levels of a tree of four, in registers."""
    for i in range(_ROWS):
        x0, x1, x2, x3 = x[i, 0], x[i, 1], x[i, 2], x[i, 3]
        for j in range(_BLOCK):
            left = _narrow_sum(
                _narrow_product(x0, w[0, j], rounded), _narrow_product(x1, w[1, j], rounded), kind
            )
            right = _narrow_sum(
                _narrow_product(x2, w[2, j], rounded), _narrow_product(x3, w[3, j], rounded), kind
            )
            part[i, j] = _narrow_sum(left, right, kind)


@kernel
def _carried(count, level, kind, levels, part):
    """`part` is number `count` of its level: added to its left neighbours where a pair is
    complete.
    """
    while count & 1:
        _fold(levels[level], kind, part)
        level += 1
        count >>= 1
    for i in range(_ROWS):
        for j in range(_BLOCK):
            levels[level, i, j] = part[i, j]


@kernel
def _tree(x, w, kind, rounded, levels, part):
    """Sums of 2**l products wait in levels[l]; the sum ends in `part`."""
    products, whole = w.shape[0], w.shape[0] // 4
    for p in range(whole):
        _four_products(x[:, 4 * p : 4 * p + 4], w[4 * p : 4 * p + 4], kind, rounded, part)
        _carried(p, 2, kind, levels, part)
    for p in range(4 * whole, products):
        _sum(x[:, p : p + 1], w[p : p + 1], rounded, part)
        _carried(p, 0, kind, levels, part)
    started = False
    for level in range(levels.shape[0]):
        if products >> level & 1:
            if started:
                _fold(levels[level], kind, part)
            else:
                for i in range(_ROWS):
                    for j in range(_BLOCK):
                        part[i, j] = levels[level, i, j]
            started = True


@kernel
def _packed(w, first):
    width = min(_BLOCK, w.shape[1] - first)
    out = np.zeros((w.shape[0], _BLOCK), np.float32)
    for p in range(w.shape[0]):
        for j in range(width):
            out[p, j] = w[p, first + j]
    return out


@kernel
def _four_rows(x, first, out):
    for i in range(_ROWS):
        row = x[min(first + i, x.shape[0] - 1)]
        for p in range(x.shape[1]):
            out[i, p] = row[p]


@kernel
def _slab(x, w, chunk, kind, rounded, first, out):
    """Rows of x by one block of columns of w; chunk 0 sums by tree."""
    weights, rows = _packed(w, first), np.empty((_ROWS, x.shape[1]), np.float32)
    part, acc = np.empty((_ROWS, _BLOCK), np.float32), np.empty((_ROWS, _BLOCK), np.float32)
    levels = np.empty((64 if chunk == 0 else 1, _ROWS, _BLOCK), np.float32)
    width = min(_BLOCK, w.shape[1] - first)
    for row in range(0, x.shape[0], _ROWS):
        _four_rows(x, row, rows)
        if chunk == 0:
            _tree(rows, weights, kind, rounded, levels, acc)
        else:
            _chain(rows, weights, chunk, kind, rounded, part, acc)
        for i in range(min(_ROWS, x.shape[0] - row)):
            for j in range(width):
                out[row + i, first + j] = acc[i, j]


@parallel_from(_SMALL)
def chunks(x, w, chunk, kind, rounded, out):
    """acc = round(acc + sum of the next `chunk` products), from zero; chunk 1 is the plain
    sequence.

    x : float32, shape (batch, k);  w : float32, shape (k, n);  out : float32, shape (batch, n);
    rounded : what products are rounded to, as `kind`.
    """
    slabs = (x.shape[0] + _SLAB - 1) // _SLAB
    for task in prange(slabs * ((w.shape[1] + _BLOCK - 1) // _BLOCK)):
        rows = slice(task % slabs * _SLAB, (task % slabs + 1) * _SLAB)
        _slab(x[rows], w, chunk, kind, rounded, task // slabs * _BLOCK, out[rows])


@parallel_from(_SMALL)
def tree(x, w, kind, rounded, out):
    """The sum of all products by pairs of neighbours, level by level.

    x : float32, shape (batch, k);  w : float32, shape (k, n);  out : float32, shape (batch, n),
    written; kind and rounded as for `chunks`.
    """
    slabs = (x.shape[0] + _SLAB - 1) // _SLAB
    for task in prange(slabs * ((w.shape[1] + _BLOCK - 1) // _BLOCK)):
        rows = slice(task % slabs * _SLAB, (task % slabs + 1) * _SLAB)
        _slab(x[rows], w, 0, kind, rounded, task // slabs * _BLOCK, out[rows])
