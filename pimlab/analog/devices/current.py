"""Which current does a voltage drive through a cell? G V; a cubic, or a hyperbolic sine or an
exponential, where the I-V curve is nonlinear.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from pimlab.analog.non_ideal import NonIdeal
from pimlab.values import choice, quantity


class CubicCurrent(NonIdeal):
    """I = G V + N2(G) V^2 sign(V) + N3(G) V^3, with N2 and N3 polynomials of log10(G / 1 S), lowest
    power first.

    Units: A/V^2 and A/V^3. The even term keeps its sign with V, so that a cell conducts alike both
    ways.
    """

    cause: ClassVar[str] = "nonlinear I-V"

    second: tuple[float, ...] = ()
    third: tuple[float, ...] = ()
    limit: float = np.inf
    """Largest |V| of the fit, V."""

    def check(self) -> None:
        """Coefficients are finite and the limit is above 0 V."""
        for name in ("second", "third"):
            if not np.isfinite(getattr(self, name)).all():
                raise ValueError(
                    f"CubicCurrent {name}={getattr(self, name)}; allowed: finite numbers"
                )
        if not self.limit > 0:
            raise ValueError(f"CubicCurrent limit={self.limit} V; allowed: above 0 V")

    @property
    def varies(self) -> bool:
        """The curve of a cell is the same in every read."""
        return False

    def effective_voltage(self, v: np.ndarray) -> np.ndarray:
        """The voltage that drives the linear term: v itself [V]."""
        return v

    def terms(self, g: np.ndarray) -> list[tuple[int, np.ndarray]]:
        """(power of V, coefficient of every cell) beyond the linear one, float64, shape of g. Unit:
        A at 1 V, for each power.
        """
        decade = np.log10(np.maximum(g, 1e-12))
        named = ((2, self.second), (3, self.third))
        return [
            (power, np.polynomial.polynomial.polyval(decade, row)) for power, row in named if row
        ]

    def current(self, g: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Amperes through cells g [S] at v (V), broadcast; ValueError beyond the fit's largest
        voltage.
        """
        if np.abs(v).max(initial=0.0) > self.limit:
            raise ValueError(
                f"read voltage {np.abs(v).max()} V is outside -{self.limit}..{self.limit} V, where "
                "this I-V curve was fitted"
            )
        return g * v + sum(
            coefficient * np.abs(v) ** (power - 1) * v for power, coefficient in self.terms(g)
        )


class SteepCurrent(NonIdeal):
    """I = G v0 sinh(V / v0), or (law="exponential") G v0 (exp(|V| / v0) - 1) sign(V): tunnelling
    cells, and cells whose own selector is steep. G is the conductance at small voltages.

    The curve is the same for every G, so that it can be applied to the inputs instead: exact with
    ideal wires, whatever the cells hold. Simmons and Verderber, Proc. R. Soc. A 301, 77 (1967),
    write I = I0 sinh(V / V0).
    """

    cause: ClassVar[str] = "nonlinear I-V"

    v0: float = quantity("V", above=0)
    law: str = choice("sinh", "exponential", default="sinh")

    @property
    def limit(self) -> float:
        """Largest |V| that is computed [V]: 40 v0, where a cell conducts 1e17 times as much."""
        return 40 * self.v0

    @property
    def varies(self) -> bool:
        """The curve of a cell is the same in every read."""
        return False

    def effective_voltage(self, v: np.ndarray) -> np.ndarray:
        """I / G [V] at v (V): what would drive the same current through an ohmic cell. Shape (...)
        of v.
        """
        u = v / self.v0
        shape = np.sinh(u) if self.law == "sinh" else np.sign(u) * np.expm1(np.abs(u))
        return np.asarray(self.v0 * shape)

    def terms(self, g: np.ndarray) -> list[tuple[int, np.ndarray]]:
        """None: `effective_voltage` holds the whole curve. Shape of g."""
        return []

    def current(self, g: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Amperes through cells g [S] at v (V), broadcast; ValueError beyond `limit`."""
        if np.abs(v).max(initial=0.0) > self.limit:
            raise ValueError(
                f"read voltage {np.abs(v).max()} V is outside -{self.limit}..{self.limit} V, 40 "
                f"times v0={self.v0} V"
            )
        return g * self.effective_voltage(np.asarray(v, float))
