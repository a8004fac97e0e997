"""What does x @ w give when its operands and its accumulator are floats of few bits? The product of
a float MAC array, to the bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pimlab.arguments import typed
from pimlab.formats.casting import cast, overflows
from pimlab.formats.grids import FloatFormat, IntegerFormat, MicroscalingFormat, NumberFormat
from pimlab.formats.names import format as format_named
from pimlab.formats.quantisation import quantize
from pimlab.kernels import accumulate as kernels
from pimlab.values import Value, choice, integer

_KINDS = {"fp32": 0, "fp16": 1, "bf16": 2}


class FloatAccumulator(Value):
    """How products are summed. Every addition is formed in float32 and then rounded to `format`, to
    nearest even.

    order : "sequence" adds product after product to an accumulator that starts at zero; "chunks"
        sums `chunk` products in float32, in sequence from zero, and adds that sum to the
        accumulator; "tree" adds neighbours pair by pair, level by level, an odd last one passing up
        unchanged.
    products : "exact" are formed in float32 (exact for operands of at most 12 significant bits);
    "rounded" then go to `format`. With products="rounded" each step is a correctly rounded
    operation of `format` (24 >= 2 * 11 + 2; Figueroa 1995).
    """

    format: str = choice(*_KINDS, default="fp32")
    order: str = choice("sequence", "chunks", "tree", default="sequence")
    chunk: int | None = integer(1, default=None, hint="for no chunks write chunk=None")
    products: str = choice("exact", "rounded", default="exact")

    def check(self) -> None:
        """A chunk length is there exactly where the order needs one."""
        if (self.order == "chunks") != (self.chunk is not None):
            allowed = "chunk=1 or more" if self.order == "chunks" else "chunk=None"
            raise ValueError(
                f"FloatAccumulator order={self.order!r} chunk={self.chunk}: allowed with this "
                f"order: {allowed}"
            )


@dataclass(frozen=True)
class Product:
    """y float32, shape (batch, n), and `events`: how many operands saturated and how many sums left
    the accumulator's range.
    """

    y: np.ndarray
    events: Mapping[str, int]


def _operand(a: np.ndarray, target: NumberFormat, axis: int) -> tuple[np.ndarray, int]:
    """Values of a in the format, blocks along `axis`, and how many saturated."""
    if isinstance(target, IntegerFormat):
        raise ValueError(
            f"product: {target.name} is a format of integers, which have an accumulator of "
            "integers (pimlab.npu.matmul)"
        )
    if isinstance(target, FloatFormat):
        return cast(a, target), overflows(a, target)
    q = quantize(a, target, axis=axis)
    return (
        cast(a, target, axis=axis) if isinstance(target, MicroscalingFormat) else q.dequantize()
    ), q.saturated


def _checked(a: np.ndarray, what: str) -> np.ndarray:
    a = np.ascontiguousarray(a, dtype=np.float32)
    if a.ndim != 2 or 0 in a.shape:
        raise ValueError(
            f"product: {what} has shape {a.shape}; allowed: two dimensions, none of them 0"
        )
    if not np.isfinite(a).all():
        raise ValueError(
            f"product: {what} holds {np.count_nonzero(~np.isfinite(a))} non-finite values; "
            "allowed: finite float32"
        )
    return a


@typed
def accumulated(x: np.ndarray, w: np.ndarray, accumulator: FloatAccumulator) -> np.ndarray:
    """y float32, shape (batch, n) of values x float32, shape (batch, k) and w float32,
    shape (k, n), summed as `accumulator` says.
    """
    out = np.empty((x.shape[0], w.shape[1]), np.float32)
    w = w.view()
    w.setflags(write=False)  # as a model's weights are: the kernel is compiled for one of the two
    kind = _KINDS[accumulator.format]
    rounded = kind if accumulator.products == "rounded" else 0
    # a tree of one leaf adds nothing, yet what it answers stands in the accumulator
    if accumulator.order == "tree" and x.shape[1] > 1:
        kernels.tree(x, w, kind, rounded, out)
    else:
        kernels.chunks(x, w, accumulator.chunk or 1, kind, rounded, out)
    return out


@typed
def product(
    x: np.ndarray,
    w: np.ndarray,
    format_x: str | NumberFormat,
    format_w: str | NumberFormat,
    accumulator: FloatAccumulator,
) -> Product:
    """x float32, shape (batch, k) @ w float32, shape (k, n), operands put into float or block
    formats (blocks along k), sums as stated.

    ValueError for shapes that do not join, non-finite operands, integer formats (those have integer
    accumulators).
    """
    x, w = _checked(x, "x (batch, k)"), _checked(w, "w (k, n)")
    if x.shape[1] != w.shape[0]:
        raise ValueError(
            f"product: x (batch, k) has shape {x.shape} and w (k, n) {w.shape}; k must agree"
        )
    if not isinstance(accumulator, FloatAccumulator):
        raise TypeError(
            f"product: accumulator={accumulator!r} is not a FloatAccumulator, such as "
            "FloatAccumulator(format='fp32')"
        )
    x, clipped_x = _operand(x, format_named(format_x), 1)
    w, clipped_w = _operand(w, format_named(format_w), 0)
    y = accumulated(x, w, accumulator)
    lost = int(np.count_nonzero(~np.isfinite(y)))
    return Product(y, {"x saturated": clipped_x, "w saturated": clipped_w, "sums overflowed": lost})
