"""How good is an answer? One number a sample, and a summary of them with its 95 % interval."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

Z95 = 1.959963984540054
"""The two-sided 95 % quantile of the standard normal distribution."""


class Metric(ABC):
    """A quality of outputs against labels, in two steps so that a data set may be evaluated in
    chunks.
    """

    name: str
    long_name: str
    better: str = "higher"
    """Whether "higher" or "lower" is better."""

    @abstractmethod
    def contributions(self, outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """float64 (n, ...), what each of n samples contributes; outputs (n, ...), labels (n,
        ...).
        """

    @abstractmethod
    def summarise(self, contributions: np.ndarray) -> tuple[float, float, float]:
        """(value, low, high): the metric over all contributions and its 95 % interval over
        samples.
        """


def ratio_interval(counts: np.ndarray, sizes: np.ndarray) -> tuple[float, float]:
    """sum(counts) / sum(sizes) of samples (n,), and half its normal 95 % interval (Cochran 1977,
    eq. 2.39); NaN for one sample.

    ValueError when there is no sample.
    """
    n = len(counts)
    if n == 0:
        raise ValueError("a ratio over no samples; allowed: one sample or more")
    value = float(counts.sum() / sizes.sum())
    if n == 1:
        return value, float("nan")
    return value, Z95 * float(
        np.sqrt(n / (n - 1) * np.square(counts - value * sizes).sum()) / sizes.sum()
    )


class Accuracy(Metric):
    """Fraction of samples whose largest output is at the label; interval by Wilson's score.

    Wilson, E. B. (1927), Probable inference, the law of succession, and statistical inference, J.
    Am. Stat. Assoc. 22, 209.
    """

    name = "accuracy"
    long_name = "fraction of samples classified right"

    def contributions(self, outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """1.0 where argmax of outputs (n, classes) equals labels (n,), else 0.0. ValueError for
        other shapes.
        """
        if outputs.ndim != 2 or labels.shape != outputs.shape[:1]:
            raise ValueError(
                f"accuracy: outputs {outputs.shape} and labels {labels.shape}; allowed: (n, "
                "classes) and (n,)"
            )
        return (outputs.argmax(axis=1) == labels).astype(np.float64)

    def summarise(self, contributions: np.ndarray) -> tuple[float, float, float]:
        """Mean and Wilson's 95 % interval; ValueError when there is no sample."""
        n = len(contributions)
        if n == 0:
            raise ValueError("accuracy of no samples; allowed: one sample or more")
        p = float(contributions.mean())
        centre = (p + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
        half = Z95 / (1 + Z95**2 / n) * float(np.sqrt(p * (1 - p) / n + Z95**2 / (4 * n**2)))
        return p, max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))


class PearsonSimilarity(Metric):
    """Correlation between the cosine of embeddings and judged likeness, over all pairs; interval by
    the jackknife.

    Pairs share documents, so the interval leaves out one document at a time (Efron and Stein 1981,
    Ann. Stat. 9, 586) rather than counting pairs.
    """

    name = "pearson"
    long_name = "correlation of embedding similarity with human judgement"

    def __init__(self, documents: int):
        self.documents = documents

    def contributions(self, outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """float64 (n, 1 + documents + width): labels (n, 1 + documents), the index of a document
        and its judged likeness to every document, then outputs (n, width) of length one.
        """
        if outputs.ndim != 2 or labels.ndim != 2 or len(outputs) != len(labels):
            raise ValueError(
                f"pearson: outputs {outputs.shape} and labels {labels.shape}; allowed: (n, width) "
                "and (n, 1 + documents)"
            )
        return np.column_stack([labels, outputs]).astype(np.float64)

    def summarise(self, contributions: np.ndarray) -> tuple[float, float, float]:
        """(correlation, low, high); the interval is NaN below four documents. ValueError below
        three documents.
        """
        index = contributions[:, 0].astype(int)
        judged, embedded = contributions[:, 1 + index], contributions[:, 1 + self.documents :]
        likeness = embedded @ embedded.T
        n = len(index)
        if n < 3:
            raise ValueError(f"pearson of {n} documents; allowed: three or more")
        value = _pairs_correlation(likeness, judged)
        if n < 4:
            return value, float("nan"), float("nan")
        kept = ~np.eye(n, dtype=bool)
        without = np.array(
            [_pairs_correlation(likeness[np.ix_(k, k)], judged[np.ix_(k, k)]) for k in kept]
        )
        error = Z95 * float(np.sqrt((n - 1) / n * np.square(without - without.mean()).sum()))
        return value, max(-1.0, value - error), min(1.0, value + error)


def _pairs_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's correlation of the entries above the diagonal of two square matrices."""
    above = np.triu_indices(len(a), 1)
    return float(np.corrcoef(a[above], b[above])[0, 1])
