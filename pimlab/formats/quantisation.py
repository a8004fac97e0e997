"""How does an array become codes with a scale, and what does it stand for afterwards?

Integers follow ONNX's QuantizeLinear and DequantizeLinear in float32: code = saturate(rint(x / scale) + zero_point), halves
to even; value = (code - zero_point) * scale. `axis` and `group` mean what `axis` and `block_size` mean there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pimlab.formats.grids import IntegerFormat, NumberFormat, format

_TINY = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class Layout:
    """Which elements share a scale: all (axis None), those of one index along `axis`, or `group` neighbours along `axis`."""

    shape: tuple[int, ...]
    axis: int | None
    group: int | None

    @property
    def split_shape(self) -> tuple[int, ...]:
        """The shape with `axis` split into (blocks, group); the shape itself without a group."""
        if self.group is None or self.axis is None:
            return self.shape
        return (*self.shape[: self.axis], self.shape[self.axis] // self.group, self.group, *self.shape[self.axis + 1 :])

    @property
    def reduced(self) -> tuple[int, ...]:
        """Axes of the split shape over which one scale is shared."""
        if self.group is not None and self.axis is not None:
            return (self.axis + 1,)
        return tuple(i for i in range(len(self.shape)) if i != self.axis)

    @property
    def scale_shape(self) -> tuple[int, ...]:
        """Shape of scales as stored: as the array, with 1 where shared, or with the number of blocks along `axis`."""
        if self.group is not None and self.axis is not None:
            return tuple(size // self.group if i == self.axis else size for i, size in enumerate(self.shape))
        return tuple(size if i == self.axis else 1 for i, size in enumerate(self.shape))

    @property
    def broadcast_shape(self) -> tuple[int, ...]:
        """Shape of scales that broadcasts against the split shape."""
        return tuple(1 if i in self.reduced else size for i, size in enumerate(self.split_shape))


def layout(shape: tuple[int, ...], axis: int | None, group: int | None) -> Layout:
    """The checked layout; ValueError for an axis that is not there, a group without axis, or one that does not divide."""
    if 0 in shape:
        raise ValueError(f"quantize: x has shape {shape}; allowed: at least one element")
    if axis is None:
        if group is not None:
            raise ValueError(f"quantize group={group} needs axis=, the axis along which neighbours share a scale")
        return Layout(shape, None, None)
    if not -len(shape) <= axis < len(shape):
        raise ValueError(f"quantize axis={axis} is outside {-len(shape)}..{len(shape) - 1} of an array of shape {shape}")
    axis %= len(shape)
    if group is not None and (isinstance(group, bool) or not hasattr(group, "__index__")):
        raise TypeError(f"quantize group={group!r} is not an integer that divides axis {axis} of length {shape[axis]}")
    if group is not None and (group < 1 or shape[axis] % group):
        divisors = [d for d in range(1, shape[axis] + 1) if shape[axis] % d == 0]
        raise ValueError(f"quantize group={group} does not divide axis {axis} of length {shape[axis]} (allowed: {divisors})")
    return Layout(shape, axis, group)


@dataclass(frozen=True)
class Quantized:
    """Codes with what they stand for.

    codes : integers, the shape of the array.
    scale : float32, value of one step; 1 where shared, or the number of blocks along the grouped axis.
    zero_point : integers like scale: the code that stands for 0.
    saturated : how many elements lay outside the range of the codes and were clipped.
    """

    format: NumberFormat
    codes: np.ndarray
    scale: np.ndarray
    zero_point: np.ndarray
    saturated: int
    layout: Layout

    def dequantize(self) -> np.ndarray:
        """float32 values, the shape of the array."""
        shape = self.layout.broadcast_shape
        steps = self.codes.reshape(self.layout.split_shape).astype(np.int32) - self.zero_point.reshape(shape)
        return (steps.astype(np.float32) * self.scale.reshape(shape)).reshape(self.layout.shape)


def symmetric(largest: np.ndarray | float, format: IntegerFormat) -> np.ndarray:
    """Scale float32 that puts `largest` magnitude on the highest code, zero_point 0; 1 where `largest` is 0."""
    largest = np.asarray(largest, dtype=np.float64)
    scale = np.maximum((largest / format.highest).astype(np.float32), np.float32(_TINY))
    return np.where(largest > 0, scale, np.float32(1.0))


def affine(low: np.ndarray | float, high: np.ndarray | float, format: IntegerFormat) -> tuple[np.ndarray, np.ndarray]:
    """Scale float32 and zero_point int32 that spread the codes over [min(low, 0), max(high, 0)]; 0 is always a value."""
    low = np.minimum(np.asarray(low, dtype=np.float64), 0.0)
    high = np.maximum(np.asarray(high, dtype=np.float64), 0.0)
    scale = np.maximum(((high - low) / (format.highest - format.lowest)).astype(np.float32), np.float32(_TINY))
    scale = np.where(high > low, scale, np.float32(1.0))
    zero_point = np.clip(np.rint(format.lowest - low / scale), format.lowest, format.highest).astype(np.int32)
    return scale, zero_point


def _finite(x: np.ndarray, what: str) -> np.ndarray:
    x = np.ascontiguousarray(x, dtype=np.float32)
    if not np.isfinite(x).all():
        raise ValueError(f"{what}: x holds {np.count_nonzero(~np.isfinite(x))} non-finite values; allowed: finite float32")
    return x


def _given_scale(scale: np.ndarray | float, where: Layout) -> np.ndarray:
    scale = np.asarray(scale, dtype=np.float32)
    bad = ~(np.isfinite(scale) & (scale > 0))
    if bad.any():
        raise ValueError(f"quantize scale={scale[bad].flat[0]} is not a positive finite number")
    if scale.size not in (1, int(np.prod(where.scale_shape))):
        raise ValueError(f"quantize scale has shape {scale.shape}; allowed: one number or {where.scale_shape}")
    return np.broadcast_to(scale if scale.size == 1 else scale.reshape(where.scale_shape), where.scale_shape)


def _given_zero_point(zero_point: np.ndarray | int, grid: IntegerFormat, where: Layout) -> np.ndarray:
    zero_point = np.asarray(zero_point)
    if not np.issubdtype(zero_point.dtype, np.integer):
        raise TypeError(f"quantize zero_point={zero_point!r} is not an integer")
    bad = (zero_point < grid.lowest) | (zero_point > grid.highest)
    if bad.any():
        raise ValueError(f"quantize zero_point={zero_point[bad].flat[0]} is outside {grid.lowest}..{grid.highest} of {grid.name}")
    if zero_point.size not in (1, int(np.prod(where.scale_shape))):
        raise ValueError(f"quantize zero_point has shape {zero_point.shape}; allowed: one integer or {where.scale_shape}")
    shaped = zero_point if zero_point.size == 1 else zero_point.reshape(where.scale_shape)
    return np.broadcast_to(shaped, where.scale_shape).astype(np.int32)


def _scales(blocks: np.ndarray, grid: IntegerFormat, where: Layout, is_symmetric: bool) -> tuple[np.ndarray, np.ndarray]:
    if is_symmetric:
        return symmetric(np.abs(blocks).max(axis=where.reduced, keepdims=True), grid), np.zeros(where.broadcast_shape, np.int32)
    return affine(blocks.min(axis=where.reduced, keepdims=True), blocks.max(axis=where.reduced, keepdims=True), grid)


def quantize(x: np.ndarray, format_: str | NumberFormat, axis: int | None = None, group: int | None = None, *,
             scale: np.ndarray | float | None = None, zero_point: np.ndarray | int | None = None,
             symmetric: bool | None = None) -> Quantized:  # fmt: skip
    """x float32 as codes of an integer format with one scale per tensor, per index of `axis`, or per `group` along `axis`.

    scale, zero_point : the scales to use (zero_point 0 where only scale is given); without them each shared range is
        [-max|x|, max|x|] (`symmetric=True`, what signed formats do unasked) or [min(x, 0), max(x, 0)] (False, unsigned ones).
    ValueError for non-finite x, empty x, a group that does not divide, scales that are not positive and finite.
    """
    grid = format(format_)
    if not isinstance(grid, IntegerFormat):
        raise ValueError(f"quantize format {grid.name} is not an integer format; for floats write cast(x, {grid.name!r})")
    x = _finite(x, f"quantize to {grid.name}")
    where = layout(x.shape, axis, group)
    blocks = x.reshape(where.split_shape)
    if scale is None and zero_point is not None:
        raise ValueError(f"quantize zero_point={zero_point!r} needs scale=")
    if scale is None:
        scales, zeros = _scales(blocks, grid, where, grid.signed if symmetric is None else symmetric)
    else:
        scales, zeros = _given_scale(scale, where), _given_zero_point(0 if zero_point is None else zero_point, grid, where)
    steps = np.rint(blocks / scales.reshape(where.broadcast_shape)) + zeros.reshape(where.broadcast_shape)
    saturated = int(np.count_nonzero((steps < grid.lowest) | (steps > grid.highest)))
    codes = np.clip(steps, grid.lowest, grid.highest).astype(grid.dtype).reshape(where.shape)
    return Quantized(grid, codes, scales.reshape(where.scale_shape).astype(np.float32), zeros.reshape(where.scale_shape), saturated, where)
