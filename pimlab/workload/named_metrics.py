"""Which metric is meant by a name, or by a function of one's own?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pimlab.values import nearest
from pimlab.workload.edit_errors import CharacterError, WordError
from pimlab.workload.metrics import (
    Accuracy,
    AveragePrecision,
    Determination,
    Metric,
    Own,
    RootMeanSquareError,
    TopAccuracy,
)


def metric(chosen: str | Metric | Callable[..., Any], better: str | None = None) -> Metric:
    """The metric of that name, or of a function (outputs, labels) -> number(s) with its direction.

    chosen : "accuracy", "top-5" (any k), "r2", "rmse", "average_precision", "character_error",
    "word_error", a Metric, or a function that returns one number a sample (n,) or one for all.
    better : "higher" or "lower"; a function needs it, the others know theirs.
    ValueError for an unknown name and a direction that is not the metric's; TypeError for what is
    none of these.

    >>> metric("top-5").name, metric("rmse").better
    ('top_5_accuracy', 'lower')
    """
    if better not in (None, "higher", "lower"):
        raise ValueError(f"better={better!r}; allowed: 'higher' or 'lower'")
    if isinstance(chosen, str):
        found = _named(chosen)
    elif isinstance(chosen, Metric):
        found = chosen
    elif callable(chosen) and not isinstance(chosen, type):
        if better is None:
            raise ValueError(
                f"metric={chosen!r:.60} is a function: say which way is better, better='higher' or "
                "better='lower'"
            )
        return Own(chosen, better)
    else:
        raise TypeError(
            f"metric={chosen!r:.60}; allowed: a name such as 'accuracy', a pimlab.workload.Metric, "
            "or a function (outputs, labels) -> numbers"
        )
    if better not in (None, found.better):
        raise ValueError(f"better={better!r}, but {found.better} is better of {found.name}")
    return found


def _named(name: str) -> Metric:
    if name.startswith("top-") and name[4:].isdigit():
        return TopAccuracy(int(name[4:]))
    known: dict[str, Callable[[], Metric]] = {
        "accuracy": Accuracy,
        "top-5": lambda: TopAccuracy(5),
        "r2": Determination,
        "rmse": RootMeanSquareError,
        "average_precision": AveragePrecision,
        "character_error": CharacterError,
        "word_error": WordError,
    }
    if name not in known:
        raise ValueError(
            f"metric {name!r} is not known{nearest(name, known)} (known: {', '.join(known)}, and "
            "top-k for any k); or give a function (outputs, labels) -> numbers"
        )
    return known[name]()
