"""What does it gain that the NPU multiplies weights while the banks of its own memory compute
attention?

Banks with one row buffer are blocked: the NPU waits while they compute. With a second one it reads
on, and two halves of a batch take turns: one meets the weights while the other attends (NeuPIMs,
ASPLOS 2024).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable

from pimlab import units
from pimlab.arguments import typed
from pimlab.units import is_integer, is_number

Seconds = Callable[[int], float]
"""Sequences of a batch -> seconds [s]."""


@typed
def blocked(weights: Seconds, attention: Seconds, batch: int) -> float:
    """Seconds [s] of a layer whose two parts take turns: weights(batch) + attention(batch)."""
    size = _at_least(batch, 1)
    return _taken("blocked weights", weights, size) + _taken("blocked attention", attention, size)


@typed
def interleaved(weights: Seconds, attention: Seconds, batch: int) -> float:
    """Seconds [s] of a layer for two halves of a batch in turn, once the pipeline is full: the
    longer of each half's product and the other's attention.

    Weights are read for each half, so a batch too small to keep the arrays busy only loses.
    ValueError for a batch below 2.
    """
    half = _at_least(batch, 2) // 2
    rest = batch - half
    pairs = (half, rest), (rest, half)
    return sum(
        max(
            _taken("interleaved weights", weights, one),
            _taken("interleaved attention", attention, other),
        )
        for one, other in pairs
    )


def _taken(name: str, seconds: Seconds, batch: int) -> float:
    """What `seconds` answers [s]; TypeError where it takes no number or answers none."""
    try:
        inspect.signature(seconds).bind(batch)
    except TypeError:
        raise TypeError(
            f"{name}={seconds!r:.60} takes no number of sequences; allowed: sequences of a batch "
            "-> seconds"
        ) from None
    except ValueError:  # a function of C without a signature: it is called as it is
        pass
    taken = seconds(batch)
    if not is_number(taken):
        raise TypeError(f"{name} of {batch} sequences is {taken!r:.60}; allowed: seconds, a number")
    return units.seconds(taken, f"{name} of {batch} sequences")


def _at_least(batch: int, least: int) -> int:
    if not is_integer(batch) or batch < least:
        raise ValueError(f"batch={batch}; allowed: {least} or more sequences")
    return batch
