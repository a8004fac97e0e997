"""How does an array become codes with a scale, and what does it stand for afterwards?

Integers follow ONNX's QuantizeLinear and DequantizeLinear in float32: code = saturate(rint(x /
scale) + zero_point), halves to even; value = (code - zero_point) * scale. `axis` and `group` mean
what `axis` and `block_size` mean there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pimlab.arguments import typed
from pimlab.formats.casting import cast, microscaled, overflows, powers, spread
from pimlab.formats.grids import (
    BlockedFormat,
    FloatFormat,
    IntegerFormat,
    MicroscalingFormat,
    NumberFormat,
    TernaryFormat,
)
from pimlab.formats.names import format as format_named
from pimlab.formats.shared_scales import GroupFormat, ScaledBlockFormat, TableFormat
from pimlab.formats.weight_blocks import RULES
from pimlab.units import is_integer
from pimlab.values import truth

_TINY = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class Layout:
    """Which elements share a scale: all (axis None), those of one index along `axis`, or `group`
    neighbours along `axis`, over `rows` neighbours along the other axis of a matrix.
    """

    shape: tuple[int, ...]
    axis: int | None
    group: int | None
    rows: int = 1

    @property
    def split_shape(self) -> tuple[int, ...]:
        """The shape (..., blocks, group, ...) with `axis` split into blocks and group; the shape
        itself without a group.
        """
        if self.group is None or self.axis is None:
            return self.shape
        return (
            *self.shape[: self.axis],
            self.shape[self.axis] // self.group,
            self.group,
            *self.shape[self.axis + 1 :],
        )

    @property
    def reduced(self) -> tuple[int, ...]:
        """Axes of the split shape over which one scale is shared."""
        if self.group is not None and self.axis is not None:
            return (self.axis + 1,)
        return tuple(i for i in range(len(self.shape)) if i != self.axis)

    @property
    def scale_shape(self) -> tuple[int, ...]:
        """Shape of scales as stored: as the array, with 1 where shared, or with the number of
        blocks along `axis`. For an array of shape (k, n) and one scale a column that is
        shape (1, n).
        """
        if self.group is not None and self.axis is not None:
            return tuple(
                -(-size // (self.group if i == self.axis else self.rows))
                for i, size in enumerate(self.shape)
            )
        return tuple(size if i == self.axis else 1 for i, size in enumerate(self.shape))

    def spread(self, scales: np.ndarray) -> np.ndarray:
        """Scales as stored, repeated along a grouped axis so that they broadcast against the
        array. Float32, of the split shape (...) of the array.
        """
        if self.group is None or self.axis is None:
            return scales
        spread_out = spread(scales, self.group, self.axis, self.shape[self.axis])
        if self.rows == 1:
            return spread_out
        return spread(spread_out, self.rows, 1 - self.axis, self.shape[1 - self.axis])

    def reduced_blocks(self, of: np.ufunc, x: np.ndarray) -> np.ndarray:
        """`of` (np.maximum, np.minimum) over each block of x, as scales are stored. Float32, of the
        shape (...) of the scales.
        """
        assert self.axis is not None
        assert self.group is not None
        found = of.reduceat(x, np.arange(0, self.shape[self.axis], self.group), axis=self.axis)
        if self.rows == 1:
            return found
        other = 1 - self.axis
        return of.reduceat(found, np.arange(0, self.shape[other], self.rows), axis=other)

    @property
    def broadcast_shape(self) -> tuple[int, ...]:
        """Shape of scales that broadcasts against the split shape. For shape (k, n) in groups along
        k: shape (blocks, 1, n).
        """
        return tuple(1 if i in self.reduced else size for i, size in enumerate(self.split_shape))


def layout(shape: tuple[int, ...], axis: int | None, group: int | None) -> Layout:
    """The checked layout; ValueError for an axis that is not there, a group without axis, or one
    that does not divide.
    """
    if 0 in shape:
        raise ValueError(f"quantize: x has shape {shape}; allowed: at least one element")
    if axis is None:
        if group is not None:
            raise ValueError(
                f"quantize group={group} needs axis=, the axis along which neighbours share a scale"
            )
        return Layout(shape, None, None)
    if not is_integer(axis):
        raise TypeError(
            f"quantize axis={axis!r} is not an integer {-len(shape)}..{len(shape) - 1}; for one "
            "scale write axis=None"
        )
    if not -len(shape) <= axis < len(shape):
        raise ValueError(
            f"quantize axis={axis} is outside {-len(shape)}..{len(shape) - 1} of an array of shape "
            f"{shape}"
        )
    axis %= len(shape)
    if group is not None and (not is_integer(group)):
        raise TypeError(
            f"quantize group={group!r} is not an integer that divides axis {axis} of length "
            f"{shape[axis]}"
        )
    if group is not None and (group < 1 or shape[axis] % group):
        divisors = [d for d in range(1, shape[axis] + 1) if shape[axis] % d == 0]
        raise ValueError(
            f"quantize group={group} does not divide axis {axis} of length {shape[axis]} (allowed: "
            f"{divisors})"
        )
    return Layout(shape, axis, group)


@dataclass(frozen=True)
class Quantized:
    """Codes with what they stand for: value = (number of the code - zero_point) * scale + offset.

    codes : integers, the shape of the array; bit patterns where the format (or a block's element)
    is a float.
    scale : float32, value of one step (or of the number 1); 1 where shared, or the number of blocks
    along the blocked axis.
    zero_point : int32 like scale: the code that stands for 0; 0 for floats and blocks.
    offset : float32 like scale; only q4_1 has one that is not 0.
    tensor_scale : float32 that broadcasts against the array; only nvfp4 has one that is not 1.
    saturated : how many elements lay outside the range of the codes and were clipped.
    """

    format: NumberFormat
    codes: np.ndarray
    scale: np.ndarray
    zero_point: np.ndarray
    saturated: int
    layout: Layout
    offset: np.ndarray | None = None
    tensor_scale: np.ndarray | float = 1.0

    def numbers(self) -> np.ndarray:
        """float32 number of each code, zero_point taken off, before the scale. Of the shape (...)
        of the codes.
        """
        element = (
            self.format.element
            if isinstance(self.format, (MicroscalingFormat, ScaledBlockFormat))
            else self.format
        )
        if isinstance(element, TableFormat):
            return element.values[self.codes]
        if isinstance(element, FloatFormat):
            return element.values[self.codes] if element.width <= 16 else element.decode(self.codes)
        steps = (self.codes.astype(np.int32) - self.layout.spread(self.zero_point)).astype(
            np.float32
        )
        return (
            steps * np.float32(self.format.step)
            if isinstance(self.format, MicroscalingFormat)
            else steps
        )

    def dequantize(self) -> np.ndarray:
        """float32 values, the shape of the array. Float32, in the unit of the scale."""
        values = self.numbers() * self.layout.spread(self.scale)
        if isinstance(self.format, ScaledBlockFormat) and self.format.has_tensor_scale:
            values *= self.tensor_scale
        return values if self.offset is None else values + self.layout.spread(self.offset)


def _known(what: str, values: np.ndarray | float) -> np.ndarray:
    """values as float64; ValueError where one is NaN."""
    values = np.asarray(values, dtype=np.float64)
    if np.isnan(values).any():
        raise ValueError(f"{what} holds {np.count_nonzero(np.isnan(values))} NaN; allowed: numbers")
    return values


@typed
def symmetric(largest: np.ndarray | float, format: IntegerFormat) -> np.ndarray:
    """Scale float32 that puts `largest` magnitude on the highest code, zero_point 0; 1 where
    `largest` is 0. Of the shape (...) of `largest`, in its unit a code.
    """
    largest = _known("symmetric largest", largest)
    scale = np.maximum((largest / format.highest).astype(np.float32), np.float32(_TINY))
    return np.where(largest > 0, scale, np.float32(1.0))


def positive(scale: np.ndarray | float) -> np.ndarray:
    """Scales of 0 or more as float32 that can divide: at least the smallest normal number, and 1
    where they are 0. Float32, of the shape (...) given.
    """
    scale = np.asarray(scale, dtype=np.float32)
    return np.where(scale > 0, np.maximum(scale, np.float32(_TINY)), np.float32(1.0))


@typed
def affine(
    low: np.ndarray | float, high: np.ndarray | float, format: IntegerFormat
) -> tuple[np.ndarray, np.ndarray]:
    """Scale float32 and zero_point int32 that spread the codes over [min(low, 0), max(high, 0)]; 0
    is always a value. Of the shape (...) of low and high, the scale in their unit a code.
    """
    least = np.minimum(_known("affine low", low), 0.0)
    most = np.maximum(_known("affine high", high), 0.0)
    step = np.asarray((most - least) / (format.highest - format.lowest), dtype=np.float32)
    scale = np.where(most > least, np.maximum(step, np.float32(_TINY)), np.float32(1.0))
    zero_point = np.clip(
        np.rint(format.lowest - least / scale), format.lowest, format.highest
    ).astype(np.int32)
    return scale, zero_point


def _finite(x: np.ndarray, what: str) -> np.ndarray:
    with np.errstate(over="ignore"):
        x = np.asarray(x, dtype=np.float32, order="C")
    if not np.isfinite(x).all():
        raise ValueError(
            f"{what}: x holds {np.count_nonzero(~np.isfinite(x))} non-finite values; allowed: "
            "finite float32"
        )
    return x


def _given_scale(scale: np.ndarray | float, where: Layout) -> np.ndarray:
    scale = np.asarray(scale, dtype=np.float32)
    bad = ~(np.isfinite(scale) & (scale > 0))
    if bad.any():
        raise ValueError(f"quantize scale={scale[bad].flat[0]} is not a positive finite number")
    if scale.size not in (1, int(np.prod(where.scale_shape))):
        raise ValueError(
            f"quantize scale has shape {scale.shape}; allowed: one number or {where.scale_shape}"
        )
    return np.broadcast_to(
        scale if scale.size == 1 else scale.reshape(where.scale_shape), where.scale_shape
    )


def _given_zero_point(
    zero_point: np.ndarray | int, grid: IntegerFormat, where: Layout
) -> np.ndarray:
    zero_point = np.asarray(zero_point)
    if not np.issubdtype(zero_point.dtype, np.integer):
        raise TypeError(f"quantize zero_point={zero_point!r} is not an integer")
    bad = (zero_point < grid.lowest) | (zero_point > grid.highest)
    if bad.any():
        raise ValueError(
            f"quantize zero_point={zero_point[bad].flat[0]} is outside "
            f"{grid.lowest}..{grid.highest} of {grid.name}"
        )
    if zero_point.size not in (1, int(np.prod(where.scale_shape))):
        raise ValueError(
            f"quantize zero_point has shape {zero_point.shape}; allowed: one integer or "
            f"{where.scale_shape}"
        )
    shaped = zero_point if zero_point.size == 1 else zero_point.reshape(where.scale_shape)
    return np.broadcast_to(shaped, where.scale_shape).astype(np.int32)


def _scales(
    blocks: np.ndarray, grid: IntegerFormat, where: Layout, is_symmetric: bool
) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(grid, TernaryFormat):
        mean = np.abs(blocks).mean(axis=where.reduced, keepdims=True)
        return positive(mean), np.zeros(where.broadcast_shape, np.int32)
    if is_symmetric:
        return symmetric(np.abs(blocks).max(axis=where.reduced, keepdims=True), grid), np.zeros(
            where.broadcast_shape, np.int32
        )
    return affine(
        blocks.min(axis=where.reduced, keepdims=True),
        blocks.max(axis=where.reduced, keepdims=True),
        grid,
    )


def _quantize_integers(
    x: np.ndarray, grid: IntegerFormat, where: Layout, given: Given
) -> Quantized:
    blocks = x.reshape(where.split_shape)
    if given.scale is None:
        scales, zeros = _scales(
            blocks, grid, where, grid.signed if given.symmetric is None else given.symmetric
        )
    else:
        scales, zeros = (
            _given_scale(given.scale, where),
            _given_zero_point(0 if given.zero_point is None else given.zero_point, grid, where),
        )
    steps = np.rint(blocks / scales.reshape(where.broadcast_shape)) + zeros.reshape(
        where.broadcast_shape
    )
    saturated = int(np.count_nonzero((steps < grid.lowest) | (steps > grid.highest)))
    codes = np.clip(steps, grid.lowest, grid.highest).astype(grid.dtype).reshape(where.shape)
    return Quantized(
        grid,
        codes,
        scales.reshape(where.scale_shape).astype(np.float32),
        zeros.reshape(where.scale_shape),
        saturated,
        where,
    )


def _quantize_floats(x: np.ndarray, grid: FloatFormat, where: Layout, given: Given) -> Quantized:
    blocks = x.reshape(where.split_shape)
    if given.scale is not None:
        scales = _given_scale(given.scale, where)
    elif grid.is_scaled:
        largest = np.abs(blocks).max(axis=where.reduced, keepdims=True).astype(np.float64)
        scales = np.where(
            largest > 0,
            np.maximum((largest / grid.largest).astype(np.float32), np.float32(_TINY)),
            np.float32(1.0),
        )
    else:
        scales = np.ones(where.broadcast_shape, np.float32)
    scaled = (blocks / scales.reshape(where.broadcast_shape)).reshape(where.shape)
    shaped = scales.reshape(where.scale_shape)
    return Quantized(
        grid,
        grid.encode(cast(scaled, grid)),
        shaped,
        np.zeros(where.scale_shape, np.int32),
        overflows(scaled, grid),
        where,
    )


def _quantize_microscaled(x: np.ndarray, grid: MicroscalingFormat, where: Layout) -> Quantized:
    axis, element = where.axis or 0, grid.element
    values, exponents = microscaled(x, grid, axis)
    scale = powers(exponents)
    each = spread(scale, grid.block, axis, x.shape[axis])
    numbers, given = values / each, x / each
    if isinstance(element, FloatFormat):
        codes, saturated = element.encode(numbers), overflows(given, element)
    else:
        codes = (numbers / np.float32(grid.step)).astype(element.dtype)
        saturated = int(
            np.count_nonzero(np.rint(np.abs(given) / np.float32(grid.step)) > element.highest)
        )
    return Quantized(grid, codes, scale, np.zeros(scale.shape, np.int32), saturated, where)


def _quantize_scaled_blocks(
    x: np.ndarray, grid: ScaledBlockFormat, where: Layout, given: Given
) -> Quantized:
    """Codes, scales max / largest element, and the scale of the tensor where the format has one."""
    peaks = where.reduced_blocks(np.maximum, np.abs(x))
    tensor = np.ones((), np.float32)
    scale = positive(peaks.astype(np.float64) / grid.element.largest)
    if grid.has_tensor_scale:
        tensor = _tensor_scale(peaks, grid, given)
        relative = peaks / np.float32(grid.element.largest) / tensor
        scale = cast(relative, grid.scale)
    step = where.spread(scale) * tensor
    numbers = np.divide(x, step, out=np.zeros_like(x), where=step > 0)
    element = grid.element
    codes = element.encode(numbers if isinstance(element, TableFormat) else cast(numbers, element))
    saturated = 0 if isinstance(element, TableFormat) else overflows(numbers, element)
    zeros = np.zeros(scale.shape, np.int32)
    return Quantized(grid, codes, scale, zeros, saturated, where, None, tensor)


def _tensor_scale(peaks: np.ndarray, grid: ScaledBlockFormat, given: Given) -> np.ndarray:
    """What the whole tensor is divided by: given, or its largest magnitude over `reach`."""
    if given.scale is None:
        return positive(float(peaks.max()) / grid.reach)
    scale = np.asarray(given.scale, np.float32)
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        raise ValueError(f"quantize scale={given.scale!r:.60}; allowed: positive finite numbers")
    return scale


def _quantize_groups(x: np.ndarray, grid: GroupFormat, where: Layout) -> Quantized:
    """Codes with binary16 scales: of the largest magnitude, or of the range where codes are
    unsigned.
    """
    element = grid.element
    low, high = (where.reduced_blocks(of, x) for of in (np.minimum, np.maximum))
    if element.signed:
        scale = _binary16(symmetric(np.maximum(-low, high), element), grid.name)
        zeros = np.zeros(scale.shape, np.int32)
    else:
        scale = _binary16(affine(low, high, element)[0], grid.name)
        zeros = np.clip(np.rint(np.maximum(-low, 0) / scale), 0, element.highest).astype(np.int32)
    steps = np.rint(x / where.spread(scale)) + where.spread(zeros)
    codes = np.clip(steps, element.lowest, element.highest)
    # a scale rounded down to binary16 leaves the largest a little beyond the last code
    saturated = int(np.count_nonzero(codes != steps))
    return Quantized(grid, codes.astype(element.dtype), scale, zeros, saturated, where)


def _binary16(scale: np.ndarray, name: str) -> np.ndarray:
    """Scales on the binary16 grid, 2**-24 at least; ValueError beyond 65504."""
    with np.errstate(over="ignore"):
        half = np.maximum(scale.astype(np.float16), np.float16(2.0**-24)).astype(np.float32)
    if not np.isfinite(half).all():
        raise ValueError(f"quantize to {name}: a scale of {scale.max():g} is beyond 65504")
    return half


def _quantize_weight_blocks(x: np.ndarray, grid: BlockedFormat, where: Layout) -> Quantized:
    axis = where.axis or 0
    blocks = np.moveaxis(x, axis, -1).reshape(*np.delete(x.shape, axis), -1, grid.block)
    codes, scale, offset = RULES[grid.rule](blocks)
    back = [np.moveaxis(a, -1, axis) for a in (codes.reshape(*codes.shape[:-2], -1), scale, offset)]
    zeros = np.zeros(back[1].shape, np.int32)
    return Quantized(
        grid,
        np.ascontiguousarray(back[0]),
        back[1],
        zeros,
        0,
        where,
        back[2] if grid.rule == "q4_1" else None,
    )


@dataclass(frozen=True)
class Given:
    """What the caller fixes of the scales; None: found from x."""

    scale: np.ndarray | float | None
    zero_point: np.ndarray | int | None
    symmetric: bool | None

    def check(self, grid: NumberFormat) -> None:
        """A zero point comes with its scale; only integers have zero points, blocks choose their
        own scales.
        """
        if self.symmetric is not None:
            truth("quantize symmetric", self.symmetric)
        if self.zero_point is not None and self.scale is None:
            raise ValueError(f"quantize zero_point={self.zero_point!r} needs scale=")
        if (not isinstance(grid, IntegerFormat) or isinstance(grid, TernaryFormat)) and (
            self.zero_point is not None or self.symmetric is not None
        ):
            raise ValueError(
                f"quantize to {grid.name}: zero_point and symmetric belong to integer formats"
            )
        if isinstance(grid, _BLOCKED) and self.scale is not None and not _takes_scale(grid):
            raise ValueError(
                f"quantize to {grid.name}: scale={self.scale!r} given, but its blocks choose their "
                "own scales"
            )


_Blocked = MicroscalingFormat | BlockedFormat | ScaledBlockFormat | GroupFormat
_BLOCKED = (MicroscalingFormat, BlockedFormat, ScaledBlockFormat, GroupFormat)


def _takes_scale(grid: NumberFormat) -> bool:
    return isinstance(grid, ScaledBlockFormat) and grid.has_tensor_scale


def _block_layout(
    shape: tuple[int, ...], axis: int | None, group: int | None, grid: _Blocked
) -> Layout:
    block = grid.group if isinstance(grid, GroupFormat) else grid.block
    if group not in (None, block):
        raise ValueError(f"quantize group={group}: blocks of {grid.name} have {block} elements")
    where = layout(shape, -1 if axis is None else axis, None)
    rows = grid.rows if isinstance(grid, ScaledBlockFormat) else 1
    if rows > 1 and len(shape) != 2:
        raise ValueError(
            f"quantize to {grid.name}: x has shape {shape}; allowed: a matrix, whose rows and "
            "columns share scales"
        )
    if isinstance(grid, BlockedFormat) and shape[where.axis or 0] % grid.block:
        raise ValueError(
            f"quantize to {grid.name}: blocks of {grid.block} do not divide axis {where.axis} of "
            f"length {shape[where.axis or 0]}"
        )
    return Layout(shape, where.axis, block, rows)


def _quantize_blocks(x: np.ndarray, grid: _Blocked, where: Layout, given: Given) -> Quantized:
    if isinstance(grid, MicroscalingFormat):
        return _quantize_microscaled(x, grid, where)
    if isinstance(grid, ScaledBlockFormat):
        return _quantize_scaled_blocks(x, grid, where, given)
    if isinstance(grid, GroupFormat):
        return _quantize_groups(x, grid, where)
    return _quantize_weight_blocks(x, grid, where)


@typed
def quantize(
    x: np.ndarray,
    format: str | NumberFormat,
    axis: int | None = None,
    group: int | None = None,
    *,
    scale: np.ndarray | float | None = None,
    zero_point: np.ndarray | int | None = None,
    symmetric: bool | None = None,
) -> Quantized:
    """x float32 as codes of a format with one scale per tensor, per index of `axis`, or per `group`
    along `axis`.

    Integers: each shared range is [-max|x|, max|x|] (`symmetric=True`, what signed formats do
    unasked) or [min(x, 0), max(x, 0)]
        (False, unsigned formats), unless scale (and zero_point, 0 unasked) are given.
    Floats: of at most 8 bits are scaled so that max|x| becomes the largest number; wider ones have
    scale 1 unless it is given. Blocks: scales follow the format's rule along `axis` (the last,
    unasked); the last block may be shorter, but for q4_0, q4_1 and q8_0. Of nvfp4 `scale` is the
    tensor's, one number or such as broadcast against x. ValueError for non-finite x, empty x, a
    group that does not divide, scales that are not positive and finite. Of the shape (...) of x.

    >>> pim.formats.quantize(np.array([[0.5, -1.0], [3.0, 1.0]]), "int8", axis=0).codes
    array([[  64, -127],
           [ 127,   42]], dtype=int8)
    """
    grid, given = format_named(format), Given(scale, zero_point, symmetric)
    given.check(grid)
    x = _finite(x, f"quantize to {grid.name}")
    if isinstance(grid, _BLOCKED):
        return _quantize_blocks(x, grid, _block_layout(x.shape, axis, group, grid), given)
    where = layout(x.shape, axis, group)
    if isinstance(grid, IntegerFormat):
        return _quantize_integers(x, grid, where, given)
    if isinstance(grid, FloatFormat):
        return _quantize_floats(x, grid, where, given)
    raise TypeError(f"quantize: no rule for {grid!r}")
