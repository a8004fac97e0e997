"""What do the chips of one phase do for a batch of requests, and what do two phases cost?"""

from __future__ import annotations

import math
from typing import NamedTuple

from pimlab.cluster.cluster import Cluster
from pimlab.cluster.costs import Joules
from pimlab.cluster.memory import Held
from pimlab.cluster.steps import Degrees, Step

ARRANGEMENTS = ("together", "apart")


class Requests(NamedTuple):
    """A batch of equal requests: so many, tokens of each prompt, tokens of each answer."""

    batch: int
    prompt: int
    output: int

    @property
    def context(self) -> int:
        """Tokens at the end (unit: tokens)."""
        return self.prompt + self.output


class Side(NamedTuple):
    """The chips of one phase: `degrees` on rack number `rack`, steps of `sequences` at once.

    passes : such steps for the batch.  memory : what each machine of the fullest chip holds.
    """

    rack: int
    degrees: Degrees
    sequences: int
    passes: int
    step: Step
    memory: tuple[Held, ...]

    @property
    def seconds(self) -> float:
        """Seconds [s] of the phase for the whole batch."""
        return self.passes * self.step.seconds

    @property
    def dynamic(self) -> float:
        """J of the phase for the whole batch, static power left out [J]."""
        return self.passes * (self.step.dynamic + self.step.link)


def price(cluster: Cluster, prefill: Side, decode: Side, apart: bool) -> float:
    """Price of the chips' time a second; NaN where a rack has no price. Unit: the currency of the
    racks' prices a second.
    """
    sides = (prefill, decode) if apart else (decode,)
    total = 0.0
    for side in sides:
        each = cluster.racks[side.rack].price
        total += math.nan if each is None else each * side.degrees.chips / 3600
    return total


class Priced(NamedTuple):
    """A pair of sides, and seconds [s] and joules of a batch."""

    prefill: Side
    decode: Side
    apart: bool
    transfer: float
    latency: float
    interval: float
    joules: Joules

    @property
    def kind(self) -> tuple[str, int, int]:
        """Arrangement, and the racks of both phases."""
        return ARRANGEMENTS[self.apart], self.prefill.rack, self.decode.rack

    def value(self, cluster: Cluster, objective: str, tokens: int) -> float:
        """The objective. In the unit of `objective`."""
        if objective == "latency":
            return self.latency
        if objective == "throughput":
            return tokens / self.interval
        if objective == "energy":
            return self.joules.nominal / tokens
        return price(cluster, self.prefill, self.decode, self.apart) * self.interval / tokens
