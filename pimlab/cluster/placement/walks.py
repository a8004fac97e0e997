"""Which stages follow each other where most machines are not joined? A walk over neighbourhoods.

Machines that are joined to the same others are alike: any of them may stand where another does. A
neighbourhood is a set of such machines; links lead from a neighbourhood to some of the others, and
to itself or not. The stages of a chain then walk over neighbourhoods, from one that the source is
joined to, to one that the sink is joined to. An integer programme chooses the stages with the most
layers, and how often each step of the walk is taken:

    steps into a neighbourhood = stages in it = steps out of it

From these a walk is drawn that takes every step so often (Hierholzer 1873). Neighbourhoods that the
programme visits without a way from the source are cut off, and it is solved again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pimlab.cluster.placement.chains import Chain, Group, Stage, stages
from pimlab.cluster.placement.problem import LayerPlacement

START, END = -1, -2
"""Source and sink among the neighbourhoods of a step."""
CUTS = 20
"""Visits without a way from the source that are cut off before a walk is given up."""

Step = tuple[int, int]
"""From one neighbourhood, or the source, to another, or the sink."""
Ends = tuple[frozenset[str], frozenset[str]]
"""Where tokens may come from, and where they may go."""


def neighbourhoods(problem: LayerPlacement, flow: float) -> list[tuple[str, ...]]:
    """Machines that links of `flow` tokens a second and more join to the same others, with source
    and sink among them. `flow` in the unit tokens a second.
    """
    found: list[list[str]] = []
    joined = _joined(problem, flow)
    for name in problem.rates:
        home = next((names for names in found if _alike(joined, name, names)), None)
        if home is None:
            found.append([name])
        else:
            home.append(name)
    return [tuple(names) for names in found]


def _joined(problem: LayerPlacement, flow: float) -> dict[str, Ends]:
    pairs = [pair for pair, rate in problem.links.items() if rate >= flow]
    pairs += [("source", name) for name, rate in problem.source.items() if rate >= flow]
    pairs += [(name, "sink") for name, rate in problem.sink.items() if rate >= flow]
    return {
        name: (
            frozenset(giver for giver, taker in pairs if taker == name),
            frozenset(taker for giver, taker in pairs if giver == name),
        )
        for name in problem.rates
    }


def _alike(joined: dict[str, Ends], name: str, names: Sequence[str]) -> bool:
    """Whether `name` is joined to what each of `names` is, and to all or to none of them."""
    mine = joined[name]
    inner = {other in ends for other in names for ends in mine}
    return len(inner) == 1 and all(
        mine[side] - {other} == joined[other][side] - {name} for other in names for side in (0, 1)
    )


def steps(problem: LayerPlacement, flow: float, homes: Sequence[Sequence[str]]) -> list[Step]:
    """Steps between the neighbourhoods `homes`, from the source and to the sink, whose links carry
    `flow` tokens a second.
    """
    found = [(START, i) for i, names in enumerate(homes) if problem.source.get(names[0], 0) >= flow]
    found += [(i, END) for i, names in enumerate(homes) if problem.sink.get(names[0], 0) >= flow]
    for i, names in enumerate(homes):
        for j, others in enumerate(homes):
            pair = names[0], others[-1]  # two of one neighbourhood, where it has two
            if problem.links.get(pair, 0.0) >= flow:
                found.append((i, j))
    return found


def walk(problem: LayerPlacement, flow: float) -> tuple[Chain, list[Group]] | None:
    """A chain that carries `flow` tokens a second over links that are there, and the groups of
    machines that its stages take; None where the programme finds none.
    """
    homes = neighbourhoods(problem, flow)
    parts = _groups(problem, homes)
    known = stages(parts, flow)
    ways = steps(problem, flow, homes)
    cuts: list[frozenset[int]] = []
    while known and ways and len(cuts) < CUTS:
        solved = _chosen(parts, known, ways, cuts)
        if solved is None:
            return None
        chosen, taken = solved
        visits = _drawn(taken)
        apart = {one.island for one in chosen} - set(visits)
        if not apart:
            spare = sum(one.layers for one in chosen) - problem.layers
            return (Chain(_in_order(chosen, visits), spare), parts) if spare >= 0 else None
        cuts.append(frozenset(apart))
    return None


def _groups(problem: LayerPlacement, homes: Sequence[Sequence[str]]) -> list[Group]:
    """The machines by neighbourhood and kind."""
    found: dict[tuple[int, tuple[tuple[int, float], ...]], list[str]] = {}
    for home, names in enumerate(homes):
        for name in names:
            kind = tuple(sorted(problem.rates[name].items()))
            found.setdefault((home, kind), []).append(name)
    return [Group(i, dict(kind), tuple(names)) for (i, kind), names in found.items()]


def _chosen(
    parts: Sequence[Group],
    known: Sequence[Stage],
    ways: Sequence[Step],
    cuts: Sequence[frozenset[int]],
) -> tuple[list[Stage], dict[Step, int]] | None:
    """Stages with the most layers and how often each step is taken; an integer programme (HiGHS)
    over (stages, steps).
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    rows, low, high = _rows(parts, known, ways, cuts)
    gain = [*(-one.layers + 1e-3 * one.width for one in known), *(0.0 for _ in ways)]
    answer = milp(
        gain,
        constraints=LinearConstraint(rows, low, high),
        integrality=np.ones(len(gain)),
        bounds=Bounds(0, np.inf),
        options={"mip_rel_gap": 1e-3, "time_limit": 20.0},
    )
    if answer.x is None:
        return None
    times = np.rint(answer.x).astype(int)
    chosen = [one for one, n in zip(known, times, strict=False) for _ in range(n)]
    return chosen, dict(zip(ways, times[len(known) :].tolist(), strict=True))


