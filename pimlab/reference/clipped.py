"""Cumulants of Gaussian conductances cut at their ends, by SciPy's normal distribution: the
specification of `pimlab.kernels.clipped`.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr


def cumulants(g, sigma):
    """The first four cumulants of max(g + sigma z, 0), z standard normal; where sigma is 0, of g
    itself.

    g, sigma : float64 of one shape, one unit;  returns float64, shape (4, ...), in that unit to the
    power 1, 2, 3 and 4.
    """
    g, sigma = np.asarray(g, np.float64), np.asarray(sigma, np.float64)
    a = g / np.where(sigma > 0, sigma, 1.0)
    cumulative, density = ndtr(a), np.exp(-0.5 * a * a) / np.sqrt(2 * np.pi)
    m1 = a * cumulative + density
    m2 = a * m1 + cumulative
    m3 = a * m2 + 2 * m1
    m4 = a * m3 + 3 * m2
    central = [
        m1,
        m2 - m1**2,
        m3 - 3 * m1 * m2 + 2 * m1**3,
        m4 - 4 * m1 * m3 - 3 * m2**2 + 12 * m1**2 * m2 - 6 * m1**4,
    ]
    free = [g, sigma**2, np.zeros_like(g), np.zeros_like(g)]
    far = (sigma <= 0) | (a >= 8)
    return np.array(
        [
            np.where(far, plain, cut * sigma ** (order + 1))
            for order, (plain, cut) in enumerate(zip(free, central, strict=True))
        ]
    )


def add_cells(g, sigma, low, high, sign, devices, mean, variance, third, sums):
    """(mean, variance, third, sums) with one polarity's cells added.

    g, sigma : float32, shape (k, n), one unit;  mean, variance, third : float64, shape (k, n);
    sums : float64, shape (3, n).
    """
    g = g.astype(np.float64)
    upper = high - g < g - low
    c1, c2, c3, c4 = cumulants(np.where(upper, np.minimum(high, 1e300) - g, g - low), sigma)
    first = np.where(upper, high - c1, low + c1)
    c3 = np.where(upper, -c3, c3)
    sizes = [c2 / devices**2, np.abs(c3) / devices**3, np.abs(c4) / devices**4]
    return (
        mean + sign * first / devices,
        variance + c2 / devices**2,
        third + sign * c3 / devices**3,
        sums + np.array([one.sum(axis=0) for one in sizes]),
    )


add_row = add_cells
"""A row is added as any other number of them."""
