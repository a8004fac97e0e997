"""How does a change of an operator's output reach its inputs? The derivative of each operator the
project's networks use.

A layer keeps what its last `forward` saw; `backward` answers with one gradient an input, None for a
constant.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from pimlab.kernels.blas import one_thread
from pimlab.workload.importers import im2col
from pimlab.workload.importers.im2col import Window
from pimlab.workload.importers.products import Call, Convolution, Product, WeightProduct
from pimlab.workload.model import ModelError

Gradients = list[np.ndarray | None]


class Layer(ABC):
    """One operator: names of the tensors it reads and of the one it makes."""

    wanted: tuple[bool, ...] | None = None
    """Which inputs a gradient is asked for; None: all."""

    def __init__(self, name: str, inputs: tuple[str, ...], output: str):
        self.name, self.inputs, self.output = name, inputs, output

    @property
    def moves(self) -> bool:
        """Whether anything that is trained stands in this layer or before it."""
        return self.wanted is None or any(self.wanted)

    def wanted_of(self, count: int) -> tuple[bool, ...]:
        """`wanted` of a layer with that many inputs."""
        return (True,) * count if self.wanted is None else self.wanted

    @abstractmethod
    def forward(self, *values: np.ndarray) -> np.ndarray:
        """The output for the values of `inputs`, batch first. Float32, shape (batch, ...)."""

    @abstractmethod
    def backward(self, dy: np.ndarray) -> Gradients:
        """Gradients of the inputs for the gradient of the output. Float32, of the shape (...) of
        each input.
        """


class Relu(Layer):
    """max(x, 0)."""

    def forward(self, *values: np.ndarray) -> np.ndarray:
        self.on = values[0] > 0
        return np.where(self.on, values[0], np.float32(0))

    def backward(self, dy: np.ndarray) -> Gradients:
        return [dy * self.on]


class Passed(Layer):
    """Identity, and Dropout after training: the same values."""

    def forward(self, *values: np.ndarray) -> np.ndarray:
        self.more = len(values) - 1
        return values[0]

    def backward(self, dy: np.ndarray) -> Gradients:
        return [dy, *[None] * self.more]


class Sum(Layer):
    """Add, with NumPy's broadcasting."""

    def forward(self, *values: np.ndarray) -> np.ndarray:
        self.shapes = [value.shape for value in values]
        return values[0] + values[1]

    def backward(self, dy: np.ndarray) -> Gradients:
        return [
            summed_to(dy, shape) if wanted else None
            for shape, wanted in zip(self.shapes, self.wanted_of(2), strict=True)
        ]


