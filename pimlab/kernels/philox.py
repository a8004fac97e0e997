"""Which random number belongs to (key, row, column)? Philox4x32-10 counters, so that no order of
work can change it.

Element (row, column) of an array reads word `column % 4` of the block with the counter
(column // 4, row mod 2**32, lane, row // 2**32) under the two key words of `pimlab.keys.Key.words`.
Threads, chunks of rows and the width of the array leave every number where it is.

Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011,
doi:10.1145/2063384.2063405. Words travel as uint64 below 2**32: that is the form LLVM turns into
vector multiplies (0.8 ns a word with AVX2).
"""

from __future__ import annotations

import numba
import numpy as np

from pimlab.kernels.jit import inline, kernel, parallel

_MUL0, _MUL1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL0, _WEYL1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_MASK = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_ONE, _TWO = np.uint64(1), np.uint64(2)
_QUADRANT, _ANGLE = np.uint64(30), np.uint64(0x3FFFFFFF)
_QUARTER = np.float32(np.pi / 2 * 2.0**-30)
_TWO_24, _TWO_53 = np.float32(2.0**-24), 2.0**-53


@inline
def _round(c0, c1, c2, c3, k0, k1):
    p0 = _MUL0 * (c0 & _MASK)
    p1 = _MUL1 * (c2 & _MASK)
    return (p1 >> _HALF) ^ c1 ^ k0, p1, (p0 >> _HALF) ^ c3 ^ k1, p0


@inline
def _bump(k0, k1):
    return (k0 + _WEYL0) & _MASK, (k1 + _WEYL1) & _MASK


@inline
def block(c0, c1, c2, c3, k0, k1):
    """Four random words of one counter; all arguments and results uint64 below 2**32.

    Ten rounds written out: a loop here would keep the caller's loop from being vectorised. Upper
    halves are cut only at the end, because a vector multiply reads lower halves anyway. Each of
    shape (), or arrays of one shape.
    """
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
    k0, k1 = _bump(k0, k1)
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
    k0, k1 = _bump(k0, k1)
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
    k0, k1 = _bump(k0, k1)
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
    k0, k1 = _bump(k0, k1)
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
    k0, k1 = _bump(k0, k1)
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
    k0, k1 = _bump(k0, k1)
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
    k0, k1 = _bump(k0, k1)
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
    k0, k1 = _bump(k0, k1)
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
    k0, k1 = _bump(k0, k1)
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
    return c0 & _MASK, c1 & _MASK, c2 & _MASK, c3 & _MASK


@inline
def _log(value):
    """Natural logarithm of a float32 in (0, 1]: exponent and a degree-9 polynomial of the mantissa,
    within 2 ulp.

    Written out because a call to the C library would keep the loop from being vectorised.
    Coefficients: Cephes logf.
    """
    argument = np.float32(value)
    bits = argument.view(np.int32)
    exponent = np.int32(np.int32(bits - np.int32(0x3F3504F3)) >> np.int32(23))
    mantissa_bits = np.int32(bits - np.int32(exponent << np.int32(23)))
    f = mantissa_bits.view(np.float32) - np.float32(1)
    p = np.float32(7.0376836292e-2)
    p = p * f + np.float32(-1.1514610310e-1)
    p = p * f + np.float32(1.1676998740e-1)
    p = p * f + np.float32(-1.2420140846e-1)
    p = p * f + np.float32(1.4249322787e-1)
    p = p * f + np.float32(-1.6668057665e-1)
    p = p * f + np.float32(2.0000714765e-1)
    p = p * f + np.float32(-2.4999993993e-1)
    p = p * f + np.float32(3.3333331174e-1)
    # ln 2 in two parts: 0.693359375 times an exponent is exact, the small rest comes first
    e = np.float32(exponent)
    square = f * f
    y = f * square * p + np.float32(-2.12194440e-4) * e - np.float32(0.5) * square
    return (f + y) + np.float32(0.693359375) * e


@inline
def _cos_sin(word):
    """Cosine and sine of 2 pi word / 2**32 (turned by a constant eighth of a circle), float32."""
    quadrant = word >> _QUADRANT
    # the eighth of a circle centres the angle on zero, where the polynomials are shortest
    f = np.float32(np.int32(np.int64(word & _ANGLE) - 2**29)) * _QUARTER
    z = f * f
    sin = (
        (np.float32(-1.9515295891e-4) * z + np.float32(8.3321608736e-3)) * z
        - np.float32(1.6666654611e-1)
    ) * z * f + f
    cos = (
        np.float32(2.443315711809948e-5) * z - np.float32(1.388731625493765e-3)
    ) * z + np.float32(4.166664568298827e-2)
    cos = cos * z * z - np.float32(0.5) * z + np.float32(1)
    odd = (quadrant & _ONE) == _ONE
    a = sin if odd else cos
    b = cos if odd else sin
    turned = (quadrant + _ONE) & _TWO == _TWO
    return (-a if turned else a), (-b if quadrant >= _TWO else b)


