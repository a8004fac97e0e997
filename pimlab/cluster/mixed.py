"""How is a model best cut over racks of different machines? Stages, time and energy of a step, why.

Cards of two vendors share the layers; attention may stand aside on a rack whose memory computes.
The batch is cut over any number of replicas and into parts of any size; where it does not come out
even, a part that is not full takes as long as a full one.
"""

from __future__ import annotations

import bisect
import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pimlab import result, units
from pimlab.cluster.cluster import Cluster
from pimlab.cluster.costs import machines
from pimlab.cluster.memory import Held
from pimlab.cluster.memory_table import Row, memory_table, padding
from pimlab.cluster.mixed_search import Chosen, Searched, search
from pimlab.cluster.mixed_traces import Where, write_mixed_chakra
from pimlab.cluster.options import ROLES, Stages, holding, most_layers
from pimlab.cluster.plans import OBJECTIVES, STEP, Judged, objectives, shown
from pimlab.cluster.shards import Work, tensor_degrees
from pimlab.cluster.steps import Degrees
from pimlab.values import Value
from pimlab.workload.language.shape import DecoderShape

REPLICAS, PARTS = 12, 24
"""Numbers of replicas, and sizes of a part, that are searched at most."""


class Stage(NamedTuple):
    """Layers `layers` on the rack of machine `chip`, whose chips share each of them by `degrees`;
    their attention on `aside_chips` chips of the machine `aside`, where it is not None.

    memory : what each machine of a chip holds, those aside after the others.
    """

    chip: str
    degrees: Degrees
    layers: range
    aside: str | None
    aside_chips: int
    memory: tuple[Held, ...]

    @property
    def tensor(self) -> int:
        """Chips that share a layer (unit: chips)."""
        return self.degrees.tensor

    @property
    def chips(self) -> int:
        """Chips of the stage, those aside included (unit: chips)."""
        return self.tensor + self.aside_chips

    def __str__(self) -> str:
        text = f"{len(self.layers)} layers on {self.tensor} {self.chip}"
        text += f", experts over {self.degrees.expert}" if self.degrees.expert > 1 else ""
        text += ", sequence parallel" if self.degrees.sequence else ""
        beside = f", their attention on {self.aside_chips} {self.aside}"
        return text + (beside if self.aside else "")


