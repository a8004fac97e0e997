"""Blocks that share a power of two, one at a time: the specification of `pimlab.kernels.blocks`."""

from __future__ import annotations

import numpy as np

from pimlab.reference import cast


def microscale(x, block, emax, drop, normal, magic, largest):
    """x and the exponent of each block, by the OCP MX rule; a block that is not finite becomes NaN
    with exponent 128.
    x : float32, shape (rows, n);  returns float32, shape (rows, n), and int16,
    shape (rows, ceil(n / block)).
    """
    out = np.empty_like(x)
    exponents = np.empty((x.shape[0], -(-x.shape[1] // block)), np.int16)
    for i, b in np.ndindex(exponents.shape):
        span = slice(b * block, (b + 1) * block)
        peak = np.abs(x[i, span]).max().astype(np.float64)
        if not np.isfinite(peak):
            out[i, span], exponents[i, b] = np.nan, 128
            continue
        exponent = max(int(np.frexp(peak)[1]) - 1 - int(emax), -127) if peak > 0 else -127
        element = (x[i, span].astype(np.float64) * 2.0**-exponent).astype(np.float32)
        out[i, span] = cast.nearest(
            element, drop, normal, magic, largest, largest, largest
        ) * np.float32(2.0**exponent)
        exponents[i, b] = exponent
    return out, exponents


def shared_exponents(x, block, emax):
    """floor(log2(largest magnitude)) - emax of each block, at least -127; 128 where it is not
    finite.
    x : float32, shape (rows, n);  returns int16, shape (rows, ceil(n / block)).
    """
    exponents = np.empty((x.shape[0], -(-x.shape[1] // block)), np.int16)
    for i, b in np.ndindex(exponents.shape):
        peak = np.abs(x[i, b * block : (b + 1) * block]).max().astype(np.float64)
        exponents[i, b] = (
            128
            if not np.isfinite(peak)
            else max(int(np.frexp(peak)[1]) - 1 - int(emax), -127)
            if peak > 0
            else -127
        )
    return exponents


def rescale(x, block, exponents, sign):
    """x times 2**(sign * exponent) of its block, in double; NaN, or x where sign is -1, for the
    exponent 128.
    x : float32, shape (rows, n);  exponents : int16, shape (rows, ceil(n / block));  returns
    float32, shape (rows, n).
    """
    each = np.repeat(exponents, block, axis=1)[:, : x.shape[1]].astype(np.float64)
    factor = np.where(each == 128, np.nan if sign > 0 else 1.0, 2.0 ** (sign * each))
    with np.errstate(over="ignore"):
        return (x * factor).astype(np.float32)


def microscale_columns(x, block, emax, drop, normal, magic, largest):
    """As `microscale`, with the blocks along the middle axis: x float32, shape (outer, k, n), and
    exponents int16, shape (outer, ceil(k / block), n).
    """
    rows = np.ascontiguousarray(np.swapaxes(x, 1, 2)).reshape(-1, x.shape[1])
    out, exponents = microscale(rows, block, emax, drop, normal, magic, largest)
    shape = (x.shape[0], x.shape[2], -1)
    return np.swapaxes(out.reshape(shape), 1, 2), np.swapaxes(exponents.reshape(shape), 1, 2)
