"""Where does each element go, and where does its gradient come back? Operators that move elements
and compute none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pimlab.workload.training.layers import Gradients, Layer, summed_to


class Shaped(Layer):
    """Reshape, Squeeze and Unsqueeze: the same elements in the shape that `shape(x, *others)`
    says.
    """

    def __init__(
        self,
        name: str,
        inputs: tuple[str, ...],
        output: str,
        shape: Callable[..., tuple[int, ...]],
    ):
        super().__init__(name, inputs, output)
        self.shape = shape

    def forward(self, *values: np.ndarray) -> np.ndarray:
        self.before, self.others = values[0].shape, len(values) - 1
        return values[0].reshape(self.shape(*values))

    def backward(self, dy: np.ndarray) -> Gradients:
        return [dy.reshape(self.before), *[None] * self.others]


def reshaped(allow_zero: bool) -> Callable[..., tuple[int, ...]]:
    """The shape of a Reshape: 0 copies the size of x where zeros are not allowed as sizes."""

    def shape(x: np.ndarray, sizes: np.ndarray) -> tuple[int, ...]:
        return tuple(
            x.shape[axis] if size == 0 and not allow_zero else int(size)
            for axis, size in enumerate(sizes.tolist())
        )

    return shape


def flattened(axis: int) -> Callable[..., tuple[int, ...]]:
    """The shape of a Flatten at an axis: a matrix."""
    return lambda x: (int(np.prod(x.shape[:axis])), -1)


def squeezed(fixed: Sequence[int] | None) -> Callable[..., tuple[int, ...]]:
    """The shape of a Squeeze, whose axes are an attribute, an input or all of length 1."""

    def shape(x: np.ndarray, axes: np.ndarray | None = None) -> tuple[int, ...]:
        named = fixed if axes is None else axes.tolist()
        gone = (
            [axis for axis, size in enumerate(x.shape) if size == 1]
            if named is None
            else [axis % x.ndim for axis in named]
        )
        return tuple(size for axis, size in enumerate(x.shape) if axis not in gone)

    return shape


def widened(fixed: Sequence[int] | None) -> Callable[..., tuple[int, ...]]:
    """The shape of an Unsqueeze, whose axes are an attribute or an input."""

    def shape(x: np.ndarray, axes: np.ndarray | None = None) -> tuple[int, ...]:
        named = list(fixed or ()) if axes is None else axes.tolist()
        return np.expand_dims(x, tuple(named)).shape

    return shape


class Transposed(Layer):
    """Transpose; `order` None turns all axes round."""

    def __init__(
        self, name: str, inputs: tuple[str, ...], output: str, order: Sequence[int] | None
    ):
        super().__init__(name, inputs, output)
        self.order = order

    def forward(self, *values: np.ndarray) -> np.ndarray:
        self.used = self.order or range(values[0].ndim)[::-1]
        return np.ascontiguousarray(values[0].transpose(self.used))

    def backward(self, dy: np.ndarray) -> Gradients:
        return [dy.transpose(np.argsort(self.used))]


class Chosen(Layer):
    """Gather along an axis, embeddings among them: x[indices]."""

    def __init__(self, name: str, inputs: tuple[str, ...], output: str, axis: int):
        super().__init__(name, inputs, output)
        self.axis = axis

    def forward(self, *values: np.ndarray) -> np.ndarray:
        x, indices = values
        self.shape, self.indices = x.shape, np.asarray(indices) % x.shape[self.axis]
        return np.take(x, self.indices, axis=self.axis)

    def backward(self, dy: np.ndarray) -> Gradients:
        """The gradients of all places at which an element was read, added."""
        if not self.wanted_of(2)[0]:
            return [None, None]
        axis = self.axis % len(self.shape)
        front = range(axis, axis + self.indices.ndim)
        rows = np.moveaxis(dy, tuple(front), tuple(range(self.indices.ndim)))
        dx = np.zeros((self.shape[axis], *self.shape[:axis], *self.shape[axis + 1 :]), np.float32)
        np.add.at(dx, self.indices, rows)
        return [np.moveaxis(dx, 0, axis), None]


class Joined(Layer):
    """Concat along an axis."""

    def __init__(self, name: str, inputs: tuple[str, ...], output: str, axis: int):
        super().__init__(name, inputs, output)
        self.axis = axis

    def forward(self, *values: np.ndarray) -> np.ndarray:
        self.ends = np.cumsum([value.shape[self.axis] for value in values])[:-1]
        return np.concatenate(values, axis=self.axis)

    def backward(self, dy: np.ndarray) -> Gradients:
        return list(np.split(dy, self.ends, axis=self.axis))


class Part(Layer):
    """Slice, and one output of a Split: the elements that `where(x, *others)` names."""

    def __init__(
        self,
        name: str,
        inputs: tuple[str, ...],
        output: str,
        where: Callable[..., tuple[slice, ...]],
    ):
        super().__init__(name, inputs, output)
        self.where = where

    def forward(self, *values: np.ndarray) -> np.ndarray:
        self.shape, self.others = values[0].shape, len(values) - 1
        self.place = self.where(*values)
        return np.ascontiguousarray(values[0][self.place])

    def backward(self, dy: np.ndarray) -> Gradients:
        dx = np.zeros(self.shape, np.float32)
        dx[self.place] = dy
        return [dx, *[None] * self.others]


def sliced(
    x: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    axes: np.ndarray | None = None,
    steps: np.ndarray | None = None,
) -> tuple[slice, ...]:
    """Where a Slice of the ONNX standard (from version 10) reads x."""
    named = range(len(starts)) if axes is None else axes.tolist()
    stride = [1] * len(starts) if steps is None else steps.tolist()
    place = [slice(None)] * x.ndim
    for axis, start, end, step in zip(named, starts.tolist(), ends.tolist(), stride, strict=True):
        size = x.shape[axis]
        backwards_to_front = step < 0 and end < -size
        place[axis] = slice(start, None if backwards_to_front else end, step)
    return tuple(place)


def split(axis: int, parts: int, index: int) -> Callable[..., tuple[slice, ...]]:
    """Where output `index` of a Split into `parts` reads x; sizes may come as an input."""

    def where(x: np.ndarray, sizes: np.ndarray | None = None) -> tuple[slice, ...]:
        whole = x.shape[axis]
        each = [-(-whole // parts)] * parts if sizes is None else sizes.tolist()
        start = sum(each[:index])
        place = [slice(None)] * x.ndim
        place[axis] = slice(start, min(start + each[index], whole))
        return tuple(place)

    return where


class Spread(Layer):
    """Expand: x repeated along axes until it has a shape."""

    def forward(self, *values: np.ndarray) -> np.ndarray:
        x, shape = values
        self.shape = x.shape
        return np.ascontiguousarray(
            np.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(shape.tolist())))
        )

    def backward(self, dy: np.ndarray) -> Gradients:
        return [summed_to(dy, self.shape), None]


class Where(Layer):
    """Where: a where the condition holds, else b."""

    def forward(self, *values: np.ndarray) -> np.ndarray:
        self.condition, a, b = values
        self.shapes = a.shape, b.shape
        return np.where(self.condition, a, b)

    def backward(self, dy: np.ndarray) -> Gradients:
        a, b = (
            summed_to(np.where(on, dy, np.float32(0)), shape)
            for on, shape in zip((self.condition, ~self.condition), self.shapes, strict=True)
        )
        return [None, a, b]
