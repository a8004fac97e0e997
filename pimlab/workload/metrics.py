"""How good is an answer? One number a sample, and a summary of them with its 95 % interval.

A metric has a name, says which way is better, and refuses what it cannot judge. Built-in ones have
names ("accuracy", "top-5", "r2", "rmse", "average_precision", "character_error", "word_error"); a
function of one's own (outputs, labels) needs a direction (`better`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pimlab.units import is_integer
from pimlab.workload import intervals
from pimlab.workload.metric import Metric as Metric
from pimlab.workload.metric import Summary as Summary
from pimlab.workload.metric import finite as finite


class Accuracy(Metric):
    """Fraction of samples whose largest output is at the label; interval by Wilson's score."""

    name = "accuracy"
    long_name = "fraction of samples classified right"

    def check(self, labels: np.ndarray) -> None:
        """Labels are whole numbers, 0 or more: the indices of classes."""
        class_labels(self.name, labels)

    def contributions(self, outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """1.0 where argmax of outputs (n, classes) equals labels (n,), else 0.0. ValueError for
        other shapes, outputs that hold NaN, and labels that are no index of a class.
        """
        classes = classified(self.name, outputs, labels)
        return (np.asarray(outputs).argmax(axis=1) == classes).astype(np.float64)

    def summarise(self, contributions: np.ndarray) -> Summary:
        """Mean and Wilson's 95 % interval; ValueError when there is no sample. Unit 1."""
        return intervals.proportion(contributions)


class TopAccuracy(Accuracy):
    """Fraction of samples whose label is among the k largest outputs; of equal outputs the first
    are taken, as argmax does.
    """

    def __init__(self, k: int):
        if not is_integer(k) or k < 1:
            raise ValueError(f"top-k k={k!r}; allowed: an integer, 1 or more")
        self.k, self.name = int(k), f"top_{k}_accuracy"
        self.long_name = f"fraction of samples whose label is among the {k} largest outputs"

    def contributions(self, outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """1.0 where the label (n,) is among the k largest of outputs (n, classes), else 0.0."""
        classes = classified(self.name, outputs, labels)[:, None]
        best = np.argsort(-np.asarray(outputs, np.float64), axis=1, kind="stable")[:, : self.k]
        return (best == classes).any(axis=1).astype(np.float64)


class RootMeanSquareError(Metric):
    """Square root of the mean squared difference, in the unit of the labels; lower is better."""

    name = "rmse"
    long_name = "root mean square error, in the unit of the labels"
    better = "lower"

    def check(self, labels: np.ndarray) -> None:
        """Labels are finite numbers."""
        finite(self.name, "labels", labels)

    def contributions(self, outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """float64, shape (n, 2): squared error summed over the outputs of a sample, and their
        number; outputs and labels (n,) or (n, values).
        """
        y, wanted = regressed(self.name, outputs, labels)
        return np.column_stack([np.square(y - wanted).sum(axis=1), np.full(len(y), y.shape[1])])

    def summarise(self, contributions: np.ndarray) -> Summary:
        """Root of the mean squared error; the interval is that of the mean, under the root. In the
        unit of the labels.
        """
        mean, error = intervals.ratio(contributions[:, 0], contributions[:, 1])
        low, high = np.sqrt([max(0.0, mean - error), mean + error])
        return float(np.sqrt(mean)), float(low), float(high)


class Determination(Metric):
    """R2 = 1 - sum (y - label)**2 / sum (label - mean)**2; 1 is exact, 0 no better than the mean.

    Several outputs are pooled (scikit-learn's "variance_weighted"). The interval is that of the
    ratio, the mean of the labels taken as known.
    """

    name = "r2"
    long_name = "coefficient of determination R2"

    def check(self, labels: np.ndarray) -> None:
        """Labels are finite numbers."""
        finite(self.name, "labels", labels)

    def contributions(self, outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """float64, shape (n, 1 + values): squared error of a sample, and its labels."""
        y, wanted = regressed(self.name, outputs, labels)
        return np.column_stack([np.square(y - wanted).sum(axis=1), wanted])

    def summarise(self, contributions: np.ndarray) -> Summary:
        """1 - error / variance; ValueError for labels that are all the same. Unit 1."""
        labels = contributions[:, 1:]
        spread = np.square(labels - labels.mean(axis=0)).sum(axis=1)
        if not spread.sum() > 0:
            raise ValueError(
                f"r2: all {len(labels)} labels are {labels[0].tolist()}; allowed: labels that "
                "differ (take metric='rmse')"
            )
        value, error = intervals.ratio(contributions[:, 0], spread)
        return 1 - value, 1 - value - error, min(1.0, 1 - value + error)


class AveragePrecision(Metric):
    """Mean over classes of the area under precision and recall: sum (R_i - R_i-1) P_i.

    Labels are 0 or 1 for each class (several may hold), or one class index a sample. Classes
    without a positive sample are left out. The interval is a bootstrap over samples.
    """

    name = "average_precision"
    long_name = "average precision, mean over classes"

    def check(self, labels: np.ndarray) -> None:
        """Labels are class indices (n,), or 0 and 1 for each class (n, classes)."""
        if np.ndim(labels) == 1:
            class_labels(self.name, labels)
        elif not np.isin(labels, (0, 1)).all():
            raise ValueError(
                f"{self.name}: labels {np.shape(labels)} hold {_other(labels)!r}; allowed: 0 and 1 "
                "for each class, or one class index a sample"
            )

    def contributions(self, outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """float64, shape (n, 2 classes): outputs (n, classes), then 1 where a class holds, else
        0.
        """
        if np.ndim(labels) == 1:
            holds = np.eye(np.shape(outputs)[-1])[classified(self.name, outputs, labels)]
        else:
            self.check(labels)
            same_shape(self.name, outputs, labels, "(n, classes)")
            without_nan(self.name, outputs)
            holds = np.asarray(labels)
        return np.column_stack([outputs, holds]).astype(np.float64)

    def summarise(self, contributions: np.ndarray) -> Summary:
        """Mean average precision over the classes that occur; ValueError when none does. Unit 1."""
        scores, holds = np.split(contributions, 2, axis=1)
        classes = np.flatnonzero(holds.any(axis=0))
        if len(classes) == 0:
            raise ValueError(f"{self.name}: no class holds for any sample; allowed: one or more")

        def mean(weights: np.ndarray) -> np.ndarray:
            each = [_average_precision(scores[:, c], holds[:, c], weights) for c in classes]
            return np.nanmean(each, axis=0)

        low, high = intervals.bootstrap(mean, len(scores))
        return float(mean(np.ones((1, len(scores))))[0]), low, high


class Own(Metric):
    """A function of one's own, function(outputs, labels): one number a sample (n,), whose mean is
    the metric, or one number for all.

    One number for all, such as a score of scikit-learn, has no interval: low and high are NaN.
    """

    def __init__(self, function: Callable[[np.ndarray, np.ndarray], Any], better: str):
        own = str(getattr(function, "__name__", type(function).__name__))
        self.function, self.better = function, better
        self.name = own if own.isidentifier() else "own_metric"
        self.long_name = f"{self.name.replace('_', ' ')} ({better} is better)"

    def contributions(self, outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """object (n, 2): the output and the label of each sample; the function sees all at once."""
        without_nan(self.name, outputs)
        pairs = np.empty((len(outputs), 2), object)
        for row, pair in enumerate(zip(outputs, labels, strict=True)):
            pairs[row, 0], pairs[row, 1] = pair
        return pairs

    def summarise(self, contributions: np.ndarray) -> Summary:
        """Mean of the function's numbers with their normal interval, or its one number.

        ValueError for a function that returns something else, or NaN.
        """
        outputs, labels = (np.stack(list(contributions[:, side])) for side in (0, 1))
        said = self.function(outputs, labels)
        values = np.asarray(said, object if said is None else None)
        if values.dtype.kind not in "biuf" or values.shape not in ((), (len(outputs),)):
            raise ValueError(
                f"metric {self.name} returned {said!r:.60}; allowed: one number, or one a sample, "
                f"({len(outputs)},)"
            )
        if np.isnan(values).any():
            raise ValueError(f"metric {self.name} returned NaN; allowed: numbers")
        if values.ndim == 0:
            return float(values), float("nan"), float("nan")
        mean, error = intervals.ratio(values.astype(np.float64), np.ones(len(values)))
        return mean, mean - error, mean + error


class PearsonSimilarity(Metric):
    """Correlation between the cosine of embeddings and judged likeness, over all pairs; interval by
    the jackknife.

    Pairs share documents, so the interval leaves out one document at a time rather than counting
    pairs.
    """

    name = "pearson"
    long_name = "correlation of embedding similarity with human judgement"

    def __init__(self, documents: int):
        self.documents = documents

    def contributions(self, outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """float64, shape (n, 1 + documents + width): labels (n, 1 + documents), the index of a
        document and its judged likeness to every document, then outputs (n, width) of length one.
        """
        if outputs.ndim != 2 or labels.ndim != 2 or len(outputs) != len(labels):
            raise ValueError(
                f"pearson: outputs {outputs.shape} and labels {labels.shape}; allowed: (n, width) "
                "and (n, 1 + documents)"
            )
        finite(self.name, "outputs", outputs)
        return np.column_stack([labels, outputs]).astype(np.float64)

    def summarise(self, contributions: np.ndarray) -> Summary:
        """(correlation, low, high); the interval is NaN below four documents. ValueError below
        three documents. Unit 1.
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
        low, high = intervals.jackknife(value, without)
        return value, max(-1.0, low), min(1.0, high)


def class_labels(name: str, labels: np.ndarray) -> np.ndarray:
    """labels (n,) as int64; ValueError naming the first that is no index of a class."""
    found = np.asarray(labels)
    if found.ndim != 1:
        hint = "; of one-hot rows take labels.argmax(axis=1)" if found.ndim == 2 else ""
        if found.ndim == 2 and found.shape[1] == 1:
            hint = "; of one column take labels[:, 0]"
        raise ValueError(f"{name}: labels {found.shape}; allowed: (n,), one class index{hint}")
    if found.dtype.kind not in "biuf":
        raise ValueError(
            f"{name}: labels are {found.dtype} such as {found[:1].tolist()}; allowed: class "
            "indices 0, 1, ... (of names, take numpy.unique(names, return_inverse=True)[1])"
        )
    wrong = ~(np.isfinite(found) & (found >= 0) & (np.floor(found) == found))
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(
            f"{name}: labels[{at}]={found[at]} is no class ({int(wrong.sum())} of {len(found)} are "
            "not); allowed: whole numbers from 0"
        )
    return found.astype(np.int64)


def classified(name: str, outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """labels (n,) as int64, each the index of a column of outputs (n, classes) without NaN."""
    if np.ndim(outputs) != 2 or np.shape(labels) != np.shape(outputs)[:1]:
        raise ValueError(
            f"{name}: outputs {np.shape(outputs)} and labels {np.shape(labels)}; allowed: (n, "
            "classes) and (n,)"
        )
    found, classes = class_labels(name, labels), np.shape(outputs)[1]
    if (found >= classes).any():
        at = int(np.argmax(found >= classes))
        raise ValueError(
            f"{name}: labels[{at}]={found[at]}, and the model has {classes} outputs; allowed: "
            f"0..{classes - 1}"
        )
    without_nan(name, outputs)
    return found


def regressed(name: str, outputs: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """outputs and labels as finite float64, shape (n, values), of the same shape."""
    y, wanted = (np.asarray(a).reshape(len(a), -1) for a in (outputs, labels))
    same_shape(name, y, wanted, "(n,) or (n, values)")
    finite(name, "outputs", y)
    finite(name, "labels", wanted)
    return y.astype(np.float64), wanted.astype(np.float64)


def same_shape(name: str, outputs: np.ndarray, labels: np.ndarray, allowed: str) -> None:
    """ValueError unless outputs and labels have one shape."""
    if np.shape(outputs) != np.shape(labels):
        raise ValueError(
            f"{name}: outputs {np.shape(outputs)} and labels {np.shape(labels)}; allowed: the same "
            f"{allowed}"
        )


def without_nan(name: str, outputs: np.ndarray) -> None:
    """ValueError for outputs that hold NaN: no order is right for them."""
    bad = np.isnan(outputs) if np.asarray(outputs).dtype.kind == "f" else np.zeros(1, bool)
    if bad.any():
        rows = int(bad.reshape(len(bad), -1).any(axis=1).sum())
        raise ValueError(
            f"{name}: the outputs of {rows} of {len(bad)} samples hold NaN; allowed: numbers (a "
            "layer overflowed, or the model divides by zero)"
        )


def _average_precision(scores: np.ndarray, holds: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """float (draws,) of scores (n,), holds (n,) and how often each sample counts (draws, n)."""
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))  # of equal scores
    right = np.cumsum(weights[:, order] * holds[order], axis=1)[:, ends]
    taken = np.cumsum(weights[:, order], axis=1)[:, ends]
    gained = np.diff(right, axis=1, prepend=0)
    with np.errstate(invalid="ignore"):  # a draw without a positive sample has no precision
        precision = np.where(taken > 0, right / np.maximum(taken, 1), 0.0)
        return (gained * precision).sum(axis=1) / right[:, -1]


def _pairs_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's correlation of the entries above the diagonal of two square matrices."""
    above = np.triu_indices(len(a), 1)
    return float(np.corrcoef(a[above], b[above])[0, 1])


def _other(labels: np.ndarray) -> Any:
    """The first of labels that is neither 0 nor 1."""
    flat = np.ravel(labels)
    return flat[np.argmax(~np.isin(flat, (0, 1)))].item()
