"""The specification of `pimlab.kernels.int8`, in plain integers and NumPy: slow, and readable at a
glance.
"""

from __future__ import annotations

import numpy as np


def gemm(x, w):
    """int32, shape (batch, n): the exact integer product modulo 2^32."""
    return (x.astype(np.int64) @ w.astype(np.int64)).astype(np.int32)


def gemm_wide(x, w):
    """int64, shape (batch, n): the exact integer product."""
    return x.astype(np.int64) @ w.astype(np.int64)


def accumulate(part, acc):
    """acc + part modulo 2^32. part, acc : shape (batch, n); returns int32."""
    return (acc.astype(np.int64) + part.astype(np.int64)).astype(np.int32)


def saturating(x, w, chunk, low, high, acc):
    """int64, shape (batch, n): acc plus the products, clipped to low..high after every `chunk` of
    them along k.
    """
    for first in range(0, x.shape[1], chunk):
        acc = np.clip(
            acc + gemm_wide(x[:, first : first + chunk], w[first : first + chunk]), low, high
        )
    return acc


def quantise(x, scale, zero, low, high):
    """Codes, and how many of each row were clipped: int64, shape (batch, k) and shape (batch,). x :
    float32, shape (batch, k);  scale : float32, shape (batch,), unit of x a code.
    """
    code = np.rint(x / scale[:, None]) + np.float32(zero)
    return np.clip(code, low, high).astype(np.int64), np.count_nonzero(
        (code < low) | (code > high), axis=1
    )


def requantise_onnx(acc, scale, zero, low, high):
    """Codes, and how many of each row saturated, by ONNX's rule: int64, shape (batch, n) and
    shape (batch,). acc : int32, shape (batch, n).
    """
    code = np.rint(acc.astype(np.float32) * scale).astype(np.float64) + zero
    return np.clip(code, low, high).astype(np.int64), np.count_nonzero(
        (code < low) | (code > high), axis=1
    )


def doubling_high(a, b):
    """round(2 a b / 2^32), ties upward, in Python integers, shape (); clips the one overflow,
    (-2^31)^2.
    """
    product = int(a) * int(b)
    return min((abs(product) + (1 << 30) - (product < 0)) >> 31, 2**31 - 1) * (
        1 if product >= 0 else -1
    )


def rounding_shift(a, places):
    """round(a / 2^places), ties away from zero, in Python integers, shape ()."""
    magnitude = (abs(int(a)) + ((1 << places) >> 1)) >> places
    return magnitude if a >= 0 else -magnitude


def requantise_gemmlowp(acc, multiplier, shift, zero, low, high):
    """Codes, and how many of each row saturated, by gemmlowp's rule, one Python integer at a time:
    int64, shape (batch, n) and shape (batch,).
    """
    code = np.empty(acc.shape, np.int64)
    for (i, j), a in np.ndenumerate(acc):
        wide = min(max(int(a) << max(int(shift[j]), 0), -(2**31)), 2**31 - 1)
        code[i, j] = (
            rounding_shift(doubling_high(wide, multiplier[j]), max(-int(shift[j]), 0)) + zero
        )
    return np.clip(code, low, high), np.count_nonzero((code < low) | (code > high), axis=1)


def wrap(acc, bits):
    """The low `bits` bits as a signed integer: int64, shape (batch, n)."""
    return (acc + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)
