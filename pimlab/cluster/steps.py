"""How long does one step of a decoder take on chips that share it, and what does it cost?

A replica is a pipeline of stages; a stage is `tensor` chips that share each of its layers. The
batch of a replica passes the stages in `microbatches` parts, one behind the other:

    loop     = sum over stages of (call + compute + all-reduces + send) one part, once through
    beat     = the longest of a stage's time and a send
    step     = max(loop, microbatches beat)                           every sequence, one step on
    prefill  = loop + (microbatches - 1) beat                         every prompt to its end

While parts decode, the next step of the first follows that of the last; prompts come once.

Chips are charged static power for the whole step, links the bits that cross them.
"""

from __future__ import annotations

import heapq
from functools import lru_cache
from typing import Any, NamedTuple

from pimlab.cluster.cluster import Cluster
from pimlab.cluster.costs import Cost, Joules, bit_joules, calls, cost, placed, static_power
from pimlab.cluster.memory import stage_operators
from pimlab.cluster.shards import Op, Work, first_ops, last_ops, layer_macs, layer_vectors
from pimlab.values import Value, choice, integer, truth
from pimlab.workload.language.shape import DecoderShape


class Degrees(Value):
    """How often a model is cut, and in which way: `tensor` chips a stage, `pipeline` stages a
    replica, `data` replicas, `microbatches` parts of a replica's batch.

    sequence : norms and additions of a stage cut by tokens (sequence parallelism).
    attention : dealt out over the chips of a stage by "heads", or by whole "sequences".
    expert : chips of a stage that experts are dealt out over; `tensor / expert` share each.
    """

    tensor: int = integer(1, default=1)
    pipeline: int = integer(1, default=1)
    data: int = integer(1, default=1)
    microbatches: int = integer(1, default=1)
    sequence: bool = False
    attention: str = choice("heads", "sequences", default="heads")
    expert: int = integer(1, default=1)

    def check(self) -> None:
        """`sequence` is a bool; experts go over chips that share layers."""
        truth("Degrees: sequence", self.sequence)
        if self.tensor % self.expert:
            raise ValueError(f"Degrees expert={self.expert} does not divide tensor={self.tensor}")

    @property
    def chips(self) -> int:
        """Chips of all replicas (unit: chips)."""
        return self.tensor * self.pipeline * self.data

    def __str__(self) -> str:
        text = f"tensor {self.tensor} x pipeline {self.pipeline} x data {self.data}"
        parts = f", {self.microbatches} microbatches" if self.microbatches > 1 else ""
        parts += f", experts over {self.expert}" if self.expert > 1 else ""
        parts += ", sequence parallel" if self.sequence else ""
        return text + parts + (", attention by sequences" if self.attention == "sequences" else "")


class Step(NamedTuple):
    """Time and energy of one step of all replicas, and where they go.

    seconds : until every sequence has taken its step.  loop, beat : as the module says.
    compute, exchange, send : seconds [s] of one part's loop in chips, in collectives, between
    stages.  attention : seconds of the step in products with the cache and their softmax, which
    grow with the context; all other work grows with the tokens alone.
    joules : of the step, all chips; dynamic, static (chips by the second) and link.
    energy : the same with its interval.  attention_joules : what of `dynamic` grows with context.
    layers : layers of each stage.
    """

    seconds: float
    loop: float
    beat: float
    compute: float
    exchange: float
    send: float
    attention: float
    dynamic: float
    static: float
    link: float
    energy: Joules
    attention_joules: float
    layers: tuple[int, ...]

    @property
    def joules(self) -> float:
        """Energy of the step [J]."""
        return self.dynamic + self.static + self.link


