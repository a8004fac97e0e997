"""By how much does a weight change for its gradient?"""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from pimlab.values import Value, number


class Adam(Value):
    """Kingma and Ba, Adam, ICLR 2015 (arXiv:1412.6980), algorithm 1: steps of the mean gradient
    over its root mean square.
    """

    first: float = number(low=0, high=0.999999, default=0.9)
    second: float = number(low=0, high=0.999999, default=0.999)
    smallest: float = number(above=0, default=1e-8)

    def start(self) -> Moments:
        """The state before the first step."""
        return Moments(self)


class Moments:
    """Running means of every gradient and of its square, by name."""

    def __init__(self, rule: Adam):
        self.rule, self.steps = rule, 0
        self._means: dict[Hashable, tuple[np.ndarray, np.ndarray]] = {}

    def step(
        self, values: dict[Hashable, np.ndarray], gradients: dict[Hashable, np.ndarray], rate: float
    ) -> None:
        """Move every array of `values` (float32) in place. The rate has the unit of a value by that
        of its gradient.
        """
        self.steps += 1
        rule = self.rule
        scale = rate * np.sqrt(1 - rule.second**self.steps) / (1 - rule.first**self.steps)
        for name, gradient in gradients.items():
            mean, square = self._means.setdefault(
                name, (np.zeros_like(gradient), np.zeros_like(gradient))
            )
            mean += np.float32(1 - rule.first) * (gradient - mean)
            square += np.float32(1 - rule.second) * (gradient * gradient - square)
            values[name] -= np.float32(scale) * mean / (np.sqrt(square) + np.float32(rule.smallest))
