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


def _tables():
    a = np.arange(int(FAR) * _STEPS + 2) / _STEPS
    density = np.exp(-0.5 * a * a) / math.sqrt(2 * math.pi)
    return np.array([0.5 * math.erfc(-x / math.sqrt(2)) for x in a]), density


_PHI, _DENSITY = _tables()


@inline
def _normal(a):
    """Phi(a) and phi(a) for 0 <= a <= FAR."""
    place = a * _STEPS
    index = int(place)
    t = place - index
    at, step = index / _STEPS, 1.0 / _STEPS
    p0, p1, d0, d1 = _PHI[index], _PHI[index + 1], _DENSITY[index], _DENSITY[index + 1]
    # Hermite, because its slopes are known exactly: Phi' = phi and phi' = -a phi
    s0, s1 = -at * d0 * step, -(at + step) * d1 * step  # slopes of the density
    u = 1.0 - t
    h00, h01 = (1.0 + 2.0 * t) * u * u, t * t * (3.0 - 2.0 * t)
    h10, h11 = t * u * u, -t * t * u
    phi = h00 * p0 + h01 * p1 + (h10 * d0 + h11 * d1) * step
    return phi, h00 * d0 + h01 * d1 + h10 * s0 + h11 * s1


@inline
def cumulants(g, sigma):
    """The first four cumulants of max(g + sigma z, 0), float64, in powers of the unit of g."""
    # most cells stand far from zero: this branch saves them the table
    if sigma <= 0 or g >= FAR * sigma:
        return g, sigma * sigma, 0.0, 0.0
    a = g / sigma
    cumulative, density = _normal(a)
    m1 = a * cumulative + density
    m2 = a * m1 + cumulative
    m3 = a * m2 + 2.0 * m1
    m4 = a * m3 + 3.0 * m2
    square = m1 * m1
    spread = m2 - square
    third = m3 - m1 * (3.0 * m2 - 2.0 * square)
    fourth = m4 - 4.0 * m1 * m3 + 3.0 * square * (2.0 * m2 - square) - 3.0 * spread * spread
    scale = sigma * sigma
    return m1 * sigma, max(spread, 0.0) * scale, third * scale * sigma, fourth * scale * scale


@kernel
def add_cells(g, sigma, low, high, sign, devices, mean, variance, third, sums):
    """Adds the cumulants of the cells of one polarity, cut at `low` and `high`, to those of their
    columns.

    g, sigma : float32, shape (k, n), one unit;  sign : 1.0 or -1.0;  devices : cells that share a
    weight, each taking 1 / devices of the input;  mean, variance, third : float64, shape (k, n),
    added to;  sums : float64, shape (3, n), added to: variances and magnitudes of third and fourth
    cumulants of each column. A cell counts as cut at the nearer end alone; high : inf for none.
    """
    share = 1.0 / devices
    for i in range(g.shape[0]):
        for j in range(g.shape[1]):
            value, spread = np.float64(g[i, j]), np.float64(sigma[i, j])
            upper = high - value < value - low
            distance = high - value if upper else value - low
            c1, c2, c3, c4 = cumulants(distance, spread)
            first = high - c1 if upper else low + c1
            mean[i, j] += sign * first * share
            variance[i, j] += c2 * share * share
            cube = c3 * share * share * share
            third[i, j] += -sign * cube if upper else sign * cube
            sums[0, j] += c2 * share * share
            sums[1, j] += abs(cube)
            sums[2, j] += abs(c4) * share * share * share * share
