"""Which number does a format put in the place of x? Rounding to the format's values, to nearest
even, toward zero or at random.

Values travel as float32. Saturating conversion (OCP) sends what lies beyond the largest number,
infinities included, to the largest; otherwise it becomes an infinity, or NaN in a format that has
only that (E4M3). E2M3, E3M2 and E2M1 have neither: they saturate, and without saturation an
overflow is an error, as NaN is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pimlab.arguments import typed
from pimlab.formats.grids import (
    FloatFormat,
    IntegerFormat,
    MicroscalingFormat,
    NumberFormat,
    PowerFormat,
)
from pimlab.formats.names import format as format_named
from pimlab.kernels import blocks
from pimlab.kernels import cast as kernels
from pimlab.keys import Key, as_key
from pimlab.units import is_integer
from pimlab.values import truth, unknown

_ODD = 21
_SLAB = 2**17
"""Numbers a pass of several steps takes at a time, so that what one step leaves is still in cache
for the next.
"""
ROUNDINGS = ("nearest", "toward_zero", "stochastic")


def _bits(value: float) -> np.int32:
    return np.float32(value).view(np.int32)


def grid(target: FloatFormat, saturate: bool) -> tuple[Any, ...]:
    """The numbers `pimlab.kernels.cast` wants of a format: drop, normal, magic, largest, above,
    infinite. Float bit patterns, unit 1.
    """
    no_infinity = target.specials in ("nan", "fnuz")
    beyond = target.largest if saturate else np.nan if no_infinity else np.inf
    magic = np.float32(target.smallest * 2.0**23)
    return (
        np.int32(23 - target.mantissa),
        _bits(2.0**target.emin),
        magic,
        _bits(target.largest),
        _bits(beyond),
        _bits(beyond),
    )


def element_grid(target: MicroscalingFormat) -> tuple[Any, ...]:
    """The numbers `pimlab.kernels.blocks` wants of a format: emax, drop, normal, magic, largest of
    its element. Float bit patterns, unit 1.
    """
    element = target.element
    if isinstance(element, FloatFormat):
        return np.int32(target.emax), *grid(element, True)[:4]
    step = 2.0 ** (2 - element.width)
    return (
        np.int32(0),
        np.int32(24 - element.width),
        _bits(2.0),
        np.float32(step * 2.0**23),
        _bits(target.largest),
    )


def as_float32(x: np.ndarray | float, target: NumberFormat) -> np.ndarray:
    """x as float32 in C order; wider numbers are rounded to odd, so that rounding them to `target`
    stays correct.

    Boldo and Melquiond, IEEE Trans. Computers 57, 462 (2008): exact for at most 21 mantissa bits.
    For 22 and 23 bits, wider numbers are rounded to the nearest float32 first. Of the shape (...)
    of x.
    """
    x = np.asarray(x)
    if x.dtype in (np.float32, np.float16, np.int16, np.int8, np.uint16, np.uint8, np.bool_):
        return np.asarray(x, dtype=np.float32, order="C")
    if not (np.issubdtype(x.dtype, np.integer) or np.issubdtype(x.dtype, np.floating)):
        raise TypeError(f"cast: x has dtype {x.dtype}; allowed: real numbers")
    wide = _as_float64(x)
    if isinstance(target, FloatFormat) and target.mantissa > _ODD:
        with np.errstate(over="ignore"):
            return wide.astype(np.float32)
    odd = np.empty(wide.shape, np.float32)
    kernels.to_odd(wide.reshape(-1), odd.reshape(-1))
    return odd


def _as_float64(x: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return np.asarray(x, dtype=np.float64, order="C")


def _rows(x: np.ndarray) -> np.ndarray:
    return x.reshape(x.shape[0], -1) if x.ndim >= 2 else x.reshape(1, -1)


def _rounded(x: np.ndarray, numbers: tuple[Any, ...], rounding: str, key: Key) -> np.ndarray:
    out = np.empty_like(x)
    if rounding == "stochastic":
        kernels.stochastic(_rows(x), *key.words, key.row, *numbers, _rows(out))
    else:
        getattr(kernels, rounding)(x.reshape(-1), *numbers, out.reshape(-1))
    return out


def _whole(x: np.ndarray, saturate: bool) -> np.ndarray:
    bound = np.finfo(np.float32).max
    return np.where(np.isinf(x), np.copysign(bound, x), x) if saturate else x.copy()


def _cast_float(
    x: np.ndarray, target: FloatFormat, rounding: str, saturate: bool, key: Key
) -> np.ndarray:
    if target.specials == "none" and x.size and np.isnan(x.min()):
        raise ValueError(
            f"cast: x holds {np.count_nonzero(np.isnan(x))} NaN and {target.name} has no NaN"
        )
    if target.mantissa == 23 and target.exponent == 8:
        return _whole(x, saturate)
    out = _rounded(x, grid(target, saturate), rounding, key)
    if target.specials == "fnuz":
        out += np.float32(0)  # -0 becomes 0: its code is NaN
    if target.specials == "none" and not saturate and np.isinf(out).any():
        raise ValueError(
            f"cast: {np.count_nonzero(np.isinf(out))} values lie beyond {target.largest:g}, the "
            f"largest of {target.name}, "
            f"which has neither infinity nor NaN; write saturate=True"
        )
    return out


def _cast_powers(x: np.ndarray, rounding: str, saturate: bool) -> np.ndarray:
    """x > 0 as powers of two, the middle of two going up; NaN for all else, and for what lies
    beyond 2**127 unless it saturates. What lies below 2**-127 becomes that.
    """
    if rounding != "nearest":
        raise ValueError(f"cast rounding={rounding!r}: e8m0 is rounded to nearest")
    fraction, exponent = np.frexp(np.where(x > 0, x, np.float32(1)).astype(np.float64))
    exponent = np.maximum(exponent - (fraction < 0.75), -127)
    known = (x > 0) & np.isfinite(x) & ((exponent <= 127) | saturate)
    powers = np.ldexp(np.float32(1), np.minimum(exponent, 127))
    powers = np.where(known, powers, np.float32(np.nan))
    return np.where(np.isposinf(x) & saturate, np.float32(2.0**127), powers)


def microscaled(
    x: np.ndarray, target: MicroscalingFormat, axis: int
) -> tuple[np.ndarray, np.ndarray]:
    """Values float32 and shared exponents int16 of x float32, blocks along `axis` (not negative);
    128 marks NaN. Values have the shape (...) of x; exponents one entry a block along `axis`.
    """
    shape = (*x.shape[:axis], -(-x.shape[axis] // target.block), *x.shape[axis + 1 :])
    out, exponents, numbers = np.empty_like(x), np.empty(shape, np.int16), element_grid(target)
    outer, inner = int(np.prod(x.shape[:axis])), int(np.prod(x.shape[axis + 1 :]))
    if inner == 1:
        rows = (outer, x.shape[axis])
        blocks.microscale(
            x.reshape(rows), target.block, *numbers, out.reshape(rows), exponents.reshape(outer, -1)
        )
    else:
        cube = (outer, x.shape[axis], inner)
        blocks.microscale_columns(
            x.reshape(cube),
            target.block,
            *numbers,
            out.reshape(cube),
            exponents.reshape(outer, -1, inner),
        )
    return out, exponents


def powers(exponents: np.ndarray) -> np.ndarray:
    """float32 scales 2**exponent; NaN for the exponent 128. Of the shape (...) of the exponents."""
    return np.where(
        exponents == 128,
        np.float32(np.nan),
        np.ldexp(np.float32(1.0), np.minimum(exponents, 127).astype(np.int32)),
    )


def spread(scales: np.ndarray, block: int, axis: int, length: int) -> np.ndarray:
    """Scales with one entry a block along `axis`, repeated to `length`. Float32,
    shape (..., length, ...).
    """
    return np.take(scales, np.arange(length) // block, axis=axis)


def _cast_blocks(
    x: np.ndarray, target: MicroscalingFormat, rounding: str, axis: int, key: Key
) -> np.ndarray:
    if x.ndim == 0 or not -x.ndim <= axis < x.ndim:
        raise ValueError(f"cast axis={axis} is outside the axes of an array of shape {x.shape}")
    axis %= x.ndim
    if rounding == "nearest":
        return microscaled(x, target, axis)[0]
    if x.ndim == 1:
        return _cast_slab(x, target, rounding, axis, key)
    out, rows = np.empty_like(x), max(1, _SLAB * len(x) // x.size)
    rows = -(-rows // target.block) * target.block if axis == 0 else rows
    for first in range(0, len(x), rows):
        out[first : first + rows] = _cast_slab(
            x[first : first + rows], target, rounding, axis, key.rows(key.row + first)
        )
    return out


def _cast_slab(
    x: np.ndarray, target: MicroscalingFormat, rounding: str, axis: int, key: Key
) -> np.ndarray:
    _, *numbers = element_grid(target)
    exponents = _exponents(x, target, axis)
    elements = _rescaled(x, exponents, target.block, axis, -1)
    rounded = _rounded(elements, (*numbers, numbers[3], numbers[3]), rounding, key)
    return _rescaled(rounded, exponents, target.block, axis, 1)


def _exponents(x: np.ndarray, target: MicroscalingFormat, axis: int) -> np.ndarray:
    if axis != x.ndim - 1:
        return microscaled(x, target, axis)[1]
    exponents = np.empty((*x.shape[:-1], -(-x.shape[-1] // target.block)), np.int16)
    rows = x.reshape(-1, x.shape[-1])
    blocks.shared_exponents(
        rows, target.block, np.int32(target.emax), exponents.reshape(len(rows), -1)
    )
    return exponents


def _rescaled(x: np.ndarray, exponents: np.ndarray, block: int, axis: int, sign: int) -> np.ndarray:
    """x times 2**(sign exponent) of its block; a block of exponent 128 becomes NaN for sign 1 and
    stays for sign -1.
    """
    if axis == x.ndim - 1:
        out, rows = np.empty_like(x), (-1, x.shape[axis])
        blocks.rescale(
            x.reshape(rows),
            block,
            exponents.reshape(len(x.reshape(rows)), -1),
            sign,
            out.reshape(rows),
        )
        return out
    scales = (
        powers(exponents)
        if sign > 0
        else np.where(exponents == 128, np.float32(1), powers(-exponents))
    )
    return x * spread(scales, block, axis, x.shape[axis])


@typed
def cast(
    x: np.ndarray | float,
    format: str | NumberFormat,
    *,
    rounding: str = "nearest",
    saturate: bool = True,
    seed: int | Key = 0,
    axis: int = -1,
) -> np.ndarray:
    """float32 array of the format's values next to x, any shape.

    format : the name or value of a float or microscaling format (integers need a scale: write
    `quantize`).
    rounding : "nearest" (ties to even), "toward_zero", or "stochastic" (up with the probability of
    the part cut off).
    saturate : see the module; microscaling formats saturate by definition.
    seed : for stochastic rounding; element (i, j, ...) reads the number of row i of the key,
    whatever the threads or chunks.
    axis : the axis along which a microscaling format's blocks lie; the last block may be shorter.
    ValueError for an unknown rounding, for NaN or unsaturated overflow in a format that has neither
    infinity nor NaN. Returns the shape (...) of x.

    >>> pim.formats.cast([0.3, 500.0], "fp8_e4m3")
    array([3.125e-01, 4.480e+02], dtype=float32)
    """
    target = format_named(format)
    if rounding not in ROUNDINGS:
        raise ValueError(unknown("cast rounding", rounding, ROUNDINGS))
    x, saturate = as_float32(x, target), truth("cast saturate", saturate)
    if not is_integer(axis):
        raise TypeError(
            f"cast axis={axis!r} is not an integer {-x.ndim}..{x.ndim - 1}, the axis along which "
            "blocks lie"
        )
    if isinstance(target, FloatFormat):
        return _cast_float(x, target, rounding, saturate, as_key(seed))
    if isinstance(target, PowerFormat):
        return _cast_powers(x, rounding, saturate)
    if not isinstance(target, MicroscalingFormat):
        hint = "integers" if isinstance(target, IntegerFormat) else "blocks"
        raise ValueError(
            f"cast format {target.name}: {hint} need a scale; write quantize(x, "
            f"{target.name!r}).dequantize()"
        )
    if not saturate:
        raise ValueError(f"cast saturate=False: {target.name} saturates by definition")
    return _cast_blocks(x, target, rounding, axis, as_key(seed)) if x.size else x


@typed
def overflows(x: np.ndarray, format: str | NumberFormat) -> int:
    """How many finite numbers of x float32 round to nearest beyond the largest of a float
    format (unit: numbers).
    """
    target = format_named(format)
    if not isinstance(target, FloatFormat):
        raise ValueError(f"overflows: {target.name} is not a float format")
    x = as_float32(x, target)
    if target.emax == 127 and target.mantissa == 23:
        return 0
    numbers = grid(target, True)
    out = _rounded(x, (*numbers[:4], _bits(np.inf), numbers[5]), "nearest", Key(seed=0))
    return int(np.count_nonzero(np.isinf(out)))
