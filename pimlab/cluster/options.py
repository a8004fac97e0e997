"""What can a stage of a pipeline be where machines are mixed, and what does it cost?

A stage is `tensor` chips of one rack, which may deal out experts and cut norms by tokens. Its
attention, with the cache, runs there too, or `aside` on chips of another rack: queries, keys and
values cross to it and the result comes back. Layers cost what they do where a chip holds all
layers, so a stage that keeps few of them on chip is not credited for it. A stage calls its chips
once for each part of the batch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from pimlab.cluster.cluster import Cluster
from pimlab.cluster.costs import Cost, bit_joules, calls, cost, machines, placed
from pimlab.cluster.memory import Held, held, of_side, stage_operators
from pimlab.cluster.shards import (
    Op,
    Work,
    expert_degrees,
    first_ops,
    last_ops,
    layer_macs,
    layer_vectors,
    tensor_degrees,
)
from pimlab.cluster.steps import ATTENTION, Degrees, Pricer
from pimlab.machine.protocol import Target
from pimlab.workload.language.shape import DecoderShape

ROLES = ((False, False), (True, False), (False, True), (True, True))
"""(first, last): whether a stage also looks tokens up, and whether it runs the head."""
ZERO = Cost()


class Option(NamedTuple):
    """One kind of stage: the racks and chips it takes, and what one part of the batch costs.

    degrees : how its chips share a layer.  layer : of one layer, collectives included; exchange :
    seconds [s] of it on links.  ends : what the first and the last stage do besides.  send :
    handing activations on.  call : seconds [s] of calling the chips.  most : layers that fit into
    memory, for each of ROLES.
    """

    rack: int
    degrees: Degrees
    aside: int | None
    aside_chips: int
    layer: Cost
    exchange: float
    ends: tuple[Cost, Cost]
    send: Cost
    call: float
    most: tuple[int, ...]

    @property
    def tensor(self) -> int:
        """Chips that share a layer (unit: chips)."""
        return self.degrees.tensor

    def chips(self, rack: int) -> int:
        """Chips of the rack of that number that a stage takes (unit: chips)."""
        return self.tensor * (self.rack == rack) + self.aside_chips * (self.aside == rack)

    def extra(self, role: tuple[bool, bool]) -> Cost:
        """What a stage of that role does besides its layers. Units: s and J."""
        first, last = self.ends
        ends = (first if role[0] else ZERO).plus(last if role[1] else ZERO)
        return ends.plus(Cost(self.call)) if self.call else ends

    def beats(self, other: Option) -> bool:
        """Whether this kind is nowhere worse than another that takes the same chips."""
        pairs = zip(self._costs(), other._costs(), strict=True)
        return all(mine <= theirs for mine, theirs in pairs)

    def _costs(self) -> tuple[float, ...]:
        every = (self.layer, *self.ends, self.send)
        seconds, joules = ([one.seconds for one in every], [one.joules for one in every])
        return (*seconds, *joules, self.call, *(-count for count in self.most))


class Stages(NamedTuple):
    """What the options of a cluster are computed for: one part of the batch, how many parts a
    replica takes in turn, replicas, and how many parts all of them take together.
    """

    shape: DecoderShape
    cluster: Cluster
    part: Work
    microbatches: int
    replicas: int
    passes: int


class Priced(NamedTuple):
    """What a stage costs wherever it stands, as in `Option`."""

    layer: Cost
    exchange: float
    ends: tuple[Cost, Cost]
    send: Cost
    call: float


def options(on: Stages) -> list[Option]:
    """Every kind of stage that holds a layer at least; of those that take the same chips, the ones
    that no other beats.
    """
    racks, found = on.cluster.racks, list[Option]()
    for number, rack in enumerate(racks):
        for tensor in tensor_degrees(on.shape, rack.chips // on.replicas):
            own = [_own(on, number, cut) for cut in cuts(on, tensor)]
            found += _unbeaten(own)
            for aside, other in enumerate(racks):
                if aside != number:
                    for chips in tensor_degrees(on.shape, other.chips // on.replicas):
                        kinds = [_apart(on, number, c, aside, chips) for c in cuts(on, tensor)]
                        found += _unbeaten(kinds)
    return found


def cuts(on: Stages, tensor: int) -> Iterator[Degrees]:
    """How `tensor` chips may share a layer: experts dealt out, norms of prompts cut by tokens. Unit
    of `tensor`: chips.
    """
    tokens = (False, True) if tensor > 1 and on.part.queries > 1 else (False,)
    for expert in expert_degrees(on.shape, tensor):
        for sequence in tokens:
            yield Degrees(tensor=tensor, expert=expert, sequence=sequence)


def _unbeaten(kinds: list[Option | None]) -> list[Option]:
    kept: list[Option] = []
    for one in kinds:
        if one is None or not max(one.most) or any(other.beats(one) for other in kept):
            continue
        kept = [other for other in kept if not one.beats(other)] + [one]
    return kept


def _own(on: Stages, number: int, cut: Degrees) -> Option | None:
    rack = on.cluster.racks[number]
    if not _serves(rack, (*operators(on.shape, on.part, cut, True),
                          *operators(on.shape, on.part, cut, False))):  # fmt: skip
        return None
    most = most_layers(on, number, cut.tensor, "whole", cut.expert)
    if not max(most):
        return None
    return Option(number, cut, None, 0, *_own_price(on.shape, rack, on.part, cut), most)


def _apart(on: Stages, number: int, cut: Degrees, aside: int, chips: int) -> Option | None:
    racks, away = on.cluster.racks, Degrees(tensor=chips)
    looks = operators(on.shape, on.part, away, True)
    rest = operators(on.shape, on.part, cut, False)
    if not (_serves(racks[aside], looks) and _serves(racks[number], rest)):
        return None
    here = most_layers(on, number, cut.tensor, "weights", cut.expert)
    there = most_layers(on, aside, chips, "cache")
    most = tuple(min(pair) for pair in zip(here, there, strict=True))
    if not max(most):
        return None
    one = _weights_price(on.shape, racks[number], on.part, cut)
    looking, call = _looking_price(on.shape, racks[aside], on.part, chips)
    moved = crossing_of_attention(on, number, min(cut.tensor, chips))
    layer = one.layer.plus(looking).plus(moved)
    exchange, call = one.exchange + moved.seconds, one.call + call
    return Option(number, cut, aside, chips, layer, exchange, one.ends, one.send, call, most)


@lru_cache(maxsize=8192)
def _own_price(shape: DecoderShape, rack: Cluster, part: Work, cut: Degrees) -> Priced:
    pricer = Pricer(shape, rack)
    inside = pricer.within_layer(part, cut, word_of(rack))
    chip = pricer.chip(part, cut, shape.layers)
    layer = _all(chip.layer, cut.tensor).plus(Cost(*inside))
    ends = _ends(pricer, part, cut, "whole")
    return Priced(layer, inside[0], ends, send_price(pricer, part, cut.tensor), chip.call)


@lru_cache(maxsize=8192)
def _weights_price(shape: DecoderShape, rack: Cluster, part: Work, cut: Degrees) -> Priced:
    pricer = Pricer(shape, rack)
    inside = pricer.within_layer(part, cut, word_of(rack))
    ops = operators(shape, part, cut, False)
    linear = cost(rack.chip, where_placed(shape, rack, part, cut, "weights"), ops)
    layer = _all(linear, cut.tensor).plus(Cost(*inside))
    ends = _ends(pricer, part, cut, "weights")
    send = send_price(pricer, part, cut.tensor)
    return Priced(layer, inside[0], ends, send, calls(rack.chip, ops))


@lru_cache(maxsize=8192)
def _looking_price(
    shape: DecoderShape, rack: Cluster, part: Work, chips: int
) -> tuple[Cost, float]:
    """What looking at the cache costs on so many chips, and the seconds [s] of calling them."""
    cut = Degrees(tensor=chips)
    ops = operators(shape, part, cut, True)
    looking = cost(rack.chip, where_placed(shape, rack, part, cut, "cache"), ops)
    return _all(looking, chips), calls(rack.chip, ops)


def _serves(rack: Cluster, ops: tuple[Op, ...]) -> bool:
    return all(any(machine.serves(op) for machine in machines(rack.chip)) for op in ops)


def operators(shape: DecoderShape, part: Work, cut: Degrees, cached: bool) -> tuple[Op, ...]:
    """Operators of a layer on one chip that look at the cache, or the others."""
    macs = layer_macs(shape, part, cut.tensor, cut.attention, cut.expert)
    vectors = layer_vectors(shape, part, cut.tensor, cut.sequence, cut.attention, cut.expert)
    every: tuple[Op, ...] = (*macs, *vectors)
    return tuple(op for op in every if (op.name in ATTENTION) == cached)


def where_placed(
    shape: DecoderShape, rack: Cluster, part: Work, cut: Degrees, side: str
) -> tuple[Target, ...]:
    """The machines of a chip with the data of all layers where they live: of a "whole" stage, or
    its "weights" or "cache" alone.
    """
    how = cut.attention, cut.expert
    every = stage_operators(shape, part, cut.tensor, shape.layers, True, True, *how)
    return placed(rack.chip, of_side(every, side))


def crossing_of_attention(on: Stages, number: int, links: int) -> Cost:
    """Queries, keys and values to the chips that hold the cache, and the result back. Units: s and
    J.
    """
    return sum_of(cost for _, cost in messages_of_attention(on, number, links))


def messages_of_attention(on: Stages, number: int, links: int) -> list[tuple[float, Cost]]:
    """(bytes, cost) of the message to the chips that hold the cache, and of the one back, over so
    many links at once. Units: bytes, s and J.
    """
    shape, net = on.shape, on.cluster.outer
    found = []
    for heads in (shape.heads + 2 * shape.kv_heads, shape.heads):
        message = on.part.tokens * heads * shape.head_width * word_of(on.cluster.racks[number])
        energy = bit_joules(net.link.bit).times(8 * message)
        found.append((message, Cost(net.seconds("send", message / links, 2), energy)))
    return found


def sum_of(costs: Iterable[Cost]) -> Cost:
    """All of them, one after the other. Units: s and J."""
    total = ZERO
    for one in costs:
        total = total.plus(one)
    return total


def crossing(on: Stages) -> Cost:
    """Activations from the last stage of one rack to the first of the next, over one link. Units: s
    and J.
    """
    net, racks = on.cluster.outer, on.cluster.racks
    message = on.part.tokens * on.shape.width * max(word_of(rack) for rack in racks)
    energy = bit_joules(net.link.bit).times(8 * message)
    return Cost(net.seconds("send", message, 2), energy)


def _ends(pricer: Pricer, part: Work, cut: Degrees, side: str) -> tuple[Cost, Cost]:
    """What the first and the last stage do besides; the logits are gathered."""
    shape, rack = pricer.shape, pricer.rack
    where = where_placed(shape, rack, part, cut, side)
    gather = Cost(*pricer.exchange("all-gather", part.batch * shape.vocabulary * 2.0, cut.tensor))
    first = _all(cost(rack.chip, where, first_ops(shape, part)), cut.tensor)
    last = cost(rack.chip, where, last_ops(shape, part, cut.tensor))
    return first, _all(last, cut.tensor).plus(gather)


def send_price(pricer: Pricer, part: Work, tensor: int) -> Cost:
    """Handing activations on to another stage of the rack, where it has room for one. Units: s and
    J.
    """
    if pricer.rack.chips < 2 * tensor:
        return ZERO
    message = part.tokens * pricer.shape.width * word_of(pricer.rack)
    return Cost(*pricer.send(message, Degrees(tensor=tensor, pipeline=2)))


def _all(one: Cost, chips: int) -> Cost:
    """As long as one chip takes, and the energy of all."""
    return Cost(one.seconds, one.energy.times(chips))


def word_of(rack: Cluster) -> float:
    """Bytes of an activation that chips of the rack hand on (unit: bytes)."""
    return max(rack.chip.activation_bits / 8, 2.0)


@lru_cache(maxsize=65536)
def most_layers(
    on: Stages, number: int, tensor: int, side: str, expert: int = 1
) -> tuple[int, ...]:
    """Layers that fit into the memory of a chip of that rack, for each of ROLES (unit: layers).

    What a chip holds grows with its layers by the larger of two lines; the chord over all layers
    lies above both.
    """
    return tuple(_most(on, number, tensor, side, role, expert) for role in ROLES)


def _most(
    on: Stages, number: int, tensor: int, side: str, role: tuple[bool, bool], expert: int
) -> int:
    layers = on.shape.layers
    few, all_of_them = (holding(on, number, tensor, n, side, role, expert) for n in (1, layers))
    least = layers
    for one, other in zip(few, all_of_them, strict=True):
        if math.isnan(one.share) or other.share <= 1:
            continue
        slope = (other.share - one.share) / max(1, layers - 1)
        fit = 1 + (1 - one.share) / slope if one.share <= 1 else 0
        least = min(least, math.floor(fit + 1e-9))
    return least


def holding(
    on: Stages,
    number: int,
    tensor: int,
    layers: int,
    side: str,
    role: tuple[bool, bool],
    expert: int = 1,
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
        expert=expert,
        side=side,
    )
