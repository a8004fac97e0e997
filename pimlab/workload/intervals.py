"""How far may a number lie from the truth? Intervals of 95 % over samples, by scipy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pimlab.result import NORMAL_95

LEVEL = 0.95
RESAMPLES = 199
"""Draws of a bootstrap: the ends of its interval are the 5th and 195th of them."""


def proportion(right: np.ndarray) -> tuple[float, float, float]:
    """(fraction, low, high) of right (n,), 0 or 1 a sample, by Wilson's score.

    Wilson, E. B. (1927), Probable inference, the law of succession, and statistical inference, J.
    Am. Stat. Assoc. 22, 209. ValueError when there is no sample.
    """
    from scipy.stats import binomtest

    n, count = len(right), round(float(right.sum()))
    if n == 0:
        raise ValueError("accuracy of no samples; allowed: one sample or more")
    low, high = binomtest(count, n).proportion_ci(LEVEL, method="wilson")
    value = count / n
    return value, min(float(low), value), max(float(high), value)


def ratio(counts: np.ndarray, sizes: np.ndarray) -> tuple[float, float]:
    """sum(counts) / sum(sizes) of samples (n,), and half its normal interval (Cochran 1977, eq.
    2.39); NaN for one sample.

    ValueError when there is no sample, or when the sizes add up to 0.
    """
    n, total = len(counts), float(sizes.sum())
    if n == 0 or total == 0:
        raise ValueError(
            f"a ratio over {n or 'no'} samples whose sizes add up to {total:g}; allowed: one or "
            "more, not all of size 0"
        )
    value = float(counts.sum() / total)
    if n == 1:
        return value, float("nan")
    variance = n / (n - 1) * np.square(counts - value * sizes).sum()
    return value, NORMAL_95 * float(np.sqrt(variance)) / total


def bootstrap(statistic: Callable[[np.ndarray], np.ndarray], n: int) -> tuple[float, float]:
    """Ends of the percentile interval of `statistic` over n samples; NaN for one sample.

    statistic : float (draws,) of weights int, shape (draws, n), how often each sample was drawn.
    The draws are the same in every call (Efron 1979, Ann. Stat. 7, 1).
    """
    from scipy.stats import bootstrap as drawn

    if n < 2:
        return float("nan"), float("nan")

    def of_picks(picks: np.ndarray, axis: int) -> np.ndarray:
        flat = picks.reshape(-1, n).astype(np.int64)
        offsets = np.arange(len(flat))[:, None] * n
        weights = np.bincount((flat + offsets).ravel(), minlength=flat.size).reshape(flat.shape)
        return np.reshape(statistic(weights), picks.shape[:-1])

    found = drawn(
        (np.arange(n),),
        of_picks,
        n_resamples=RESAMPLES,
        confidence_level=LEVEL,
        method="percentile",
        vectorized=True,
        rng=np.random.default_rng(0),
    ).confidence_interval
    return float(found.low), float(found.high)


def jackknife(value: float, without: np.ndarray) -> tuple[float, float]:
    """Ends of the normal interval of `value` from what it is without each of n samples (Efron and
    Stein 1981, Ann. Stat. 9, 586). In the unit of `value`.
    """
    n = len(without)
    error = NORMAL_95 * float(np.sqrt((n - 1) * np.var(without)))
    return value - error, value + error
