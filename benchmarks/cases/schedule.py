"""Cases of `pimlab.kernels.schedule`: event by event against looking at every task at every
moment.
"""

from __future__ import annotations

import numpy as np

from benchmarks.cases import Case
from pimlab.kernels import schedule as kernels
from pimlab.reference import schedule as reference


def _random(rng, size):
    """A random graph of tasks, some of no time, on few resources."""
    tasks, inferences, places = {
        "tiny": (4, 2, 2),
        "small": (12, 5, 4),
        "large": (1000, 1000, 60),
    }[size]
    seconds = rng.integers(0, 5, tasks) * 0.1 if size != "large" else rng.random(tasks)
    pairs = [(t, int(rng.integers(max(0, t - 4), t)), 0) for t in range(1, tasks)]
    pairs += [(int(rng.integers(0, t)), t, 2) for t in range(1, tasks, 3)]
    edges = sorted((a, b, lag) if lag else (b, a, 0) for a, b, lag in pairs)
    source, follower, lag = np.array(edges, np.int64).T
    # a lag of 2 leads back: the task at the front waits for one behind it, two inferences ago
    source, follower = np.where(lag > 0, follower, source), np.where(lag > 0, source, follower)
    order = np.argsort(source, kind="stable")
    first = np.searchsorted(source[order], np.arange(tasks + 1)).astype(np.int64)
    return (
        rng.integers(0, places, tasks),
        seconds,
        rng.integers(1, 3, places),
        first,
        follower[order],
        lag[order],
        np.sort(rng.random(inferences)) if size != "large" else np.zeros(inferences),
    )


def _run(function):
    def run(*arguments):
        seconds, arrival = arguments[1], arguments[-1]
        start = np.full((arrival.size, seconds.size), np.nan)
        finish = start.copy()
        return start, finish, np.int64(function(*arguments, start, finish))

    return run


CASES = {
    "schedule.list_schedule": Case(
        _run(kernels.list_schedule),
        _run(reference.list_schedule),
        _random,
        covers=("schedule.list_schedule",),
    )
}
