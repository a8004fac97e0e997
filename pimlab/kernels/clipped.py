"""Which mean, variance and higher cumulants has a cell's conductance when noise would take it below
zero? Those of max(g + sigma z, 0), added up over the cells of a column.

With a = g / sigma, the standard normal distribution Phi and its density phi, the raw moments of
max(a + z, 0) are m1 = a Phi + phi, m2 = a m1 + Phi, m3 = a m2 + 2 m1, m4 = a m3 + 3 m2. Phi and phi
come from a table with cubic Hermite interpolation, whose error is below 1e-9.
"""

from __future__ import annotations

import math

import numpy as np

from pimlab.kernels.jit import inline, kernel

FAR = 8.0
"""Cells more than so many sigmas above zero are as if never cut: the error is below 1e-15."""
_STEPS = 64
"""Table entries a sigma."""
CELLS = 256
"""Cells taken at a time: what is known of them stays in the first cache of a core."""


def _tables():
    a = np.arange(int(FAR) * _STEPS + 2) / _STEPS
    density = np.exp(-0.5 * a * a) / math.sqrt(2 * math.pi)
    return np.array([0.5 * math.erfc(-x / math.sqrt(2)) for x in a]), density


_PHI, _DENSITY = _tables()


@inline
def _hermite(a, p0, p1, d0, d1):
    """Phi(a) and phi(a) for 0 <= a <= FAR, of their values at the table's entries on both sides."""
    place = a * _STEPS
    index = np.int32(place)
    t = place - index
    at, step = index / _STEPS, 1.0 / _STEPS
    # Hermite, because its slopes are known exactly: Phi' = phi and phi' = -a phi
    s0, s1 = -at * d0 * step, -(at + step) * d1 * step  # slopes of the density
    u = 1.0 - t
    h00, h01 = (1.0 + 2.0 * t) * u * u, t * t * (3.0 - 2.0 * t)
    h10, h11 = t * u * u, -t * t * u
    phi = h00 * p0 + h01 * p1 + (h10 * d0 + h11 * d1) * step
    return phi, h00 * d0 + h01 * d1 + h10 * s0 + h11 * s1


@inline
def _cumulants(g, sigma, a, cumulative, density):
    """The first four cumulants of max(g + sigma z, 0), float64, in powers of the unit of g. a :
    g / sigma, or -1 where the cut is too far to matter;  cumulative, density : Phi and phi of a.
    """
    m1 = a * cumulative + density
    m2 = a * m1 + cumulative
    m3 = a * m2 + 2.0 * m1
    m4 = a * m3 + 3.0 * m2
    square = m1 * m1
    spread = m2 - square
    third = m3 - m1 * (3.0 * m2 - 2.0 * square)
    fourth = m4 - 4.0 * m1 * m3 + 3.0 * square * (2.0 * m2 - square) - 3.0 * spread * spread
    scale = sigma * sigma
    near = a >= 0.0
    return (
        m1 * sigma if near else g,
        max(spread, 0.0) * scale if near else scale,
        third * scale * sigma if near else 0.0,
        fourth * scale * scale if near else 0.0,
    )


@inline
def _cut(g, sigma, low, high, room):
    """Cumulants of cells cut at `low` and `high`. g, sigma : shape (cells,);  room : float64,
    written: the first cumulants, then the second, third and fourth ones, `CELLS` apart.

    The table is looked up in a loop of its own: the other two become vector instructions.
    """
    for j in range(g.size):
        value, spread = np.float64(g[j]), np.float64(sigma[j])
        distance = min(high - value, value - low)
        near = (spread > 0) & (distance < FAR * spread)
        room[j] = (max(distance, 0.0) if near else -1.0) / (spread if near else 1.0)
    for j in range(g.size):
        index = np.int32(max(room[j], 0.0) * _STEPS)
        room[CELLS + j], room[2 * CELLS + j] = _PHI[index], _PHI[index + 1]
        room[3 * CELLS + j], room[4 * CELLS + j] = _DENSITY[index], _DENSITY[index + 1]
    for j in range(g.size):
        value = np.float64(g[j])
        upper = high - value < value - low
        distance = high - value if upper else value - low
        a, p0, p1 = room[j], room[CELLS + j], room[2 * CELLS + j]
        cumulative, density = _hermite(
            max(a, 0.0), p0, p1, room[3 * CELLS + j], room[4 * CELLS + j]
        )
        c1, c2, c3, c4 = _cumulants(distance, np.float64(sigma[j]), a, cumulative, density)
        room[j] = high - c1 if upper else low + c1
        room[CELLS + j] = c2
        room[2 * CELLS + j] = -c3 if upper else c3
        room[3 * CELLS + j] = c4


@kernel
def add_cells(g, sigma, low, high, sign, devices, mean, variance, third, sums):
    """Adds the cumulants of the cells of one polarity, cut at `low` and `high`, to those of their
    columns.

    g, sigma : float32, shape (k, n), one unit;  sign : 1.0 or -1.0;  devices : cells that share a
    weight, each taking 1 / devices of the input;  mean, variance, third : float64, shape (k, n),
    added to;  sums : float64, shape (3, n), added to: variances and magnitudes of third and fourth
    cumulants of each column. A cell counts as cut at the nearer end alone; high : inf for none.
    """
    share, room = 1.0 / devices, np.empty(5 * CELLS)
    for i in range(g.shape[0]):
        for start in range(0, g.shape[1], CELLS):
            part = slice(start, min(start + CELLS, g.shape[1]))
            of = (mean[i, part], variance[i, part], third[i, part])
            add_row(g[i, part], sigma[i, part], low, high, sign, share, room, *of, sums[:, part])


@inline
def add_row(g, sigma, low, high, sign, share, room, mean, variance, third, sums):
    """`add_cells` of at most `CELLS` cells of one row, each taking `share` of the input. g, sigma,
    mean, variance, third : shape (cells,);  room : float64, shape (5 CELLS,), written;  sums :
    float64, shape (3, cells).
    """
    _cut(g, sigma, low, high, room)
    _add_to_means(room, sign, share, mean, variance, third)
    _add_to_sums(room, share, sums[0], sums[1], sums[2])


@inline
def _add_to_means(room, sign, share, mean, variance, third):
    """Each array in a loop of its own: the compiler cannot tell whether more overlap."""
    for j in range(mean.size):
        mean[j] += sign * room[j] * share
    for j in range(mean.size):
        variance[j] += room[CELLS + j] * share * share
    for j in range(mean.size):
        third[j] += sign * (room[2 * CELLS + j] * share * share * share)


@inline
def _add_to_sums(room, share, second, third, fourth):
    for j in range(second.size):
        second[j] += room[CELLS + j] * share * share
    for j in range(second.size):
        third[j] += abs(room[2 * CELLS + j] * share * share * share)
    for j in range(second.size):
        fourth[j] += abs(room[3 * CELLS + j]) * share * share * share * share
