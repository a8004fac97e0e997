"""How does a loss pass a normalisation or a mean? Layer, RMS and batch normalisation, and means
over axes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pimlab.workload.training.layers import Gradients, Layer, summed_to

_F = np.float32


class LayerNorm(Layer):
    """(x - mean) / sqrt(variance + epsilon) * gain + bias over the axes from `axis` on (Ba, Kiros,
    Hinton, arXiv:1607.06450, eq. 4); without `centred` RMS normalisation, x / sqrt(mean(x**2) +
    epsilon) * gain (Zhang and Sennrich, arXiv:1910.07467, eq. 4).

    Inputs: x, gain and, where there are three, bias.
    """

    def __init__(
        self,
        name: str,
        inputs: tuple[str, ...],
        output: str,
        *,
        axis: int = -1,
        epsilon: float = 1e-5,
        centred: bool = True,
    ):
        super().__init__(name, inputs, output)
        self.axis, self.epsilon, self.centred = axis, _F(epsilon), centred

    def forward(self, *values: np.ndarray) -> np.ndarray:
        x, gain, *bias = values
        first = self.axis % x.ndim
        self.axes, self.gain = tuple(range(first, x.ndim)), gain
        self.shapes = [value.shape for value in values]
        centred = x - x.mean(axis=self.axes, keepdims=True) if self.centred else x
        square = np.mean(np.square(centred), axis=self.axes, keepdims=True)
        self.scale = 1 / np.sqrt(square + self.epsilon)
        self.z = centred * self.scale
        y = self.z * gain
        return y + bias[0] if bias else y

    def backward(self, dy: np.ndarray) -> Gradients:
        """With z = normalised x and g = dy * gain: dx = scale (g - mean(g) - z mean(g z)); RMS
        normalisation has no mean(g).
        """
        answers: Gradients = []
        g = dy * self.gain
        dx = g - self.z * np.mean(g * self.z, axis=self.axes, keepdims=True)
        if self.centred:
            dx -= g.mean(axis=self.axes, keepdims=True)
        answers.append(dx * self.scale)
        for shape, wanted, part in zip(
            self.shapes[1:], self.wanted_of(len(self.shapes))[1:], (dy * self.z, dy), strict=False
        ):
            answers.append(summed_to(part, shape) if wanted else None)
        return answers


class BatchNorm(Layer):
    """BatchNormalization as it infers: (x - mean) / sqrt(variance + epsilon) * gain + bias by
    channel, with the statistics of the file. Inputs: x, gain, bias, mean, variance.
    """

    def __init__(self, name: str, inputs: tuple[str, ...], output: str, epsilon: float):
        super().__init__(name, inputs, output)
        self.epsilon = _F(epsilon)

    def forward(self, *values: np.ndarray) -> np.ndarray:
        x, gain, bias, mean, variance = values
        by_channel = (1, -1, *(1,) * (x.ndim - 2))
        self.gain = gain.reshape(by_channel)
        self.scale = 1 / np.sqrt(variance.reshape(by_channel) + self.epsilon)
        self.z = (x - mean.reshape(by_channel)) * self.scale
        return self.z * self.gain + bias.reshape(by_channel)

    def backward(self, dy: np.ndarray) -> Gradients:
        others = (0, *range(2, dy.ndim))
        wanted = self.wanted_of(5)
        gain = (dy * self.z).sum(axis=others) if wanted[1] else None
        bias = dy.sum(axis=others) if wanted[2] else None
        return [dy * self.gain * self.scale, gain, bias, None, None]


class InstanceNorm(Layer):
    """InstanceNormalization: each channel of each sample less its mean, by its standard deviation,
    times gain plus bias. Inputs: x, gain, bias.
    """

    def __init__(self, name: str, inputs: tuple[str, ...], output: str, epsilon: float):
        super().__init__(name, inputs, output)
        self.epsilon = _F(epsilon)

    def forward(self, *values: np.ndarray) -> np.ndarray:
        x, gain, bias = values
        self.over, by_channel = tuple(range(2, x.ndim)), (-1, *(1,) * (x.ndim - 2))
        self.gain = gain.reshape(by_channel)
        away = x - x.mean(axis=self.over, keepdims=True)
        variance = np.square(away).mean(axis=self.over, keepdims=True)
        self.scale = 1 / np.sqrt(variance + self.epsilon)
        self.z = away * self.scale
        return self.z * self.gain + bias.reshape(by_channel)

    def backward(self, dy: np.ndarray) -> Gradients:
        others, dz = (0, *self.over), dy * self.gain
        mean, along = (v.mean(axis=self.over, keepdims=True) for v in (dz, dz * self.z))
        gain, bias = (dy * self.z).sum(axis=others), dy.sum(axis=others)
        return [self.scale * (dz - mean - self.z * along), gain, bias]


class Reduction(Layer):
    """Something over axes; () for all of them, None for all but the batch and channels."""

    def __init__(
        self,
        name: str,
        inputs: tuple[str, ...],
        output: str,
        *,
        axes: tuple[int, ...] | None,
        kept: bool = True,
    ):
        super().__init__(name, inputs, output)
        self.axes, self.kept = axes, kept

    def reach(self, x: np.ndarray) -> tuple[int, ...]:
        """The axes of x that are reduced, from 0, in order."""
        axes = range(2, x.ndim) if self.axes is None else self.axes or range(x.ndim)
        return tuple(sorted(axis % x.ndim for axis in axes))


class Mean(Reduction):
    """ReduceMean, ReduceSum and GlobalAveragePool: a mean or sum over axes; () for all of them,
    None for all but the batch and channels.
    """

    def __init__(self, *names: Any, mean: bool = True, **how: Any):
        super().__init__(*names, **how)
        self.mean = mean

    def forward(self, *values: np.ndarray) -> np.ndarray:
        x = values[0]
        self.shape, self.more = x.shape, len(values) - 1
        self.over = self.reach(x)
        reduce = np.mean if self.mean else np.sum
        return reduce(x, axis=self.over, keepdims=self.kept)

    def backward(self, dy: np.ndarray) -> Gradients:
        if not self.kept:
            dy = np.expand_dims(dy, self.over)
        count = int(np.prod([self.shape[axis] for axis in self.over]))
        share = _F(1 / count) if self.mean else _F(1)
        return [np.broadcast_to(dy * share, self.shape), *[None] * self.more]


class Largest(Reduction):
    """ReduceMax, ReduceMin and GlobalMaxPool: an extreme over axes; () for all of them, None for
    all but the batch and channels. Where several elements are equal, they share the slope.
    """

    def __init__(self, *names: Any, largest: bool = True, **how: Any):
        super().__init__(*names, **how)
        self.largest = largest

    def forward(self, *values: np.ndarray) -> np.ndarray:
        x = values[0]
        self.more = len(values) - 1
        self.over = self.reach(x)
        y = (np.max if self.largest else np.min)(x, axis=self.over, keepdims=True)
        on = x == y
        self.shares = on / on.sum(axis=self.over, keepdims=True, dtype=_F)
        return y if self.kept else np.squeeze(y, self.over)

    def backward(self, dy: np.ndarray) -> Gradients:
        if not self.kept:
            dy = np.expand_dims(dy, self.over)
        return [dy * self.shares, *[None] * self.more]
