"""Which machine takes which place of a chain, so that the links between them carry the flow?

Machines of one kind differ only by their links, and the stages of one island may follow each other
in any order. A local search turns parts of the chain round, moves stages, exchanges machines and
shifts spare layers, and keeps what brings more flow over the joints between stages (simulated
annealing; the same seed gives the same answer). Only the joints that a change touches are computed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pimlab.cluster.placement.chains import Chain, Group
from pimlab.cluster.placement.flow import maximum_flow
from pimlab.cluster.placement.problem import LayerPlacement, Run

TURNS = 30_000
"""Changes that one search tries."""
LOOKS = 40
"""Complete chains whose maximum flow one search computes at most."""
HOT, COLD = 0.15, 0.01
"""Loss, as a share of the wanted flow, that is accepted with probability 1/e at first and at the
end.
"""


class Place(NamedTuple):
    """A stage with its machines."""

    island: int
    layers: int
    names: tuple[str, ...]


class Line:
    """Stages with their machines in order, and how much of the wanted flow each joint carries."""

    def __init__(self, problem: LayerPlacement, chain: Chain, parts: Sequence[Group], flow: float):
        self.problem, self.flow = problem, flow
        free = {i: list(part.names) for i, part in enumerate(parts)}
        self.places = [
            Place(
                stage.island,
                stage.layers,
                tuple(free[group].pop(0) for group, n in stage.machines for _ in range(n)),
            )
            for stage in chain.stages
        ]
        self.members = [part.names for part in parts if len(part.names) > 1]
        self._joints: dict[tuple[Place | None, Place | None], float] = {}
        self._shorten(chain.spare)

    def _shorten(self, spare: int) -> None:
        """Take spare layers from the stages that hold the most."""
        for _ in range(spare):
            able = [i for i, place in enumerate(self.places) if self._holds(place, -1)]
            if not able:
                return
            longest = max(able, key=lambda i: self.places[i].layers)
            self.places[longest] = _longer(self.places[longest], -1)

    def _holds(self, place: Place, more: int) -> bool:
        return all(place.layers + more in self.problem.rates[name] for name in place.names)

    def joint(self, before: Place | None, behind: Place | None) -> float:
        """Flow from one stage to the next, the wanted flow at most; None is source or sink. Unit:
        tokens a second.
        """
        key = before, behind
        if key not in self._joints:
            self._joints[key] = min(self.flow, self._joint(before, behind))
        return self._joints[key]

    def _joint(self, before: Place | None, behind: Place | None) -> float:
        if before is None or behind is None:
            place = behind if before is None else before
            ends = self.problem.source if before is None else self.problem.sink
            assert place is not None
            return sum(min(self._rate(place, n), ends.get(n, 0.0)) for n in place.names)
        if len(before.names) > 1 < len(behind.names):
            out, into = self._shares(before), self._shares(behind)
        else:
            out, into = self._rates(before), self._rates(behind)
        return transported(out, into, self.problem.links)

    def _rates(self, place: Place) -> dict[str, float]:
        return {name: self._rate(place, name) for name in place.names}

    def _shares(self, place: Place) -> dict[str, float]:
        """The wanted flow dealt out by rates: what two wide stages agree on, so that what one joint
        brings the next one takes.
        """
        rates = self._rates(place)
        return {name: self.flow * rate / sum(rates.values()) for name, rate in rates.items()}

    def _rate(self, place: Place, name: str) -> float:
        return self.problem.rates[name][place.layers]

    def carried(self, joints: Iterable[int]) -> float:
        """Sum of the flow over the given joints; joint i lies before stage i. Unit: tokens a
        second.
        """
        ends = [None, *self.places, None]
        return sum(self.joint(ends[i], ends[i + 1]) for i in joints)

    @property
    def wanted(self) -> float:
        """Sum of the flow over all joints where every one carries it. Unit: tokens a second."""
        return self.flow * (len(self.places) + 1)

    def runs(self) -> dict[str, Run]:
        """Machine -> (first layer, layers). Unit: layers."""
        found, first = {}, 0
        for place in self.places:
            found.update(dict.fromkeys(place.names, (first, place.layers)))
            first += place.layers
        return found

    def put(self, places: Mapping[int, Place]) -> None:
        """Replace stages by position."""
        for i, place in places.items():
            self.places[i] = place

    def change(self, rng: np.random.Generator) -> dict[int, Place] | None:
        """New places by position after a random change; None where it is not allowed."""
        kind, (i, j) = rng.random(), sorted(int(x) for x in rng.integers(len(self.places), size=2))
        if kind < 0.4:
            return self._turned(i, j)
        if kind < 0.6:
            return self._moved(i, j, back=bool(rng.integers(2)))
        if kind < 0.95 and self.members:
            members = self.members[rng.integers(len(self.members))]
            a, b = (members[x] for x in rng.choice(len(members), 2, replace=False))
            return self._exchanged(a, b)
        return self._shifted(i, j) if rng.integers(2) else self._shifted(j, i)

    def _one_island(self, i: int, j: int) -> bool:
        return i < j and len({place.island for place in self.places[i : j + 1]}) == 1

    def _turned(self, i: int, j: int) -> dict[int, Place] | None:
        """The stages from i to j the other way round."""
        if not self._one_island(i, j):
            return None
        return dict(zip(range(i, j + 1), reversed(self.places[i : j + 1]), strict=True))

    def _moved(self, i: int, j: int, back: bool) -> dict[int, Place] | None:
        """Stage i moves behind stage j, or j before i."""
        if not self._one_island(i, j):
            return None
        part = self.places[i : j + 1]
        order = [part[-1], *part[:-1]] if back else [*part[1:], part[0]]
        return dict(zip(range(i, j + 1), order, strict=True))

    def _exchanged(self, a: str, b: str) -> dict[int, Place]:
        """Two machines of one kind and island change places."""
        swap = {a: b, b: a}
        return {
            i: place._replace(names=tuple(swap.get(name, name) for name in place.names))
            for i, place in enumerate(self.places)
            if a in place.names or b in place.names
        }

    def _shifted(self, i: int, j: int) -> dict[int, Place] | None:
        """One layer moves from stage i to stage j."""
        if i == j or not self._holds(self.places[i], -1) or not self._holds(self.places[j], 1):
            return None
        return {i: _longer(self.places[i], -1), j: _longer(self.places[j], 1)}


def transported(
    out: Mapping[str, float], into: Mapping[str, float], links: Mapping[tuple[str, str], float]
) -> float:
    """Most that machines which give `out` bring to machines which take `into`: the least cut, tried
    for every set of givers. Unit: tokens a second.
    """
    givers = list(out)
    least = math.inf
    for mask in range(1 << len(givers)):
        chosen = [a for i, a in enumerate(givers) if mask >> i & 1]
        cut = sum(out[a] for a in givers) - sum(out[a] for a in chosen)
        cut += sum(
            min(taken, sum(links.get((a, b), 0.0) for a in chosen)) for b, taken in into.items()
        )
        least = min(least, cut)
    return least


def _longer(place: Place, layers: int) -> Place:
    return place._replace(layers=place.layers + layers)


def _touched(changed: Mapping[int, Place]) -> set[int]:
    return {joint for i in changed for joint in (i, i + 1)}


def assigned(
    problem: LayerPlacement,
    chain: Chain,
    parts: Sequence[Group],
    flow: float,
    rng: np.random.Generator,
) -> tuple[float, dict[str, Run], dict[tuple[str, str], float]]:
    """(tokens a second, runs, flow of every link) in the best order found for `chain`. Flows in the
    unit tokens a second.
    """
    line = Line(problem, chain, parts, flow)
    now = highest = line.carried(range(len(line.places) + 1))
    best = _measured(problem, line)
    looks = LOOKS
    for turn in range(TURNS):
        if best[0] >= flow * (1 - 1e-9) or not looks:
            break
        gain = _turn(line, rng, flow * HOT * (COLD / HOT) ** (turn / TURNS))
        now += gain
        full = now >= line.wanted * (1 - 1e-9)
        if gain and (full or now > highest * (1 + 1e-9)):
            highest, looks = max(highest, now), looks - full
            best = max(best, _measured(problem, line), key=lambda found: found[0])
    return best


def _turn(line: Line, rng: np.random.Generator, heat: float) -> float:
    """Try one change; the flow that all joints together gain, 0 where it was taken back."""
    changed = line.change(rng)
    if changed is None:
        return 0.0
    joints = _touched(changed)
    old = {i: line.places[i] for i in changed}
    before = line.carried(joints)
    line.put(changed)
    gain = line.carried(joints) - before
    if gain < 0 and rng.random() >= math.exp(gain / heat):
        line.put(old)
        return 0.0
    return gain


def _measured(
    problem: LayerPlacement, line: Line
) -> tuple[float, dict[str, Run], dict[tuple[str, str], float]]:
    runs = line.runs()
    value, links = maximum_flow(problem, runs)
    return value, runs, links
