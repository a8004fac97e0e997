"""What is the slope of a function that acts on each element alone? Activations, and arithmetic of
one operand or two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.special import erf

from pimlab.workload.training.layers import Gradients, Layer, summed_to

_F = np.float32


class Curve(NamedTuple):
    """A function of one number and its slope, both of arrays: value(x), slope(x, y) with
    y = value(x).
    """

    value: Callable[[np.ndarray], np.ndarray]
    slope: Callable[[np.ndarray, np.ndarray], np.ndarray]


class Pointwise(Layer):
    """y = f(x), element by element."""

    def __init__(self, name: str, inputs: tuple[str, ...], output: str, curve: Curve):
        super().__init__(name, inputs, output)
        self.curve = curve

    def forward(self, *values: np.ndarray) -> np.ndarray:
        self.x = values[0]
        self.y = self.curve.value(self.x).astype(_F, copy=False)
        return self.y

    def backward(self, dy: np.ndarray) -> Gradients:
        return [dy * self.curve.slope(self.x, self.y).astype(_F, copy=False)]


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), by tanh, which does not overflow. Of the shape (...) of x."""
    return _F(0.5) * np.tanh(_F(0.5) * x) + _F(0.5)


def _swish_slope(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    s = sigmoid(x)
    return s + y * (1 - s)


def _normal_cdf(x: np.ndarray) -> np.ndarray:
    return _F(0.5) * (1 + erf(x * _F(np.sqrt(0.5))))


def _gelu_slope(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _normal_cdf(x) + x * np.exp(_F(-0.5) * x * x) * _F(1 / np.sqrt(2 * np.pi))


_INNER, _CUBIC = _F(np.sqrt(2 / np.pi)), _F(0.044715)


def _gelu_tanh(x: np.ndarray) -> np.ndarray:
    return _F(0.5) * x * (1 + np.tanh(_INNER * (x + _CUBIC * x * x * x)))


def _gelu_tanh_slope(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    t = np.tanh(_INNER * (x + _CUBIC * x * x * x))
    return _F(0.5) * (1 + t) + _F(0.5) * x * (1 - t * t) * _INNER * (1 + 3 * _CUBIC * x * x)


def _mish(x: np.ndarray) -> np.ndarray:
    return x * np.tanh(np.logaddexp(x, 0))


def _mish_slope(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    t = np.tanh(np.logaddexp(x, 0))
    return t + x * (1 - t * t) * sigmoid(x)


GELU = Curve(lambda x: x * _normal_cdf(x), _gelu_slope)
GELU_TANH = Curve(_gelu_tanh, _gelu_tanh_slope)
SWISH = Curve(lambda x: x * sigmoid(x), _swish_slope)

_PLAIN = {
    "Abs": Curve(np.abs, lambda x, y: np.sign(x)),
    "Erf": Curve(erf, lambda x, y: _F(2 / np.sqrt(np.pi)) * np.exp(-x * x)),
    "Exp": Curve(np.exp, lambda x, y: y),
    "HardSwish": Curve(
        lambda x: x * np.clip(x / 6 + _F(0.5), 0, 1),
        lambda x, y: np.where(np.abs(x) < 3, x / 3 + _F(0.5), x >= 3),
    ),
    "Log": Curve(np.log, lambda x, y: 1 / x),
    "Cos": Curve(np.cos, lambda x, y: -np.sin(x)),
    "Mish": Curve(_mish, _mish_slope),
    "Neg": Curve(np.negative, lambda x, y: np.full_like(x, -1)),
    "Reciprocal": Curve(lambda x: 1 / x, lambda x, y: -y * y),
    "Sin": Curve(np.sin, lambda x, y: np.cos(x)),
    "Sigmoid": Curve(sigmoid, lambda x, y: y * (1 - y)),
    "Softplus": Curve(lambda x: np.logaddexp(x, 0), lambda x, y: sigmoid(x)),
    "Softsign": Curve(lambda x: x / (1 + np.abs(x)), lambda x, y: (1 - np.abs(y)) ** 2),
    "Sqrt": Curve(np.sqrt, lambda x, y: _F(0.5) / y),
    "Tanh": Curve(np.tanh, lambda x, y: 1 - y * y),
}


def _leaky(given: Mapping[str, Any]) -> Curve:
    alpha = _F(given.get("alpha", 0.01))
    return Curve(lambda x: np.where(x < 0, alpha * x, x), lambda x, y: np.where(x < 0, alpha, 1))


def _elu(given: Mapping[str, Any]) -> Curve:
    alpha = _F(given.get("alpha", 1.0))
    return Curve(
        lambda x: np.where(x < 0, alpha * np.expm1(np.minimum(x, 0)), x),
        lambda x, y: np.where(x < 0, y + alpha, 1),
    )


def _hard_sigmoid(given: Mapping[str, Any]) -> Curve:
    alpha, beta = _F(given.get("alpha", 0.2)), _F(given.get("beta", 0.5))
    return Curve(
        lambda x: np.clip(alpha * x + beta, 0, 1),
        lambda x, y: np.where((y > 0) & (y < 1), alpha, 0),
    )


def _gelu(given: Mapping[str, Any]) -> Curve:
    return GELU_TANH if given.get("approximate", b"none") == b"tanh" else GELU


def _celu(given: Mapping[str, Any]) -> Curve:
    alpha = _F(given.get("alpha", 1.0))
    return Curve(
        lambda x: np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0) / alpha),
        lambda x, y: np.exp(np.minimum(x, 0) / alpha),
    )


def _selu(given: Mapping[str, Any]) -> Curve:
    alpha, gamma = _F(given.get("alpha", 1.67326319)), _F(given.get("gamma", 1.05070102))
    return Curve(
        lambda x: gamma * np.where(x < 0, alpha * np.expm1(np.minimum(x, 0)), x),
        lambda x, y: np.where(x < 0, y + gamma * alpha, gamma),
    )


def _thresholded(given: Mapping[str, Any]) -> Curve:
    alpha = _F(given.get("alpha", 1.0))
    return Curve(lambda x: np.where(x > alpha, x, 0), lambda x, y: x > alpha)


_SHAPED = {
    "Celu": _celu,
    "Elu": _elu,
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "LeakyRelu": _leaky,
    "Selu": _selu,
    "ThresholdedRelu": _thresholded,
}
CURVES = (*_PLAIN, *_SHAPED)
"""ONNX operators of one operand that act on each element alone."""


def curve(kind: str, given: Mapping[str, Any]) -> Curve:
    """The function of an ONNX operator in `CURVES`, by its attributes."""
    return _SHAPED[kind](given) if kind in _SHAPED else _PLAIN[kind]


class Clip(Layer):
    """x between two bounds, either of which may be absent; no slope outside."""

    def forward(self, *values: np.ndarray) -> np.ndarray:
        x, *ends = values
        low, high = self._ends(ends)
        self.inside = (x > low) & (x < high)
        return np.clip(x, low, high).astype(_F, copy=False)

    def _ends(self, ends: list[np.ndarray]) -> tuple[Any, Any]:
        given = dict(zip(self.which, ends, strict=True))
        return given.get("low", -np.inf), given.get("high", np.inf)

    which: tuple[str, ...] = ()
    """Which bounds come after x: "low", "high"."""

    def backward(self, dy: np.ndarray) -> Gradients:
        return [dy * self.inside, *[None] * len(self.which)]


class Arithmetic(Layer):
    """Sub, Mul, Div, Pow, Max, Min and PRelu of two operands, with NumPy's broadcasting."""

    def __init__(self, name: str, inputs: tuple[str, ...], output: str, kind: str):
        super().__init__(name, inputs, output)
        self.value, self.slopes = _OF_TWO[kind]

    def forward(self, *values: np.ndarray) -> np.ndarray:
        a, b = values
        self.a, self.b, self.y = a, b, self.value(a, b).astype(_F, copy=False)
        return self.y

    def backward(self, dy: np.ndarray) -> Gradients:
        answers: Gradients = []
        for slope, operand, wanted in zip(
            self.slopes, (self.a, self.b), self.wanted_of(2), strict=True
        ):
            dx = dy * slope(self.a, self.b, self.y) if wanted else None
            answers.append(None if dx is None else summed_to(dx.astype(_F), operand.shape))
        return answers


_OF_TWO: dict[str, Any] = {
    "Sub": (np.subtract, (lambda a, b, y: _F(1), lambda a, b, y: _F(-1))),
    "Mul": (np.multiply, (lambda a, b, y: b, lambda a, b, y: a)),
    "Div": (np.divide, (lambda a, b, y: 1 / b, lambda a, b, y: -y / b)),
    "Pow": (
        np.power,
        (lambda a, b, y: b * np.power(a, b - 1), lambda a, b, y: y * np.log(np.maximum(a, 1e-30))),
    ),
    "PRelu": (
        lambda a, b: np.where(a < 0, a * b, a),
        (lambda a, b, y: np.where(a < 0, b, _F(1)), lambda a, b, y: np.minimum(a, 0)),
    ),
    "Max": (np.maximum, (lambda a, b, y: a >= b, lambda a, b, y: b > a)),
    "Min": (np.minimum, (lambda a, b, y: a <= b, lambda a, b, y: b < a)),
}
TWO_OPERANDS = tuple(_OF_TWO)
"""ONNX operators of two operands that `Arithmetic` computes."""
