"""Conductances after programming and power-law drift, and the spread of reads, by NumPy: the
specification of `pimlab.kernels.cells`.
"""

from __future__ import annotations

import numpy as np
from numpy.polynomial.polynomial import polyval

from pimlab.reference import philox
from pimlab.reference.clipped import add_cells

SMALLEST = 1e-7
"""u below this counts as this in a logarithm or a power."""


def curve(table, u):
    """What a table (see `pimlab.kernels.cells`) says of u, float64, shape of u."""
    below, above = (_piece(row, u) for row in table)
    return np.where(u < table[0, 4], below, above)


def _piece(row, u):
    kind, low, high, count = row[:4]
    terms, safe = row[5 : 5 + int(count)], np.maximum(u, SMALLEST)
    if kind == 0:
        return np.maximum(polyval(np.minimum(u, high), terms), low)
    if kind == 3:
        return terms[0] * -np.expm1(-u / terms[1])
    first, second = terms
    return np.clip(first * np.log(safe) + second if kind == 1 else first * safe**second, low, high)


def programmed(target, z, reference, sigma, floor):
    """max(g + sigma(g / reference) z, 0), 0 where g is below `floor`: S, float64, (cells,)."""
    spread = np.maximum(curve(sigma, target / reference), 0.0)
    return np.where(target < floor, 0.0, np.maximum(target + spread * z, 0.0))


def drifted(g, target, z, reference, mean, sigma, log_age):
    """g exp(-|mean(u) + sigma(u) z| log_age), u = target / reference: S, float64, (cells,)."""
    u = target / reference
    return g * np.exp(np.abs(curve(mean, u) + curve(sigma, u) * z) * -log_age)


def flicker(g, target, reference, strength, growth):
    """g strength(target / reference) growth: S, float64, (cells,)."""
    return g * curve(strength, target / reference) * growth


def add_read(target, law, row, sign, devices, load, mean, variance, third, sums):
    """(load, mean, variance, third, sums) with a read of one polarity's cells added.

    target : float64, shape (k, n), S; others as in `pimlab.kernels.cells.add_read`.
    """
    z = philox.normal(law.p_key0, law.p_key1, row, 0, target.shape)
    g = programmed(target, z, law.p_reference, law.p_sigma, law.p_floor)
    if law.d_log_age > 0:
        z = philox.normal(law.d_key0, law.d_key1, row, 0, target.shape)
        g = drifted(g, target, z, law.d_reference, law.d_mean, law.d_sigma, law.d_log_age)
    sigma = flicker(g, target, law.r_reference, law.r_strength, law.r_growth)
    added = add_cells(g, sigma, 0.0, np.inf, sign, devices, mean, variance, third, sums)
    return load + g.sum(axis=1), *added
