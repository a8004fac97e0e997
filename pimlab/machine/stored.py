"""In which codes does a file hold a product? Its integers, their scales and zero points, as the
file gives them.

A quantised file (ONNX's QuantizeLinear and DequantizeLinear around each operator) has chosen the
codes of inputs, weights and outputs. A machine whose formats hold them computes with them; ranges
found by calibration are for machines that do not.
"""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np

from pimlab.values import Value, integer, quantity, truth


class Affine(Value):
    """Integer codes of a tensor: value = (code - zero_point) * scale."""

    bits: int = integer(2, 16, default=8)
    signed: bool = True
    scale: float = quantity("", above=0)
    zero_point: int = integer(-(2**15), 2**16 - 1, default=0)

    def check(self) -> None:
        """The zero point is a code."""
        truth("Affine signed", self.signed)
        if not self.lowest <= self.zero_point <= self.highest:
            raise ValueError(
                f"Affine zero_point={self.zero_point} is outside {self.lowest}..{self.highest} of "
                f"{'' if self.signed else 'un'}signed codes of {self.bits} bits"
            )

    @property
    def lowest(self) -> int:
        """Smallest code (unit: codes)."""
        return -(2 ** (self.bits - 1)) if self.signed else 0

    @property
    def highest(self) -> int:
        """Largest code (unit: codes)."""
        return self.lowest + 2**self.bits - 1

    @property
    def is_symmetric(self) -> bool:
        """Whether 0 is the middle code, so that signed codes need no zero point."""
        return self.zero_point == self.lowest + 2 ** (self.bits - 1)


class StoredWeights(NamedTuple):
    """Weights as codes, whatever the inputs are held in: w = codes scale[part_of].

    codes : integers (groups, k, n) less their zero points, of codes of `bits` bits.  scale :
    float32 (groups, parts, n).  part_of : int (k,), the part that an input belongs to.
    """

    codes: np.ndarray
    scale: np.ndarray
    part_of: np.ndarray
    bits: int

    def group(self, index: int) -> Self:
        """One of the groups, alone."""
        one = slice(index, index + 1)
        return self._replace(codes=self.codes[one], scale=self.scale[one])

    def columns(self, columns: slice) -> Self:
        """Some outputs of every group."""
        return self._replace(codes=self.codes[:, :, columns], scale=self.scale[:, :, columns])

    @property
    def part(self) -> int | None:
        """Neighbouring inputs that share a scale; None where all of a column do, 0 where those that
        do are no neighbours.
        """
        parts = self.scale.shape[1]
        if parts == 1:
            return None
        size = -(-len(self.part_of) // parts)
        return size if np.array_equal(self.part_of, np.arange(len(self.part_of)) // size) else 0

    def holds(self, w: np.ndarray) -> bool:
        """Whether weights float32 (k, n) are those of the only group; a changed model has
        others.
        """
        if w.shape != self.codes.shape[1:]:
            return False
        values = self.codes[0].astype(np.float32) * self.scale[0][self.part_of]
        return bool(np.array_equal(values, w))


class StoredProduct(NamedTuple):
    """One product as a file holds it.

    codes : integers, shape (groups, k, n), weights less their zero points.  scale : float32, shape
    (groups, 1, n), one step of a column.  x : codes of the inputs.  y : codes of the outputs, None
    where they leave as floats.  bias : int64, shape (groups, n) in steps of x.scale * scale, None
    where the file holds none as codes.
    """

    codes: np.ndarray
    scale: np.ndarray
    x: Affine
    y: Affine | None = None
    bias: np.ndarray | None = None

    def group(self, index: int) -> Self:
        """One of the groups, alone."""
        one = slice(index, index + 1)
        return self._cut(one, slice(None))

    def columns(self, columns: slice) -> Self:
        """Some outputs of every group."""
        return self._cut(slice(None), columns)

    def _cut(self, groups: slice, columns: slice) -> Self:
        return self._replace(
            codes=self.codes[groups, :, columns],
            scale=self.scale[groups, :, columns],
            bias=None if self.bias is None else self.bias[groups, columns],
        )

    def holds(self, w: np.ndarray) -> bool:
        """Whether weights float32, shape (k, n) are those of the only group; a changed model has
        others.
        """
        return w.shape == self.codes.shape[1:] and np.array_equal(
            self.codes[0].astype(np.float32) * self.scale[0], w
        )
