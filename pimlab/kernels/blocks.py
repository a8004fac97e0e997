"""What is left of a row of numbers when each block of it shares one power of two? The OCP
microscaling rule.

The shared exponent of a block is floor(log2(largest magnitude)) - emax of the element, at least
-127; elements are rounded to nearest even on the element grid (the six grid numbers of
`pimlab.kernels.cast`) and saturate. A block that holds NaN or an infinity becomes NaN as a whole:
its scale does.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from pimlab.kernels.cast import nearest_bits
from pimlab.kernels.jit import kernel, parallel_from

_MAGNITUDE = np.int32(0x7FFFFFFF)
_LOWEST, _BIAS = np.int32(-127), np.int32(127)
_NOT_A_NUMBER = np.int32(128)
_MANTISSA = np.int32(23)
_SMALL = 2**18


@kernel
def _power(exponent):
    """2**exponent as float32 for -127 <= exponent <= 127."""
    # 2**-127 is subnormal in float32: its exponent field cannot be shifted into place
    if exponent == _LOWEST:
        return np.float32(2.0**-127)
    return np.int32(np.int32(exponent + _BIAS) << _MANTISSA).view(np.float32)


@kernel
def _largest_size(x):
    largest = np.int32(0)
    for i in range(x.size):
        largest = max(largest, np.int32(np.float32(x[i]).view(np.int32) & _MAGNITUDE))
    return largest


@kernel
def _scaled(x, exponent, drop, normal, magic, largest, out):
    up, down = _power(np.int32(-exponent)), _power(exponent)
    for i in range(x.size):
        bits = np.float32(x[i] * up).view(np.int32)
        out[i] = (
            np.int32(nearest_bits(bits, drop, normal, magic, largest, largest, largest)).view(
                np.float32
            )
            * down
        )


@kernel
def _exponent(x, emax):
    field = np.int32(_largest_size(x) >> _MANTISSA)
    return (
        _NOT_A_NUMBER
        if field == np.int32(255)
        else np.int32(max(np.int32(field - _BIAS - emax), _LOWEST))
    )


@kernel
def _block(x, emax, drop, normal, magic, largest, out):
    exponent = _exponent(x, emax)
    if exponent == _NOT_A_NUMBER:
        out[:] = np.float32(np.nan)
        return exponent
    _scaled(x, exponent, drop, normal, magic, largest, out)
    return exponent


@parallel_from(_SMALL)
def microscale(x, block, emax, drop, normal, magic, largest, out, exponents):
    """x with one shared exponent per `block` neighbours of a row; the last block of a row may be
    shorter.

    x, out : float32, shape (rows, n);  exponents : int16, shape (rows, ceil(n / block)), -127..127,
    and 128 for a block that is NaN.
    """
    rows, blocks = exponents.shape
    for i in prange(rows):
        for b in range(blocks):
            span = slice(b * block, (b + 1) * block)
            exponents[i, b] = _block(x[i, span], emax, drop, normal, magic, largest, out[i, span])


@parallel_from(_SMALL)
def shared_exponents(x, block, emax, exponents):
    """The exponents of `microscale` alone. x : float32, shape (rows, n);  exponents : int16, shape
    (rows, ceil(n / block)), written.
    """
    rows, blocks = exponents.shape
    for i in prange(rows):
        for b in range(blocks):
            exponents[i, b] = _exponent(x[i, b * block : (b + 1) * block], emax)


@kernel
def _rescaled(x, factor, out):
    for i in range(x.size):
        out[i] = x[i] * factor


@parallel_from(_SMALL)
def rescale(x, block, exponents, sign, out):
    """x times 2**(sign * exponent) of its block; where the exponent is 128, NaN for sign 1 and
    unchanged for sign -1.

    x, out : float32, shape (rows, n);  exponents : int16, shape (rows, ceil(n / block)), as
    `microscale` leaves them;  sign : 1 or -1.
    """
    rows, blocks = exponents.shape
    for i in prange(rows):
        for b in range(blocks):
            span, exponent = slice(b * block, (b + 1) * block), np.int32(exponents[i, b])
            factor = np.float32(np.nan) if sign > 0 else np.float32(1.0)
            if exponent != _NOT_A_NUMBER:
                factor = _power(np.int32(sign * exponent))
            _rescaled(x[i, span], factor, out[i, span])


@kernel
def _column_exponents(x, emax, exponents):
    largest = np.zeros(x.shape[1], np.int32)
    for p in range(x.shape[0]):
        row = x[p]
        for j in range(row.size):
            largest[j] = max(largest[j], np.int32(np.float32(row[j]).view(np.int32) & _MAGNITUDE))
    for j in range(largest.size):
        field = np.int32(largest[j] >> _MANTISSA)
        exponents[j] = (
            _NOT_A_NUMBER
            if field == np.int32(255)
            else np.int32(max(np.int32(field - _BIAS - emax), _LOWEST))
        )


@kernel
def _column_blocks(x, drop, normal, magic, largest, exponents, out):
    up, down = np.empty(x.shape[1], np.float32), np.empty(x.shape[1], np.float32)
    for j in range(up.size):
        exponent = np.int32(exponents[j])
        known = exponent != _NOT_A_NUMBER
        up[j] = _power(np.int32(-exponent)) if known else np.float32(np.nan)
        down[j] = _power(exponent) if known else np.float32(np.nan)
    for p in range(x.shape[0]):
        row, to = x[p], out[p]
        for j in range(row.size):
            bits = np.float32(row[j] * up[j]).view(np.int32)
            to[j] = (
                np.int32(nearest_bits(bits, drop, normal, magic, largest, largest, largest)).view(
                    np.float32
                )
                * down[j]
            )


@parallel_from(_SMALL)
def microscale_columns(x, block, emax, drop, normal, magic, largest, out, exponents):
    """As `microscale`, with the blocks along the middle axis. x, out : float32,
    shape (outer, k, n);  exponents : int16, shape (outer, blocks, n).
    """
    outer, blocks = exponents.shape[:2]
    for task in prange(outer * blocks):
        i, b = task // blocks, task % blocks
        span = slice(b * block, (b + 1) * block)
        _column_exponents(x[i, span], emax, exponents[i, b])
        _column_blocks(x[i, span], drop, normal, magic, largest, exponents[i, b], out[i, span])
