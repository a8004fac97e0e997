"""What does a selector in series leave of a cell's current? It takes part of the voltage: most of
it at a small one, little where it conducts well.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from pimlab.analog.non_ideal import NonIdeal
from pimlab.values import choice, quantity

_STEPS = 100
"""Newton steps at most; from the start below a dozen are enough."""


class SelectedCurrent(NonIdeal):
    """A cell of conductance g in series with a selector: I = g (V - U), and I = G v0 sinh(U / v0)
    or (law="exponential") G v0 (exp(|U| / v0) - 1) sign(U) of the volts U across the selector.

    Each cell has its own U, so conductances add as 1 / (1 / g + 1 / selector) at any one voltage.
    Weights are scaled by what full and empty cells conduct through their selectors at the read
    voltage; what is not proportional between them is the selector's error. `conductance` is the
    selector's at small voltages. The two laws are those of `SteepCurrent`; how selectors follow
    them is reviewed by Burr et al., J. Vac. Sci. Technol. B 32, 040802 (2014).
    """

    cause: ClassVar[str] = "nonlinear I-V"

    conductance: float = quantity("S", above=0)
    v0: float = quantity("V", above=0)
    law: str = choice("sinh", "exponential", default="sinh")
    limit: ClassVar[float] = np.inf
    """Any voltage is computed: the cell limits the current."""

    @property
    def varies(self) -> bool:
        """The curve of a cell is the same in every read."""
        return False

    def effective_voltage(self, v: np.ndarray) -> np.ndarray:
        """The voltage that drives the linear term: v itself [V]."""
        return v

    def terms(self, g: np.ndarray) -> list[tuple[int, np.ndarray]]:
        """None: the curve is no sum of powers. Shape of g."""
        return []

    def current(self, g: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Amperes through cells g [S] and their selectors at v (V), float64, broadcast."""
        u, volts = self._across(g, v)
        return np.asarray(np.sign(volts) * self.conductance * self.v0 * self._shape(u)[0])

    def slope(self, g: np.ndarray, v: np.ndarray) -> np.ndarray:
        """dI/dV [S] at v (V), float64, broadcast: both differential conductances in series."""
        g, own = np.asarray(g, float), self._differential(g, v)
        return g * own / (g + own)

    def sensitivity(self, g: np.ndarray, v: np.ndarray) -> np.ndarray:
        """dI/dg [V] at v (V), float64, broadcast: how far noise of g reaches the current."""
        g, own = np.asarray(g, float), self._differential(g, v)
        u, volts = self._across(g, v)
        return np.asarray((volts - np.sign(volts) * self.v0 * u) * own / (g + own))

    def _differential(self, g: np.ndarray, v: np.ndarray) -> np.ndarray:
        """dI/dU [S] of the selectors."""
        return self.conductance * self._shape(self._across(g, v)[0])[1]

    def _shape(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The law and its slope, of u = U / v0 >= 0."""
        return (np.sinh(u), np.cosh(u)) if self.law == "sinh" else (np.expm1(u), np.exp(u))

    def _across(self, g: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(|U| / v0, v), broadcast. The law is convex and both bounds lie above the root, so that
        Newton's method falls towards it from there.
        """
        ratio, volts = np.broadcast_arrays(np.asarray(g, float) / self.conductance, v)
        full = np.abs(volts) / self.v0
        inverse = np.arcsinh if self.law == "sinh" else np.log1p
        u = np.minimum(full, inverse(ratio * full))
        for _ in range(_STEPS):
            law, slope = self._shape(u)
            step = (law - ratio * (full - u)) / (ratio + slope)
            u = np.maximum(u - step, 0.0)
            if (np.abs(step) <= 1e-12 * u).all():
                break
        return u, volts