def summed_to(dy: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """dy summed over the axes along which an operand of `shape` was repeated: float32, of that
    shape (...).
    """
    dy = dy.sum(axis=tuple(range(dy.ndim - len(shape))))
    repeated = tuple(axis for axis, size in enumerate(shape) if size == 1 and dy.shape[axis] != 1)
    return dy.sum(axis=repeated, keepdims=True)


class Softmax(Layer):
    """Shares of exponentials along an axis."""

    def __init__(self, name: str, inputs: tuple[str, ...], output: str, axis: int):
        super().__init__(name, inputs, output)
        self.axis = axis

    def forward(self, *values: np.ndarray) -> np.ndarray:
        powers = np.exp(values[0] - values[0].max(axis=self.axis, keepdims=True))
        self.y = powers / powers.sum(axis=self.axis, keepdims=True)
        return self.y

    def backward(self, dy: np.ndarray) -> Gradients:
        return [self.y * (dy - (dy * self.y).sum(axis=self.axis, keepdims=True))]


class Pool(Layer):
    """MaxPool and AveragePool: one value of each window of each channel."""

    def __init__(
        self,
        name: str,
        inputs: tuple[str, ...],
        output: str,
        window: Window,
        largest: bool,
        padded: bool,
    ):
        super().__init__(name, inputs, output)
        self.window, self.largest, self.padded = window, largest, padded

    def forward(self, *values: np.ndarray) -> np.ndarray:
        x = values[0]
        self.sizes, batch, channels = x.shape[2:], len(x), x.shape[1]
        columns = self._columns(x)
        if self.largest:
            self.chosen = columns.argmax(axis=-1)
            y = np.take_along_axis(columns, self.chosen[..., None], -1)[..., 0]
        else:
            self.share = 1 / self._counts(x).astype(np.float32)
            y = columns.sum(axis=-1) * self.share
        return im2col.images(y.reshape(channels, -1, 1), batch, self.window.outputs(self.sizes))

    def _columns(self, x: np.ndarray) -> np.ndarray:
        """(channels, batch * pixels, offsets); padding never is the largest."""
        if not self.largest or not any(map(any, self.window.pads)):
            return im2col.columns(x, self.window, x.shape[1])
        wide = np.pad(x, ((0, 0), (0, 0), *self.window.pads), constant_values=-np.inf)
        return im2col.columns(
            wide, self.window._replace(pads=((0, 0),) * len(self.sizes)), x.shape[1]
        )

    def _counts(self, x: np.ndarray) -> np.ndarray:
        """How many values each average is over; padding counts where the node says so."""
        if self.padded:
            return np.full(1, len(self.window.offsets()))
        return im2col.columns(np.ones((len(x), 1, *self.sizes), np.float32), self.window, 1)[0].sum(
            axis=-1
        )

    def backward(self, dy: np.ndarray) -> Gradients:
        batch, channels = dy.shape[:2]
        rows = np.moveaxis(dy.reshape(batch, channels, -1), 1, 0).reshape(channels, -1)
        offsets = np.arange(len(self.window.offsets()))
        if self.largest:
            spread = rows[..., None] * (self.chosen[..., None] == offsets)
        else:
            spread = np.broadcast_to((rows * self.share)[..., None], (*rows.shape, len(offsets)))
        return [
            im2col.scattered(
                spread, batch, self.window, self.window.outputs(self.sizes), self.sizes
            )
        ]


def transposed(d: np.ndarray, w: np.ndarray | None) -> np.ndarray:
    """d float32, shape (groups, rows, n), times w turned, float32, shape (groups, k, n): shape
    (groups, rows, k).
    """
    return np.matmul(d, np.swapaxes(w, 1, 2))  # type: ignore[type-var, arg-type]


class Mac(Layer):
    """A product with constant weights; `operands` are those of the last forward and backward pass.

    operands : x float32, shape (groups, rows, k) and, after `backward`, d float32,
    shape (groups, rows, n).
    """

    def __init__(self, made: Product):
        super().__init__(made.name, made.inputs, made.output)
        self.made = made
        self.weights: np.ndarray = made.weights  # type: ignore[assignment]
        self.operands: tuple[np.ndarray, np.ndarray] | None = None
        self.call: Call
        """What multiplies; set before each forward pass."""
        self.back: Call = transposed
        """What gives d float32, shape (groups, rows, n) times the weights turned, shape (groups,
        rows, k), on the way back."""

    @property
    def moves(self) -> bool:
        """Always: its own weights are trained."""
        return True

    def forward(self, *values: np.ndarray) -> np.ndarray:
        self.shape, self.operands = values[0].shape, None

        def call(x: np.ndarray, w: np.ndarray | None) -> np.ndarray:
            self.x = x
            return self.call(x, w)

        return self.made.apply(call, *values)

    def backward(self, dy: np.ndarray) -> Gradients:
        groups, rows, _ = self.x.shape
        n = self.weights.shape[2]
        spatial = isinstance(self.made, Convolution)
        if spatial:
            turned = np.moveaxis(dy.reshape(len(dy), groups, n, -1), (1, 3), (0, 2))
            d = turned.reshape(groups, rows, n)
        else:
            moved = np.moveaxis(dy, self.made.batch, 0)  # type: ignore[attr-defined]
            d = moved.reshape(groups, rows, n)
        self.operands = self.x, np.ascontiguousarray(d)
        if not self.wanted_of(1)[0]:
            return [None]
        with one_thread():
            return [self._images(d) if spatial else self._rows(d)]

    def _rows(self, d: np.ndarray) -> np.ndarray:
        """Gradient of the rows a product reads, laid out as they came."""
        axis = self.made.batch  # type: ignore[attr-defined]
        moved = np.moveaxis(np.empty(self.shape, bool), axis, 0).shape
        return np.moveaxis(self.back(d, self.weights)[0].reshape(moved), 0, axis)

    def _images(self, d: np.ndarray) -> np.ndarray:
        """Gradient of the images a convolution reads: each window's gradient added where the window
        was taken.
        """
        groups, k, n = self.weights.shape
        window = convolution_window(self.made.attributes, self.made.kernel)  # type: ignore
        offsets = len(window.offsets())
        by_offset = np.swapaxes(
            self.weights.reshape(groups, k // offsets, offsets, n), 1, 2
        ).reshape(groups, k, n)
        spread = self.back(d, by_offset)
        sizes = self.shape[2:]
        return im2col.scattered(spread, self.shape[0], window, window.outputs(sizes), sizes)


def convolution_window(attributes: Mapping[str, Any], kernel: tuple[int, ...]) -> Window:
    """The window of a node whose padding is written out (auto_pad NOTSET or VALID)."""
    axes = len(kernel)
    pads = attributes.get("pads", [0] * 2 * axes)
    return Window(
        tuple(kernel),
        tuple(attributes.get("strides", [1] * axes)),
        tuple(attributes.get("dilations", [1] * axes)),
        tuple(zip(pads[:axes], pads[axes:], strict=True)),
    )


def mac(made: Product, file: str) -> Mac:
    """The layer of a product; ModelError for one without constant weights, or laid out in a way
    that has no derivative here.
    """
    plain = (
        type(made) is WeightProduct
        and not made.flipped
        and not made.vector
        and len(made.right) == 1
    )
    if not plain and type(made) is not Convolution:
        kind = type(made).__name__
        raise ModelError(
            f"{file}: node {made.name!r} is a {kind}, which cannot be trained; allowed: Conv, and "
            "Gemm or MatMul "
            "with one constant right operand"
        )
    if isinstance(made, Convolution) and made.attributes.get("auto_pad", b"NOTSET") not in (
        b"NOTSET",
        b"VALID",
    ):
        raise ModelError(
            f"{file}: node {made.name!r} has auto_pad={made.attributes['auto_pad']!r}; for "
            "training write its pads out"
        )
    return Mac(made)
