"""What is left of a row of numbers when each block of it shares one power of two? The OCP microscaling rule.

The shared exponent of a block is floor(log2(largest magnitude)) - emax of the element, at least -127; elements are rounded to
nearest even on the element grid (the six grid numbers of `pimlab.kernels.cast`) and saturate. A block that holds NaN or an
infinity becomes NaN as a whole: its scale does.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from pimlab.kernels.cast import nearest_bits
from pimlab.kernels.jit import kernel, parallel

_MAGNITUDE = np.int32(0x7FFFFFFF)
_LOWEST, _BIAS = np.int32(-127), np.int32(127)
_NOT_A_NUMBER = np.int32(128)
_MANTISSA = np.int32(23)


@kernel
def _power(exponent):
    """2**exponent as float32 for -127 <= exponent <= 127."""
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
        out[i] = np.int32(nearest_bits(bits, drop, normal, magic, largest, largest, largest)).view(np.float32) * down


@kernel
def _block(x, emax, drop, normal, magic, largest, out):
    field = np.int32(_largest_size(x) >> _MANTISSA)
    if field == np.int32(255):
        out[:] = np.float32(np.nan)
        return _NOT_A_NUMBER
    exponent = np.int32(max(np.int32(field - _BIAS - emax), _LOWEST))
    _scaled(x, exponent, drop, normal, magic, largest, out)
    return exponent


@parallel
def microscale(x, block, emax, drop, normal, magic, largest, out, exponents):
    """x with one shared exponent per `block` neighbours of a row; the last block of a row may be shorter.

    x, out : float32 (rows, n);  exponents : int16 (rows, ceil(n / block)), -127..127, and 128 for a block that is NaN.
    """
    rows, blocks = exponents.shape
    for i in prange(rows):
        for b in range(blocks):
            span = slice(b * block, (b + 1) * block)
            exponents[i, b] = _block(x[i, span], emax, drop, normal, magic, largest, out[i, span])
