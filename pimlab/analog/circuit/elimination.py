"""How are the node voltages of a crossbar of crossing lines computed? By eliminating its output
nodes row by row.

The nodes of one row's output lines are one dense block; rows touch only through the output segments
between them, so the nodal matrix is block tridiagonal and M inversions of N x N blocks solve it
exactly. The recursion keeps the admittance S (N, N) that the output lines see behind them and their
short-circuit currents: a series resistance r turns S into S inv(I + r S), a row adds its own S
(`kernels.wires.line_port`). Written so, a resistance of zero is no special circuit. Chains of small
blocks slow down up to 100 times when BLAS spins on a busy second core, hence `one_blas_thread`;
independent arrays run in threads of their own instead.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import numpy as np
from numba.extending import get_cython_function_address
from threadpoolctl import ThreadpoolController

from pimlab.kernels import wires as kernels

# The short form (I - inv(I + r S)) / r loses the digits of r S below 1; that is harmless until the
# sense end is this many times more resistive than a segment (at 1000 and 256 x 256: up to 2e-11 of
# the largest current, see tests/analog/circuit/test_wires.py).
_STIFF = 1e3


class Ohms(NamedTuple):
    """Resistances of a circuit: segment and first segment (driver included) of the input lines,
    segment and last of the output lines.
    """

    r_in: float
    r_first: float
    r_out: float
    r_last: float


@functools.cache
def _controller() -> ThreadpoolController:
    importlib.import_module(
        "scipy.linalg.cython_lapack"
    )  # loads SciPy's own BLAS, which the controller must see
    return ThreadpoolController()


def one_blas_thread() -> AbstractContextManager[Any]:
    """A context in which every BLAS runs on one thread."""
    return _controller().limit(limits=1, user_api="blas")


@functools.cache
def _fortran(module: str, name: str, arguments: str) -> Callable[..., None]:
    """A BLAS or LAPACK routine that, called so, releases the GIL (SciPy's own wrappers hold it)."""
    kinds: dict[str, Any] = {"c": ctypes.c_char_p, "a": ctypes.c_void_p}
    kinds |= {"i": ctypes.POINTER(ctypes.c_int), "d": ctypes.POINTER(ctypes.c_double)}
    address = get_cython_function_address(f"scipy.linalg.{module}", name)
    return ctypes.CFUNCTYPE(None, *(kinds[kind] for kind in arguments))(address)


def _call(module: str, name: str, arguments: str, *values: Any) -> None:
    wrap = {
        "c": lambda v: v,
        "i": lambda v: v if isinstance(v, ctypes.c_int) else ctypes.c_int(v),
        "d": ctypes.c_double,
        "a": lambda v: v.ctypes.data,
    }
    _fortran(module, name, arguments)(
        *(wrap[kind](value) for kind, value in zip(arguments, values, strict=True))
    )


def invert(matrix: np.ndarray) -> None:
    """Replace the lower triangle of a symmetric positive definite float64, shape (n, n) Fortran
    array by its inverse's, by Cholesky.

    Raises ValueError where a pivot is not positive: the circuit is singular or beyond double
    precision.
    """
    n, info = matrix.shape[0], ctypes.c_int(0)
    for name in ("dpotrf", "dpotri"):
        _call("cython_lapack", name, "ciaii", b"L", n, matrix, n, info)
        if info.value:
            raise ValueError(
                f"the crossbar circuit is singular: output line {abs(info.value) - 1} has no "
                "positive conductance to ground"
            )


def symmetric_product(lower: np.ndarray, right: np.ndarray) -> np.ndarray:
    """float64, shape (n, k), Fortran order: the symmetric matrix of which `lower` holds the lower
    triangle, times `right` (n, k).
    """
    right = np.asfortranarray(right)
    (n, k), out = right.shape, np.empty(right.shape, order="F")
    _call(
        "cython_blas",
        "dsymm",
        "cciidaiaidai",
        b"L",
        b"L",
        n,
        k,
        1.0,
        lower,
        n,
        right,
        n,
        0.0,
        out,
        n,
    )
    return out


def whole(lower: np.ndarray) -> np.ndarray:
    """The symmetric matrix of which `lower` holds the lower triangle. float64, shape (N, N)."""
    return np.tril(lower) + np.tril(lower, -1).T


def _plus_identity(matrix: np.ndarray, scale: float) -> np.ndarray:
    out = np.multiply(matrix, scale, order="F")
    out.flat[:: matrix.shape[0] + 1] += 1.0
    return out


class Row(NamedTuple):
    """One row of a solved circuit: i, w float64, shape (lines, batch, N) and b float64,
    shape (batch, N) in volts.
    """

    i: int
    w: np.ndarray
    b: np.ndarray


class Grid:
    """Input lines crossing output lines (topologies A and C).

    g : float64, shape (lines, M, N), S;  signs : (lines,), the voltage of each line of a pair per
    volt of input
    """

    def __init__(self, g: np.ndarray, signs: np.ndarray, ohms: Ohms):
        self.g, self.signs, self.ohms = np.ascontiguousarray(g), signs, ohms
        _, self.rows, self.columns = g.shape

    @property
    def _stiff(self) -> bool:
        return self.ohms.r_last > _STIFF * self.ohms.r_out

    @property
    def effort(self) -> float:
        """Multiplications of `conductance`, roughly: what to compare two forms of one circuit
        by (unit: multiplications).
        """
        return self.rows * self.columns**3 * (2 + self._stiff) if self.ohms.r_out > 0 else 0

    def turned(self) -> Grid:
        """The same single-ended circuit by reciprocity: driven at the senses, sensed at the
        drivers, both lines from the other end.
        """
        r_in, r_first, r_out, r_last = self.ohms
        return Grid(
            self.g[:, ::-1, ::-1].transpose(0, 2, 1), self.signs, Ohms(r_out, r_last, r_in, r_first)
        )

    def _add_row(self, i: int, admittance: np.ndarray) -> np.ndarray:
        """Add row i's admittance; return its short-circuit currents (N,) per volt of input."""
        injection = np.empty(self.g.shape[::2])
        for line, out in zip(self.g[:, i], injection, strict=True):
            kernels.line_port(line, self.ohms.r_in, self.ohms.r_first, admittance, out)
        return self.signs @ injection

    def _behind_segment(self, admittance: np.ndarray) -> np.ndarray:
        """Put one output segment before `admittance`, in place; return the lower triangle of inv(I
        + r S).
        """
        r = self.ohms.r_out
        passed = _plus_identity(admittance, r)
        invert(passed)
        if self._stiff:
            admittance[:] = symmetric_product(passed, whole(admittance))
        else:
            np.multiply(passed, -1 / r, out=admittance)
            admittance.flat[:: self.columns + 1] += 1 / r
        return passed

    def _at_sense(self, admittance: np.ndarray, right: np.ndarray) -> np.ndarray:
        """inv(I + r_last S) @ right."""
        if self.ohms.r_last == 0:
            return right
        passed = _plus_identity(admittance, self.ohms.r_last)
        invert(passed)
        return symmetric_product(passed, right)

    def conductance(self) -> np.ndarray:
        """float64, shape (M, N), S: sense current of each output line per volt at each input."""
        admittance = np.zeros((self.columns, self.columns), order="F")
        currents = np.zeros((self.columns, self.rows), order="F")
        for i in range(self.rows):
            if i and self.ohms.r_out > 0:
                currents[:, :i] = symmetric_product(
                    self._behind_segment(admittance), currents[:, :i]
                )
            currents[:, i] = self._add_row(i, admittance)
        return np.ascontiguousarray(self._at_sense(admittance, currents).T)

    def solve(
        self, v: np.ndarray, source: np.ndarray | None = None, sense: np.ndarray | None = None
    ) -> Iterator[Row]:
        """Node voltages of all rows, the last row first.

        v : float64, shape (batch, M), V;  source : float64, shape (lines, M, N), A, beside the
        cells;  sense : float64, shape (batch, N), V, default 0

        Every sqrt(M)-th state is kept and the rows between are eliminated again on the way back:
        memory 2 sqrt(M) N (N + batch) numbers instead of M N (N + batch).
        """
        step = math.isqrt(self.rows - 1) + 1
        state = (
            np.zeros((self.columns, self.columns), order="F"),
            np.zeros((self.columns, v.shape[0]), order="F"),
        )
        kept = []
        for i in range(self.rows):
            if i % step == 0:
                kept.append((i, state[0].copy(order="F"), state[1]))
            state = (self._forward if i < self.rows - 1 else self._with_row)(i, *state, v, source)[
                :2
            ]
        right = self.ohms.r_last * state[1] + (0 if sense is None else sense.T)
        b = self._at_sense(state[0], right)
        yield self._row(self.rows - 1, b, v, source)
        for start, *before in reversed(kept):
            for i, passed, currents in reversed(
                self._segment(range(start, min(start + step, self.rows - 1)), before, v, source)
            ):
                b = (
                    b
                    if passed is None
                    else symmetric_product(passed, b + self.ohms.r_out * currents)
                )
                yield self._row(i, b, v, source)

    def _segment(
        self, rows: range, state: Any, v: np.ndarray, source: np.ndarray | None
    ) -> list[tuple[int, Any, np.ndarray]]:
        """(i, inv(I + r S), currents) of some rows, from the state before the first of them."""
        states = []
        for i in rows:
            *state, passed, currents = self._forward(i, state[0], state[1], v, source)
            states.append((i, passed, currents))
        return states

    def _with_row(
        self,
        i: int,
        admittance: np.ndarray,
        currents: np.ndarray,
        v: np.ndarray,
        source: np.ndarray | None,
    ) -> Any:
        injection = np.outer(self._add_row(i, admittance), v[:, i])
        if source is not None:
            grounded = np.zeros_like(currents.T)
            for p, w in enumerate(self._lines(i, grounded, np.zeros_like(v), source)):
                injection += (self.g[p, i] * w + source[p, i]).T
        return admittance, currents + injection

    def _forward(
        self,
        i: int,
        admittance: np.ndarray,
        currents: np.ndarray,
        v: np.ndarray,
        source: np.ndarray | None,
    ) -> Any:
        admittance, currents = self._with_row(i, admittance, currents, v, source)
        if self.ohms.r_out == 0:
            return admittance, currents, None, currents
        passed = self._behind_segment(admittance)
        return admittance, symmetric_product(passed, currents), passed, currents

    def _lines(self, i: int, b: np.ndarray, v: np.ndarray, source: np.ndarray | None) -> np.ndarray:
        w = np.empty((self.signs.size, *b.shape))
        for p, sign in enumerate(self.signs):
            beside = np.zeros_like(b) if source is None else np.broadcast_to(source[p, i], b.shape)
            kernels.line_voltages(
                self.g[p, i],
                sign * v[:, i],
                b,
                np.ascontiguousarray(beside),
                self.ohms.r_in,
                self.ohms.r_first,
                w[p],
            )
        return w

    def _row(self, i: int, b: np.ndarray, v: np.ndarray, source: np.ndarray | None) -> Row:
        volts = np.ascontiguousarray(b.T)
        return Row(i, self._lines(i, volts, v, source), volts)
