"""Rounding to a float of fewer bits in float64 arithmetic: the specification of
`pimlab.kernels.cast`.
"""

from __future__ import annotations

import numpy as np

from pimlab.reference import philox


def _value(bits):
    return np.int32(bits).view(np.float32).astype(np.float64)


def _steps(x, drop, normal, magic):
    """|x| in units of the grid's step at |x|, and that step; 0 for what is not finite."""
    size = np.abs(np.where(np.isfinite(x), x, np.float32(0))).astype(np.float64)
    exponent = np.maximum(np.frexp(size)[1] - 1, np.frexp(_value(normal))[1] - 1)
    step = np.maximum(np.ldexp(1.0, exponent - (23 - int(drop))), float(magic) * 2.0**-23)
    return size / step, step


def _finished(x, size, largest, above, infinite):
    size = np.where(size > _value(largest), _value(above), size)
    size = np.where(np.isinf(x), _value(infinite), np.where(np.isnan(x), np.nan, size))
    return np.where(np.signbit(x), -size, size).astype(np.float32)


def to_odd(x):
    """float64 x as float32; of the two next to a number between them, the one whose last bit is
    set. x : float64, shape (size,).
    """
    with np.errstate(over="ignore"):
        near = x.astype(np.float32)
        other = np.nextafter(near, np.where(x > near, np.float32(np.inf), np.float32(-np.inf)))
    even = (near.view(np.int32) & 1) == 0
    return np.where(even & (near != x) & ~np.isnan(x), other, near)


def nearest(x, drop, normal, magic, largest, above, infinite):
    """x rounded to the nearest grid value, ties to even. x : float32, shape (...); the five numbers
    as for the kernel.
    """
    units, step = _steps(x, drop, normal, magic)
    return _finished(x, np.rint(units) * step, largest, above, infinite)


def nearest_bits(bits, *numbers):
    """Bits of the grid value nearest to the float32 of `bits`, int32; `numbers` as for `nearest`. A
    NaN becomes the quiet one.
    bits : int32, shape (size,), or a number; returns the same shape.
    """
    rounded = nearest(np.asarray(bits, np.int32).view(np.float32), *numbers).view(np.int32)
    return np.where(
        rounded & 0x7FFFFFFF > 0x7F800000,
        (rounded & np.int32(-0x80000000)) | np.int32(0x7FC00000),
        rounded,
    )


def toward_zero(x, drop, normal, magic, largest, above, infinite):
    """x rounded to the grid value next to it toward zero; finite x never pass the largest. x :
    float32, shape (size,).
    """
    units, step = _steps(x, drop, normal, magic)
    return _finished(
        x, np.minimum(np.floor(units) * step, _value(largest)), largest, above, infinite
    )


def stochastic(x, k0, k1, row, drop, normal, magic, largest, above, infinite):
    """x rounded up where a random word is below 2**32 times the part cut off, else down. x :
    float32, shape (rows, n).
    """
    units, step = _steps(x, drop, normal, magic)
    words = philox.words(k0, k1, row, 0, x.shape)
    up = words < np.floor((units - np.floor(units)) * 2.0**32)
    return _finished(x, (np.floor(units) + up) * step, largest, above, infinite)
