"""What must a metric answer? One number a sample, and a summary of them with its 95 % interval."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

Summary = tuple[float, float, float]
"""(value, low, high)."""


class Metric(ABC):
    """A quality of outputs against labels, in two steps so that a data set may be evaluated in
    chunks.
    """

    name: str
    long_name: str
    better: str = "higher"
    """Whether "higher" or "lower" is better."""

    def check(self, labels: np.ndarray) -> None:
        """ValueError for labels that this metric can never judge."""
        if np.asarray(labels).dtype.kind == "O":
            raise ValueError(f"{self.name}: labels are objects; allowed: numbers or texts")

    @abstractmethod
    def contributions(self, outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """float64, shape (n, ...), what each of n samples contributes; outputs (n, ...), labels (n,
        ...).
        """

    @abstractmethod
    def summarise(self, contributions: np.ndarray) -> Summary:
        """(value, low, high): the metric over all contributions and its 95 % interval over
        samples. In the unit of the metric.
        """


def finite(name: str, what: str, values: np.ndarray) -> None:
    """ValueError unless the values are finite numbers."""
    found = np.asarray(values)
    if found.dtype.kind not in "biuf":
        raise ValueError(f"{name}: {what} are {found.dtype}; allowed: numbers")
    if not np.isfinite(found).all():
        raise ValueError(
            f"{name}: {what} hold {np.count_nonzero(~np.isfinite(found))} non-finite values; "
            "allowed: finite numbers"
        )
