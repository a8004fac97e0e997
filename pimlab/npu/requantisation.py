"""How do 32-bit sums become 8-bit codes again? By ONNX's rule or by gemmlowp's, each to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np

from pimlab.arguments import typed
from pimlab.formats import IntegerFormat
from pimlab.kernels import int8 as kernels
from pimlab.units import is_integer
from pimlab.values import unknown

RULES = ("onnx", "gemmlowp")


class Counted(np.ndarray):
    """An array that knows how often a value left its range on the way: `counts`, a dictionary of
    integers.
    """

    counts: dict[str, int]

    def __array_finalize__(self, other: Any) -> None:
        self.counts = {}


def counted(values: np.ndarray, **counts: int) -> Counted:
    """`values` with `counts` attached; a slice or a result computed from it carries none."""
    answer = values.view(Counted)
    answer.counts = counts
    return answer


@typed
def requantize(
    acc: np.ndarray,
    scale: np.ndarray | float,
    zero_point: int,
    rule: str = "onnx",
    *,
    bits: int = 8,
    signed: bool = True,
) -> Counted:
    """Codes (shape of acc) of int32 sums `acc (..., n)`: acc x scale + zero_point, rounded and
    saturated by `rule`.

    scale : input scale x weight scale / output scale, one number or (n,), positive and finite.
    zero_point : the output code of 0.
    rule : "onnx", QLinearMatMul: sat(rint_even(f32(acc) f32(scale)) + zero_point); "gemmlowp": the
        scale as a 31-bit mantissa and a shift, saturating rounding doubling high multiplication,
        rounding right shift with ties away. `counts["saturated"]` of the result says how many codes
        were clipped. ValueError for a scale that is zero, negative or not finite, a zero point no
        code has, an unknown rule; TypeError for sums that are no 32-bit integers.

    >>> pim.npu.requantize(np.array([-1000, 3, 70000], np.int32), 0.01, 5)
    Counted([ -5,   5, 127], dtype=int8)
    """
    grid = IntegerFormat(width=bits, signed=signed)
    acc = np.asarray(acc)
    if not np.issubdtype(acc.dtype, np.integer) or (
        acc.size and not (acc.min() >= -(2**31) and acc.max() < 2**31)
    ):
        raise TypeError(f"requantize acc of {acc.dtype} does not hold 32-bit integers")
    flat = np.ascontiguousarray(acc.reshape(-1, acc.shape[-1] if acc.ndim else 1), dtype=np.int32)
    codes, saturated = codes_of(flat, scale, zero_point, grid, rule)
    return counted(codes.reshape(acc.shape), saturated=saturated)


def codes_of(
    acc: np.ndarray, scale: np.ndarray | float, zero_point: int, grid: IntegerFormat, rule: str
) -> tuple[np.ndarray, int]:
    """Codes of acc, shape (batch, n) on `grid`, and how many saturated; as `requantize`. acc is
    int32, for "onnx" also int64.
    """
    n = acc.shape[1]
    scale = np.asarray(scale, dtype=np.float64)
    if scale.shape not in ((), (1,), (n,)) or not (np.isfinite(scale) & (scale > 0)).all():
        raise ValueError(
            f"requantize scale={scale} is not one positive finite number or {n} of them"
        )
    if not is_integer(zero_point):
        raise TypeError(
            f"requantize zero_point={zero_point!r} is not an integer {grid.lowest}..{grid.highest}"
        )
    if not grid.lowest <= zero_point <= grid.highest:
        raise ValueError(
            f"requantize zero_point={zero_point} is outside {grid.lowest}..{grid.highest} of "
            f"{grid.name}"
        )
    if rule not in RULES:
        raise ValueError(unknown("requantisation rule", rule, RULES))
    if rule == "gemmlowp" and (scale >= 2.0**31).any():
        raise ValueError(
            f"requantize scale={scale.max():g} is outside 0..2^31, what gemmlowp's mantissa and "
            "shift hold"
        )
    q, clipped = np.empty(acc.shape, grid.dtype), np.empty(len(acc), np.int64)
    every = np.broadcast_to(scale, (n,))
    if rule == "onnx":
        kernels.requantise_onnx(
            acc, _single(every), int(zero_point), grid.lowest, grid.highest, q, clipped
        )
    else:
        kernels.requantise_gemmlowp(
            acc, *fixed_point(every), int(zero_point), grid.lowest, grid.highest, q, clipped
        )
    return q, int(clipped.sum())


def _single(scale: np.ndarray) -> np.ndarray:
    """Scales as the float32 numbers that ONNX's rule multiplies by; ValueError where they become
    zero or infinite.
    """
    with np.errstate(over="ignore"):
        single = scale.astype(np.float32)
    if not (np.isfinite(single) & (single > 0)).all():
        bad = scale[~(np.isfinite(single) & (single > 0))][0]
        raise ValueError(
            f"requantize scale={bad:g} is outside float32, in which ONNX's rule multiplies; "
            "allowed: 1.4e-45..3.4e38"
        )
    return single


def fixed_point(scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(multiplier int32, shift int32) with scale = multiplier 2^(shift - 31) to 31 bits, multiplier
    in 2^30..2^31 - 1.

    A mantissa that rounds up to 2^31 is halved and the shift raised by one; scales below 2^-31 come
    out as 0. Both of the shape (...) of the scale, unit 1.
    """
    mantissa, shift = np.frexp(np.asarray(scale, dtype=np.float64))
    multiplier = np.floor(mantissa * 2.0**31 + 0.5).astype(np.int64)
    full = multiplier == 2**31
    multiplier, shift = np.where(full, 2**30, multiplier), shift + full
    vanished = shift < -31
    return np.where(vanished, 0, multiplier).astype(np.int32), np.clip(shift, -31, 31).astype(
        np.int32
    )