def _rows(
    parts: Sequence[Group],
    known: Sequence[Stage],
    ways: Sequence[Step],
    cuts: Sequence[frozenset[int]],
) -> tuple[np.ndarray, list[float], list[float]]:
    """Rows of the programme with their lower and upper ends: machines of each group, steps into and
    out of each neighbourhood, one step from the source, steps into what was cut off.
    """
    homes = range(1 + max(part.island for part in parts))
    most = sum(len(part.names) for part in parts)
    rows = np.zeros((len(parts) + 2 * len(homes) + 1 + len(cuts), len(known) + len(ways)))
    high = [float(len(part.names)) for part in parts] + [0.0] * (2 * len(homes)) + [1.0]
    low = [0.0] * len(parts) + [0.0] * (2 * len(homes)) + [1.0] + [0.0] * len(cuts)
    for column, one in enumerate(known):
        for group, count in one.machines:
            rows[group, column] = count
        rows[len(parts) + 2 * one.island : len(parts) + 2 * one.island + 2, column] = -1
    for column, (before, behind) in enumerate(ways, len(known)):
        if behind >= 0:
            rows[len(parts) + 2 * behind, column] = 1
        if before >= 0:
            rows[len(parts) + 2 * before + 1, column] = 1
        rows[len(parts) + 2 * len(homes), column] = before == START
    for row, apart in enumerate(cuts, len(parts) + 2 * len(homes) + 1):
        rows[row, : len(known)] = [-float(one.island in apart) for one in known]
        rows[row, len(known) :] = [most * float(b in apart and a not in apart) for a, b in ways]
    return rows, low, high + [np.inf] * len(cuts)


def _drawn(taken: dict[Step, int]) -> list[int]:
    """Neighbourhoods in the order of a walk from the source that takes each step so often as
    `taken` says, as far as steps are reached.
    """
    left: dict[int, list[int]] = {}
    for (before, behind), count in taken.items():
        left.setdefault(before, []).extend([behind] * count)
    path, found = [START], []
    while path:
        if left.get(path[-1]):
            path.append(left[path[-1]].pop())
        else:
            found.append(path.pop())
    return [home for home in reversed(found) if home >= 0]


def _in_order(chosen: Sequence[Stage], visits: Sequence[int]) -> list[Stage]:
    free: dict[int, list[Stage]] = {}
    for one in chosen:
        free.setdefault(one.island, []).append(one)
    return [free[home].pop() for home in visits]
