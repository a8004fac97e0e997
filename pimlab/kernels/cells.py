"""What do cells conduct after programming and power-law drift, and how far apart are reads of them?

The numbers of a published fit depend on the conductance that a cell was programmed to, by curves
(`pimlab.analog.devices.curves`). A curve arrives as a table, float64, shape (2, 5 + terms): row 0
holds below u = table[0, 4] (inf where there is no other piece) and row 1 from there on. A row is
its kind, its lower and upper bound, how many coefficients it has, the place of the split, and the
coefficients. Of a polynomial the upper bound is the u from which on it is constant.

Cells are taken some at a time, and each step is a loop of its own without branches: the compiler
makes vector instructions of it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from pimlab.kernels.clipped import CELLS, add_row
from pimlab.kernels.elementary import exp, ln
from pimlab.kernels.jit import inline, kernel
from pimlab.kernels.philox import normal_row

POLYNOMIAL, LOG, POWER, SATURATING = 0, 1, 2, 3
SMALLEST = 1e-7
"""u below this counts as this in a logarithm or a power."""
_FIRST = 5
"""Where coefficients start in a row of a table."""
_CELLS = CELLS
"""Cells taken at a time."""


@inline
def _piece(row, u, logs, cells, out):
    """One piece of a curve. u, logs, out : float64, whose first
    `cells` count; logs : ln(max(u, SMALLEST))
    where the piece is a logarithm or a power.
    """
    kind, low, high, first = int(row[0]), row[1], row[2], row[_FIRST]
    second = row[_FIRST + 1]
    if kind == POLYNOMIAL:
        last = _FIRST + int(row[3]) - 1
        for i in range(cells):
            out[i] = row[last]
        for term in range(last - 1, _FIRST - 1, -1):
            coefficient = row[term]
            for i in range(cells):
                out[i] = coefficient + out[i] * min(u[i], high)
        for i in range(cells):
            out[i] = max(out[i], low)
    elif kind == LOG:
        for i in range(cells):
            out[i] = min(max(first * logs[i] + second, low), high)
    elif kind == POWER:
        for i in range(cells):
            out[i] = min(max(first * exp(second * logs[i]), low), high)
    else:
        for i in range(cells):
            out[i] = first * -math.expm1(-u[i] / second)


@inline
def _has_logs(table):
    return table[0, 0] == LOG or table[0, 0] == POWER or table[1, 0] == LOG or table[1, 0] == POWER


@inline
def _logs(u, cells, out):
    for i in range(cells):
        out[i] = ln(max(u[i], SMALLEST))


@inline
def _curve(table, room, cells, out):
    """A curve at u. room : float64, shape (5, CELLS), whose rows are u, its logarithms, and room
    for the second piece, of which the first `cells` count.
    """
    u, logs, other = room[0], room[1], room[2]
    _piece(table[0], u, logs, cells, out)
    at = table[0, 4]
    if at < np.inf:
        _piece(table[1], u, logs, cells, other)
        for i in range(cells):
            out[i] = out[i] if u[i] < at else other[i]


@inline
def _ratio(target, reference, has_logs, room):
    """u = target / reference, and logarithms of it, into the first two rows of `room`."""
    for i in range(target.size):
        room[0, i] = target[i] / reference
    if has_logs:
        _logs(room[0], target.size, room[1])


@inline
def _program(g, z, sigma, floor, room, out):
    """`programmed` of a few cells whose u and logarithms are in `room`, float64, (5, cells)."""
    spread = room[3]
    _curve(sigma, room, g.size, spread)
    for i in range(g.size):
        value = max(g[i] + max(spread[i], 0.0) * z[i], 0.0)
        out[i] = 0.0 if g[i] < floor else value


@inline
def _drift(g, z, mean, sigma, log_age, room, out):
    """`drifted` of a few cells, as `_program`."""
    centre, width = room[3], room[4]
    _curve(mean, room, g.size, centre)
    _curve(sigma, room, g.size, width)
    for i in range(g.size):
        out[i] = g[i] * exp(abs(centre[i] + width[i] * z[i]) * -log_age)


@inline
def _flicker(g, strength, growth, room, out):
    """`flicker` of a few cells, as `_program`."""
    share = room[3]
    _curve(strength, room, g.size, share)
    for i in range(g.size):
        out[i] = g[i] * share[i] * growth


@kernel
def programmed(target, z, reference, sigma, floor, out):
    """max(g + sigma(g / reference) z, 0), float64, S; 0 where the target g is below `floor`.

    target : float64, shape (cells,), S;  z : float32, shape (cells,), standard normals;
    reference, floor : S;  sigma : table of a curve in S;  out : like target, written.
    """
    room = np.empty((5, _CELLS))
    for start in range(0, target.size, _CELLS):
        part = slice(start, min(start + _CELLS, target.size))
        _ratio(target[part], reference, _has_logs(sigma), room)
        _program(target[part], z[part], sigma, floor, room, out[part])


@kernel
def drifted(g, target, z, reference, mean, sigma, log_age, out):
    """g exp(-nu log_age) with nu = |mean(u) + sigma(u) z|, u = target / reference, float64, S.

    g, target : float64, shape (cells,), S;  z : float32, shape (cells,), standard normals;
    reference : S;  mean, sigma : tables of curves (unit 1);  log_age : ln(1 + t / t0);  out : like
    g, written.
    """
    room, has_logs = np.empty((5, _CELLS)), _has_logs(mean) or _has_logs(sigma)
    for start in range(0, g.size, _CELLS):
        part = slice(start, min(start + _CELLS, g.size))
        _ratio(target[part], reference, has_logs, room)
        _drift(g[part], z[part], mean, sigma, log_age, room, out[part])


@kernel
def flicker(g, target, reference, strength, growth, out):
    """g strength(target / reference) growth, float64, S: the spread of one read.

    g, target : float64, shape (cells,), S;  reference : S;  strength : table of a curve (unit 1);
    growth : unit 1;  out : like g, written.
    """
    room = np.empty((5, _CELLS))
    for start in range(0, g.size, _CELLS):
        part = slice(start, min(start + _CELLS, g.size))
        _ratio(target[part], reference, _has_logs(strength), room)
        _flicker(g[part], strength, growth, room, out[part])


class Law(NamedTuple):
    """What cells do, in the words of the functions above: the two words of each key, and the
    numbers of programming (p), drift (d) and read noise (r).
    """

    p_key0: np.uint32
    p_key1: np.uint32
    p_reference: float
    p_sigma: np.ndarray
    p_floor: float
    d_key0: np.uint32
    d_key1: np.uint32
    d_reference: float
    d_mean: np.ndarray
    d_sigma: np.ndarray
    d_log_age: float
    r_reference: float
    r_strength: np.ndarray
    r_growth: float


@kernel
def add_read(target, law, row, sign, devices, load, mean, variance, third, sums):
    """Adds what a read sees of cells that are `programmed`, `drifted` (where law.d_log_age is not
    0) and read with `flicker` noise to the sums of their columns, as `clipped.add_cells` does: no
    array of all cells is written.

    target : float64, shape (k, n), S;  law : a `Law`;  row : where the counters of the first row
    of cells start;  sign, devices, mean, variance, third, sums : of `clipped.add_cells`;  load :
    float64, shape (k,), S, added to: what each row of cells conducts.
    """
    k, n = target.shape
    share, room, cut = 1.0 / devices, np.empty((5, _CELLS)), np.empty(5 * CELLS)
    g, sigma = np.empty(_CELLS), np.empty(_CELLS)
    z, z_drift = np.empty(n, np.float32), np.empty(n, np.float32)
    p_logs, r_logs = _has_logs(law.p_sigma), _has_logs(law.r_strength)
    d_logs = _has_logs(law.d_mean) or _has_logs(law.d_sigma)
    for i in range(k):
        normal_row(law.p_key0, law.p_key1, row + i, 0, z)
        if law.d_log_age > 0.0:
            normal_row(law.d_key0, law.d_key1, row + i, 0, z_drift)
        for start in range(0, n, _CELLS):
            part = slice(start, min(start + _CELLS, n))
            size = part.stop - start
            aim, now, spread = target[i, part], g[:size], sigma[:size]
            _ratio(aim, law.p_reference, p_logs, room)
            _program(aim, z[part], law.p_sigma, law.p_floor, room, now)
            if law.d_log_age > 0.0:
                _ratio(aim, law.d_reference, d_logs, room)
                _drift(now, z_drift[part], law.d_mean, law.d_sigma, law.d_log_age, room, now)
            if law.r_reference != law.d_reference or r_logs != d_logs or law.d_log_age == 0.0:
                _ratio(aim, law.r_reference, r_logs, room)
            _flicker(now, law.r_strength, law.r_growth, room, spread)
            for j in range(size):
                load[i] += now[j]
            add_row(
                now,
                spread,
                0.0,
                np.inf,
                sign,
                share,
                cut,
                mean[i, part],
                variance[i, part],
                third[i, part],
                sums[:, part],
            )
