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

    def steps(self, x: np.ndarray) -> np.ndarray:
        """Codes of x less the zero point, as float32 of the shape (...) of x: rint(x / scale), cut
        to the codes there are.
        """
        least, most = self.lowest - self.zero_point, self.highest - self.zero_point
        return np.clip(np.rint(x / np.float32(self.scale)), least, most)

    def values(self, x: np.ndarray) -> np.ndarray:
        """What those codes stand for, float32 of the shape (...) of x, in its unit."""
        return self.steps(x) * np.float32(self.scale)


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
        size = int(np.count_nonzero(self.part_of == self.part_of[0]))
        return size if np.array_equal(self.part_of, np.arange(len(self.part_of)) // size) else 0

    def holds(self, w: np.ndarray) -> bool:
        """Whether weights float32 (k, n) are those of the only group; a changed model has
        others.
        """
        if w.shape != self.codes.shape[1:]:
            return False
        values = self.codes[0].astype(np.float32) * self.scale[0][self.part_of]
        return bool(np.array_equal(values, w))

    def in_groups(self, group: int) -> Self | None:
        """The same codes with a scale for every `group` neighbouring inputs; None where inputs of
        one group have scales of their own.
        """
        k = len(self.part_of)
        first = np.arange(0, k, group)
        part_of = np.arange(k) // group
        if not np.array_equal(self.part_of, self.part_of[first][part_of]):
            return None
        return self._replace(scale=self.scale[:, self.part_of[first]], part_of=part_of)

    def kept(self, w: np.ndarray, width: int, signed: bool, group: int | None) -> Self | None:
        """These codes as a machine keeps weights w float32, shape (k, n) in integers of `width`
        bits, with a scale a column, or one for every `group` inputs; None where they are not those
        weights, or there is no room for them. Unsigned codes have zero points of their own.
        """
        own = self if self.part is None else None
        found = own if group is None else self.in_groups(group)
        return found if found is not None and self._fits(width, signed) and self.holds(w) else None

    def _fits(self, width: int, signed: bool) -> bool:
        """Whether codes less their zero points are in reach of `width` bits, or of zero points."""
        if self.bits > width:
            return False
        top = 2 ** (width - 1)
        return not signed or bool(self.codes.min() >= -top and self.codes.max() < top)


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

    def inputs(self, w: np.ndarray, bits: int) -> Affine | None:
        """The codes of the inputs of weights w float32, shape (k, n), for a machine whose inputs
        have `bits` bits; None where they are wider, or the weights are others.

        The zero point needs no code: what it adds is a constant of each output, which whoever adds
        the bias takes off with it.
        """
        return self.x if self.x.bits <= bits and self.holds(w) else None
