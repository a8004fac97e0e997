"""What does a chain of binary16 multiplications and additions give when each step rounds, as an
in-bank FP16 unit does?

Values travel as float32 that lie on the binary16 grid (`to_half` puts them there). Lanes are
independent chains: lane l of output n sums `x[b, l, s] * w[l, s, n]` over s in order, `acc =
fp16(fp16(w x) + acc)` from zero.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from pimlab.kernels.half import _bits_of, _float_of, round_half
from pimlab.kernels.jit import kernel, parallel

# 64 outputs x 4 rows keep 32 chains of 8 floats in flight, and a block's weights in the second
# level of the cache; 32 x 8 takes a third longer.
_BLOCK = 64
_ROWS = 4
# Each of fewer rows than 48 reads 256 outputs' weights where they lie: the copy that serves many
# would cost more than it saves.
_WIDE = 256
_FEW = 48
# Of float32: the bits of a magnitude, and those of infinity.
_MAGNITUDE = np.int32(0x7FFFFFFF)
_INFINITE = np.int32(0x7F800000)
# Of binary16: the smallest normal number, the largest; 2^13 parts 24 bits into 11 and 13.
_NORMAL = np.float32(2.0**-14)
_LARGEST = 65504.0
_SPLIT = np.float32(2**13)
_ONE = np.float32(1)


@parallel
def to_half(x, out):
    """x rounded to the nearest binary16, ties to even; from 65520 on it becomes infinite.

    x, out : float32, shape (size,).
    """
    for i in prange(x.size):
        out[i] = round_half(x[i])


@kernel
def _extremes(w, least):
    """The largest |w| of all (NaN where one is); `least` becomes each step's smallest that is not
    zero. Floats that are not negative are ordered as their bits, and integers reduce in vectors.
    """
    peak = np.int32(0)
    for s in range(w.shape[0]):
        low, row = _MAGNITUDE, w[s]
        for j in range(_BLOCK):
            magnitude = np.int32(_bits_of(row[j]) & _MAGNITUDE)
            peak = max(peak, magnitude)
            # zero, less one, becomes the largest integer there is
            low = min(low, np.int32((magnitude - np.int32(1)) & _MAGNITUDE))
        least[s] = _float_of(np.int32(min(low, _INFINITE - np.int32(1)) + np.int32(1)))
    return _float_of(peak)


@kernel
def _magnitudes(x, out):
    for lane in range(x.shape[0]):
        total = 0.0
        for s in range(x.shape[1]):
            total += abs(x[lane, s])
        out[lane] = total


@parallel
def _row_magnitudes(x, out):
    """Each row's and lane's sum of |x|: float64, shape (batch, lanes)."""
    for row in prange(x.shape[0]):
        _magnitudes(x[row], out[row])


@kernel
def _stay_finite(sizes, peak, steps):
    """Whether no partial sum of the rows can overflow: each rounding enlarges by at most 1 + 2^-11
    and, below 2^-14, adds at most 2^-25.
    """
    growth, every = (1 + 2.0**-11) ** (steps + 1), True
    for size in sizes:
        every = every and (size * peak + steps * 2.0**-25) * growth <= _LARGEST  # NaN: no
    return every


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
def _eleven_bits(value):
    """`value` rounded to 11 bits, ties to even, as binary16 rounds where it neither overflows nor
    is subnormal: Veltkamp's splitting (Dekker 1971). A test tries every mantissa.
    """
    wide = value * (_SPLIT + _ONE)
    return wide + (value - wide)


@kernel
def _finite_chain(x, w, least, out):
    """`_chain` where nothing overflows, without conversions.

    A product p has 22 bits, and 8193 p - 8192 p, with the first term rounded, is p rounded to 11
    bits; 8193 x is exact. Where p may be subnormal (`least` tells) the grid is coarser, and p goes
    through binary16. A sum below 2^-14 lies on the grid as it is.
    """
    acc = np.zeros((_ROWS, _BLOCK), np.float32)
    for s in range(w.shape[0]):
        row = w[s]
        for i in range(_ROWS):
            value = x[i, s]
            if abs(value) * least[s] >= _NORMAL:
                large, larger = value * _SPLIT, value * (_SPLIT + _ONE)
                for j in range(_BLOCK):
                    product = larger * row[j] - large * row[j]
                    acc[i, j] = _eleven_bits(acc[i, j] + product)
            elif value != 0:  # a product of zero leaves the sum, which is never -0, as it is
                for j in range(_BLOCK):
                    acc[i, j] = round_half(round_half(value * row[j]) + acc[i, j])
    for i in range(_ROWS):
        for j in range(_BLOCK):
            out[i, j] = acc[i, j]


@kernel
def _lane_chain(x, w, finite, least, out):
    if finite:
        _finite_chain(x, w, least, out)
    else:
        _chain(x, w, out)


@kernel
def _rows_of(x, first, lane, out):
    for i in range(_ROWS):
        row = min(first + i, x.shape[0] - 1)
        for s in range(x.shape[2]):
            out[i, s] = x[row, lane, s]


@kernel
def _block_of(w, first, out, least, peaks):
    width = min(_BLOCK, w.shape[2] - first)
    for lane in range(w.shape[0]):
        for s in range(w.shape[1]):
            for j in range(width):
                out[lane, s, j] = w[lane, s, first + j]
        peaks[lane] = _extremes(out[lane], least[lane])


@kernel
def _block_lanes(x, w, sizes, first, out):
    lanes, steps = w.shape[:2]
    width = min(_BLOCK, w.shape[2] - first)
    weights = np.zeros((lanes, steps, _BLOCK), np.float32)
    least, peaks = np.empty((lanes, steps), np.float32), np.empty(lanes, np.float32)
    _block_of(w, first, weights, least, peaks)
    rows = np.empty((_ROWS, steps), np.float32)
    part = np.empty((_ROWS, _BLOCK), np.float32)
    for row in range(0, x.shape[0], _ROWS):
        for lane in range(lanes):
            _rows_of(x, row, lane, rows)
            finite = _stay_finite(sizes[row : row + _ROWS, lane], peaks[lane], steps)
            _lane_chain(rows, weights[lane], finite, least[lane], part)
            for i in range(min(_ROWS, x.shape[0] - row)):
                for j in range(width):
                    out[row + i, lane, first + j] = part[i, j]


@kernel
def _block_sums(x, w, sizes, first, out):
    lanes, steps = w.shape[:2]
    width = min(_BLOCK, w.shape[2] - first)
    weights = np.zeros((lanes, steps, _BLOCK), np.float32)
    least, peaks = np.empty((lanes, steps), np.float32), np.empty(lanes, np.float32)
    _block_of(w, first, weights, least, peaks)
    rows = np.empty((_ROWS, steps), np.float32)
    part = np.empty((_ROWS, _BLOCK), np.float32)
    total = np.empty((_ROWS, _BLOCK), np.float32)
    for row in range(0, x.shape[0], _ROWS):
        total[:] = np.float32(0)
        for lane in range(lanes):
            _rows_of(x, row, lane, rows)
            finite = _stay_finite(sizes[row : row + _ROWS, lane], peaks[lane], steps)
            _lane_chain(rows, weights[lane], finite, least[lane], part)
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
    sizes = np.empty((x.shape[0], w.shape[0]))
    _row_magnitudes(x, sizes)
    for block in prange((w.shape[2] + _BLOCK - 1) // _BLOCK):
        _block_lanes(x, w, sizes, block * _BLOCK, out)


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
        sizes = np.empty((x.shape[0], w.shape[0]))
        _row_magnitudes(x, sizes)
        for block in prange((w.shape[2] + _BLOCK - 1) // _BLOCK):
            _block_sums(x, w, sizes, block * _BLOCK, out)


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
