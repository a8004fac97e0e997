"""What does writing a conductance leave in the cell? A spread around the target, and cells that do
not follow at all.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from pimlab.analog.devices.curves import CURVES, Curve
from pimlab.analog.draws import uniforms
from pimlab.analog.non_ideal import NonIdeal
from pimlab.keys import Key
from pimlab.values import number, part, quantity


class ProgrammingError(NonIdeal):
    """Programming leaves g_target + sigma(g_target) z in a cell, z standard normal, cut off at
    zero.

    `sigma` gives siemens as a function of g / g_reference: the conductance the fit was normalised
    by. Where two readings of the same figure disagree, `other` is the second one (of g /
    other_reference) and `interval` their band.
    """

    cause: ClassVar[str] = "programming"

    sigma: Curve = part(*CURVES)
    g_reference: float = quantity("S", above=0)
    other: Curve | None = part(*CURVES, default=None)
    other_reference: float | None = quantity("S", above=0, default=None)

    def spread(self, g: np.ndarray) -> np.ndarray:
        """Standard deviation before the cut, S, float64, shape of g."""
        return np.maximum(self.sigma(np.asarray(g) / self.g_reference), 0.0)

    def interval(self, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Smaller and larger of the two readings' standard deviations, S; equal where there is only
        one.
        """
        first = self.spread(g)
        if self.other is None or self.other_reference is None:
            return first, first
        second = np.maximum(self.other(np.asarray(g) / self.other_reference), 0.0)
        return np.minimum(first, second), np.maximum(first, second)


class Defects(NonIdeal):
    """Cells that stay where they are, whatever is written: a share at the lower end of the range, a
    share at the upper.
    """

    stuck_low: float = number(low=0, high=1, default=0.0)
    stuck_high: float = number(low=0, high=1, default=0.0)

    def check(self) -> None:
        """The shares are of the same cells."""
        if self.stuck_low + self.stuck_high > 1:
            raise ValueError(
                f"Defects stuck_low={self.stuck_low} and stuck_high={self.stuck_high} add to more "
                "than 1"
            )

    def applied(self, g: np.ndarray, low: float, high: float, key: Key) -> np.ndarray:
        """g with the stuck cells at `low` or `high`, S; which cells those are follows from
        `key`.
        """
        drawn = uniforms(key, g.shape)
        return np.where(
            drawn < self.stuck_low, low, np.where(drawn >= 1 - self.stuck_high, high, g)
        )
