"""How do weights and activations stand in a machine's format? As codes with scales, or as float32
values on its grid.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from pimlab import formats
from pimlab.formats import IntegerFormat
from pimlab.formats.quantisation import positive
from pimlab.kernels import int8 as kernels


def is_integer(name: str | None) -> bool:
    """Whether `name` is a plain integer format."""
    return name is not None and isinstance(formats.format(name), IntegerFormat)


def grid_of(name: str | None) -> IntegerFormat:
    """The integer format `name`; ValueError for another."""
    grid = formats.format(name or "fp32")
    if not isinstance(grid, IntegerFormat):
        raise ValueError(f"format {name!r} is not one of integers, such as 'int8'")
    return grid


class Weights:
    """w float32, shape (k, n) in a format.

    codes : integers, shape (k, n), or None where the format is neither plain integers nor groups of
    them; less their zero points in groups. scale : float32, shape (n,), one step of a column;
    (groups, n) where `group` rows share one (None: all of a column do).
    sums : int64, shape (n,), the codes of a column added up; values : float32, shape (k, n), what
    the weights stand for.
    """

    def __init__(self, w: np.ndarray, name: str | None):
        self.codes: np.ndarray | None = None
        self.scale: Any = np.float32(1.0)
        self.sums = np.zeros(w.shape[1], np.int64)
        self._values: np.ndarray | None = w
        self.group: int | None = None
        grouped = None if name is None else formats.format(name)
        if isinstance(grouped, formats.GroupFormat):
            self._in_groups(formats.quantize(w, grouped, axis=0), grouped.group)
        elif is_integer(name):
            grid = grid_of(name)
            self.scale = _column_scales(w, grid)
            self.codes = np.clip(np.rint(w / self.scale), grid.lowest, grid.highest).astype(
                grid.dtype
            )
            self.sums = self.codes.sum(axis=0, dtype=np.int64)
            self._values = None
        elif name is not None:
            columns = np.abs(w).max(axis=0) if _is_scaled(name) else None
            self._values = placed(w.T, name, columns)[0].T.copy()

    def _in_groups(self, held: formats.Quantized, group: int) -> None:
        steps = held.codes.astype(np.int16) - held.layout.spread(held.zero_point)
        byte = steps.min() >= -128 and steps.max() <= 127
        self.codes = np.ascontiguousarray(steps, dtype=np.int8 if byte else np.int32)
        self.group, self.scale, self._values = group, held.scale, held.dequantize()

    def spans(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Rows that share scales, and their scales float32, shape (n,)."""
        assert self.group is not None
        for i, scale in enumerate(self.scale):
            yield slice(i * self.group, (i + 1) * self.group), scale

    @classmethod
    def of_codes(cls, codes: np.ndarray, scale: np.ndarray) -> Weights:
        """Weights that stand as codes (k, n), integers of at most 17 bits, with scale float32,
        shape (n,).

        Codes that a byte holds become bytes, which multiply fastest.
        """
        made = cls(np.empty(codes.shape, np.float32), None)
        byte = codes.min() >= -128 and codes.max() <= 127
        made.codes = np.ascontiguousarray(codes, dtype=np.int8 if byte else np.int32)
        made.scale, made.sums = scale, codes.sum(axis=0, dtype=np.int64)
        made._values = None
        return made

    @classmethod
    def of_groups(cls, codes: np.ndarray, scale: np.ndarray, group: int | None) -> Weights:
        """As `of_codes`, with scale float32 (parts, n), one for every `group` inputs (None: one for
        all).
        """
        made = cls.of_codes(codes, scale[0])
        if group is not None:
            made.group, made.scale = group, scale
        return made

    @property
    def integers(self) -> np.ndarray:
        """`codes`, for a format known to be a plain integer. Integers, shape (k, n)."""
        assert self.codes is not None
        return self.codes

    @property
    def values(self) -> np.ndarray:
        """What the weights stand for, float32, shape (k, n)."""
        if self._values is None:
            scale = self.scale
            if self.group is not None:
                scale = np.repeat(scale, self.group, axis=0)[: len(self.integers)]
            self._values = self.integers.astype(np.float32) * scale
        return self._values


def _column_scales(w: np.ndarray, grid: IntegerFormat) -> np.ndarray:
    """float32, shape (n,): what fills the codes with each column; the mean magnitude of all for
    ternary weights.
    """
    if isinstance(grid, formats.TernaryFormat):
        return np.full(w.shape[1], positive(np.abs(w).mean()), np.float32)
    return formats.symmetric(np.abs(w).max(axis=0), grid)


def quantised(
    x: np.ndarray, scale: np.ndarray, zero: int, grid: IntegerFormat
) -> tuple[np.ndarray, int]:
    """Codes of x float32, shape (batch, k) with one scale a row, float32, shape (batch,), and how
    many were clipped.
    """
    q, clipped = np.empty(x.shape, grid.dtype), np.empty(len(x), np.int64)
    kernels.quantise(x, np.ascontiguousarray(scale), zero, grid.lowest, grid.highest, q, clipped)
    return q, int(clipped.sum())


def rounded(x: np.ndarray, name: str, largest: float | None) -> tuple[np.ndarray, int]:
    """x float32, shape (batch, k) on the grid of the float format `name`, and how many lay beyond
    its range.

    largest : the magnitude that fills a scaled format; None takes each row's own.
    """
    grid = formats.format(name)
    if isinstance(grid, formats.ScaledBlockFormat) and grid.has_tensor_scale:
        peaks = np.abs(x).max(axis=1, keepdims=True, initial=0) if largest is None else largest
        scale = positive(np.asarray(peaks, np.float64) / grid.reach)
        held = formats.quantize(x, grid, axis=-1, scale=scale)
        return held.dequantize(), held.saturated
    if not _is_scaled(name):
        return placed(x, name, None)
    return placed(
        x,
        name,
        np.abs(x).max(axis=1, initial=0)
        if largest is None
        else np.full(len(x), largest, np.float32),
    )


def _is_scaled(name: str) -> bool:
    grid = formats.format(name)
    return isinstance(grid, formats.FloatFormat) and grid.is_scaled


def placed(rows: np.ndarray, name: str, largest: np.ndarray | None) -> tuple[np.ndarray, int]:
    """rows float32, shape (rows, k) on the grid of the float or block format `name`, and how many
    lay beyond its range.

    largest : (rows,), the magnitude that shall fill a float format; None leaves the values
    unscaled.
    """
    grid = formats.format(name)
    if isinstance(grid, (formats.BlockedFormat, formats.ScaledBlockFormat, formats.GroupFormat)):
        return formats.quantize(rows, grid, axis=-1).dequantize(), 0
    if not isinstance(grid, formats.FloatFormat):
        return formats.cast(rows, grid), 0
    if largest is None:
        return formats.cast(rows, grid), formats.overflows(rows, grid)
    full = (np.asarray(largest, np.float64)[:, None] / grid.largest).astype(np.float32)
    scale = np.where(full > 0, full, np.float32(1.0))
    scaled = rows / scale
    return formats.cast(scaled, grid) * scale, formats.overflows(scaled, grid)