def part_of(work: Work, degrees: Degrees) -> Work:
    """The work of one microbatch of one replica; the largest where they are uneven."""
    return work.but(batch=-(-work.batch // (degrees.data * degrees.microbatches)))


@lru_cache(maxsize=4096)
def balanced(layers: int, stages: int, each: float, first: float, last: float) -> tuple[int, ...]:
    """Layers of each stage, 1 at least, so that the slowest stage is as fast as it can be (unit:
    layers); layers take `each`, the first and the last stage something more.

    One layer after another goes to the stage that is the fastest with it: exact for equal layers.
    """
    extra = [0.0] * stages
    extra[0] += first
    extra[-1] += last
    counts = [1] * stages
    heap = [(extra[s] + 2 * each, s) for s in range(stages)]
    heapq.heapify(heap)
    for _ in range(layers - stages):
        seconds, stage = heapq.heappop(heap)
        counts[stage] += 1
        heapq.heappush(heap, (seconds + each, stage))
    return tuple(counts)


class Costs(NamedTuple):
    """What one chip of a stage does: one layer, what of it looks at the cache, what the first and
    the last stage do besides, and the seconds [s] that calling the chip takes.
    """

    layer: Cost
    attention: Cost
    first: Cost
    last: Cost
    call: float

    def whole(self, layers: int) -> Joules:
        """Energy of so many layers and both ends [J]."""
        return self.layer.times(layers).plus(self.first).plus(self.last).energy


Exchange = tuple[float, Joules]
ATTENTION = ("scores", "cap", "softmax", "values")
"""Operators whose work grows with the context."""


def shape_passes(shape: DecoderShape, tokens: int) -> int:
    """Passes through feed-forward networks that `tokens` tokens make, all experts together. Unit:
    passes.
    """
    networks, rows = shape.routed(tokens)
    return networks * rows


def routed_bytes(shape: DecoderShape, part: Work, degrees: Degrees, word: float) -> float:
    """Bytes that a chip sends to the experts of its share of the tokens (unit: bytes)."""
    passes = shape_passes(shape, part.tokens)
    return -(-passes // degrees.tensor) * shape.width * word


class Pricer:
    """Steps of one model on one rack; layers and collectives that come again are computed once.

    like : a pricer of the same model and chips over other links, whose layers are taken over.
    """

    def __init__(self, shape: DecoderShape, rack: Cluster, like: Pricer | None = None):
        self.shape, self.rack = shape, rack
        self.watts = static_power(rack.chip)
        self._chips: dict[tuple[Any, ...], Costs] = like._chips if like else {}
        self._links: dict[tuple[Any, ...], Exchange] = {}

    def chip(self, part: Work, degrees: Degrees, layers: int) -> Costs:
        """What one chip of a stage of `layers` does. Units: s and J."""
        cut = degrees.tensor, degrees.sequence, degrees.attention, degrees.expert
        key = part.batch, part.queries, part.context, *cut, layers
        if key not in self._chips:
            self._chips[key] = self._chip(part, degrees, layers)
        return self._chips[key]

    def _chip(self, part: Work, degrees: Degrees, layers: int) -> Costs:
        chip, tensor, shape = self.rack.chip, degrees.tensor, self.shape
        how = degrees.attention, degrees.expert
        where = placed(chip, stage_operators(shape, part, tensor, layers, True, True, *how))
        vectors = layer_vectors(shape, part, tensor, degrees.sequence, *how)
        ops: tuple[Op, ...] = (*layer_macs(shape, part, tensor, *how), *vectors)
        first = cost(chip, where, first_ops(shape, part))
        last = cost(chip, where, last_ops(shape, part, tensor))
        looking = cost(chip, where, [op for op in ops if op.name in ATTENTION])
        return Costs(cost(chip, where, ops), looking, first, last, calls(chip, ops))

    def exchange(self, operation: str, message: float, workers: int) -> Exchange:
        """(seconds, energy over the links) of a collective among neighbouring chips. Units: s and
        J.
        """
        return self._crossing(operation, message, workers, 1)

    def send(self, message: float, degrees: Degrees) -> Exchange:
        """(seconds, energy over the links) of handing activations on to the next stage: every chip
        sends its part of them to its counterpart. Units: s and J.
        """
        if degrees.pipeline == 1:
            return 0.0, Joules()
        seconds, energy = self._crossing("send", message / degrees.tensor, 2, degrees.tensor)
        return seconds, energy.times(degrees.tensor)

    def within_layer(self, part: Work, degrees: Degrees, word: float) -> Exchange:
        """(seconds, energy) of the collectives of one layer: two all-reduces; with attention by
        sequences, queries, keys and values are gathered to their chip and the result dealt out.
        Where experts are dealt out, tokens go to them and come back by all-to-all, if that is
        faster than the second all-reduce. Units: s and J.
        """
        shape, chips = self.shape, degrees.tensor
        reduce = self.exchange("all-reduce", part.tokens * shape.width * word, chips)
        sent = self.routed(part, degrees, word)
        second = reduce if sent is None else (2 * sent[0], sent[1].times(2))
        seconds, energy = reduce[0] + second[0], reduce[1].plus(second[1])
        if degrees.attention == "sequences":
            for heads in (shape.heads + 2 * shape.kv_heads, shape.heads):
                message = part.tokens * heads * shape.head_width * word
                more = self.exchange("all-gather", message, chips)
                seconds, energy = seconds + more[0], energy.plus(more[1])
        return seconds, energy

    def routed(self, part: Work, degrees: Degrees, word: float) -> Exchange | None:
        """(seconds, energy) of one of the two all-to-alls by which each chip's share of the tokens
        goes to the experts and their results come back; None where the sum over all tokens is as
        fast. Units: s and J.
        """
        if degrees.expert == 1:
            return None
        shape, chips = self.shape, degrees.tensor
        one = self.exchange("all-to-all", routed_bytes(shape, part, degrees, word), chips)
        reduce = self.exchange("all-reduce", part.tokens * shape.width * word, chips)
        return one if 2 * one[0] < reduce[0] else None

    def _crossing(self, operation: str, message: float, workers: int, stride: int) -> Exchange:
        if workers == 1:
            return 0.0, Joules()
        key = operation, message, workers, stride
        if key not in self._links:
            bits = self.rack.bits(operation, message, workers, stride)
            seconds = self.rack.seconds(operation, message, workers, stride)
            one = bit_joules(self.rack.bit_price(workers, stride))
            self._links[key] = seconds, one.times(bits)
        return self._links[key]

    def step(self, work: Work, degrees: Degrees) -> Step:
        """One step of `work` under `degrees`. Units: s and J."""
        part, shape = part_of(work, degrees), self.shape
        chip = self.chip(part, degrees, -(-shape.layers // degrees.pipeline))
        word = max(self.rack.chip.activation_bits / 8, 2.0)
        inside, inside_bits = self.within_layer(part, degrees, word)
        logits = part.batch * shape.vocabulary * 2.0
        gather, gather_bits = self.exchange("all-gather", logits, degrees.tensor)
        send, send_bits = self.send(part.tokens * shape.width * word, degrees)
        each, last = chip.layer.seconds + inside, chip.last.seconds + gather
        layers = balanced(shape.layers, degrees.pipeline, each, chip.first.seconds, last)
        stages = [chip.call + count * each for count in layers]
        stages[0] += chip.first.seconds
        stages[-1] += last
        hops = degrees.pipeline if degrees.pipeline > 1 else 0
        passes = -(-work.batch // part.batch)
        turns = -(-passes // degrees.data)
        loop, beat = sum(stages) + hops * send, max(*stages, send)
        prompts = work.queries > 1
        seconds = loop + (turns - 1) * beat if prompts else max(loop, turns * beat)
        exchange = shape.layers * inside + gather
        chips = chip.whole(shape.layers).times(passes * degrees.tensor)
        bits = inside_bits.times(shape.layers).plus(gather_bits).plus(send_bits.times(hops))
        static, links = self.watts.times(degrees.chips * seconds), bits.times(passes)
        looks = shape.layers if seconds == loop else turns * max(layers)
        looks = shape.layers + (turns - 1) * max(layers) if prompts else looks
        return Step(
            seconds=seconds,
            loop=loop,
            beat=beat,
            compute=sum(stages) - exchange,
            exchange=exchange,
            send=hops * send,
            attention=looks * chip.attention.seconds,
            dynamic=chips.nominal,
            static=static.nominal,
            link=links.nominal,
            energy=chips.plus(static).plus(links),
            attention_joules=passes * degrees.tensor * shape.layers * chip.attention.joules,
            layers=layers,
        )
