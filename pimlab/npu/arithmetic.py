"""What exact output does a digital MAC array give? Codes in, integer sums, codes out, each step by a named rule.

Integer machines (Jacob et al., CVPR 2018): weights symmetric with one scale a column, activations with one scale and
zero point from calibration, bias as int32 in the accumulator, sums exact modulo 2^32, results requantised to codes.
Without calibration each input row is scaled by its own largest magnitude and the sums leave as float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pimlab import formats
from pimlab.kernels import int8 as kernels
from pimlab.keys import Key
from pimlab.npu import integers
from pimlab.npu.requantisation import codes_of
from pimlab.protocol import Calibration, Programmed, Range, checked_operands, checked_weights
from pimlab.values import Value, choice

_INT32 = (-(2**31), 2**31 - 1)


class Arithmetic(Value):
    """The number formats of a machine; None is float32, exact to BLAS."""

    weights: str | None = "int8"
    """Symmetric, one scale a column (output channel)."""
    activations: str | None = "int8"
    """One scale for the tensor from calibration; without calibration one a row."""
    outputs: str | None = "int8"
    """Format results are requantised to when a calibration gives their range."""
    zero_point: str = choice("affine", "symmetric", default="affine", doc="whether activation codes have a zero point")
    rule: str = choice("onnx", "gemmlowp", default="onnx", doc="rounding rule of requantisation")

    def check(self) -> None:
        """Every format is known and is one of integers."""
        for name in ("weights", "activations", "outputs"):
            value = getattr(self, name)
            if value is not None:
                integer_grid(value, f"Arithmetic {name}")


def integer_grid(name: str, what: str) -> formats.IntegerFormat:
    """The integer format `name`; ValueError naming `what` for one that is not of integers."""
    grid = formats.format(name)
    if not isinstance(grid, formats.IntegerFormat):
        raise ValueError(f"{what}={name!r} is not an integer format such as 'int8' (for float32 write None)")
    return grid


class MacProgrammed(Programmed):
    """Weights float32 (k, n) and bias (n,) as an `Arithmetic` holds them."""

    def __init__(self, w: np.ndarray, bias: np.ndarray | None, arithmetic: Arithmetic, calibration: Calibration | None, what: str):
        self.w, self.bias = checked_weights(w, bias, what)
        self.arithmetic, self.calibration, self.what = arithmetic, calibration, what
        self.codes, self.scale = _columns(self.w, arithmetic.weights)
        self._sums = np.int64(0) if self.codes is None else self.codes.sum(axis=0, dtype=np.int64)

    def matmul(self, x: np.ndarray, key: int | Key = 0, at: str | float = 0.0) -> np.ndarray:
        """y float32 (batch, n) of x float32 (batch, k); the same bits for every key and time."""
        return self._product(x)[0]

    def faults(self, x: np.ndarray) -> dict[str, int]:
        """How often a value of x (batch, k), an accumulator or an output left its range and was clipped or wrapped."""
        return self._product(x)[1]

    def _product(self, x: np.ndarray) -> tuple[np.ndarray, dict[str, int]]:
        x = checked_operands(x, self.w.shape[0], self.what)
        q, scale, zero, clipped = self._inputs(x)
        faults = {"inputs clipped": clipped, "accumulators wrapped": 0, "outputs clipped": 0}
        if q is None or self.codes is None:
            y = self._float_product(x if q is None else (q.astype(np.float32) - zero) * scale)
            return self._outputs(y, faults)
        acc, faults["accumulators wrapped"] = self._accumulate(q, self.codes, self._offset(scale, zero))
        if self.calibration is None:
            y = acc * (scale * self.scale) + (0 if self.bias is None else self.bias)
            return y.astype(np.float32), faults
        if self.arithmetic.outputs is None:
            return acc.astype(np.float32) * (scale * self.scale), faults
        step, middle, grid = _grid(self.calibration.y, self.arithmetic.outputs, self.arithmetic.zero_point)
        codes, faults["outputs clipped"] = codes_of(acc, scale[0, 0] * self.scale / step, middle, grid, self.arithmetic.rule)
        return (codes.astype(np.float32) - middle) * step, faults

    def _inputs(self, x: np.ndarray) -> tuple[np.ndarray | None, Any, int, int]:
        if self.arithmetic.activations is None:
            return None, 1.0, 0, 0
        if self.calibration is not None:
            step, zero, grid = _grid(self.calibration.x, self.arithmetic.activations, self.arithmetic.zero_point)
            scale = np.full((len(x), 1), step, np.float32)
        else:
            zero, grid = 0, integer_grid(self.arithmetic.activations, "activations")
            scale = formats.symmetric(np.abs(x).max(axis=1, keepdims=True, initial=0), grid)
        q, clipped = np.empty(x.shape, grid.dtype), np.empty(len(x), np.int64)
        kernels.quantise(x, np.ascontiguousarray(scale[:, 0]), zero, grid.lowest, grid.highest, q, clipped)
        return q, scale, zero, int(clipped.sum())

    def _offset(self, scale: np.ndarray, zero: int) -> np.ndarray:
        offset = np.broadcast_to(-zero * self._sums, self.w.shape[1:])
        if self.bias is None or self.calibration is None:
            return offset
        return offset + np.clip(np.rint(self.bias / (np.float64(scale[0, 0]) * self.scale)), *_INT32).astype(np.int64)

    def _accumulate(self, q: np.ndarray, codes: np.ndarray, offset: np.ndarray) -> tuple[np.ndarray, int]:
        cannot_wrap = len(codes) * 2**14 + int(np.abs(offset).max(initial=0)) < 2**31
        if q.dtype == np.int8 and codes.dtype == np.int8 and cannot_wrap:
            return integers.gemm(q, codes) + offset.astype(np.int32), 0
        exact = kernels.gemm_wide(q, codes) + offset
        return exact.astype(np.int32), int(np.count_nonzero((exact < _INT32[0]) | (exact > _INT32[1])))

    def _float_product(self, x: np.ndarray) -> np.ndarray:
        w = self.w if self.codes is None else self.codes.astype(np.float32) * self.scale
        return x @ w if self.bias is None else x @ w + self.bias

    def _outputs(self, y: np.ndarray, faults: dict[str, int]) -> tuple[np.ndarray, dict[str, int]]:
        if self.arithmetic.outputs is None or self.calibration is None:
            return y, faults
        step, zero, grid = _grid(self.calibration.y, self.arithmetic.outputs, self.arithmetic.zero_point)
        q, clipped = np.empty(y.shape, grid.dtype), np.empty(len(y), np.int64)
        kernels.quantise(y, np.full(len(y), step, np.float32), zero, grid.lowest, grid.highest, q, clipped)
        return (q.astype(np.float32) - zero) * step, {**faults, "outputs clipped": int(clipped.sum())}


def _columns(w: np.ndarray, name: str | None) -> tuple[np.ndarray | None, Any]:
    if name is None:
        return None, np.float32(1.0)
    grid = integer_grid(name, "weights")
    scale = formats.symmetric(np.abs(w).max(axis=0), grid)
    return np.clip(np.rint(w / scale), grid.lowest, grid.highest).astype(grid.dtype), scale


def _grid(span: Range, name: str, zero_point: str) -> tuple[np.float32, int, formats.IntegerFormat]:
    grid = integer_grid(name, "format")
    if zero_point == "affine":
        step, zero = formats.affine(span.low, span.high, grid)
        return np.float32(step), int(zero), grid
    return np.float32(formats.symmetric(max(abs(span.low), abs(span.high)), grid)), 0, grid
