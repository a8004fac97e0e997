"""How does a convolution become a matrix product? Each output pixel reads one row of the columns of its window.

A window is (kernel, stride, dilation) by axis; the k axis of a product is ordered kernel offset first, then channel,
so that copies are contiguous in the channel.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np


class Window(NamedTuple):
    """The window of a convolution over its spatial axes; `pads` are (before, after) by axis."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]

    @property
    def spans(self) -> tuple[int, ...]:
        """Input pixels from the first to the last of a window, by axis."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilations, strict=True))

    def outputs(self, sizes: tuple[int, ...]) -> tuple[int, ...]:
        """Output pixels by axis for an input of `sizes` pixels."""
        rows = zip(sizes, self.pads, self.spans, self.strides, strict=True)
        return tuple((size + before + after - span) // stride + 1 for size, (before, after), span, stride in rows)

    def offsets(self) -> list[tuple[int, ...]]:
        """Every position in the kernel, last axis fastest."""
        return list(itertools.product(*(range(k) for k in self.kernel)))

    def reads(self, offset: tuple[int, ...], outputs: tuple[int, ...]) -> tuple[slice, ...]:
        """The padded input pixels that all outputs read at kernel position `offset`."""
        rows = zip(offset, self.dilations, self.strides, outputs, strict=True)
        return tuple(slice(o * d, o * d + s * (n - 1) + 1, s) for o, d, s, n in rows)


def columns(x: np.ndarray, window: Window, groups: int) -> np.ndarray:
    """im2col: float32 (groups, batch * pixels, offsets * channels / groups) of images x (batch, channels, *sizes)."""
    batch, channels, sizes = x.shape[0], x.shape[1] // groups, x.shape[2:]
    outputs = window.outputs(sizes)
    last = np.moveaxis(x.reshape(batch, groups, channels, *sizes), (1, 2), (0, -1))
    if any(sum(pad) for pad in window.pads):
        last = np.pad(last, ((0, 0), (0, 0), *window.pads, (0, 0)))
    offsets = window.offsets()
    out = np.empty((groups, batch, *outputs, len(offsets), channels), np.float32)
    for index, offset in enumerate(offsets):
        out[..., index, :] = last[(slice(None), slice(None), *window.reads(offset, outputs))]
    return out.reshape(groups, -1, len(offsets) * channels)


def flattened(weight: np.ndarray, groups: int) -> np.ndarray:
    """Weights (groups, k, n) in the order of `columns` from ONNX's (groups * n, channels / groups, *kernel)."""
    n, channels = weight.shape[0] // groups, weight.shape[1]
    return np.ascontiguousarray(np.moveaxis(weight.reshape(groups, n, channels, -1), (1, 2, 3), (3, 2, 1)).reshape(groups, -1, n))


def images(y: np.ndarray, batch: int, outputs: tuple[int, ...]) -> np.ndarray:
    """Images float32 (batch, groups * n, *outputs) of products y (groups, batch * pixels, n)."""
    groups, _, n = y.shape
    return np.ascontiguousarray(np.moveaxis(y.reshape(groups, batch, -1, n), (0, 3), (1, 2))).reshape(batch, groups * n, *outputs)


def scattered(y: np.ndarray, batch: int, window: Window, sizes: tuple[int, ...], outputs: tuple[int, ...]) -> np.ndarray:
    """col2im: images float32 (batch, groups * channels, *outputs) that each input pixel adds its window to.

    y : float32 (groups, batch * input pixels, offsets * channels), the products of a transposed convolution whose
    input has `sizes` pixels; offsets outermost, as in `columns`. `window.pads` is cut off the result.
    """
    groups, offsets = y.shape[0], window.offsets()
    parts = y.reshape(groups, batch, *sizes, len(offsets), -1)
    full = tuple(n + before + after for n, (before, after) in zip(outputs, window.pads, strict=True))
    out = np.zeros((groups, batch, *full, parts.shape[-1]), np.float32)
    for index, offset in enumerate(offsets):
        out[(slice(None), slice(None), *window.reads(offset, sizes))] += parts[..., index, :]
    cut = tuple(slice(before, before + n) for n, (before, _) in zip(outputs, window.pads, strict=True))
    kept = np.moveaxis(out[(slice(None), slice(None), *cut)], (0, -1), (1, 2))
    return np.ascontiguousarray(kept).reshape(batch, -1, *outputs)


def flattened_transposed(weight: np.ndarray, groups: int) -> np.ndarray:
    """Weights (groups, channels_in / groups, offsets * channels_out / groups) from ONNX's (channels_in, out / groups, *kernel)."""
    into, out = weight.shape[0] // groups, weight.shape[1]
    return np.ascontiguousarray(np.swapaxes(weight.reshape(groups, into, out, -1), 2, 3).reshape(groups, into, -1))
