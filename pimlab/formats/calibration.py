"""Which range should the codes of an integer format cover? Rules with names, each a pure function
of a histogram.

A histogram is counts (bins,) and edges (bins + 1,), rising evenly, whose ends are the smallest and
the largest value seen. A rule answers with (low, high); `pimlab.formats.affine` turns them into a
scale and a zero point.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from pimlab.formats.grids import IntegerFormat, NumberFormat
from pimlab.formats.names import format as format_named
from pimlab.values import unknown

BINS = 2048
SHARE = 0.999
_CANDIDATES = 64
_SMOOTHING = 1e-4


def histogram(samples: np.ndarray, bins: int = BINS) -> tuple[np.ndarray, np.ndarray]:
    """counts int64, shape (bins,) and edges float64, shape (bins + 1,) of samples, any shape;
    ValueError if empty or not finite.
    """
    samples = np.asarray(samples, dtype=np.float64).ravel()
    if samples.size == 0 or not np.isfinite(samples).all():
        raise ValueError(
            f"calibration: {samples.size} samples, {np.count_nonzero(~np.isfinite(samples))} "
            "non-finite; allowed: finite, one or more"
        )
    counts, edges = np.histogram(samples, bins=bins)
    return counts, edges


def minmax(
    counts: np.ndarray, edges: np.ndarray, format: str | NumberFormat = "int8"
) -> tuple[float, float]:
    """The smallest and the largest value seen. In the unit of the samples."""
    return float(edges[0]), float(edges[-1])


def percentile(
    counts: np.ndarray, edges: np.ndarray, format: str | NumberFormat = "int8", share: float = SHARE
) -> tuple[float, float]:
    """The narrowest range, to one bin, beyond each end of which lies at most (1 - share) / 2 of all
    values. In the unit of the samples.
    """
    if not 0 < share <= 1:
        raise ValueError(f"percentile share={share!r} is outside 0..1 (and must not be 0)")
    tail = (1.0 - share) / 2 * counts.sum()
    below, above = np.cumsum(counts), np.cumsum(counts[::-1])
    low = edges[np.searchsorted(below, tail, side="right")]
    high = edges[::-1][np.searchsorted(above, tail, side="right")]
    return float(low), float(high)


def _squared_error(
    counts: np.ndarray, centres: np.ndarray, low: float, high: float, levels: int
) -> float:
    """Sum of squared errors of rounding to `levels` + 1 even steps over [low, high], values beyond
    clipped.
    """
    step = (high - low) / levels
    back = np.clip(np.rint((centres - low) / step), 0, levels) * step + low
    return float(counts @ (back - centres) ** 2)


def mse(
    counts: np.ndarray, edges: np.ndarray, format: str | NumberFormat = "int8"
) -> tuple[float, float]:
    """The range whose rounding and clipping errors have the smallest mean square, found end after
    end, 64 candidates each.

    Bin centres stand for the values, so the histogram wants several bins a step: 2048 bins serve
    formats up to 8 bits. In the unit of the samples.
    """
    levels = 2 ** _integers(format).width - 1
    used = counts > 0
    counts, centres = counts[used].astype(np.float64), ((edges[1:] + edges[:-1]) / 2)[used]
    low, high = min(float(edges[0]), 0.0), max(float(edges[-1]), 0.0)
    if low == high:
        return low, high
    shares = np.linspace(1.0 / _CANDIDATES, 1.0, _CANDIDATES)
    full_low, full_high = low, high
    for _ in range(2):
        high = (
            min(
                (_squared_error(counts, centres, low, t * full_high, levels), t * full_high)
                for t in shares
            )[1]
            if full_high > 0
            else high
        )
        low = (
            min(
                (_squared_error(counts, centres, t * full_low, high, levels), t * full_low)
                for t in shares
            )[1]
            if full_low < 0
            else low
        )
    return float(low), float(high)


def _smoothed(distribution: np.ndarray) -> np.ndarray:
    """Zeros raised to 1e-4 of the mean at the cost of the rest, so that the divergence stays
    finite; sums to 1.
    """
    distribution = distribution / distribution.sum()
    return (distribution + _SMOOTHING / distribution.size) / (1 + _SMOOTHING)


def _divergence(magnitudes: np.ndarray, kept: int, levels: int) -> float:
    """Kullback-Leibler divergence of the histogram clipped to `kept` bins from what `levels` levels
    keep of it.
    """
    clipped = magnitudes[:kept].copy()
    clipped[-1] += magnitudes[kept:].sum()
    group = np.arange(kept) * levels // kept
    used = magnitudes[:kept] > 0
    totals = np.bincount(group, weights=magnitudes[:kept], minlength=levels)
    members = np.bincount(group, weights=used, minlength=levels)
    coarse = np.where(used, totals[group] / np.maximum(members[group], 1), 0.0)
    if coarse.sum() == 0:
        return np.inf
    p, q = _smoothed(clipped), _smoothed(coarse)
    return float(p @ np.log(p / q))


def entropy(
    counts: np.ndarray, edges: np.ndarray, format: str | NumberFormat = "int8"
) -> tuple[float, float]:
    """The range whose codes lose the least information: smallest Kullback-Leibler divergence over
    clipping magnitudes.

    S. Migacz, 8-bit Inference with TensorRT, GTC 2017. Magnitudes are clipped at one place for both
    signs; one-sided data uses all codes for its side. The bin at zero counts no more than the next
    one, as in NVIDIA's pytorch-quantization (`calib/histogram.py`): the zeros after a Relu are a
    code of their own whatever the range, and would else draw it to them. In the unit of the
    samples.
    """
    width = _integers(format).width
    one_sided = edges[0] >= 0 or edges[-1] <= 0
    levels = 2 ** (width if one_sided else width - 1)
    largest = float(np.abs(edges).max())
    if largest == 0:
        return 0.0, 0.0
    centres = np.abs((edges[1:] + edges[:-1]) / 2)
    magnitudes, ends = np.histogram(
        centres, bins=max(len(counts), 2 * levels), range=(0.0, largest), weights=counts
    )
    magnitudes[0] = min(magnitudes[0], magnitudes[1])
    kept = np.unique(np.linspace(levels, len(magnitudes), 4 * _CANDIDATES).astype(int))
    best = min((_divergence(magnitudes, k, levels), int(k)) for k in kept)[1]
    return max(float(edges[0]), -float(ends[best])), min(float(edges[-1]), float(ends[best]))


Rule = Callable[..., tuple[float, float]]
RULES: Mapping[str, Rule] = {
    "minmax": minmax,
    "percentile": percentile,
    "mse": mse,
    "entropy": entropy,
}
"""Rule name -> function of (counts, edges, format). "percentile" keeps 99.9 % of the values."""


def _integers(format: str | NumberFormat) -> IntegerFormat:
    grid = format_named(format)
    if not isinstance(grid, IntegerFormat):
        raise ValueError(
            f"calibration for format {grid.name}: ranges are chosen for integer formats, such as "
            "'int8'"
        )
    return grid


def calibrate(
    samples: np.ndarray, rule: str = "minmax", format: str | NumberFormat = "int8"
) -> tuple[float, float]:
    """(low, high) for samples, any shape, by the rule of that name; ValueError for an unknown rule
    or non-finite samples. In the unit of the samples.
    """
    if rule not in RULES:
        raise ValueError(unknown("calibration rule", rule, RULES))
    counts, edges = histogram(samples)
    return RULES[rule](counts, edges, _integers(format))
