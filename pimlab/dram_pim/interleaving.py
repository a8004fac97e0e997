"""What does it gain that the NPU multiplies weights while the banks of its own memory compute
attention?

Banks with one row buffer are blocked: the NPU waits while they compute. With a second one it reads
on, and two halves of a batch take turns: one meets the weights while the other attends (NeuPIMs,
ASPLOS 2024).
"""

from __future__ import annotations

from collections.abc import Callable

from pimlab.arguments import typed
from pimlab.units import is_integer

Seconds = Callable[[int], float]
"""Sequences of a batch -> seconds [s]."""


@typed
def blocked(weights: Seconds, attention: Seconds, batch: int) -> float:
    """Seconds [s] of a layer whose two parts take turns: weights(batch) + attention(batch)."""
    return weights(_at_least(batch, 1)) + attention(batch)


@typed
def interleaved(weights: Seconds, attention: Seconds, batch: int) -> float:
    """Seconds [s] of a layer for two halves of a batch in turn, once the pipeline is full: the
    longer of each half's product and the other's attention.

    Weights are read for each half, so a batch too small to keep the arrays busy only loses.
    ValueError for a batch below 2.
    """
    half = _at_least(batch, 2) // 2
    rest = batch - half
    return max(weights(half), attention(rest)) + max(weights(rest), attention(half))


def _at_least(batch: int, least: int) -> int:
    if not is_integer(batch) or batch < least:
        raise ValueError(f"batch={batch}; allowed: {least} or more sequences")
    return batch
