"""What can a stage of a pipeline be where machines are mixed, and what does it cost?

A stage is `tensor` chips of one rack. Its attention, with the cache, runs there too, or `aside` on
chips of another rack: queries, keys and values cross to it and the result comes back. Layers cost
what they do where a chip holds all layers, so a stage that keeps few of them on chip is not
credited for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from pimlab.cluster.cluster import Cluster
from pimlab.cluster.costs import Cost, bit_joules, cost, machines, placed
from pimlab.cluster.memory import Held, held, of_side, stage_operators
from pimlab.cluster.shards import (
    Op,
    Work,
    first_ops,
    last_ops,
    layer_macs,
    layer_vectors,
    tensor_degrees,
)
from pimlab.cluster.steps import ATTENTION, Degrees, Pricer
from pimlab.workload.language.shape import DecoderShape

ROLES = ((False, False), (True, False), (False, True), (True, True))
"""(first, last): whether a stage also looks tokens up, and whether it runs the head."""
ZERO = Cost()


class Option(NamedTuple):
    """One kind of stage: the racks and chips it takes, and what one part of the batch costs.

    layer : of one layer, collectives included; exchange : seconds [s] of it on links.
    ends : what the first and the last stage do besides.  send : handing activations on.
    most : layers that fit into memory, for each of ROLES.
    """

    rack: int
    tensor: int
    aside: int | None
    aside_chips: int
    layer: Cost
    exchange: float
    ends: tuple[Cost, Cost]
    send: Cost
    most: tuple[int, ...]

    def chips(self, rack: int) -> int:
        """Chips of the rack of that number that a stage takes (unit: chips)."""
        return self.tensor * (self.rack == rack) + self.aside_chips * (self.aside == rack)

    def extra(self, role: tuple[bool, bool]) -> Cost:
        """What a stage of that role does besides its layers. Units: s and J."""
        first, last = self.ends
        return (first if role[0] else ZERO).plus(last if role[1] else ZERO)


class Stages(NamedTuple):
    """What the options of a cluster are computed for: one part of the batch, how many parts a
    replica holds, and replicas.
    """

    shape: DecoderShape
    cluster: Cluster
    part: Work
    microbatches: int
    replicas: int


def options(on: Stages) -> Iterator[Option]:
    """Every kind of stage that holds a layer at least."""
    racks = on.cluster.racks
    for number, rack in enumerate(racks):
        for tensor in tensor_degrees(on.shape, rack.chips // on.replicas):
            yield from _fitting(_own(on, number, tensor))
            for aside, other in enumerate(racks):
                if aside != number:
                    for chips in tensor_degrees(on.shape, other.chips // on.replicas):
                        yield from _fitting(_apart(on, number, tensor, aside, chips))


def _fitting(one: Option | None) -> Iterator[Option]:
    if one is not None and max(one.most):
        yield one


def _own(on: Stages, number: int, tensor: int) -> Option | None:
    rack, shape, part = on.cluster.racks[number], on.shape, on.part
    if not _serves(rack, (*_operators(on, tensor, True), *_operators(on, tensor, False))):
        return None
    pricer, degrees = Pricer(shape, rack), Degrees(tensor=tensor)
    most = most_layers(on, number, tensor, "whole")
    if not max(most):
        return None
    chip = pricer.chip(part, degrees, shape.layers)
    inside = pricer.within_layer(part, degrees, _word(rack))
    layer = _all(chip.layer, tensor).plus(Cost(*inside))
    return Option(
        number, tensor, None, 0, layer, inside[0], _ends(on, pricer, number, tensor, "whole"),
        _send(pricer, part, tensor), most,
    )  # fmt: skip


def _apart(on: Stages, number: int, tensor: int, aside: int, chips: int) -> Option | None:
    racks, shape, part = on.cluster.racks, on.shape, on.part
    looks, rest = _operators(on, chips, True), _operators(on, tensor, False)
    if not (_serves(racks[aside], looks) and _serves(racks[number], rest)):
        return None
    here = most_layers(on, number, tensor, "weights")
    there = most_layers(on, aside, chips, "cache")
    most = tuple(min(pair) for pair in zip(here, there, strict=True))
    if not max(most):
        return None
    linear = _side_cost(on, number, tensor, cached=False)
    looking = _side_cost(on, aside, chips, cached=True)
    pricer = Pricer(shape, racks[number])
    inside = pricer.within_layer(part, Degrees(tensor=tensor), _word(racks[number]))
    crossing = _crossing(on, number, min(tensor, chips))
    layer = linear.plus(looking).plus(Cost(*inside)).plus(crossing)
    exchange = inside[0] + crossing.seconds
    return Option(
        number, tensor, aside, chips, layer, exchange, _ends(on, pricer, number, tensor, "weights"),
        _send(pricer, part, tensor), most,
    )  # fmt: skip


def _serves(rack: Cluster, ops: tuple[Op, ...]) -> bool:
    return all(any(machine.serves(op) for machine in machines(rack.chip)) for op in ops)


def _operators(on: Stages, tensor: int, cached: bool) -> tuple[Op, ...]:
    """Operators of a layer that look at the cache, or the others."""
    macs = layer_macs(on.shape, on.part, tensor)
    every: tuple[Op, ...] = (*macs, *layer_vectors(on.shape, on.part, tensor))
    return tuple(op for op in every if (op.name in ATTENTION) == cached)


def _side_cost(on: Stages, number: int, tensor: int, cached: bool) -> Cost:
    chip, layers = on.cluster.racks[number].chip, on.shape.layers
    every = stage_operators(on.shape, on.part, tensor, layers, True, True)
    where = placed(chip, of_side(every, "cache" if cached else "weights"))
    return _all(cost(chip, where, _operators(on, tensor, cached)), tensor)


def _crossing(on: Stages, number: int, links: int) -> Cost:
    """Queries, keys and values to the chips that hold the cache, and the result back."""
    shape, net = on.shape, on.cluster.outer
    total = ZERO
    for heads in (shape.heads + 2 * shape.kv_heads, shape.heads):
        message = on.part.tokens * heads * shape.head_width * _word(on.cluster.racks[number])
        energy = bit_joules(net.link.bit).times(8 * message)
        total = total.plus(Cost(net.seconds("send", message / links, 2), energy))
    return total


def crossing(on: Stages) -> Cost:
    """Activations from the last stage of one rack to the first of the next, over one link. Units: s
    and J.
    """
    net, racks = on.cluster.outer, on.cluster.racks
    message = on.part.tokens * on.shape.width * max(_word(rack) for rack in racks)
    energy = bit_joules(net.link.bit).times(8 * message)
    return Cost(net.seconds("send", message, 2), energy)


def _ends(on: Stages, pricer: Pricer, number: int, tensor: int, side: str) -> tuple[Cost, Cost]:
    """What the first and the last stage do besides; the logits are gathered."""
    chip, shape, part = on.cluster.racks[number].chip, on.shape, on.part
    every = stage_operators(shape, part, tensor, shape.layers, True, True)
    where = placed(chip, of_side(every, side))
    gather = Cost(*pricer.exchange("all-gather", part.batch * shape.vocabulary * 2.0, tensor))
    first = _all(cost(chip, where, first_ops(shape, part)), tensor)
    return first, _all(cost(chip, where, last_ops(shape, part, tensor)), tensor).plus(gather)


def _send(pricer: Pricer, part: Work, tensor: int) -> Cost:
    if pricer.rack.chips < 2 * tensor:
        return ZERO
    message = part.tokens * pricer.shape.width * _word(pricer.rack)
    return Cost(*pricer.send(message, Degrees(tensor=tensor, pipeline=2)))


def _all(one: Cost, chips: int) -> Cost:
    """As long as one chip takes, and the energy of all."""
    return Cost(one.seconds, one.energy.times(chips))


def _word(rack: Cluster) -> float:
    return max(rack.chip.activation_bits / 8, 2.0)


@lru_cache(maxsize=65536)
def most_layers(on: Stages, number: int, tensor: int, side: str) -> tuple[int, ...]:
    """Layers that fit into the memory of a chip of that rack, for each of ROLES (unit: layers).

    What a chip holds grows with its layers by the larger of two lines; the chord over all layers
    lies above both.
    """
    return tuple(_most(on, number, tensor, side, role) for role in ROLES)


def _most(on: Stages, number: int, tensor: int, side: str, role: tuple[bool, bool]) -> int:
    layers = on.shape.layers
    few, all_of_them = (holding(on, number, tensor, n, side, role) for n in (1, layers))
    least = layers
    for one, other in zip(few, all_of_them, strict=True):
        if math.isnan(one.share) or other.share <= 1:
            continue
        slope = (other.share - one.share) / max(1, layers - 1)
        fit = 1 + (1 - one.share) / slope if one.share <= 1 else 0
        least = min(least, math.floor(fit + 1e-9))
    return least


def holding(
    on: Stages, number: int, tensor: int, layers: int, side: str, role: tuple[bool, bool]
) -> tuple[Held, ...]:
    """What each machine of a chip of that rack holds of so many layers. Unit: bytes."""
    return held(
        on.shape,
        on.cluster.racks[number],
        on.part,
        tensor,
        layers,
        first=role[0],
        last=role[1],
        microbatches=on.microbatches,
        side=side,
    )
