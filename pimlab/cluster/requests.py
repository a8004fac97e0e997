"""Where are prompts processed and where are tokens decoded: on the same chips or on different ones?

A batch of requests brings prompts and wants `output` tokens each. Prefill and decoding stand
together (the same chips do one after the other) or apart (prompts on some chips, whose cache then
crosses a link to others that decode, while the next prompts come). For a batch

    latency   = prefill + transfer + output step             until its last token
    interval  = latency together; apart the longest of the three      between batches

A step is one at the mean context of the output. Chips draw static power all the interval.

1. P. Patel et al., Splitwise: efficient generative LLM inference using phase splitting, ISCA 2024.
2. Y. Zhong et al., DistServe: disaggregating prefill and decoding for goodput-optimized large
   language model serving, OSDI 2024.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable
from typing import Any

from pimlab import units
from pimlab.cluster.candidates import candidates
from pimlab.cluster.capacity import fits, fullest
from pimlab.cluster.cluster import Cluster, memory_bytes
from pimlab.cluster.costs import Joules, bit_joules, machines, owner, static_power
from pimlab.cluster.memory import Held
from pimlab.cluster.memory_table import memory_table, stage_rows
from pimlab.cluster.phases import Priced, Requests, Side, price
from pimlab.cluster.plans import OBJECTIVES, Judged, shown
from pimlab.cluster.request_table import other_kinds, table
from pimlab.cluster.shards import Work, layer_macs
from pimlab.cluster.steps import Degrees, Pricer, part_of
from pimlab.values import Value
from pimlab.workload.language.shape import DecoderShape


class RequestPlan(Judged, Value):
    """Which chips process the prompts and which decode, what a batch of requests costs, and why.

    latency : s until the last token of a batch; interval : s between batches; first_token : s until
    the first one of the first prompts.  transfer : s that the cache of a batch crosses links, 0
    together.  joules : of a batch, with its interval.  bound : the objective if links took neither
    time nor energy; gap : how far the plan is from it.
    alternatives : Dataset over pairs of phases that no other of as many chips beats, best first.
    """

    name: str
    shape: DecoderShape
    cluster: Cluster
    objective: str
    requests: Requests
    arrangement: str
    prefill: Side
    decode: Side
    transfer: float
    interval: float
    joules: Joules
    bound: float
    alternatives: Any = dataclasses.field(compare=False, repr=False)

    @property
    def latency(self) -> float:
        """Seconds [s] until the last token of a batch."""
        return self.prefill.seconds + self.transfer + self.decode.seconds

    @property
    def first_token(self) -> float:
        """Seconds [s] until the first token of the prompts that come first."""
        share = self.transfer / self.prefill.passes
        return self.prefill.step.seconds + share + self.decode.step.seconds

    @property
    def tokens(self) -> int:
        """Tokens that a batch puts out (unit: tokens)."""
        return self.requests.batch * self.requests.output

    @property
    def throughput(self) -> float:
        """Output tokens a second (unit: 1/s)."""
        return self.tokens / self.interval

    @property
    def energy(self) -> float:
        """Joules [J] an output token."""
        return self.joules.nominal / self.tokens

    @property
    def cost(self) -> float:
        """Price of an output token; NaN where a rack has no price. Unit: the currency of that
        price.
        """
        return (
            price(self.cluster, self.prefill, self.decode, self.apart) * self.interval / self.tokens
        )

    @property
    def apart(self) -> bool:
        """Whether the phases have chips of their own."""
        return self.arrangement == "apart"

    @property
    def memory_table(self) -> Any:
        """Dataset of what every chip holds, phase by phase: see `pimlab.cluster.memory_table`.
        Where the phases stand together, both rows are of the same chips and hold the same weights.
        """
        rows = []
        for phase, side in (("prefill", self.prefill), ("decode", self.decode)):
            prompts = phase == "prefill"
            length = self.requests.prompt if prompts else self.requests.context
            work = Work(batch=side.sequences, context=length, queries=length if prompts else 1)
            part, rack = part_of(work, side.degrees), self.cluster.racks[side.rack]
            rows += stage_rows(self.shape, rack, part, side.degrees, side.step.layers, phase)
        return memory_table(rows, self.cluster.cited)

    @property
    def why(self) -> list[str]:
        """Sentences: who does what, what limits the rate, what other arrangements would cost."""
        racks = self.cluster.racks
        shares = {
            "prefill": self.prefill.seconds,
            "transfer of the cache": self.transfer,
            "decoding": self.decode.seconds,
        }
        parts = ", ".join(f"{name} {units.si(s, 's')}" for name, s in shares.items())
        slowest = max(shares, key=lambda name: shares[name])
        limit = f"{slowest} sets the interval" if self.apart else "one follows the other"
        return [
            f"{self.arrangement}: prompts on {racks[self.prefill.rack].chip.name} "
            f"({self.prefill.degrees}), decoding on {racks[self.decode.rack].chip.name} "
            f"({self.decode.degrees}): {shown(self.value, OBJECTIVES[self.objective])}, "
            f"{self.gap:.1%} from the bound of links that cost nothing",
            f"a batch of {self.requests.batch} takes {parts}; {limit}",
            *other_kinds(self.alternatives, self),
        ]


class Planner:
    """The sides of both phases on every rack, priced with the links as they are or without them."""

    def __init__(self, shape: DecoderShape, cluster: Cluster, requests: Requests):
        self.shape, self.cluster, self.requests = shape, cluster, requests
        self.pricers = [Pricer(shape, rack) for rack in cluster.racks]

    def freed(self) -> Planner:
        """The same planner where links take neither time nor energy."""
        other = Planner(self.shape, free(self.cluster), self.requests)
        other.pricers = [
            Pricer(self.shape, rack, like=mine)
            for rack, mine in zip(other.cluster.racks, self.pricers, strict=True)
        ]
        return other

    def works(self, phase: str) -> list[Work]:
        """Steps worth trying: the batch at once, and prompts one at a time."""
        batch, prompt, output = self.requests
        if phase == "decode":
            return [Work(batch=batch, context=prompt + -(-output // 2))]
        return [Work(batch=n, context=prompt, queries=prompt) for n in dict.fromkeys((1, batch))]

    def sides(self, phase: str) -> list[Side]:
        """Every side of a phase that fits into the memory of its chips."""
        found = []
        for number, rack in enumerate(self.cluster.racks):
            for work in self.works(phase):
                for degrees in candidates(self.shape, rack.chips, work, {}):
                    found += self._side(phase, number, work, degrees)
        return found

    def _side(self, phase: str, number: int, work: Work, degrees: Degrees) -> list[Side]:
        step = self.pricers[number].step(work, degrees)
        full = work if phase == "prefill" else work.but(context=self.requests.context)
        memory = self._memory(number, part_of(full, degrees), degrees, max(step.layers))
        if not fits(memory):
            return []
        prefill = phase == "prefill"
        passes = -(-self.requests.batch // work.batch) if prefill else self.requests.output
        return [Side(number, degrees, work.batch, passes, step, memory)]

    def _memory(self, number: int, part: Work, degrees: Degrees, layers: int) -> tuple[Held, ...]:
        return fullest(self.shape, self.cluster.racks[number], part, degrees, layers)

    def together(self, prefill: list[Side], decode: list[Side]) -> list[tuple[Side, Side]]:
        """Pairs on the same chips: the same degrees but for microbatches, and the prompts'
        activations fit beside the cache.
        """
        by_cut: dict[tuple[int, ...], list[Side]] = {}
        for side in prefill:
            by_cut.setdefault(_cut(side), []).append(side)
        pairs = []
        for side in decode:
            fitting = [one for one in by_cut.get(_cut(side), []) if self._beside(one, side)]
            if fitting:
                pairs += [(one, side) for one in (_best(fitting, 0), _best(fitting, 1))]
        return pairs

    def _beside(self, prefill: Side, decode: Side) -> bool:
        rack = self.cluster.racks[decode.rack]
        for i, (one, two) in enumerate(zip(prefill.memory, decode.memory, strict=True)):
            size = memory_bytes(rack, i)
            more = (one.activations - two.activations) / size if size else 0.0
            if two.share + max(0.0, more) > 1:
                return False
        return True

    def apart(self, prefill: list[Side], decode: list[Side]) -> list[tuple[Side, Side]]:
        """Pairs on different chips, as far as the racks go."""
        racks = self.cluster.racks
        return [
            (one, two)
            for one, two in itertools.product(undominated(prefill), undominated(decode))
            if one.rack != two.rack
            or one.degrees.chips + two.degrees.chips <= racks[one.rack].chips
        ]

    def transfer(self, prefill: Side, decode: Side) -> tuple[float, Joules]:
        """(seconds, energy) of the cache of a batch crossing to the chips that decode, over as many
        links as the smaller side has chips. Units: s and J.
        """
        value = max(self._value_bits(side) for side in (prefill, decode)) / 8
        size = self.shape.kv_bytes(self.requests.prompt, self.requests.batch, value)
        links = min(prefill.degrees.chips, decode.degrees.chips)
        net = self.cluster.outer
        seconds = net.seconds("send", size / links, 2)
        return seconds, bit_joules(net.link.bit).times(8 * size)

    def _value_bits(self, side: Side) -> float:
        """Bits of a cached value on the machine that looks at the cache."""
        chip = self.cluster.racks[side.rack].chip
        looking = next(op for op in layer_macs(self.shape, Work(batch=1, context=1)) if op.cached)
        return machines(chip)[owner(chip, looking)].activation_bits

    def priced(self, prefill: Side, decode: Side, apart: bool) -> Priced:
        """What a batch costs with these sides. Units: s and J."""
        moved, moving = self.transfer(prefill, decode) if apart else (0.0, Joules())
        whole = prefill.seconds + moved + decode.seconds
        interval = max(prefill.seconds, moved, decode.seconds) if apart else whole
        sides = (prefill, decode) if apart else (decode,)
        joules = moving
        for side in (prefill, decode):
            joules = joules.plus(self._dynamic(side).times(side.passes))
        for side in sides:
            watts = static_power(self.cluster.racks[side.rack].chip)
            joules = joules.plus(watts.times(side.degrees.chips * interval))
        return Priced(prefill, decode, apart, moved, whole, interval, joules)

    def _dynamic(self, side: Side) -> Joules:
        watts = static_power(self.cluster.racks[side.rack].chip)
        return side.step.energy.plus(watts.times(-side.degrees.chips * side.step.seconds))


def _cut(side: Side) -> tuple[int, ...]:
    one = side.degrees
    return side.rack, one.tensor, one.pipeline, one.data, one.expert


def _best(sides: Iterable[Side], by: int) -> Side:
    """The fastest (0) or the one of least dynamic energy (1)."""
    keys = (lambda s: (s.seconds, s.dynamic), lambda s: (s.dynamic, s.seconds))
    return min(sides, key=keys[by])


def undominated(sides: list[Side]) -> list[Side]:
    """Those that no other with as many chips of the same rack beats in time and dynamic energy."""
    groups: dict[tuple[int, int], list[Side]] = {}
    for side in sides:
        groups.setdefault((side.rack, side.degrees.chips), []).append(side)
    kept = []
    for group in groups.values():
        least = math.inf
        for side in sorted(group, key=lambda s: (s.seconds, s.dynamic)):
            if side.dynamic < least:
                kept.append(side)
                least = side.dynamic
    return kept


def free(cluster: Cluster) -> Cluster:
    """The cluster with links that take neither time nor energy, in all of its racks."""
    racks = tuple(free(rack) for rack in cluster.beside)
    if cluster.link is None and cluster.between is None:
        return cluster
    one = cluster.inner.link
    bit = one.bit.but(value=0.0, low=0.0, high=0.0)
    return cluster.but(link=one.but(bandwidth=1e30, delay=0.0, bit=bit), between=None, beside=racks)


def _choices(planner: Planner) -> list[Priced]:
    prefill, decode = planner.sides("prefill"), planner.sides("decode")
    several = planner.cluster.count > 1
    return [
        *(planner.priced(*pair, False) for pair in planner.together(prefill, decode)),
        *(
            planner.priced(*pair, True)
            for pair in (planner.apart(prefill, decode) if several else ())
        ),
    ]


def plan_requests(
    name: str,
    shape: DecoderShape,
    cluster: Cluster,
    objective: str,
    requests: Requests,
    within: float,
    arrangement: str | None = None,
) -> RequestPlan:
    """The best pair of phases by `objective` whose latency is at most `within` [s].

    Raises ValueError where nothing fits or nothing is fast enough.
    """
    planner = Planner(shape, cluster, requests)
    every = [one for one in _choices(planner) if arrangement in (None, one.kind[0])]
    if not every:
        raise ValueError(_nothing(name, cluster, requests, arrangement))
    inside = [one for one in every if one.latency <= within]
    if not inside:
        raise ValueError(
            f"within={units.si(within, 's')}: no plan answers a batch of {name} so soon; the "
            f"fastest takes {units.si(min(one.latency for one in every), 's')}"
        )
    tokens = requests.batch * requests.output
    sign = -1 if objective == "throughput" else 1

    def order(one: Priced) -> tuple[float, int]:
        chips = one.prefill.degrees.chips + one.decode.degrees.chips
        return sign * one.value(cluster, objective, tokens), chips

    ordered = sorted(inside, key=order)
    best = ordered[0]
    ideal = [one for one in _choices(planner.freed()) if arrangement in (None, one.kind[0])]
    bounds = [one.value(cluster, objective, tokens) for one in ideal if one.latency <= within]
    return RequestPlan(
        name=name,
        shape=shape,
        cluster=cluster,
        objective=objective,
        requests=requests,
        arrangement=best.kind[0],
        prefill=best.prefill,
        decode=best.decode,
        transfer=best.transfer,
        interval=best.interval,
        joules=best.joules,
        bound=(max if objective == "throughput" else min)(bounds),
        alternatives=table(cluster, tokens, ordered),
    )


def _nothing(name: str, cluster: Cluster, requests: Requests, arrangement: str | None) -> str:
    how = f"arrangement={arrangement!r}: " if arrangement else ""
    chips = " and ".join(f"{rack.chips} {rack.chip.name}" for rack in cluster.racks)
    return (
        f"{how}{name} with batch={requests.batch} at context={requests.context} does not fit on "
        f"{chips} for prefill and decoding; write a smaller batch or more chips"
    )
