"""What does a parallel plan say? Degrees, layers and memory of each chip, time, energy, and why."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pimlab import result, units
from pimlab.cluster.cluster import Cluster
from pimlab.cluster.memory import Held
from pimlab.cluster.memory_table import memory_table, stage_rows
from pimlab.cluster.shards import Work
from pimlab.cluster.step_costs import step_costs
from pimlab.cluster.steps import Degrees, Pricer, Step, part_of
from pimlab.cluster.traces import write_chakra
from pimlab.values import Value
from pimlab.workload.language.shape import DecoderShape

PHASES = ("decode", "prefill")
OBJECTIVES = {"latency": "s", "throughput": "1/s", "energy": "J", "cost": "1"}
"""Objective -> unit: seconds of a step, tokens a second, joules a token, price of a token."""


STEP = {
    "latency": "time of one step of the batch",
    "throughput": "tokens a second",
    "energy": "energy of one token",
    "cost": "price of one token",
}
"""Objective -> what a table of plans says of it."""


class Judged:
    """What every plan says of its objective: its value, how far that is from the bound, and how
    much worse another value is.
    """

    objective: str
    bound: float

    @property
    def value(self) -> float:
        """The objective. In the unit of `objective`."""
        return float(getattr(self, self.objective))

    @property
    def gap(self) -> float:
        """How far the objective is from its bound, relative to the bound (unit 1)."""
        return abs(self.value / self.bound - 1) if self.bound else 0.0

    def other(self, value: float) -> str:
        """Another value of the objective, and how many times it is as bad. In the unit of
        `objective`.
        """
        worse = self.value / value if self.objective == "throughput" else value / self.value
        return f"{shown(value, OBJECTIVES[self.objective])} at best, {worse:.3g} times as bad"


def objectives(
    dim: str, rows: Sequence[Sequence[float]], texts: Mapping[str, str]
) -> dict[str, Any]:
    """Variables over `dim` of a table of plans: the values of each, in the order of `texts`."""
    return {
        name: (
            dim,
            [row[i] for row in rows],
            result.attrs(name, meaning=text, unit=OBJECTIVES[name]),
        )
        for i, (name, text) in enumerate(texts.items())
    }


class ParallelPlan(Judged, Value):
    """One model on one cluster: how it is cut, what a step costs, and what else was tried.

    step : time and energy of one step of the whole batch.  memory : what each machine of the chip
    with the largest occupancy.  bound : the objective if links took no time and no energy, which no
    plan of the cluster beats; gap : how far the plan is from it, 0 at the bound.
    alternatives : Dataset over everything that was tried, the best first, by degree; NaN where it
    does not fit.
    """

    name: str
    shape: DecoderShape
    cluster: Cluster
    objective: str
    phase: str
    work: Work
    degrees: Degrees
    step: Step
    memory: tuple[Held, ...]
    bound: float
    alternatives: Any = dataclasses.field(compare=False, repr=False)

    @property
    def latency(self) -> float:
        """Seconds [s] of one step: the time of one output token, or of the prompt."""
        return self.step.seconds

    @property
    def tokens(self) -> int:
        """Tokens of one step: one a sequence when decoding, the prompts otherwise (unit:
        tokens).
        """
        return self.work.tokens

    @property
    def throughput(self) -> float:
        """Tokens a second (unit: 1/s)."""
        return self.tokens / self.step.seconds

    @property
    def energy(self) -> float:
        """Joules [J] a token, static power of every chip that takes part included."""
        return self.step.joules / self.tokens

    @property
    def cost(self) -> float:
        """Price of a token in the currency of the chips' price; NaN without one. Unit: that
        currency.
        """
        return price_a_token(self.cluster, self.degrees, self.step, self.tokens)

    @property
    def layers(self) -> tuple[int, ...]:
        """Layers of each stage, in order (unit: layers)."""
        return self.step.layers

    @property
    def stages(self) -> tuple[tuple[range, range], ...]:
        """(layers, chips of the first replica) of each stage. Unit: layers and chips, counted from
        0.
        """
        found, layer, t = [], 0, self.degrees.tensor
        for stage, count in enumerate(self.layers):
            found.append((range(layer, layer + count), range(stage * t, (stage + 1) * t)))
            layer += count
        return tuple(found)

    def at(self, *, batch: int | None = None, context: int | None = None) -> Step:
        """One step of the same plan with another batch or context; what `serving` builds on."""
        length = self.work.context if context is None else context
        queries = length if self.phase == "prefill" else 1
        size = self.work.batch if batch is None else batch
        work = Work(batch=size, context=length, queries=queries)
        return Pricer(self.shape, self.cluster).step(work, self.degrees)

    def step_costs(
        self,
        *,
        batch: Sequence[int] | None = None,
        context: Sequence[int] | None = None,
        queries: Sequence[int] = (1,),
    ) -> Any:
        """Dataset of what a step of this plan costs over (batch, context, queries): latency, energy
        with its interval, occupancy, fits; see `pimlab.cluster.step_costs`.

        batch, context : powers of two up to the plan's batch and the model's context unless given.
        queries : new tokens a sequence; 1 is a decoding step, more a prompt or part of one. Units:
        s and J.
        """
        return step_costs(
            self.shape,
            self.cluster,
            self.degrees,
            batch=_powers(self.work.batch) if batch is None else batch,
            context=_powers(self.shape.context) if context is None else context,
            queries=queries,
        )

    @property
    def memory_table(self) -> Any:
        """Dataset of what every chip holds: see `pimlab.cluster.memory_table`."""
        part = part_of(self.work, self.degrees)
        given = self.shape, self.cluster, part, self.degrees, self.layers, self.phase
        return memory_table(stage_rows(*given), self.cluster.cited)

    def write_chakra(self, prefix: str | Path, steps: int = 1) -> list[Path]:
        """Write `steps` steps as Chakra execution traces `<prefix>.<chip>.et`, one a chip, for
        other tools to replay; see `pimlab.cluster.chakra`.
        """
        return write_chakra(prefix, self.shape, self.cluster, self.work, self.degrees, steps)

    @property
    def why(self) -> list[str]:
        """Sentences: what limits the step, what the nearest other plans would cost, what does not
        fit.
        """
        unit = OBJECTIVES[self.objective]
        tried = self.alternatives.sizes["plan"]
        lines = [
            f"{self.degrees}: {shown(self.value, unit)}, the best of {tried} plans; "
            f"{self.gap:.1%} from the bound {shown(self.bound, unit)} of links that cost nothing",
            self._shares(),
            *[self._other(name) for name in ("tensor", "pipeline", "data")],
            *[_full(one) for one in self.memory if not math.isnan(one.share)],
        ]
        return [line for line in lines if line]

    def _shares(self) -> str:
        loop = self.step.loop
        parts = ("compute", "exchange", "send")
        names = ("computing", "collectives", "sends between stages")
        shares = [
            f"{getattr(self.step, part) / loop:.0%} {name}"
            for part, name in zip(parts, names, strict=True)
        ]
        return f"one pass of the stages takes {units.si(loop, 's')}: {', '.join(shares)}"

    def _other(self, name: str) -> str:
        """What the best plan with another degree `name` costs."""
        table = self.alternatives
        mine = int(getattr(self.degrees, name))
        others = table.where(table[name] != mine, drop=True)
        fitting = others.where(others.fits.astype(bool), drop=True)
        if not fitting.sizes["plan"]:
            return f"no plan with another {name} degree fits" if others.sizes["plan"] else ""
        best = fitting.isel(plan=0)
        value = self.other(float(best[self.objective]))
        return f"{name} {int(best[name])} instead of {mine}: {value}"


def _powers(most: int) -> list[int]:
    """1, 2, 4, ... up to `most`, which is the last."""
    return sorted({most, *(1 << i for i in range(most.bit_length()))})


def _full(one: Held) -> str:
    return f"the memory of {one.machine} is {one.share:.1%} full ({units.si(one.total, 'B')})"


def shown(value: float, unit: str) -> str:
    """A number with its unit, to read."""
    if unit == "1/s":
        return f"{value:.4g} tokens a second"
    return f"{value:.4g}" if unit == "1" else units.si(value, unit)


def price_a_token(cluster: Cluster, degrees: Degrees, step: Step, tokens: int) -> float:
    """Price of the chips' time for one token; NaN where the chips have no price. Unit: the currency
    of that price.
    """
    if cluster.price is None:
        return math.nan
    return cluster.price * degrees.chips * step.seconds / 3600 / tokens
