"""Does a plan fit on its chips, and if not, what would? The fullest chip, batch and chips that fit.

A plan fits where no memory of the fuller of its first and last stage is more than full.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

from pimlab import units
from pimlab.cluster.candidates import candidates
from pimlab.cluster.cluster import Cluster, memory_bytes
from pimlab.cluster.memory import Held, held
from pimlab.cluster.shards import Work, tensor_degrees
from pimlab.cluster.steps import Degrees, part_of
from pimlab.workload.language.shape import DecoderShape


def fullest(
    shape: DecoderShape, cluster: Cluster, part: Work, one: Degrees, layers: int
) -> tuple[Held, ...]:
    """What each machine of a chip holds, of the fuller of the first and the last stage. Unit:
    bytes.
    """
    sides = [(True, True)] if one.pipeline == 1 else [(True, False), (False, True)]
    found = [
        held(
            shape,
            cluster,
            part,
            one.tensor,
            layers,
            first=first,
            last=last,
            microbatches=one.microbatches,
            attention=one.attention,
            expert=one.expert,
        )
        for first, last in sides
    ]
    return max(found, key=lambda machines: max(np.nan_to_num(m.share) for m in machines))


def fits(memory: tuple[Held, ...]) -> bool:
    """Whether no memory is more than full; what nobody states the size of holds everything."""
    return all(math.isnan(one.share) or one.share <= 1 for one in memory)


def too_small(name: str, shape: DecoderShape, cluster: Cluster, work: Work) -> str:
    """What the fullest memory would hold at best, and what would hold it."""
    best, share = None, math.inf
    for one in candidates(shape, cluster.chips, work, {}):
        memory = fullest(shape, cluster, part_of(work, one), one, -(-shape.layers // one.pipeline))
        most = max(memory, key=lambda m: np.nan_to_num(m.share))
        if most.share < share:
            best, share = most, most.share
    assert best is not None
    text = (
        f"{name} with batch={work.batch} at context={work.context} does not fit on "
        f"{cluster.chips} chips {cluster.chip.name}: at best {_over(best, cluster)}"
    )
    batch = _largest_batch(shape, cluster, work)
    if batch:
        return f"{text}; the cache allows batch={batch} at most"
    return f"{text}; {_chips_needed(shape, cluster, work)}"


def _over(best: Held, cluster: Cluster) -> str:
    """By how much a memory is too small: in bytes, or in times where its machine computes with what
    it holds and says itself how much room that takes.
    """
    size = memory_bytes(cluster)
    if size and math.isclose(best.share, best.total / size):
        return f"{units.si(best.total, 'B')} on a chip of {units.si(size, 'B')}, " + (
            f"{best.share - 1:.0%} too much"
        )
    return (
        f"the model takes {best.share:.4g} times the memory of {best.machine}, which computes with "
        "what it holds"
    )


def _largest_batch(shape: DecoderShape, cluster: Cluster, work: Work) -> int:
    """The largest batch that fits, 0 where none does (the weights alone are too large)."""
    low, high = 0, work.batch
    while high - low > 1:
        middle = (low + high) // 2
        fits = _holds(shape, cluster, cluster.chips, work.but(batch=middle))
        low, high = (middle, high) if fits else (low, middle)
    return low


def _chips_needed(shape: DecoderShape, cluster: Cluster, work: Work) -> str:
    most = shape.heads * shape.layers
    for chips in itertools.chain(range(cluster.chips + 1, 65), (1 << i for i in range(6, 21))):
        if chips > cluster.chips and _holds(shape, cluster, chips, work):
            return f"{chips if chips < 65 else f'at most {chips}'} chips would hold it"
        if chips >= most:
            break
    return (
        f"no cut by {shape.heads} heads and {shape.layers} layers ({most} chips) makes the parts "
        "small enough"
    )


def _holds(shape: DecoderShape, cluster: Cluster, chips: int, work: Work) -> bool:
    """Whether any plan without replicas fits on so many chips: the smallest share of one decides.
    Unit of `chips`: chips.
    """
    for tensor in tensor_degrees(shape, chips):
        pipeline = min(shape.layers, chips // tensor)
        one = Degrees(tensor=tensor, pipeline=pipeline)
        if fits(fullest(shape, cluster, part_of(work, one), one, -(-shape.layers // pipeline))):
            return True
    return False