@inline
def normal_pair(word0, word1):
    """Two independent standard normals (|z| < 6.7) of two words: Box and Muller, Ann. Math. Stat.
    29, 610 (1958).

    word0, word1 : uint64 below 2**32;  returns two float32; all of shape ().
    """
    # half a step above zero: the logarithm of zero never occurs
    u = (np.float32(np.int32(word0 >> _ONE)) + np.float32(0.5)) * np.float32(2.0**-31)
    radius = np.sqrt(np.float32(-2) * _log(u))
    cos, sin = _cos_sin(word1)
    return radius * cos, radius * sin


@kernel
def words_row(k0, k1, row, lane, out):
    """Random words of one row. out : uint32, shape (n,)."""
    low, high = np.uint64(row) & _MASK, np.uint64(row) >> _HALF
    n = out.size
    for b in range(n // 4):
        w0, w1, w2, w3 = block(
            np.uint64(b), low, np.uint64(lane), high, np.uint64(k0), np.uint64(k1)
        )
        out[4 * b] = w0
        out[4 * b + 1] = w1
        out[4 * b + 2] = w2
        out[4 * b + 3] = w3
    if n % 4:
        w0, w1, w2, _ = block(
            np.uint64(n // 4), low, np.uint64(lane), high, np.uint64(k0), np.uint64(k1)
        )
        out[n - n % 4] = w0
        if n % 4 > 1:
            out[n - n % 4 + 1] = w1
        if n % 4 > 2:
            out[n - n % 4 + 2] = w2


@kernel
def normal_row(k0, k1, row, lane, out):
    """Standard normals of one row: words 0, 1 and words 2, 3 of a block are a Box-Muller pair. out
    : float32, shape (n,).
    """
    low, high = np.uint64(row) & _MASK, np.uint64(row) >> _HALF
    n = out.size
    for b in range(n // 4):
        w0, w1, w2, w3 = block(
            np.uint64(b), low, np.uint64(lane), high, np.uint64(k0), np.uint64(k1)
        )
        a0, a1 = normal_pair(w0, w1)
        a2, a3 = normal_pair(w2, w3)
        out[4 * b] = a0
        out[4 * b + 1] = a1
        out[4 * b + 2] = a2
        out[4 * b + 3] = a3
    if n % 4:
        w0, w1, w2, w3 = block(
            np.uint64(n // 4), low, np.uint64(lane), high, np.uint64(k0), np.uint64(k1)
        )
        a0, a1 = normal_pair(w0, w1)
        a2, a3 = normal_pair(w2, w3)
        out[n - n % 4] = a0
        if n % 4 > 1:
            out[n - n % 4 + 1] = a1
        if n % 4 > 2:
            out[n - n % 4 + 2] = a2


@parallel
def words(k0, k1, row, lane, out):
    """Random words of rows row, row + 1, ... ; `lane` tells several arrays of one key apart. out :
    uint32, shape (rows, n).
    """
    for i in numba.prange(out.shape[0]):
        words_row(k0, k1, row + i, lane, out[i])


@parallel
def uniform(k0, k1, row, lane, out):
    """Uniform in [0, 1), the top 24 bits of each word. out : float32, shape (rows, n)."""
    rows, n = out.shape
    for i in numba.prange(rows):
        drawn = np.empty(n, np.uint32)
        words_row(k0, k1, row + i, lane, drawn)
        for j in range(n):
            out[i, j] = np.float32(np.int32(drawn[j] >> np.uint32(8))) * _TWO_24


@parallel
def uniform64(k0, k1, row, lane, out):
    """Uniform in [0, 1) with 53 bits, from words 2 j and 2 j + 1 of the row. out : float64, shape
    (rows, n).
    """
    rows, n = out.shape
    for i in numba.prange(rows):
        drawn = np.empty(2 * n, np.uint32)
        words_row(k0, k1, row + i, lane, drawn)
        for j in range(n):
            # 27 and 26 bits make the 53 of a double's mantissa
            high, low = np.int64(drawn[2 * j]) >> 5, np.int64(drawn[2 * j + 1]) >> 6
            out[i, j] = np.float64(high * 67108864 + low) * _TWO_53


@parallel
def normal(k0, k1, row, lane, out):
    """Standard normals of rows row, row + 1, ... out : float32, shape (rows, n)."""
    for i in numba.prange(out.shape[0]):
        normal_row(k0, k1, row + i, lane, out[i])


@kernel
def normal_alone(k0, k1, row, lane, out):
    """As `normal`, on the calling thread alone. out : float32, shape (rows, n)."""
    for i in range(out.shape[0]):
        normal_row(k0, k1, row + i, lane, out[i])


@kernel
def uniform_alone(k0, k1, row, lane, out):
    """As `uniform`, on the calling thread alone. out : float32, shape (rows, n)."""
    rows, n = out.shape
    drawn = np.empty(n, np.uint32)
    for i in range(rows):
        words_row(k0, k1, row + i, lane, drawn)
        for j in range(n):
            out[i, j] = np.float32(np.int32(drawn[j] >> np.uint32(8))) * _TWO_24
