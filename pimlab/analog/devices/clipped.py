"""Which mean and variance has a Gaussian that is cut off at zero? What a cell's conductance noise
really is.

A conductance g + sigma z cannot be negative: values below zero are zero. At on/off 100 and sigma 2
% the plain variance is wrong by a quarter at the off state, so every output-referred noise uses
these moments instead.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr


def moments(g: np.ndarray, sigma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of max(g + sigma z, 0), z standard normal. g, sigma, results: float64, S
    and S^2.

    With a = g / sigma: E = g Phi(a) + sigma phi(a), E[x^2] = (g^2 + sigma^2) Phi(a) + g sigma
    phi(a). Cells with a > 8 are returned unclipped (the error is below 1e-15), and sigma = 0 is
    exact. Both of the shape (...) of g.
    """
    mean, variance, touched = (
        np.array(g, float),
        np.array(np.square(sigma), float),
        _touched(g, sigma),
    )
    first, second = _raw(mean[touched], np.asarray(sigma, float)[touched], 2)
    mean[touched], variance[touched] = first, np.maximum(second - first**2, 0.0)
    return mean, variance


def cumulants(
    g: np.ndarray, sigma: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The first four cumulants of max(g + sigma z, 0) (S to S^4): `moments`, and two that are zero
    without clipping. Each of the shape (...) of g.
    """
    mean, variance, touched = (
        np.array(g, float),
        np.array(np.square(sigma), float),
        _touched(g, sigma),
    )
    m1, m2, m3, m4 = _raw(mean[touched], np.asarray(sigma, float)[touched], 4)
    square, third, fourth = m1 * m1, np.zeros(touched.shape), np.zeros(touched.shape)
    spread = m2 - square
    mean[touched], variance[touched] = m1, np.maximum(spread, 0.0)
    third[touched] = m3 - m1 * (3 * m2 - 2 * square)
    fourth[touched] = m4 - 4 * m1 * m3 + 3 * square * (2 * m2 - square) - 3 * spread * spread
    return mean, variance, third, fourth


def bounded_moments(
    g: np.ndarray, sigma: np.ndarray, low: float, high: float
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of g + sigma z cut at both `low` and `high`, S and S^2; see
    `bounded_cumulants`. Each of the shape (...) of g.
    """
    upper, distance = _distance(g, low, high)
    mean, variance = moments(distance, sigma)
    return np.where(upper, high - mean, low + mean), variance


def bounded_cumulants(
    g: np.ndarray, sigma: np.ndarray, low: float, high: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The first four cumulants of g + sigma z cut at both `low` and `high`, S to S^4.

    Only the nearer end counts: the other is more than half of the range away. high : inf for none.
    Each of the shape (...) of g.
    """
    upper, distance = _distance(g, low, high)
    mean, variance, third, fourth = cumulants(distance, sigma)
    return (
        np.where(upper, high - mean, low + mean),
        variance,
        np.where(upper, -third, third),
        fourth,
    )


def _distance(g: np.ndarray, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Which cells are nearer to `high`, and how far each is from its nearer end [S]."""
    g = np.asarray(g, float)
    upper = high - g < g - low
    return upper, np.where(upper, np.minimum(high, 1e300) - g, g - low)


def _touched(g: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Cells that a draw can push below zero."""
    return np.asarray(8.0 * np.asarray(sigma) > g)


def _raw(g: np.ndarray, sigma: np.ndarray, order: int) -> list[np.ndarray]:
    """Raw moments 1..order by m_n = g m_(n-1) + (n-1) sigma^2 m_(n-2), with sigma phi(a) from the
    edge for n = 1.
    """
    a = g / np.maximum(
        np.maximum(sigma, g / 38.0), 1e-300
    )  # beyond 38 the density is below the smallest float
    density = np.exp(-0.5 * a * a) / np.sqrt(2 * np.pi)
    raw = [ndtr(a)]
    for n in range(1, order + 1):
        raw.append(g * raw[-1] + (sigma * density if n == 1 else (n - 1) * sigma**2 * raw[-2]))
    return raw[1:]
