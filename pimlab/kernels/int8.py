"""What does an integer MAC array compute, to the bit? Products, accumulators, quantisation and
requantisation.

Shapes: x (batch, k), w (k, n), acc (batch, n). Nothing here rounds except where a rule says so.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from pimlab.kernels.jit import inline, kernel, parallel_from

BLOCK = 1024
"""Products of two int8 are at most 2^14, so 1024 of them sum below 2^24 and float32 holds every
partial sum exactly.
"""
SMALL = 2**18
"""Elements below which one thread is done in 50 us, sooner than a second one is awake; less for
slower kernels.
"""


def gemm(x, w):
    """x @ w of int8 codes in int32, exact modulo 2^32, in whatever order BLAS adds.

    x : int8, shape (batch, k);  w : int8, shape (k, n);  returns int32, shape (batch, n). Float32
    BLAS in blocks of at most 1024 along k; the blocks add in int32 and wrap as the hardware does.
    """
    acc = (x[:, :BLOCK].astype(np.float32) @ w[:BLOCK].astype(np.float32)).astype(np.int32)
    for first in range(BLOCK, x.shape[1], BLOCK):
        part = x[:, first : first + BLOCK].astype(np.float32) @ w[first : first + BLOCK].astype(
            np.float32
        )
        accumulate(part, acc)
    return acc


def gemm_wide(x, w):
    """x @ w of integers of up to 17 bits in int64, exact.

    x : integers, shape (batch, k);  w : integers, shape (k, n);  returns int64, shape (batch, n).
    Float64 BLAS: products below 2^34 sum exactly for k up to 2^19 = 524,288, in blocks of that
    size.
    """
    acc = np.zeros((x.shape[0], w.shape[1]), np.int64)
    for first in range(0, x.shape[1], 1 << 19):
        part = x[:, first : first + (1 << 19)].astype(np.float64) @ w[
            first : first + (1 << 19)
        ].astype(np.float64)
        acc += part.astype(np.int64)
    return acc


@parallel_from(SMALL)
def accumulate(part, acc):
    """acc += part, in place, modulo 2^32. part : float32, shape (batch, n) holding integers; acc :
    int32, shape (batch, n).
    """
    for i in prange(acc.shape[0]):
        for j in range(acc.shape[1]):
            # the int64 sum cannot overflow; cutting it to 32 bits is what wraps
            acc[i, j] = np.int32(np.int64(acc[i, j]) + np.int64(part[i, j]))


@parallel_from(SMALL // 256)
def saturating(x, w, chunk, low, high, acc):
    """acc += x @ w, in place, where the accumulator adds the exact sum of each `chunk` of k and
    clips to low..high each time.

    x : int32, shape (batch, k); w : int32, shape (k, n); acc : int64, shape (batch, n) within
    low..high. `chunk` 1 clips after every product.
    """
    for i in prange(x.shape[0]):
        part = np.zeros(w.shape[1], np.int64)
        row = acc[i]
        for first in range(0, x.shape[1], chunk):
            part[:] = 0
            for p in range(first, min(first + chunk, x.shape[1])):
                xp = np.int64(x[i, p])
                for j in range(w.shape[1]):
                    part[j] += xp * w[p, j]
            for j in range(w.shape[1]):
                row[j] = min(max(row[j] + part[j], low), high)


@parallel_from(SMALL)
def quantise(x, scale, zero, low, high, q, clipped):
    """q = clip(rint(x / scale) + zero, low, high), ties to even, one scale a row.

    x : float32, shape (batch, k); scale : float32, shape (batch,), the unit of x a code; zero, low,
    high : codes;  q : integer, shape (batch, k), written; clipped : int64, shape (batch,), how many
    of the row fell outside low..high.
    """
    for i in prange(x.shape[0]):
        count = 0
        s = scale[i]
        for p in range(x.shape[1]):
            code = np.rint(x[i, p] / s) + np.float32(zero)
            count += (code < low) | (code > high)
            q[i, p] = np.int32(min(max(code, np.float32(low)), np.float32(high)))
        clipped[i] = count


@parallel_from(SMALL)
def requantise_onnx(acc, scale, zero, low, high, q, clipped):
    """ONNX's QLinearMatMul rule: q = sat(rint_even(f32(acc) * scale) + zero).

    acc : int32 or int64, shape (batch, n); scale : float32, shape (n,), the product of input and
    weight scale over output scale, rounded once to float32; q : integer, shape (batch, n), written;
    clipped : int64, shape (batch,), saturated codes a row.
    """
    for i in prange(acc.shape[0]):
        count = 0
        for j in range(acc.shape[1]):
            code = np.rint(np.float32(acc[i, j]) * scale[j])
            count += (code < low - zero) | (code > high - zero)
            q[i, j] = np.int32(
                min(max(code, np.float32(low - zero)), np.float32(high - zero))
            ) + np.int32(zero)
        clipped[i] = count


@inline
def doubling_high(a, b):
    """High 32 bits of 2 a b, rounded to nearest, ties upward (gemmlowp truncates after a signed
    nudge).

    a, b : int64 holding int32, shape ().
    """
    product = a * b + (np.int64(1 << 30) if a * b >= 0 else np.int64(1 - (1 << 30)))
    # C divides toward zero, and >> rounds down: the sign is taken off first
    high = product >> 31 if product >= 0 else -((-product) >> 31)
    # (-2^31)^2 is the one product whose doubled high half does not fit
    return min(high, np.int64(2147483647))


@inline
def rounding_shift(a, places):
    """a / 2^places to nearest, ties away from zero.

    a, places : int64, shape (); places is 0 or more.
    """
    mask = (np.int64(1) << places) - 1
    threshold = (mask >> 1) + (1 if a < 0 else 0)
    return (a >> places) + (1 if (a & mask) > threshold else 0)


@parallel_from(SMALL // 8)
def requantise_gemmlowp(acc, multiplier, shift, zero, low, high, q, clipped):
    """gemmlowp's rule: q = sat(rounding_shift(doubling_high(acc << left, multiplier), right) +
    zero).

    acc : int32, shape (batch, n); multiplier : int32, shape (n,), the scale's mantissa times 2^31;
    shift : int32, shape (n,), its exponent (positive: to the left, saturating at int32; negative:
    to the right); q,  clipped : as in `requantise_onnx`.
    """
    for i in prange(acc.shape[0]):
        count = 0
        for j in range(acc.shape[1]):
            left, right = np.int64(max(shift[j], 0)), np.int64(max(-shift[j], 0))
            wide = min(
                max(np.int64(acc[i, j]) << left, np.int64(-2147483648)), np.int64(2147483647)
            )
            code = rounding_shift(doubling_high(wide, np.int64(multiplier[j])), right) + zero
            count += (code < low) | (code > high)
            q[i, j] = min(max(code, np.int64(low)), np.int64(high))
        clipped[i] = count


@kernel
def wrap(acc, bits, out):
    """The low `bits` bits of acc as a signed integer. acc : int64, shape (batch, n); out : int64,
    shape (batch, n), written.
    """
    half = np.int64(1) << (bits - 1)
    mask = (half << 1) - 1
    for i in range(acc.shape[0]):
        for j in range(acc.shape[1]):
            out[i, j] = ((acc[i, j] + half) & mask) - half
