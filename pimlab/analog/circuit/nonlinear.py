"""Which currents flow when the cells of a crossbar with wires are not linear? Newton's method on
the same circuits.

The cell law is I = g d + a2 d^2 + a3 d^3 at d volts from its input (or supply) line to its output
line: the form that measured I-V curves are fitted with, and with a2 = 0, a3 = -c g the cubic cell I
= g (d - c d^3). Cells that conduct alike both ways have a2 d |d| in its place.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pimlab.analog.circuit.nodes import Nodes, gated_nodes, solve_nodes
from pimlab.analog.circuit.wires import Wires, cell_lines, inputs
from pimlab.analog.devices.selector import SelectedCurrent
from pimlab.arguments import typed

Solver = Callable[[np.ndarray, np.ndarray], Nodes]


@typed
def nonlinear_currents(
    g: np.ndarray,
    v: np.ndarray,
    wires: Wires,
    a2: np.ndarray | float = 0.0,
    a3: np.ndarray | float = 0.0,
    g_negative: np.ndarray | None = None,
    supply: float = 1.0,
    tolerance: float = 1e-12,
    iterations: int = 50,
    odd: bool = False,
    law: str = "polynomial",
    v0: float | None = None,
    selector: SelectedCurrent | None = None,
) -> np.ndarray:
    """Sense currents of a crossbar of cells with I = g d + a2 d^2 + a3 d^3, each input vector
    solved by itself.

    g, g_negative : float64, shape (M, N), S;  v : float64, shape (M,) or (batch, M), V for A and C,
    0 or 1 for B and D
    a2, a3 : A/V^2 and A/V^3, numbers or arrays that broadcast to (lines, M, N), line 1 being
    g_negative's
    supply : V of the supply lines of B and D
    tolerance : largest difference between a cell's law and its current in the circuit, over the
    largest cell current
    odd : the quadratic term is a2 d |d|, so that a cell conducts alike both ways
    (`devices.CubicCurrent`)
    law, v0 : "sinh" or "exponential" with v0 > 0 volts (`devices.SteepCurrent`): a2 and a3 are then
    not used
    selector : in series with each (then ohmic) cell: a2, a3 are not used and `law` is left out
    Returns float64, shape (N,) or (batch, N), A. Each Newton step of A and C costs one elimination,
    of B and D one sweep.
    Raises ValueError where a cell's current falls with voltage (the circuit may then have several
    solutions), and where `iterations` steps do not reach `tolerance`, naming the residual.
    """
    lines = cell_lines(wires, g, g_negative)
    v, single = inputs(wires, v, lines.shape[1])
    laws = [_spread("a2", a2, lines.shape), _spread("a3", a3, lines.shape)]
    if not (math.isfinite(supply) and all(np.isfinite(a).all() for a in laws)):
        raise ValueError(f"a2, a3 and supply={supply!r} must be finite")
    steep = _steep(law, v0)
    if selector is not None and steep is not None:
        raise ValueError(f"law={law!r} beside a selector; allowed: ohmic cells in series with it")
    out = np.empty((v.shape[0], lines.shape[2]))
    for t, row in enumerate(v):
        solver, start = _circuit(wires, row, lines.shape, supply)
        gate = 1.0 if wires.linear else row[:, None]
        cells = _cells(lines * gate, [one * gate for one in laws], odd, steep, selector)
        out[t] = _newton(solver, start, cells, tolerance, iterations).sum(axis=(0, 1))
    return out[0] if single else out


def _spread(name: str, law: float | np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """One number a cell, float64, of the `shape` (lines, M, N); ValueError where it does not
    fit.
    """
    try:
        return np.broadcast_to(np.asarray(law, np.float64), shape)
    except ValueError:
        raise ValueError(f"{name} of shape {np.shape(law)} is not one number or {shape}") from None


def _steep(law: str, v0: float | None) -> tuple[bool, float] | None:
    """(whether the law is a hyperbolic sine, its v0 [V]) of steep cells, or None."""
    if law not in ("polynomial", "sinh", "exponential"):
        raise ValueError(f"law={law!r} is not one of polynomial, sinh, exponential")
    if (law == "polynomial") != (v0 is None) or (v0 is not None and not 0 < v0 < math.inf):
        raise ValueError(f"law={law!r} with v0={v0!r}; allowed: above 0 V for sinh and exponential")
    return None if v0 is None else (law == "sinh", v0)


def _cells(
    g: np.ndarray,
    terms: list[np.ndarray],
    odd: bool,
    steep: tuple[bool, float] | None,
    selector: SelectedCurrent | None,
) -> Law | Steep | Selected:
    if selector is not None:
        return Selected(g, selector)
    return Law(g, terms[0], terms[1], odd) if steep is None else Steep(g, *steep)


def _circuit(
    wires: Wires, row: np.ndarray, shape: tuple[int, ...], supply: float
) -> tuple[Solver, np.ndarray]:
    """The linear solver of one input vector, and volts [V] across the cells if wires were ideal."""
    if wires.linear:
        start = np.broadcast_to(wires.signs[:, None, None] * row[:, None], shape)
        return lambda slope, source: solve_nodes(wires, slope, row[None], source), start
    volts = supply * wires.signs
    return lambda slope, source: gated_nodes(
        wires, slope, row[None], volts, source
    ), np.broadcast_to(volts[:, None, None], shape)


class Law(NamedTuple):
    """Current and slope of every cell, float64, shape (lines, M, N): S, A/V^2, A/V^3."""

    g: np.ndarray
    a2: np.ndarray
    a3: np.ndarray
    odd: bool

    def current(self, drop: np.ndarray) -> np.ndarray:
        """A at `drop` volts [V]."""
        return drop * (self.g + self._even(drop) * self.a2 + drop * drop * self.a3)

    def slope(self, drop: np.ndarray) -> np.ndarray:
        """dI/dV [S] at `drop` volts."""
        return self.g + 2 * self._even(drop) * self.a2 + 3 * drop * drop * self.a3

    def _even(self, drop: np.ndarray) -> np.ndarray:
        return np.abs(drop) if self.odd else drop


class Steep(NamedTuple):
    """Current and slope of every cell g, float64, shape (lines, M, N), S: hyperbolic sine, or
    exponential.
    """

    g: np.ndarray
    sinh: bool
    v0: float

    def current(self, drop: np.ndarray) -> np.ndarray:
        """A at `drop` volts [V]."""
        u = drop / self.v0
        shape = np.sinh(u) if self.sinh else np.sign(u) * np.expm1(np.abs(u))
        return np.asarray(self.g * self.v0 * shape)

    def slope(self, drop: np.ndarray) -> np.ndarray:
        """dI/dV [S] at `drop` volts."""
        u = drop / self.v0
        return np.asarray(self.g * (np.cosh(u) if self.sinh else np.exp(np.abs(u))))


class Selected(NamedTuple):
    """Current and slope of every ohmic cell g, float64, shape (lines, M, N), S, with a selector in
    series.
    """

    g: np.ndarray
    curve: SelectedCurrent

    def current(self, drop: np.ndarray) -> np.ndarray:
        """A at `drop` volts [V] across both."""
        return self.curve.current(self.g, drop)

    def slope(self, drop: np.ndarray) -> np.ndarray:
        """dI/dV [S] at `drop` volts across both."""
        return self.curve.slope(self.g, drop)


def _newton(
    solver: Solver, drop: np.ndarray, law: Law | Steep | Selected, tolerance: float, iterations: int
) -> np.ndarray:
    """float64, shape (lines, M, N), A: cell currents that obey Kirchhoff's laws, and the cells' law
    within `tolerance`.
    """
    residual = np.inf
    for _ in range(iterations):
        slope = law.slope(drop)
        _refuse_falling(slope, drop)
        source = law.current(drop) - slope * drop
        drop = solver(slope, source).drop[0]
        current = slope * drop + source
        largest = np.abs(current).max()
        residual = np.abs(law.current(drop) - current).max()
        if residual <= tolerance * largest:
            return current
        if not np.isfinite(residual):
            break
    raise ValueError(
        f"Newton did not converge in {iterations} iterations: residual {residual:.3g} A, allowed "
        f"{tolerance * largest:.3g} A"
    )


def _refuse_falling(slope: np.ndarray, drop: np.ndarray) -> None:
    if slope.min() < 0:
        where = np.unravel_index(slope.argmin(), slope.shape)
        place = f"line {where[0]}, cell [{where[1]}, {where[2]}]"
        raise ValueError(
            f"{place}: dI/dV={slope[where]:.3g} S at {drop[where]:.3g} V; the current must rise "
            "with voltage, lower the input"
        )
