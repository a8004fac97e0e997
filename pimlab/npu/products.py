"""What is x @ w in these formats? One product, to the bit of its rounding and accumulation, with
its overflows counted.
"""

from __future__ import annotations

import re

import numpy as np

from pimlab import formats
from pimlab.arguments import typed
from pimlab.formats import FloatAccumulator
from pimlab.machine.protocol import checked_operands, checked_weights
from pimlab.npu.accumulators import Accumulator, integer_product
from pimlab.npu.operands import Weights, grid_of, is_integer, placed, quantised
from pimlab.npu.requantisation import Counted, counted


@typed
def matmul(
    x: np.ndarray,
    w: np.ndarray,
    format_x: str = "int8",
    format_w: str = "int8",
    accumulator: str | Accumulator | FloatAccumulator | None = None,
    *,
    zero_x: np.ndarray | int = 0,
    zero_w: np.ndarray | int = 0,
) -> Counted:
    """y (batch, n) of x (batch, k) @ w (k, n), each in its format.

    x, w : both arrays of integers and both formats too: they are codes, and y holds the
        accumulator's integers, shape (int32, or int64 above 32 bits). Or real numbers: integer
        formats
        scale a row of x and a column of w to their largest magnitude, float and block formats cast
        as they are, saturating; y is float32.
    accumulator : for two integer formats an `Accumulator` or "int32" (it wraps; any "int<bits>");
        else a `pimlab.formats.FloatAccumulator` or the name of its format, "fp32", "fp16" or "bf16"
        (sums in sequence). `counts` of the result: "x_clipped", "w_clipped", "overflowed" (outputs
        that accumulator overflow changed). ValueError for unknown formats, codes outside their
        format, non-finite values, and an accumulator of the other kind.
    zero_x, zero_w : codes that stand for 0, taken off before the products, with codes alone: one
        number, or one a row of x (batch,) and one a column of w (n,), as ONNX's MatMulInteger has
        them. ValueError for one that is no code of its format.

    >>> pim.npu.matmul(np.array([[1, 2]]), np.array([[3], [4]]), "int8", "int8", "int32")
    Counted([[11]], dtype=int32)
    """
    whole = is_integer(format_x) and is_integer(format_w)
    width = _integer_accumulator(accumulator) if whole else None
    if width is not None and all(np.issubdtype(np.asarray(a).dtype, np.integer) for a in (x, w)):
        x, w = _checked_codes(np.asarray(x), np.asarray(w), format_x, format_w)
        zeros = (
            _zeros(zero_x, "zero_x", format_x, len(x)),
            _zeros(zero_w, "zero_w", format_w, w.shape[1]),
        )
        return _of_codes(x, w, *zeros, width)
    if np.any(zero_x) or np.any(zero_w):
        raise ValueError("matmul zero_x, zero_w: allowed where both operands are integer codes")
    w, _ = checked_weights(w, None, "matmul")
    x = checked_operands(x, len(w), "matmul")
    if width is not None:
        return _of_scaled(x, w, format_x, format_w, width)
    sums = _float_accumulator(accumulator)
    (x, x_clipped), (rows, w_clipped) = _values(x, format_x), _values(w.T, format_w)
    y = formats.accumulated(x, np.ascontiguousarray(rows.T), sums)
    return counted(
        y,
        x_clipped=x_clipped,
        w_clipped=w_clipped,
        overflowed=int(np.count_nonzero(~np.isfinite(y))),
    )


def _integer_accumulator(given: str | Accumulator | FloatAccumulator | None) -> Accumulator:
    name = re.fullmatch(r"int(\d+)", given) if isinstance(given, str) else None
    if name or given is None:
        return Accumulator(bits=int(name[1])) if name else Accumulator()
    if not isinstance(given, Accumulator):
        raise ValueError(
            f"matmul accumulator={given!r}; allowed for two integer formats: an Accumulator or "
            "'int32'"
        )
    return given


def _float_accumulator(given: str | Accumulator | FloatAccumulator | None) -> FloatAccumulator:
    if isinstance(given, FloatAccumulator):
        return given
    if given is not None and given not in ("fp32", "fp16", "bf16"):
        raise ValueError(
            f"matmul accumulator={given!r}; allowed with a float format: a FloatAccumulator, "
            "'fp32', 'fp16' or 'bf16'"
        )
    return FloatAccumulator(format=given or "fp32")


def _of_scaled(
    x: np.ndarray, w: np.ndarray, format_x: str, format_w: str, width: Accumulator
) -> Counted:
    weights = Weights(w, format_w)
    scale = formats.symmetric(np.abs(x).max(axis=1, keepdims=True, initial=0), grid_of(format_x))
    q, clipped = quantised(x, scale[:, 0], 0, grid_of(format_x))
    acc, overflowed = integer_product(q, weights.integers, np.zeros(w.shape[1], np.int64), width)
    return counted(
        (acc * (scale * weights.scale)).astype(np.float32),
        x_clipped=clipped,
        w_clipped=0,
        overflowed=overflowed,
    )


def _checked_codes(
    x: np.ndarray, w: np.ndarray, format_x: str, format_w: str
) -> tuple[np.ndarray, np.ndarray]:
    if x.ndim != 2 or w.ndim != 2 or x.shape[1] != w.shape[0] or 0 in w.shape:
        raise ValueError(
            f"matmul: x has shape {x.shape} and w {w.shape}; allowed: (batch, k) and (k, n) with "
            "k, n >= 1"
        )
    return _codes(x, "x", format_x), _codes(w, "w", format_w)


def _zeros(zero: np.ndarray | int, name: str, format_: str, count: int) -> np.ndarray | None:
    """int32, shape (1,) or (count,): checked zero points; None where all are 0."""
    zero = np.asarray(zero)
    if not np.issubdtype(zero.dtype, np.integer) or zero.shape not in ((), (1,), (count,)):
        raise ValueError(f"matmul {name}={zero!r:.60}: allowed: one integer, or {count} of them")
    return _codes(zero.reshape(-1), name, format_).astype(np.int32) if zero.any() else None


def _of_codes(
    x: np.ndarray,
    w: np.ndarray,
    zero_x: np.ndarray | None,
    zero_w: np.ndarray | None,
    width: Accumulator,
) -> Counted:
    x = x if zero_x is None else x.astype(np.int32) - zero_x[:, None]
    w = w if zero_w is None else w.astype(np.int32) - zero_w
    acc, overflowed = integer_product(x, w, np.zeros(w.shape[1], np.int64), width)
    return counted(acc, x_clipped=0, w_clipped=0, overflowed=overflowed)


def _codes(codes: np.ndarray, name: str, format_: str) -> np.ndarray:
    grid = grid_of(format_)
    if codes.size and not (codes.min() >= grid.lowest and codes.max() <= grid.highest):
        raise ValueError(
            f"matmul {name}: codes {codes.min()}..{codes.max()} lie outside "
            f"{grid.lowest}..{grid.highest} of {grid.name}"
        )
    return np.ascontiguousarray(codes, dtype=grid.dtype)


def _values(rows: np.ndarray, name: str) -> tuple[np.ndarray, int]:
    """Values of (rows, k) in a format, blocks along k, and how many were clipped."""
    rows = np.ascontiguousarray(rows)
    if not is_integer(name):
        return placed(rows, name, None)
    scale = formats.symmetric(np.abs(rows).max(axis=1, keepdims=True, initial=0), grid_of(name))
    q, clipped = quantised(rows, scale[:, 0], 0, grid_of(name))
    return q.astype(np.float32) * scale, clipped
