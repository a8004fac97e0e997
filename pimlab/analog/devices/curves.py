"""How does a device parameter depend on conductance? The shapes that published fits use, of g /
g_max.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from pimlab.kernels import cells
from pimlab.values import Value, number, part

_SMALLEST = cells.SMALLEST
"""g / g_max below this counts as this in a logarithm or a negative power: the fits say nothing
there.
"""


class Polynomial(Value):
    """c0 + c1 u + c2 u^2 + ... of u, in the unit of the coefficients, never below `low`; beyond
    `until` it stays constant.
    """

    coefficients: tuple[float, ...]
    low: float = -np.inf
    until: float = np.inf

    def check(self) -> None:
        """Coefficients are finite; `low` and `until` are numbers."""
        if not self.coefficients or not np.isfinite(self.coefficients).all():
            raise ValueError(
                f"Polynomial coefficients={self.coefficients}; allowed: one finite number or more"
            )
        for name in ("low", "until"):
            if np.isnan(getattr(self, name)):
                raise ValueError(
                    f"Polynomial {name}=nan is not a number; for no bound leave it out"
                )

    def __call__(self, u: np.ndarray) -> np.ndarray:
        """float64, shape of u."""
        return np.maximum(
            np.polynomial.polynomial.polyval(np.minimum(u, self.until), self.coefficients), self.low
        )


def _in_order(curve: ClippedLog | ClippedPower) -> None:
    if curve.low > curve.high:
        raise ValueError(
            f"{type(curve).__name__} low={curve.low} high={curve.high}; allowed: low <= high"
        )


class ClippedLog(Value):
    """slope ln(u) + offset, held between `low` and `high`."""

    slope: float = number()
    offset: float = number()
    low: float = number()
    high: float = number()

    def check(self) -> None:
        """low <= high."""
        _in_order(self)

    def __call__(self, u: np.ndarray) -> np.ndarray:
        """float64, shape of u."""
        return np.clip(
            self.slope * np.log(np.maximum(u, _SMALLEST)) + self.offset, self.low, self.high
        )


class ClippedPower(Value):
    """factor u^exponent, held between `low` and `high`."""

    factor: float = number()
    exponent: float = number()
    low: float = number()
    high: float = number()

    def check(self) -> None:
        """low <= high."""
        _in_order(self)

    def __call__(self, u: np.ndarray) -> np.ndarray:
        """float64, shape of u."""
        return np.clip(self.factor * np.maximum(u, _SMALLEST) ** self.exponent, self.low, self.high)


class Saturating(Value):
    """top (1 - exp(-u / width))."""

    top: float = number()
    width: float = number(above=0)

    def __call__(self, u: np.ndarray) -> np.ndarray:
        """float64, shape of u."""
        return self.top * -np.expm1(-np.asarray(u) / self.width)


class Split(Value):
    """`below` for u < at, `above` from there on."""

    at: float = number(low=0.0)
    below: ClippedLog | ClippedPower | Polynomial = part(ClippedLog, ClippedPower, Polynomial)
    above: Polynomial = part(Polynomial)

    def __call__(self, u: np.ndarray) -> np.ndarray:
        """float64, shape of u."""
        return np.where(u < self.at, self.below(u), self.above(u))


Curve = Polynomial | ClippedLog | ClippedPower | Saturating | Split
CURVES = (Polynomial, ClippedLog, ClippedPower, Saturating, Split)
FLAT = Polynomial(coefficients=(0.0,))
"""0 everywhere."""
__all__ = [
    "CURVES",
    "FLAT",
    "ClippedLog",
    "ClippedPower",
    "Curve",
    "Polynomial",
    "Saturating",
    "Split",
    "table",
]


@lru_cache(maxsize=64)
def table(curve: Curve) -> np.ndarray | None:
    """The curve as `kernels.cells` takes it, float64, shape (2, 5 + terms); None of a user's own
    class, which only Python can evaluate. Units as the curve's.
    """
    pieces = [curve.below, curve.above] if type(curve) is Split else [curve, curve]
    rows = [row for row in map(_piece, pieces) if row is not None]
    if len(rows) < len(pieces):
        return None
    found = np.zeros((2, 5 + max(len(terms) for *_, terms in rows)))
    for row, (kind, low, high, terms) in zip(found, rows, strict=True):
        row[:4], row[5 : 5 + len(terms)] = (kind, low, high, len(terms)), terms
    found[:, 4] = curve.at if type(curve) is Split else np.inf
    found.flags.writeable = False
    return found


def _piece(curve: Curve) -> tuple[int, float, float, tuple[float, ...]] | None:
    """Kind, bounds and coefficients of a curve without a split."""
    if type(curve) is Polynomial:
        return cells.POLYNOMIAL, curve.low, curve.until, curve.coefficients
    if type(curve) is ClippedLog:
        return cells.LOG, curve.low, curve.high, (curve.slope, curve.offset)
    if type(curve) is ClippedPower:
        return cells.POWER, curve.low, curve.high, (curve.factor, curve.exponent)
    if type(curve) is Saturating:
        return cells.SATURATING, 0.0, 0.0, (curve.top, curve.width)
    return None
