"""How does a convolution become a matrix product? Each output pixel reads one row of the columns of
its window.

The k axis of a product is ordered as ONNX orders a kernel: channel, then offset in the kernel.
"""

from __future__ import annotations

import functools
import itertools
from typing import NamedTuple

import numpy as np

from pimlab.kernels.windows import WIDE, gather


class Window(NamedTuple):
    """The window of a convolution over its spatial axes; `pads` are (before, after) by axis."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]

    @property
    def spans(self) -> tuple[int, ...]:
        """Input pixels from the first to the last of a window, by axis (unit: pixels)."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilations, strict=True))

    def outputs(self, sizes: tuple[int, ...]) -> tuple[int, ...]:
        """Output pixels by axis for an input of `sizes` pixels (unit: pixels)."""
        rows = zip(sizes, self.pads, self.spans, self.strides, strict=True)
        return tuple(
            (size + before + after - span) // stride + 1
            for size, (before, after), span, stride in rows
        )

    @property
    def run(self) -> int:
        """Neighbours in memory that a window reads together, as `kernels.windows.gather` takes
        them (unit: values).
        """
        width = self.kernel[-1] if self.kernel and self.dilations[-1] == 1 else 1
        return max(n for n in range(1, WIDE + 1) if width % n == 0)

    def offsets(self) -> list[tuple[int, ...]]:
        """Every position in the kernel, last axis fastest. Unit: pixels."""
        return list(itertools.product(*(range(k) for k in self.kernel)))

    def reads(self, offset: tuple[int, ...], outputs: tuple[int, ...]) -> tuple[slice, ...]:
        """The padded input pixels that all outputs read at kernel position `offset`."""
        rows = zip(offset, self.dilations, self.strides, outputs, strict=True)
        return tuple(slice(o * d, o * d + s * (n - 1) + 1, s) for o, d, s, n in rows)


def columns(x: np.ndarray, window: Window, groups: int) -> np.ndarray:
    """im2col: float32, shape (groups, batch * pixels, channels / groups * offsets) of images x
    (batch, channels, *sizes).
    """
    batch, channels, sizes = x.shape[0], x.shape[1] // groups, x.shape[2:]
    outputs = window.outputs(sizes)
    grouped = np.swapaxes(x.reshape(batch, groups, channels, *sizes), 0, 1)
    padded = np.zeros(
        (
            groups,
            batch,
            channels,
            *(n + sum(pad) for n, pad in zip(sizes, window.pads, strict=True)),
        ),
        np.float32,
    )
    middle = tuple(
        slice(before, before + n) for n, (before, _) in zip(sizes, window.pads, strict=True)
    )
    padded[(slice(None), slice(None), slice(None), *middle)] = grouped
    flat = padded.reshape(groups * batch, -1)
    starts, offsets = _indices(window, outputs, channels, padded.shape[3:])
    out = np.empty((groups * batch, len(starts), len(offsets)), np.float32)
    gather(flat, starts, offsets, np.uint64(window.run), out)
    return out.reshape(groups, -1, len(offsets))


@functools.lru_cache(maxsize=1024)
def _indices(
    window: Window, outputs: tuple[int, ...], channels: int, sizes: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Where each output's window starts in the padded image, and where each of its values lies from
    there.
    """
    steps = _steps(sizes)
    starts = _positions(outputs, np.multiply(window.strides, steps))
    inner = _positions(window.kernel, np.multiply(window.dilations, steps))
    offsets = np.add.outer(np.arange(channels) * int(np.prod(sizes)), inner).ravel()
    return starts.astype(np.uint64), offsets.astype(np.uint64)


def _steps(sizes: tuple[int, ...]) -> list[int]:
    """Distance in memory between neighbours along each axis of an image."""
    return [int(np.prod(sizes[axis + 1 :])) for axis in range(len(sizes))]


def _positions(counts: tuple[int, ...], steps: np.ndarray) -> np.ndarray:
    """int64, shape (product of counts,): sum over axes of index times step, for every index, last
    axis fastest.
    """
    total = np.zeros((), np.int64)
    for count, step in zip(counts, steps, strict=True):
        total = np.add.outer(total, np.arange(count) * int(step))
    return total.ravel()


def flattened(weight: np.ndarray, groups: int) -> np.ndarray:
    """Weights, shape (groups, k, n), in the order of `columns` from ONNX's shape (groups * n,
    channels / groups, *kernel).
    """
    return np.ascontiguousarray(
        np.swapaxes(weight.reshape(groups, weight.shape[0] // groups, -1), 1, 2)
    )


def images(y: np.ndarray, batch: int, outputs: tuple[int, ...]) -> np.ndarray:
    """Images float32, shape (batch, groups * n, *outputs) of products y (groups, batch * pixels,
    n).
    """
    groups, _, n = y.shape
    return np.ascontiguousarray(
        np.moveaxis(y.reshape(groups, batch, -1, n), (0, 3), (1, 2))
    ).reshape(batch, groups * n, *outputs)


def scattered(
    y: np.ndarray, batch: int, window: Window, sizes: tuple[int, ...], outputs: tuple[int, ...]
) -> np.ndarray:
    """col2im: images float32, shape (batch, groups * channels, *outputs) that each input pixel adds
    its window to.

    y : float32, shape (groups, batch * input pixels, offsets * channels), the products of a
    transposed convolution whose input has `sizes` pixels; offset in the kernel, then channel.
    `window.pads` is cut off the result.
    """
    groups, offsets = y.shape[0], window.offsets()
    parts = y.reshape(groups, batch, *sizes, len(offsets), -1)
    full = tuple(
        n + before + after for n, (before, after) in zip(outputs, window.pads, strict=True)
    )
    out = np.zeros((groups, batch, *full, parts.shape[-1]), np.float32)
    for index, offset in enumerate(offsets):
        out[(slice(None), slice(None), *window.reads(offset, sizes))] += parts[..., index, :]
    cut = tuple(
        slice(before, before + n) for n, (before, _) in zip(outputs, window.pads, strict=True)
    )
    kept = np.moveaxis(out[(slice(None), slice(None), *cut)], (0, -1), (1, 2))
    return np.ascontiguousarray(kept).reshape(batch, -1, *outputs)


def flattened_transposed(weight: np.ndarray, groups: int) -> np.ndarray:
    """Weights, shape (groups, channels_in / groups, offsets * channels_out / groups), from ONNX's
    shape (channels_in, out / groups, *kernel).
    """
    into, out = weight.shape[0] // groups, weight.shape[1]
    return np.ascontiguousarray(
        np.swapaxes(weight.reshape(groups, into, out, -1), 2, 3).reshape(groups, into, -1)
    )
