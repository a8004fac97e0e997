"""How large is the step of one pulse, and how does it depend on the state of the cell?

The laws are those of aihwkit's documentation (Rasch et al., arXiv:2104.02184). Sizes are relative
to dw_min; a state w lies between w_min and w_max.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar

import numpy as np

from pimlab.kernels import pulses
from pimlab.values import Value, choice, number

Drawn = Callable[[str, float], np.ndarray]
"""A standard deviation over cells, and what causes it, to an array of deviations, shape (k, n)."""


def one_direction(bias: float) -> tuple[float, float]:
    """Relative change of upward and of downward steps that a bias makes: above 0 it takes from
    downward ones, below 0 from upward ones. aihwkit's documentation writes 1 +- bias for the two
    directions, but its code (`PulsedRPUDevice::populate`), with which the presets were fitted, does
    this.
    """
    return min(bias, 0.0), min(-bias, 0.0)


class Step(Value):
    """A law of the step; `law` names it to the kernels."""

    law: ClassVar[int]

    @property
    def curve(self) -> np.ndarray:
        """float32, shape (numbers,), as `kernels.pulses.response` takes it."""
        return np.empty(0, np.float32)

    def shapes(
        self, mean: tuple[float, float], low: np.ndarray, high: np.ndarray, drawn: Drawn
    ) -> tuple[np.ndarray, np.ndarray]:
        """What each cell has of its own upwards and downwards, float64, each shape (k, n).

        mean : w_min and w_max;  low, high : those of each cell, shape (k, n).
        """
        return np.zeros_like(low), np.zeros_like(low)

    def sizes(self, w: float, w_min: float, w_max: float) -> tuple[float, float]:
        """Size of an upward and of a downward step of the mean cell at state w (unit 1)."""
        return 1.0, 1.0


class LinearStep(Step):
    """Size of a step relative to dw_min: 1 - gamma w / w_max upwards, 1 - gamma w / w_min
    downwards; gamma 0: constant, 1: soft bounds.
    """

    law: ClassVar[int] = pulses.LINEAR

    gamma_up: float = number(low=0, high=1, default=0.0)
    gamma_down: float = number(low=0, high=1, default=0.0)
    gamma_up_spread: float = number(low=0, default=0.0)
    gamma_down_spread: float = number(low=0, default=0.0)
    bound: str = choice(
        "own",
        "mean",
        default="own",
        doc="whether gamma refers to the cell's own bounds or to their mean",
    )

    def shapes(
        self, mean: tuple[float, float], low: np.ndarray, high: np.ndarray, drawn: Drawn
    ) -> tuple[np.ndarray, np.ndarray]:
        """Slopes, one by unit of the state. low, high : float64, shape (k, n)."""
        up = np.abs(self.gamma_up + drawn("slope up", self.gamma_up_spread))
        down = np.abs(self.gamma_down + drawn("slope down", self.gamma_down_spread))
        if self.bound == "own":
            return up / np.maximum(high, 1e-6), down / np.minimum(low, -1e-6)
        return up / mean[1], down / mean[0]


class ExponentialStep(Step):
    """Size of a step relative to dw_min: 1 - A exp(+-gamma z), z = 2 a w / (w_max - w_min) + b; +
    for upward pulses.
    """

    law: ClassVar[int] = pulses.EXPONENTIAL

    a: float = number()
    b: float = number()
    a_up: float = number(doc="A of upward pulses")
    gamma_up: float = number()
    a_down: float = number(doc="A of downward pulses")
    gamma_down: float = number()

    @property
    def curve(self) -> np.ndarray:
        """float32, shape (6,), as `kernels.pulses.response` takes it."""
        return np.array(
            [self.a, self.b, self.a_up, self.gamma_up, self.a_down, self.gamma_down], np.float32
        )

    def sizes(self, w: float, w_min: float, w_max: float) -> tuple[float, float]:
        """See `Step.sizes`; never negative (unit 1)."""
        z = 2 * self.a * w / (w_max - w_min) + self.b
        up = 1 - self.a_up * math.exp(self.gamma_up * z)
        return max(0.0, up), max(0.0, 1 - self.a_down * math.exp(-self.gamma_down * z))


class PowerStep(Step):
    """Size of a step relative to dw_min: the share of the range that is left, (w_max - w) / (w_max
    - w_min) upwards and (w - w_min) / (w_max - w_min) downwards, to the power gamma; gamma 1: soft
    bounds (Fusi and Abbott, Nat. Neurosci. 10, 485 (2007); Frascaroli et al., Sci. Rep. 8, 7178
    (2018)). At state 0 a step is smaller than dw_min.

    gamma_spread : over cells, relative.  gamma_up_down : above 0, downward exponents are smaller by
    this share; below 0, upward ones.  gamma_up_down_spread : over cells, of opposite sign for the
    two.
    """

    law: ClassVar[int] = pulses.POWER

    gamma: float = number(low=0, default=1.0)
    gamma_spread: float = number(low=0, default=0.0)
    gamma_up_down: float = number(low=-1, high=1, default=0.0)
    gamma_up_down_spread: float = number(low=0, default=0.0)

    def shapes(
        self, mean: tuple[float, float], low: np.ndarray, high: np.ndarray, drawn: Drawn
    ) -> tuple[np.ndarray, np.ndarray]:
        """Exponents (unit 1). low, high : float64, shape (k, n)."""
        up_bias, down_bias = one_direction(self.gamma_up_down)
        gain = 1 + drawn("exponent", self.gamma_spread)
        turn = drawn("exponent up-down", self.gamma_up_down_spread)
        up = np.abs(self.gamma * (gain + up_bias + turn))
        return up, np.abs(self.gamma * (gain + down_bias - turn))

    def sizes(self, w: float, w_min: float, w_max: float) -> tuple[float, float]:
        """See `Step.sizes` (unit 1)."""
        up_bias, down_bias = one_direction(self.gamma_up_down)
        left = (w_max - w) / (w_max - w_min)
        return left ** (self.gamma * (1 + up_bias)), (1 - left) ** (self.gamma * (1 + down_bias))


class PiecewiseStep(Step):
    """Size of a step relative to dw_min as measured: a line between nodes that are evenly spaced
    from w_min to w_max of each cell.

    up, down : sizes of upward and of downward steps at the nodes, as many of each, two or more,
    none negative.
    """

    law: ClassVar[int] = pulses.PIECEWISE

    up: tuple[float, ...]
    down: tuple[float, ...]

    def check(self) -> None:
        """Two nodes or more, as many up as down, finite and not negative."""
        for name in ("up", "down"):
            given = getattr(self, name)
            if isinstance(given, str) or not np.iterable(given):
                raise TypeError(
                    f"PiecewiseStep {name}={given!r} is no row of numbers, such as (1, 2)"
                )
            sizes = tuple(map(float, given))
            object.__setattr__(self, name, sizes)
            if len(sizes) < 2 or not all(0 <= size < math.inf for size in sizes):
                raise ValueError(
                    f"PiecewiseStep {name}={sizes}; allowed: two sizes or more, finite, 0 or above"
                )
        if len(self.up) != len(self.down):
            raise ValueError(
                f"PiecewiseStep up has {len(self.up)} nodes and down {len(self.down)}; allowed: as "
                "many of each"
            )

    @property
    def curve(self) -> np.ndarray:
        """float32, shape (2 nodes,), upward sizes and then downward ones."""
        return np.array([*self.up, *self.down], np.float32)

    def sizes(self, w: float, w_min: float, w_max: float) -> tuple[float, float]:
        """See `Step.sizes` (unit 1)."""
        nodes = np.linspace(w_min, w_max, len(self.up))
        return float(np.interp(w, nodes, self.up)), float(np.interp(w, nodes, self.down))


LAWS: dict[str, type[Step]] = {
    "linear": LinearStep,
    "exponential": ExponentialStep,
    "power": PowerStep,
    "piecewise": PiecewiseStep,
}
"""What `model` says in a device file -> the law of the step."""
