"""Does the model fit? Bytes of weights, cache, activations and optimiser state on each chip.

A machine that computes where its weights lie says itself how much of its memory an operator takes
(`Target.occupancy`); of the others bytes are counted, against the memory of the chip.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from pimlab.cluster.cluster import Cluster, memory_bytes
from pimlab.cluster.costs import machines, owner
from pimlab.cluster.shards import Work, first_ops, last_ops, layer_macs
from pimlab.machine.protocol import MacOp
from pimlab.workload.language.shape import DecoderShape

Counted = tuple[tuple[MacOp, int], ...]
WHOLE = "whole"


class Held(NamedTuple):
    """What one machine of a chip holds, in bytes; `share` of its memory, NaN where nobody states
    how large it is.
    """

    machine: str
    weights: float = 0.0
    cache: float = 0.0
    activations: float = 0.0
    optimiser: float = 0.0
    share: float = float("nan")

    @property
    def total(self) -> float:
        """Bytes of all of it (unit: bytes)."""
        return self.weights + self.cache + self.activations + self.optimiser


@lru_cache(maxsize=16384)
def stage_operators(
    shape: DecoderShape,
    work: Work,
    tensor: int,
    layers: int,
    first: bool,
    last: bool,
    attention: str = "heads",
    expert: int = 1,
) -> Counted:
    """(operator, how many of it with data of their own) of a stage of `layers` layers, all experts
    of a chip included. Unit of a width: values.
    """
    found = [(op, layers) for op in layer_macs(shape, work, tensor, attention, expert, True)]
    ends = (first_ops(shape, work) if first else ()) + (
        last_ops(shape, work, tensor) if last else ()
    )
    return (*found, *((op, 1) for op in ends if isinstance(op, MacOp)))


def of_side(ops: Counted, side: str) -> Counted:
    """All operators of a "whole" stage, those on "weights", or those on the "cache"."""
    if side == WHOLE:
        return ops
    return tuple((op, count) for op, count in ops if op.cached == (side == "cache"))


def held(
    shape: DecoderShape,
    rack: Cluster,
    work: Work,
    tensor: int,
    layers: int,
    *,
    first: bool = True,
    last: bool = True,
    microbatches: int = 1,
    optimiser: float = 0.0,
    attention: str = "heads",
    expert: int = 1,
    side: str = WHOLE,
) -> tuple[Held, ...]:
    """What each machine of one chip of a stage holds, the one that fills its memory most counted.

    work : of one microbatch; the cache is of all of them.  optimiser : bytes a weight besides the
    weight itself (gradients, moments).  side : "whole" stages, or only their "weights" or "cache"
    where attention runs on other chips. Unit: bytes.
    """
    ops = of_side(
        stage_operators(shape, work, tensor, layers, first, last, attention, expert), side
    )
    kept = float(microbatches)
    if attention == "sequences":
        kept = -(-work.batch * microbatches // tensor) / -(-work.batch // tensor)
    found = []
    for i, machine in enumerate(machines(rack.chip)):
        mine = [(op, n) for op, n in ops if owner(rack.chip, op) == i]
        weights = _bytes(machine.weight_bits, [(op, n) for op, n in mine if op.kind == "weights"])
        counts = sum(op.k * op.n * op.groups * n for op, n in mine if op.kind == "weights")
        cache = [(op, n * kept) for op, n in mine if op.cached]
        shares = sum(machine.occupancy(op) * n * (kept if op.cached else 1) for op, n in mine)
        looked_up = first and i == 0 and side != "cache"
        table = _embedding(shape, tensor, machine.weight_bits) if looked_up else 0.0
        here = Held(
            machine=machine.name,
            weights=weights + table,
            cache=_cache(shape, work, machine.activation_bits, cache),
            activations=_activations(shape, work, tensor, expert, machine.activation_bits)
            if mine
            else 0.0,
            optimiser=optimiser * counts,
        )
        size = memory_bytes(rack, i)
        by_bytes = here.total / size if size else float("nan")
        share = max(shares, by_bytes) if shares > 0 and size else (shares or by_bytes)
        found.append(here._replace(share=share))
    return tuple(found)


def _bytes(bits: float, ops: Sequence[tuple[MacOp, int]]) -> float:
    return sum(op.k * op.n * op.groups * n for op, n in ops) * bits / 8


def _embedding(shape: DecoderShape, tensor: int, bits: float) -> float:
    return shape.width * -(-shape.vocabulary // tensor) * bits / 8


def _cache(
    shape: DecoderShape, work: Work, bits: float, ops: Sequence[tuple[MacOp, float]]
) -> float:
    """Keys and values of whole contexts: what a causal mask hides from one query is held all the
    same.
    """
    return sum(shape.head_width * work.context * op.groups * n for op, n in ops) * bits / 8


def _activations(shape: DecoderShape, work: Work, tensor: int, expert: int, bits: float) -> float:
    """The largest set that is alive at once: residual, norm and both halves of a layer, or the
    logits.
    """
    networks, rows = shape.routed(work.tokens, expert)
    inner = networks * rows * 2 * shape.hidden // (tensor // expert)
    layer = work.tokens * 4 * shape.width + inner
    logits = work.batch * -(-shape.vocabulary // tensor)
    return max(layer, logits) * bits / 8
