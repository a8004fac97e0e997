"""What exact output does a digital MAC array give? Codes in, sums, codes out, each step by a named
rule.

Integer machines (Jacob et al., CVPR 2018): weights symmetric with one scale a column, activations
with one scale and zero point from calibration, bias and zero-point correction in the accumulator
before the first product, sums of stated width, results requantised to codes. Without calibration
each input row is scaled by its own largest magnitude, in signed codes, and the sums leave as
float32. A product that the model's file holds in codes runs on those codes, with the file's scales
and zero points, where the machine's formats are as wide (ONNX's QLinearConv and QLinearMatMul).

Float machines: operands of at most 8 bits are scaled like integers and cast, wider ones are cast as
they are; sums are rounded in the order `floats` states, so a row's bits depend on that row and the
weights only.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pimlab import formats
from pimlab.formats import FloatAccumulator, IntegerFormat
from pimlab.formats.names import integer_codes
from pimlab.keys import Key
from pimlab.machine.protocol import (
    MODEL_CODES,
    Calibration,
    Programmed,
    Range,
    checked_operands,
    checked_weights,
)
from pimlab.machine.stored import Affine, StoredProduct
from pimlab.npu.accumulators import Accumulator, integer_product
from pimlab.npu.operands import Weights, grid_of, is_integer, quantised, rounded
from pimlab.npu.requantisation import codes_of
from pimlab.values import Value, choice, part

_INT32 = (-(2**31), 2**31 - 1)


class Arithmetic(Value):
    """The number formats of a machine; None is float32."""

    weights: str | None = "int8"
    """Integers are symmetric with one scale a column (output channel); "uint4_g128" has one scale
    and zero point for 128 inputs of a column, "int4_g128" one scale.
    """
    activations: str | None = "int8"
    """One scale for the tensor from calibration; without calibration one a row."""
    outputs: str | None = "int8"
    """Format results are requantised to when a calibration gives their range."""
    zero_point: str = choice(
        "affine", "symmetric", default="affine", doc="whether activation codes have a zero point"
    )
    rule: str = choice("onnx", "gemmlowp", default="onnx", doc="rounding rule of requantisation")
    accumulator: Accumulator = part(Accumulator, default=Accumulator())
    """Of integer products."""
    floats: FloatAccumulator = part(FloatAccumulator, default=FloatAccumulator())
    """Of float products."""

    def check(self) -> None:
        """Every format is known, weights are signed, and gemmlowp's rule has sums of at most 32
        bits.
        """
        for name in ("weights", "activations", "outputs"):
            if getattr(self, name) is not None:
                formats.format(getattr(self, name))
        if is_integer(self.weights) and not grid_of(self.weights).signed:
            raise ValueError(
                f"Arithmetic weights={self.weights!r} is unsigned; allowed: signed, such as 'int8'"
            )
        for mixed in (self.activations, self.outputs):
            grid = None if mixed is None else formats.format(mixed)
            if isinstance(grid, formats.ScaledBlockFormat) and grid.rows > 1:
                raise ValueError(
                    f"Arithmetic: blocks of {mixed!r} mix {grid.rows} rows of a batch; "
                    f"allowed: blocks of one row, such as '{grid.element.name}_1x{grid.block}'"
                )
        if self.rule == "gemmlowp" and self.accumulator.bits > 32:
            raise ValueError(
                f"Arithmetic rule='gemmlowp' with accumulator bits={self.accumulator.bits}: it "
                "takes sums of at most 32 bits"
            )

    @property
    def mac(self) -> str:
        """The format in which a MAC multiplies: the wider operand's, float before integer, "fp32"
        where one is None.
        """
        if self.weights is None or self.activations is None:
            return "fp32"
        names = [element(self.activations), element(self.weights)]
        wide = [name for name in names if not is_integer(name)] or names
        return max(wide, key=lambda name: formats.format(name).bits).removeprefix("u")


def element(name: str) -> str:
    """The format one element of `name` multiplies in: of a block or group, its element's; of
    blocked integers and of listed values, "fp16".
    """
    grid = formats.format(name)
    if isinstance(grid, formats.ScaledBlockFormat):
        return "fp16" if isinstance(grid.element, formats.TableFormat) else grid.element.name
    if isinstance(grid, (formats.MicroscalingFormat, formats.GroupFormat)):
        return grid.element.name
    return "fp16" if isinstance(grid, formats.BlockedFormat) else grid.name


class MacProgrammed(Programmed):
    """Weights float32, shape (k, n) and bias (n,) as an `Arithmetic` holds them."""

    def __init__(
        self,
        w: np.ndarray,
        bias: np.ndarray | None,
        arithmetic: Arithmetic,
        calibration: Calibration | None,
        what: str,
    ):
        w, self.bias = checked_weights(w, bias, what)
        self.shape, self.arithmetic, self.calibration, self.what = (
            w.shape,
            arithmetic,
            calibration,
            what,
        )
        self.stored = _as_stored(calibration, w, arithmetic)
        held, codes = None, integer_codes(arithmetic.weights)
        if calibration is not None and calibration.held is not None and codes is not None:
            element, group = codes
            held = calibration.held.kept(w, element.width, element.signed, group)
        if self.stored is not None:
            self.weights = Weights.of_codes(self.stored.codes[0], self.stored.scale[0, 0])
        elif held is not None:
            self.weights = Weights.of_groups(held.codes[0], held.scale[0], held.part)
        else:
            self.weights = Weights(w, arithmetic.weights)
        self.weights_as = (
            MODEL_CODES
            if self.stored is not None or held is not None
            else f"values in {arithmetic.weights or 'float32'}"
        )
        placed = self.weights.values if self.weights.codes is None else self.weights.codes
        if np.any(w) and not np.any(placed):
            raise ValueError(
                f"{what}: all weights vanish, the largest is {np.abs(w).max():.3g}; "
                f"allowed: weights that {arithmetic.weights} tells from zero (scale them)"
            )

    def matmul(self, x: np.ndarray, key: int | Key = 0, at: str | float = 0.0) -> np.ndarray:
        """y float32, shape (batch, n) of x float32, shape (batch, k); the same bits for every key
        and time.
        """
        return self.counted(x)[0]

    def counted(
        self, x: np.ndarray, key: int | Key = 0, at: str | float = 0.0
    ) -> tuple[np.ndarray, dict[str, int]]:
        """`matmul(x)`, and how many inputs were clipped, sums changed by overflow and outputs
        clipped on the way. x : float32, shape (batch, k);  y : float32, shape (batch, n).
        """
        x = checked_operands(x, self.shape[0], self.what)
        if self.stored is not None:
            return self._stored(x, self.stored, self.weights.integers)
        if is_integer(self.arithmetic.activations) and self.weights.codes is not None:
            codes = self.weights.codes
            return self._integers(x, codes) if self.weights.group is None else self._groups(x)
        x, clipped = self._values(x)
        y = formats.accumulated(x, self.weights.values, self.arithmetic.floats)
        y, lost = self._outputs(self._rectified(y if self.bias is None else y + self.bias))
        return y, _faults(clipped, 0, lost)

    def _integers(self, x: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, dict[str, int]]:
        q, scale, zero, clipped = self._codes(x)
        acc, changed = integer_product(
            q, codes, self._start(scale, zero), self.arithmetic.accumulator
        )
        acc = self._rectified(acc)
        if self.calibration is None:
            y = acc * (scale * self.weights.scale)
            return (y if self.bias is None else y + self.bias).astype(np.float32), _faults(
                clipped, changed, 0
            )
        if not is_integer(self.arithmetic.outputs):
            y, lost = self._outputs(acc.astype(np.float32) * (scale * self.weights.scale))
            return y, _faults(clipped, changed, lost)
        step, middle, grid = span_codes(
            self.calibration.y, self.arithmetic.outputs, self.arithmetic.zero_point
        )
        q, lost = codes_of(
            acc, scale[0, 0] * self.weights.scale / step, middle, grid, self.arithmetic.rule
        )
        return (q.astype(np.float32) - middle) * step, _faults(clipped, changed, lost)

    def _groups(self, x: np.ndarray) -> tuple[np.ndarray, dict[str, int]]:
        """Integer sums of each group of inputs, times the group's scales, added in float32 one
        group after the other.
        """
        q, scale, zero, clipped = self._codes(x)
        y, changed = np.zeros((len(x), self.shape[1]), np.float32), 0
        for span, step in self.weights.spans():
            codes = self.weights.integers[span]
            start = -zero * codes.sum(axis=0, dtype=np.int64)
            sums, lost = integer_product(
                np.ascontiguousarray(q[:, span]), codes, start, self.arithmetic.accumulator
            )
            y += sums.astype(np.float32) * step
            changed += lost
        y *= scale
        y, lost = self._outputs(self._rectified(y if self.bias is None else y + self.bias))
        return y, _faults(clipped, changed, lost)

    def _stored(
        self, x: np.ndarray, stored: StoredProduct, codes: np.ndarray
    ) -> tuple[np.ndarray, dict[str, int]]:
        scale, zero = np.float32(stored.x.scale), stored.x.zero_point
        q, clipped = quantised(x, np.full(len(x), scale), zero, _grid(stored.x))
        steps = scale * self.weights.scale
        start = -zero * self.weights.sums
        if stored.bias is not None:
            start = start + stored.bias[0]
        elif self.bias is not None and stored.y is not None:
            start = start + _in_steps(self.bias, steps)
        acc, changed = integer_product(q, codes, start, self.arithmetic.accumulator)
        acc = self._rectified(acc)
        if stored.y is None:
            y = acc.astype(np.float32) * steps
            added = self.bias is not None and stored.bias is None
            return y + self.bias if added else y, _faults(clipped, changed, 0)
        step, middle = np.float32(stored.y.scale), stored.y.zero_point
        q, lost = codes_of(acc, steps / step, middle, _grid(stored.y), self.arithmetic.rule)
        return (q.astype(np.float32) - middle) * step, _faults(clipped, changed, lost)

    def _rectified(self, y: np.ndarray) -> np.ndarray:
        """Sums with the Relu that alone reads them: fused, so that what it drops does not count as
        clipped.
        """
        return (
            np.maximum(y, 0) if self.calibration is not None and self.calibration.rectified else y
        )

    def _codes(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, int, int]:
        if self.calibration is not None:
            step, zero, grid = span_codes(
                self.calibration.x, self.arithmetic.activations, self.arithmetic.zero_point
            )
            scale = np.full((len(x), 1), step, np.float32)
        else:
            zero, grid = 0, grid_of(self.arithmetic.activations).but(signed=True)
            scale = formats.symmetric(np.abs(x).max(axis=1, keepdims=True, initial=0), grid)
        q, clipped = quantised(x, scale[:, 0], zero, grid)
        return q, scale, zero, clipped

    def _start(self, scale: np.ndarray, zero: int) -> np.ndarray:
        start = -zero * self.weights.sums
        if self.bias is None or self.calibration is None:
            return start
        return start + _in_steps(self.bias, np.float64(scale[0, 0]) * self.weights.scale)

    def _values(self, x: np.ndarray) -> tuple[np.ndarray, int]:
        name = self.arithmetic.activations
        if name is None:
            return x, 0
        if is_integer(name):
            q, scale, zero, clipped = self._codes(x)
            return (q.astype(np.float32) - zero) * scale, clipped
        span = None if self.calibration is None else self.calibration.x
        return rounded(x, name, _largest(span))

    def _outputs(self, y: np.ndarray) -> tuple[np.ndarray, int]:
        name = self.arithmetic.outputs
        if name is None or self.calibration is None:
            return y, 0
        if not is_integer(name):
            return rounded(y, name, _largest(self.calibration.y))
        step, zero, grid = span_codes(self.calibration.y, name, self.arithmetic.zero_point)
        q, clipped = quantised(y, np.full(len(y), step, np.float32), zero, grid)
        return (q.astype(np.float32) - zero) * step, clipped


def _as_stored(
    calibration: Calibration | None, w: np.ndarray, arithmetic: Arithmetic
) -> StoredProduct | None:
    """The codes of a file for weights w, shape (k, n), where `arithmetic` holds them; else None."""
    stored = None if calibration is None else calibration.stored
    if stored is None or not stored.holds(w):
        return None
    tensors = [(arithmetic.activations, stored.x)]
    tensors += [] if stored.y is None else [(arithmetic.outputs, stored.y)]
    for name, codes in tensors:
        if not is_integer(name) or grid_of(name).width < codes.bits:
            return None
        if arithmetic.zero_point == "symmetric" and not codes.is_symmetric:
            return None
    if not is_integer(arithmetic.weights):
        return None
    grid, found = grid_of(arithmetic.weights), stored.codes
    # Codes of 8 bits less a zero point may need 9: the machine takes the zero point off by itself.
    fits = found.max() - found.min() < 2**grid.width
    return stored if fits else None


def _grid(codes: Affine) -> IntegerFormat:
    return IntegerFormat(width=codes.bits, signed=codes.signed)


def _in_steps(bias: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """int64, shape (n,): bias (n,) in steps of the sums, in the range of 32 bits."""
    return np.clip(np.rint(bias / np.asarray(steps, np.float64)), *_INT32).astype(np.int64)


def _faults(inputs: int, sums: int, outputs: int) -> dict[str, int]:
    return {"inputs clipped": inputs, "sums overflowed": sums, "outputs clipped": outputs}


def _largest(span: Range | None) -> float | None:
    return None if span is None else max(abs(span.low), abs(span.high))


def span_codes(span: Range, name: str | None, zero_point: str) -> tuple[np.float32, int, Any]:
    """Scale, zero point and grid that spread the codes of format `name` over `span` (and 0). The
    scale in the unit of `span` a code.
    """
    grid = grid_of(name)
    if zero_point == "affine":
        step, zero = formats.affine(span.low, span.high, grid)
        return np.float32(step), int(zero), grid
    return np.float32(formats.symmetric(max(abs(span.low), abs(span.high)), grid)), 0, grid
