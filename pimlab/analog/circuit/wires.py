r"""What does the resistance of the array's own wires do to its read currents, its noise, its power
and its speed?

i = 0..M-1 counts inputs, j = 0..N-1 outputs; every array is (M, N) in siemens, currents are amperes
into the sense nodes, which stand at 0 V. `#` is one segment (r_in or r_out), G a cell, o the open
end of a line.

A, and C with two lines a row (input lines carry the current; amplitude or pulse width drives them):

    V_i --rs_in--#-- w(i,0) --#-- w(i,1) ... w(i,N-1) o
                       |            |            |
                     G[i,0]       G[i,1]      G[i,N-1]
                       |            |            |
                     b(i,0)       b(i,1)      b(i,N-1)

    b(0,j) o --#-- b(1,j) ... b(M-1,j) --#--rs_out-- sense j (0 V)

In C, +V_i feeds g[i,:] and -V_i feeds g_negative[i,:]; both cells of (i,j) end on the same b(i,j).

B, and D with two supplies a column (like 1T1R: the inputs gate the cells, a supply line runs beside
each output line):

    +1 V --rs_in--#-- w(0,j) --#-- w(1,j) ...  w(M-1,j) o
                        |            |             |
                      G[0,j]       G[1,j]       G[M-1,j]
                        |            |             |
               o -- b(0,j) --#-- b(1,j) ...  b(M-1,j) --#--rs_out-- sense j (0 V)

A cell conducts where v_i = 1 and is open where v_i = 0. In D, +1 V feeds g and -1 V feeds
g_negative; both cells of (i,j) end on the same b(i,j).

A and C are linear in v: one effective conductance matrix answers every read, `i = v @ matrix`,
whatever the encoding. B and D are circuits of their own for each pattern of active inputs: send
bits (bit-serial) or, for pulse width, the pattern of each time slot, and add up the currents with
their weights. An input that is "off" is grounded through its driver in A and C, and open in B and
D: the encoding changes the answer.

How a crossbar uses this:

    wires = Wires(r_in="1 ohm", r_out="1 ohm", rs_out="40 ohm", topology="C")
    if wires.linear:  # A, C: solved once after programming, then one GEMM a read
        matrix = wires.conductance(g, g_negative)  # (M, N) siemens; stacks are solved in threads
        i = v @ matrix
        variance = v**2 @ variance_matrix(g, sigma, wires, typical, g_negative, sigma_negative)
        watts = power_matrices(g, wires, g_negative)  # by part: v @ watts["sources"] @ v a read
    else:  # B, D: v is bits (batch, M); equal patterns are solved once
        i = supply * wires.currents(g, bits, g_negative)

`wires=None` in a crossbar means ideal wires; resistances of exactly 0 give the same answer through
the same code.

References: block elimination is Golub and Van Loan, Matrix Computations, 4th ed., sec. 4.5; the
sensitivity is Director and Rohrer, IEEE Trans. Circuit Theory 16, 318 (1969).
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import numba
import numpy as np

from pimlab import units
from pimlab.analog.circuit.dissection import FROM, dissected
from pimlab.analog.circuit.elimination import Grid, Ohms, one_blas_thread
from pimlab.analog.non_ideal import NonIdeal
from pimlab.analog.physics import amount, count, numbers
from pimlab.arguments import named, typed
from pimlab.kernels import wires as kernels
from pimlab.values import choice, quantity


class Wires(NonIdeal):
    """The wires of an array and how inputs drive them; the module draws the four topologies.

    r_in, r_out : ohm a segment of the input (or supply) and of the output lines
    rs_in, rs_out : ohm of each driver (or supply) and of each sense node
    c : farad of each segment to ground, which only the settling time counts
    topology : "A" input lines; "B" gated cells on a supply line; "C", "D": the same with
    differential pairs
    sense : "last", at row M-1, or "first", at row 0 (drivers stay at column 0, supplies at row 0)
    """

    cause: ClassVar[str] = "wires"

    r_in: float = quantity("ohm", low=0.0)
    r_out: float = quantity("ohm", low=0.0)
    rs_in: float = quantity("ohm", low=0.0, default=0.0)
    rs_out: float = quantity("ohm", low=0.0, default=0.0)
    c: float = quantity("F", low=0.0, default=0.0)
    topology: str = choice("A", "B", "C", "D", default="A")
    sense: str = choice("last", "first", default="last")

    @property
    def varies(self) -> bool:
        """Resistances are the same in every array and at any time."""
        return False

    @property
    def linear(self) -> bool:
        """Whether one matrix serves every input (A and C)."""
        return self.topology in "AC"

    @property
    def differential(self) -> bool:
        """Whether a second array `g_negative` belongs to the circuit (C and D)."""
        return self.topology in "CD"

    @property
    def ohms(self) -> Ohms:
        """Segments and end segments as the kernels take them. Unit: ohm."""
        return Ohms(self.r_in, self.r_in + self.rs_in, self.r_out, self.r_out + self.rs_out)

    @property
    def signs(self) -> np.ndarray:
        """float64, shape (lines,): volts of each line per volt of input."""
        return np.array([1.0, -1.0] if self.differential else [1.0])

    def settling(self, rows: int, cols: int, bits: int) -> float:
        """Seconds [s] until a read of rows x cols cells is within half a step of `bits`: (bits + 1)
        ln 2 times the delays of both lines, r c n^2 / 2 + rs c n (Elmore, J. Appl. Phys. 19, 55,
        1948, of a distributed line behind its driver or sense). Supply lines (B, D) are as long as
        the output lines.
        """
        along = cols if self.linear else rows
        taus = (
            settling_time(r, self.c, n) + rs * self.c * n
            for r, rs, n in ((self.r_in, self.rs_in, along), (self.r_out, self.rs_out, rows))
        )
        return read_time(bits, sum(taus))

    def conductance(self, g: np.ndarray, g_negative: np.ndarray | None = None) -> np.ndarray:
        """As `effective_conductance`, for A and C. g : float64, shape (M, N) [S];  returns float64,
        shape (M, N) [S].
        """
        if not self.linear:
            raise ValueError(
                f"topology {self.topology!r} has no one matrix: each input pattern is its own "
                "circuit; use wire_currents"
            )
        return _each_array(self, g, g_negative)

    def currents(
        self, g: np.ndarray, v: np.ndarray, g_negative: np.ndarray | None = None
    ) -> np.ndarray:
        """As `wire_currents`. g : float64, shape (M, N) [S];  v : float64, shape (batch, M) [V];
        returns float64, shape (batch, N) [A].
        """
        lines = cell_lines(self, g, g_negative)
        v, single = inputs(self, v, lines.shape[1])
        if self.linear:
            with one_blas_thread():
                out = v @ _conductance(self, lines)
        else:
            out = _gated(self, lines, v)
        return finite(self, lines, out)[0] if single else finite(self, lines, out)


@typed
def effective_conductance(
    g: np.ndarray,
    r_in: float | str,
    r_out: float | str,
    rs_in: float | str = 0.0,
    rs_out: float | str = 0.0,
    g_negative: np.ndarray | None = None,
    sense: str = "last",
) -> np.ndarray:
    r"""The crossbar with its wires as one conductance matrix: `v @ matrix` are the sense currents,
    exactly.

    Topology A, or C where `g_negative` is given (+V_i feeds g, -V_i feeds g_negative):

        V_i --rs_in--#-- w(i,0) --#-- w(i,1) ... w(i,N-1) o         #: one segment, r_in or r_out
                           |            |            |              o: open end
                         G[i,0]       G[i,1]      G[i,N-1]
                           |            |            |
        b(0,j) o --#-- b(1,j) --#-- ... b(M-1,j) --#--rs_out-- sense j at 0 V

    g, g_negative : float64, shape (..., M, N), S;  r_in, r_out, rs_in, rs_out : ohm, SI floats or
    text such as "1 ohm"
    sense : "last" (row M-1) or "first" (row 0)
    Returns float64, shape (..., M, N), S. Arrays of a stack are solved in numba.get_num_threads()
    threads, BLAS on one each.
    Raises ValueError on negative, NaN or infinite resistance or conductance, and on shapes that
    differ.

    Exact: M inversions of (N, N) blocks, or N of (M, M) where that is less, by reciprocity of
    resistive networks; large arrays by joining blocks of cells (`dissection`).

    >>> g = np.full((2, 2), 1e-4)
    >>> pim.analog.effective_conductance(g, "1 ohm", "1 ohm") * 1e6  # microsiemens
    array([[99.95002499, 99.94003398],
           [99.96001799, 99.95002499]])
    """
    wires = Wires(
        r_in=r_in,  # type: ignore[arg-type]
        r_out=r_out,  # type: ignore[arg-type]
        rs_in=rs_in,  # type: ignore[arg-type]
        rs_out=rs_out,  # type: ignore[arg-type]
        topology="A" if g_negative is None else "C",
        sense=sense,
    )  # type: ignore[arg-type]
    return wires.conductance(g, g_negative)


@typed
def wire_currents(
    g: np.ndarray,
    v: np.ndarray,
    r_in: float | str,
    r_out: float | str,
    rs_in: float | str = 0.0,
    rs_out: float | str = 0.0,
    g_negative: np.ndarray | None = None,
    topology: str = "A",
    sense: str = "last",
) -> np.ndarray:
    r"""Sense currents of a crossbar with wire resistance, in amperes.

    A (C: a second input line a row at -V_i feeds g_negative, both cells on the same b):

        V_i --rs_in--#-- w(i,0) --#-- w(i,1) ... w(i,N-1) o         #: one segment, r_in or r_out
                           |            |            |              o: open end
                         G[i,0]       G[i,1]      G[i,N-1]
                           |            |            |
        b(0,j) o --#-- b(1,j) --#-- ... b(M-1,j) --#--rs_out-- sense j at 0 V

    B (D: a second supply line a column at -1 V feeds g_negative); a cell conducts only where v_i =
    1:

        +1 V --rs_in--#-- w(0,j) --#-- w(1,j) ... w(M-1,j) o
                            |            |            |
                          G[0,j]       G[1,j]      G[M-1,j]
                            |            |            |
                   o -- b(0,j) --#-- b(1,j) ... b(M-1,j) --#--rs_out-- sense j at 0 V

    g, g_negative : float64, shape (M, N), S;  v : float64, shape (M,) or (batch, M), V for A and C,
    0 or 1 for B and D
    r_in, r_out, rs_in, rs_out : ohm, SI floats or text;  sense : "last" (row M-1, as drawn) or
    "first" (row 0)
    Returns float64, shape (N,) or (batch, N), A. B and D solve equal input patterns once, O(M N)
    each. Raises ValueError on negative, NaN or infinite resistance, conductance or input, shapes
    that differ, an unknown topology, `g_negative` missing or too many, and inputs other than 0 and
    1 in B and D.

    >>> g, v = np.full((2, 2), 1e-4), np.array([0.2, 0.2])
    >>> pim.analog.wire_currents(g, v, "1 ohm", "1 ohm") * 1e6  # microamperes
    array([39.9820086 , 39.97801179])
    """
    wires = Wires(
        r_in=r_in,  # type: ignore[arg-type]
        r_out=r_out,  # type: ignore[arg-type]
        rs_in=rs_in,  # type: ignore[arg-type]
        rs_out=rs_out,  # type: ignore[arg-type]
        topology=topology,
        sense=sense,
    )
    return wires.currents(g, v, g_negative)


@named
def first_order_loss(r: float | str, g: float | str, n: int) -> float:
    """Relative current lost to the wires of an N x N array of equal cells with all inputs equal, to
    first order.

    r : ohm a segment of both lines, or text;  g : S of each cell, or text;  n : N
    r G (N + 1)(2 N + 1) / 3, mean over columns, no source or sense resistance; within 1 % while the
    loss is below 1 %. The loss has the unit 1.
    """
    size = count(n, "n")
    return amount(r, "ohm", "r") * amount(g, "S", "g") * (size + 1) * (2 * size + 1) / 3


@named
def settling_time(r: float | str, c: float | str, n: int) -> float:
    """Time constant in seconds [s] of a line of n segments of r ohm, each with c farad to ground: r
    c n^2 / 2 (distributed line).
    """
    return amount(r, "ohm", "r") * amount(c, "F", "c") * count(n, "n") ** 2 / 2


@named
def read_time(bits: int, tau: float | str) -> float:
    """Shortest read in seconds [s] after which a line of time constant tau is within half a step of
    `bits`: (bits + 1) ln 2 tau.
    """
    return (amount(bits, "", "bits") + 1) * math.log(2) * units.seconds(tau, "tau")


def _siemens(array: Any, name: str) -> np.ndarray:
    out = np.ascontiguousarray(numbers(array, name))
    if out.ndim < 2 or 0 in out.shape:
        raise ValueError(
            f"{name} has shape {out.shape}; allowed: (M, N) with at least one input and one output"
        )
    bad = ~(np.isfinite(out) & (out >= 0))
    if bad.any():
        where = tuple(int(k) for k in np.argwhere(bad)[0])
        raise ValueError(
            f"{name}{list(where)}={out[where]:g} S is not a conductance; allowed: 0 or more, and "
            "finite"
        )
    return out


def _pair(wires: Wires, g: Any, g_negative: Any, name: str) -> tuple[np.ndarray, ...]:
    if (g_negative is not None) != wires.differential:
        needs = "needs" if wires.differential else "takes no"
        raise ValueError(
            f"topology {wires.topology!r} {needs} {name}_negative; pairs belong to C and D, single "
            "arrays to A and B"
        )
    pair = (
        (_siemens(g, name),)
        if g_negative is None
        else (_siemens(g, name), _siemens(g_negative, f"{name}_negative"))
    )
    if pair[0].shape != pair[-1].shape:
        raise ValueError(
            f"{name}_negative has shape {pair[-1].shape}; allowed: the shape of {name}, "
            f"{pair[0].shape}"
        )
    return pair


def cell_lines(wires: Wires, g: Any, g_negative: Any, name: str = "g") -> np.ndarray:
    """float64, shape (lines, M, N), checked."""
    lines = np.stack(_pair(wires, g, g_negative, name))
    if lines.ndim != 3:
        raise ValueError(
            f"{name} has shape {lines.shape[1:]}; allowed: (M, N); solve stacks with "
            "effective_conductance or one by one"
        )
    return lines


def inputs(wires: Wires, v: Any, rows: int) -> tuple[np.ndarray, bool]:
    """float64, shape (batch, M) and whether `v` was one vector."""
    out = numbers(v, "v")
    if out.ndim not in (1, 2) or out.shape[-1] != rows:
        raise ValueError(
            f"v has shape {out.shape}; allowed: ({rows},) or (batch, {rows}), one input a row of g"
        )
    allowed = np.isfinite(out) if wires.linear else (out == 0) | (out == 1)
    if not allowed.all():
        where = tuple(int(k) for k in np.argwhere(~allowed)[0])
        what = (
            "finite volts"
            if wires.linear
            else f"0 or 1, since inputs gate the cells of topology {wires.topology}; send bits one "
            "by one"
        )
        raise ValueError(f"v{list(where)}={out[where]:g}; allowed: {what}")
    return np.ascontiguousarray(np.atleast_2d(out)), out.ndim == 1


def finite(wires: Wires, lines: np.ndarray, out: np.ndarray) -> np.ndarray:
    """The currents `out`, shape (..., N) [A]; ValueError where one is not finite, naming the
    largest resistance and cell.
    """
    if not np.isfinite(out).all():
        largest = f"largest resistance {max(wires.ohms):g} ohm, largest cell {lines.max():g} S"
        raise ValueError(f"the crossbar circuit is beyond double precision: {largest}")
    return out


def grid(wires: Wires, lines: np.ndarray) -> Grid:
    """Rows in the order in which the output line meets them on its way to the sense. lines :
    float64, shape (lines, M, N) [S].
    """
    return Grid(lines[:, ::-1] if wires.sense == "first" else lines, wires.signs, wires.ohms)


def _conductance(wires: Wires, lines: np.ndarray) -> np.ndarray:
    crossing = grid(wires, lines)
    if wires.r_in > 0 and wires.r_out > 0 and min(lines.shape[1:]) >= FROM * len(lines):
        out = dissected(crossing.g, crossing.signs, crossing.ohms)
        return np.ascontiguousarray(out[::-1] if wires.sense == "first" else out)
    turned = crossing if wires.differential else crossing.turned()
    out = (
        turned.conductance().T[::-1, ::-1]
        if turned.effort < crossing.effort
        else crossing.conductance()
    )
    return np.ascontiguousarray(out[::-1] if wires.sense == "first" else out)


def _each_array(wires: Wires, g: Any, g_negative: Any) -> np.ndarray:
    pair = np.stack(_pair(wires, g, g_negative, "g"))
    arrays = np.moveaxis(pair.reshape(pair.shape[0], -1, *pair.shape[-2:]), 1, 0)
    with one_blas_thread(), ThreadPoolExecutor(numba.get_num_threads()) as threads:
        solved = list(
            threads.map(lambda lines: finite(wires, lines, _conductance(wires, lines)), arrays)
        )
    return np.stack(solved).reshape(pair.shape[1:])


def _gated(wires: Wires, lines: np.ndarray, v: np.ndarray) -> np.ndarray:
    """float64, shape (batch, N), A: each different pattern solved once."""
    packed, first, back = np.unique(
        np.packbits(v != 0, axis=1), axis=0, return_index=True, return_inverse=True
    )
    out = np.empty((packed.shape[0], lines.shape[2]))
    active = np.ascontiguousarray(v[first] != 0)
    if wires.sense == "first":
        kernels.gated_near(lines, active, *wires.ohms, out)
    elif wires.differential:
        kernels.gated_pair(lines, active, *wires.ohms, out)
    else:
        kernels.gated_single(lines[0], active, *wires.ohms, out)
    return out[back.reshape(-1)]
