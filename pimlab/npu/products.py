"""What is x @ w in these formats? One product, to the bit of its rounding and accumulation, with its overflows counted."""

from __future__ import annotations

import re

import numpy as np

from pimlab import formats
from pimlab.npu.accumulators import Accumulator, integer_product
from pimlab.npu.floats import product
from pimlab.npu.operands import Weights, grid_of, is_integer, quantised, rounded
from pimlab.npu.requantisation import Counted, counted
from pimlab.protocol import checked_operands, checked_weights


def matmul(x: np.ndarray, w: np.ndarray, format_x: str = "int8", format_w: str = "int8",
           accumulator: str | Accumulator | None = None) -> Counted:  # fmt: skip
    """y (batch, n) of x (batch, k) @ w (k, n), each in its format.

    x, w : both integers, taken as codes of integer formats: y holds the accumulator's integers (int32, or int64 above
        32 bits). Or real numbers: x is scaled a row and w a column to their largest magnitudes where their formats are
        integers or floats of at most 8 bits, y is float32.
    accumulator : for two integer formats an `Accumulator` or "int32" (it wraps; any "int<bits>"); else "fp32".
    `counts` of the result: "x_clipped", "overflowed" (outputs that accumulator overflow changed).
    ValueError for unknown formats, codes outside their format, non-finite values, and an accumulator of the other kind.
    """
    whole = is_integer(format_x) and is_integer(format_w)
    width = _accumulator(accumulator, whole)
    if np.issubdtype(np.asarray(x).dtype, np.integer) and np.issubdtype(np.asarray(w).dtype, np.integer):
        return _of_codes(np.asarray(x), np.asarray(w), format_x, format_w, width)
    w, _ = checked_weights(w, None, "matmul")
    x = checked_operands(x, len(w), "matmul")
    weights = Weights(w, format_w)
    if width is None or weights.codes is None:
        values, clipped = _values(x, format_x)
        return counted(product(values, weights.values), x_clipped=clipped, overflowed=0)
    scale = formats.symmetric(np.abs(x).max(axis=1, keepdims=True, initial=0), grid_of(format_x))
    q, clipped = quantised(x, scale[:, 0], 0, grid_of(format_x))
    acc, overflowed = integer_product(q, weights.codes, np.zeros(w.shape[1], np.int64), width)
    return counted((acc * (scale * weights.scale)).astype(np.float32), x_clipped=clipped, overflowed=overflowed)


def _accumulator(given: str | Accumulator | None, whole: bool) -> Accumulator | None:
    name = re.fullmatch(r"int(\d+)", given) if isinstance(given, str) else None
    if whole and (given is None or name or isinstance(given, Accumulator)):
        return Accumulator(bits=int(name[1])) if name else given if isinstance(given, Accumulator) else Accumulator()
    if not whole and given in (None, "fp32"):
        return None
    allowed = "an Accumulator or 'int32'" if whole else "'fp32'"
    raise ValueError(f"matmul accumulator={given!r}; allowed for {'two integer formats' if whole else 'a float format'}: {allowed}")


def _of_codes(x: np.ndarray, w: np.ndarray, format_x: str, format_w: str, width: Accumulator | None) -> Counted:
    if width is None:
        raise ValueError(f"matmul of integer codes in {format_x!r} and {format_w!r}: both formats must be integers")
    if x.ndim != 2 or w.ndim != 2 or x.shape[1] != w.shape[0]:
        raise ValueError(f"matmul: x has shape {x.shape} and w {w.shape}; allowed: (batch, k) and (k, n)")
    x, w = _codes(x, "x", format_x), _codes(w, "w", format_w)
    acc, overflowed = integer_product(x, w, np.zeros(w.shape[1], np.int64), width)
    return counted(acc, x_clipped=0, overflowed=overflowed)


def _codes(codes: np.ndarray, name: str, format_: str) -> np.ndarray:
    grid = grid_of(format_)
    if codes.size and not (codes.min() >= grid.lowest and codes.max() <= grid.highest):
        raise ValueError(f"matmul {name}: codes {codes.min()}..{codes.max()} lie outside {grid.lowest}..{grid.highest} of {grid.name}")
    return np.ascontiguousarray(codes, dtype=grid.dtype)


def _values(x: np.ndarray, name: str) -> tuple[np.ndarray, int]:
    if not is_integer(name):
        return rounded(x, name, None)
    scale = formats.symmetric(np.abs(x).max(axis=1, keepdims=True, initial=0), grid_of(name))
    q, clipped = quantised(x, scale[:, 0], 0, grid_of(name))
    return q.astype(np.float32) * scale, clipped