class MixedPlan(Judged, Value):
    """One model on racks of different machines: its stages, what a step costs, and why.

    latency : s of a step of the whole batch.  joules : of the step.  bound : what no plan of these
    racks beats by the objective; gap : how far the plan is from it (1 % is where the search
    stops).
    alternatives : Dataset over replicas and parts of the batch, and over each rack alone.
    """

    name: str
    shape: DecoderShape
    cluster: Cluster
    objective: str
    phase: str
    work: Work
    stages: tuple[Stage, ...]
    replicas: int
    microbatches: int
    latency: float
    joules: float
    joules_low: float
    joules_high: float
    price: float
    bound: float
    alternatives: Any = dataclasses.field(compare=False, repr=False)

    @property
    def tokens(self) -> int:
        """Tokens of one step (unit: tokens)."""
        return self.work.tokens

    @property
    def throughput(self) -> float:
        """Tokens a second (unit: 1/s)."""
        return self.tokens / self.latency

    @property
    def energy(self) -> float:
        """Joules [J] a token."""
        return self.joules / self.tokens

    @property
    def cost(self) -> float:
        """Price of a token; NaN where a rack that takes part has none. Unit: the currency of the
        racks' prices.
        """
        return self.price / self.tokens

    @property
    def chips(self) -> dict[str, int]:
        """Machine -> chips of it that take part (unit: chips)."""
        found = dict.fromkeys((rack.chip.name for rack in self.cluster.racks), 0)
        for stage in self.stages:
            found[stage.chip] += self.replicas * stage.tensor
            if stage.aside:
                found[stage.aside] += self.replicas * stage.aside_chips
        return found

    @property
    def memory_table(self) -> Any:
        """Dataset of what every chip holds: see `pimlab.cluster.memory_table`."""
        racks = {rack.chip.name: rack for rack in self.cluster.racks}
        rows = []
        for replica in range(self.replicas):
            for number, stage in enumerate(self.stages):
                rows += self._held_rows(racks, replica, number, stage)
        return memory_table(rows, self.cluster.cited)

    def _held_rows(
        self, racks: dict[str, Cluster], replica: int, number: int, stage: Stage
    ) -> list[Row]:
        """The chips that hold the weights of a stage, and those that hold its cache aside."""
        part, count = self._priced.part, len(stage.layers)
        own = len(machines(racks[stage.chip].chip))
        sides = [("weights" if stage.aside else "whole", stage.chip, stage.degrees)]
        if stage.aside:
            sides.append(("cache", stage.aside, Degrees(tensor=stage.aside_chips)))
        rows = []
        for side, name, cut in sides:
            memory = stage.memory[own:] if side == "cache" else stage.memory[:own]
            how: dict[str, Any] = {"microbatches": self.microbatches, "side": side}
            how |= {"first": number == 0, "last": number == len(self.stages) - 1}
            more = padding(self.shape, racks[name], part, cut, count, memory, **how)
            at = self.phase, replica, number, stage.layers
            rows.append(Row(*at, side, racks[name], memory, more, cut.tensor))
        return rows

    def write_chakra(self, prefix: str | Path, steps: int = 1) -> list[Path]:
        """Write `steps` steps as Chakra execution traces `<prefix>.<chip>.et`, one a chip, for
        other tools to replay; see `pimlab.cluster.mixed_traces` for the numbers of the chips.
        """
        names = [rack.chip.name for rack in self.cluster.racks]
        found, first = [], 0
        for one in self.stages:
            aside = None if one.aside is None else names.index(one.aside)
            place = names.index(one.chip), one.degrees, one.layers, aside, one.aside_chips
            found.append(Where(*place, first))
            first += one.chips
        return write_mixed_chakra(prefix, self._priced, found, steps)

    @property
    def _priced(self) -> Stages:
        """What the stages are priced for: one part of the batch, parts in turn, replicas, parts."""
        size = -(-self.work.batch // (self.replicas * self.microbatches))
        part, passes = self.work.but(batch=size), -(-self.work.batch // size)
        given = self.shape, self.cluster, part, self.microbatches, self.replicas
        return Stages(*given, passes)

    @property
    def why(self) -> list[str]:
        """Sentences: the stages, the bound, what each rack alone would do, what fills memories."""
        unit = OBJECTIVES[self.objective]
        parts = f" x {self.replicas} replicas" if self.replicas > 1 else ""
        parts += f", {self.microbatches} parts of the batch" if self.microbatches > 1 else ""
        fullest = max(
            (held for stage in self.stages for held in stage.memory),
            key=lambda held: -1.0 if math.isnan(held.share) else held.share,
        )
        return [
            f"{'; '.join(str(stage) for stage in self.stages)}{parts}: {shown(self.value, unit)}, "
            f"within {self.gap:.1%} of what no plan of these racks beats",
            *self._alone(),
            f"the fullest memory is that of {fullest.machine}, {fullest.share:.1%} full",
        ]

    def _alone(self) -> list[str]:
        rows, lines = self.alternatives, []
        for i, name in enumerate(rows.racks.values):
            if name == "all":
                continue
            value = float(rows[self.objective][i])
            if math.isnan(value):
                lines.append(f"{name} alone cannot hold the model, or not in time")
                continue
            lines.append(f"{name} alone: {self.other(value)}")
        return lines


def plan_mixed(
    name: str,
    shape: DecoderShape,
    cluster: Cluster,
    objective: str,
    phase: str,
    work: Work,
    within: float,
) -> MixedPlan:
    """The best plan of a step on the racks of `cluster` that takes at most `within` [s].

    Raises ValueError where the racks together do not hold the model, or nothing is fast enough.
    """
    kind = "latency" if objective == "throughput" else objective
    answer = search(grids(shape, cluster, work), kind, within)
    if answer is None:
        raise ValueError(_nothing(name, shape, cluster, work, within))
    best = answer.best
    alone = {
        rack.chip.name: search(grids(shape, rack, work), kind, within) for rack in cluster.racks
    }
    tokens = work.tokens
    bound = tokens / answer.bound if objective == "throughput" else answer.bound
    energy = best.energy
    return MixedPlan(
        name=name,
        shape=shape,
        cluster=cluster,
        objective=objective,
        phase=phase,
        work=work,
        stages=stages_of(best),
        replicas=best.on.replicas,
        microbatches=best.on.microbatches,
        latency=best.seconds,
        joules=energy.nominal,
        joules_low=energy.low,
        joules_high=energy.high,
        price=best.price,
        bound=bound / tokens if objective in ("energy", "cost") else bound,
        alternatives=_table(cluster, tokens, answer, alone),
    )


def grids(shape: DecoderShape, cluster: Cluster, work: Work) -> list[Stages]:
    """Every number of replicas, and every size of the parts of a replica's batch that a number of
    parts leads to; of many, some in even ratios from the least to the most.
    """
    found = []
    most = min(work.batch, max(rack.chips for rack in cluster.racks))
    for replicas in _spread(range(1, most + 1), REPLICAS):
        share = -(-work.batch // replicas)
        sizes = sorted({-(-share // parts) for parts in range(1, share + 1)})
        for size in _spread(sizes, PARTS):
            passes = -(-work.batch // size)
            turns = -(-passes // replicas)
            part = work.but(batch=size)
            found.append(Stages(shape, cluster, part, turns, replicas, passes))
    return found


def _spread(numbers: Sequence[int], most: int) -> list[int]:
    """At most `most` of sorted numbers, the first and the last among them, in even ratios."""
    if len(numbers) <= most:
        return list(numbers)
    ratio = numbers[-1] / numbers[0]
    wanted = (numbers[0] * ratio ** (i / (most - 1)) for i in range(most))
    places = (min(bisect.bisect_left(numbers, round(one)), len(numbers) - 1) for one in wanted)
    return [numbers[i] for i in sorted(set(places))]


def stages_of(chosen: Chosen) -> tuple[Stage, ...]:
    """The stages of a plan in order, with their layers and what they hold."""
    found, layer = [], 0
    racks = chosen.on.cluster.racks
    for option, role, count in chosen.stages:
        side = "whole" if option.aside is None else "weights"
        cut = option.degrees
        memory = holding(chosen.on, option.rack, cut.tensor, count, side, ROLES[role], cut.expert)
        aside = None
        if option.aside is not None:
            aside = racks[option.aside].chip.name
            memory += holding(
                chosen.on, option.aside, option.aside_chips, count, "cache", (False, False)
            )
        chip = racks[option.rack].chip.name
        layers = range(layer, layer + count)
        found.append(Stage(chip, cut, layers, aside, option.aside_chips, memory))
        layer += count
    return tuple(found)


def _table(
    cluster: Cluster, tokens: int, answer: Searched, alone: dict[str, Searched | None]
) -> Any:
    """The best of each number of replicas and parts of all racks, and of each rack alone."""
    import xarray as xr

    rows: list[tuple[str, Chosen | None]] = [("all", one) for one in answer.others]
    rows += [(name, found.best if found else None) for name, found in alone.items()]
    table = objectives("plan", [_values(one, tokens) for _, one in rows], STEP)
    coords = {
        "racks": ("plan", [name for name, _ in rows]),
        "replicas": ("plan", [one.on.replicas if one else 0 for _, one in rows]),
        "microbatches": ("plan", [one.on.microbatches if one else 0 for _, one in rows]),
        "stages": ("plan", [len(one.stages) if one else 0 for _, one in rows]),
    }
    return result.finished(xr.Dataset(table, coords=coords), cluster.cited)


def _values(one: Chosen | None, tokens: int) -> tuple[float, ...]:
    if one is None:
        return (math.nan,) * 4
    return (
        one.seconds,
        tokens / one.seconds,
        one.energy.nominal / tokens,
        one.price / tokens,
    )


def _nothing(name: str, shape: DecoderShape, cluster: Cluster, work: Work, within: float) -> str:
    chips = " and ".join(f"{rack.chips} {rack.chip.name}" for rack in cluster.racks)
    what = f"{name} with batch={work.batch} at context={work.context}"
    if within < math.inf and search(grids(shape, cluster, work), "latency", math.inf):
        return f"within={units.si(within, 's')}: no plan takes a step of {what} on {chips} so soon"
    layers = sum(_held_layers(shape, cluster, work, i) for i in range(len(cluster.racks)))
    return (
        f"{what} does not fit on {chips}: they hold {layers} of {shape.layers} layers at most; "
        "write a smaller batch or more chips"
    )


def _held_layers(shape: DecoderShape, cluster: Cluster, work: Work, number: int) -> int:
    """Layers that the chips of a rack hold, whichever way they share them."""
    chips, on = cluster.racks[number].chips, Stages(shape, cluster, work, 1, 1, 1)
    return max(
        chips // t * most_layers(on, number, t, "whole")[0] for t in tensor_degrees(shape, chips)
    )
