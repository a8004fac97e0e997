"""Which stages, one after another, carry a wanted flow through every layer? An integer programme.

A stage is a few machines that hold the same layers side by side and take the flow together. Within
an island (machines that fast links join) stages may follow each other in any order, so only how
many of each kind are used matters. Between islands the flow is split: the last stage of one and the
first of the next need several machines, because one slow link does not carry it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from pimlab.cluster.placement.bound import islands
from pimlab.cluster.placement.problem import LayerPlacement

WIDEST = 4
"""Machines of one stage at most."""
MANY = 4
"""Islands whose orders are all tried at most."""


class Group(NamedTuple):
    """Machines of one kind on one island."""

    island: int
    rates: dict[int, float]
    names: tuple[str, ...]


class Stage(NamedTuple):
    """Machines (group -> how many) of one island that hold the same `layers` layers."""

    island: int
    layers: int
    machines: tuple[tuple[int, int], ...]

    @property
    def width(self) -> int:
        """Machines side by side (unit: machines)."""
        return sum(count for _, count in self.machines)


def groups(problem: LayerPlacement, flow: float) -> list[Group]:
    """The machines by island and kind."""
    found: dict[tuple[int, tuple[tuple[int, float], ...]], list[str]] = {}
    for island, names in enumerate(islands(problem, flow)):
        for name in names:
            kind = tuple(sorted(problem.rates[name].items()))
            found.setdefault((island, kind), []).append(name)
    return [Group(i, dict(kind), tuple(names)) for (i, kind), names in found.items()]


def stages(
    parts: Sequence[Group], flow: float, limit: float = math.inf, width: int = 1
) -> list[Stage]:
    """Every smallest stage of `width` machines or more that takes `flow` when no machine takes more
    than `limit` (what slow links bring it); of the same machines that with the most layers. `flow`
    in the unit tokens a second.
    """
    longest: dict[tuple[tuple[int, int], ...], Stage] = {}
    for island in sorted({part.island for part in parts}):
        mine = [i for i, part in enumerate(parts) if part.island == island]
        for layers in sorted({count for i in mine for count in parts[i].rates}):
            able = [i for i in mine if layers in parts[i].rates]
            rates = [min(parts[i].rates[layers], limit) for i in able]
            counts = [len(parts[i].names) for i in able]
            for machines in _covers(rates, counts, flow, width):
                named = tuple((able[i], count) for i, count in machines)
                longest[named] = Stage(island, layers, named)
    return list(longest.values())


def _covers(
    rates: Sequence[float], counts: Sequence[int], flow: float, width: int
) -> Iterator[tuple[tuple[int, int], ...]]:
    """Smallest sets of `width` machines or more that take `flow` together."""

    def descend(
        position: int, needed: float, chosen: tuple[tuple[int, int], ...], taken: int
    ) -> Iterator[tuple[tuple[int, int], ...]]:
        if needed <= flow * 1e-12 and taken >= width:
            yield chosen
            return
        if position == len(rates):
            return
        yield from descend(position + 1, needed, chosen, taken)
        for count in range(1, min(WIDEST - taken, counts[position]) + 1):
            left = needed - count * rates[position]
            yield from descend(position + 1, left, (*chosen, (position, count)), taken + count)
            if left <= flow * 1e-12 and taken + count >= width:
                return

    yield from descend(0, flow, (), 0)


class Chain(NamedTuple):
    """Stages in the order of their islands, and the layers that they hold beyond the model's."""

    stages: list[Stage]
    spare: int


class Slot(NamedTuple):
    """The first or the last stage of an island that others lie beside: `width` machines, none of
    which takes more than `limit` over the slow links.
    """

    island: int
    last: bool
    width: int
    limit: float


def chains(problem: LayerPlacement, flow: float) -> Iterator[Chain]:
    """Chains of stages that carry `flow` as far as rates go, one for each order of the islands and
    each way of crossing between them; those with the most spare layers first. `flow` in the unit
    tokens a second.
    """
    parts = groups(problem, flow)
    island = {name: part.island for part in parts for name in part.names}
    slow = [rate for (a, b), rate in problem.links.items() if island[a] != island[b]]
    limit = max(slow, default=0.0)
    known: dict[tuple[float, int], list[Stage]] = {}

    def able(limit: float, width: int) -> list[Stage]:
        if (limit, width) not in known:
            known[limit, width] = stages(parts, flow, limit, width)
        return known[limit, width]

    found = []
    for order in _orders(1 + max(part.island for part in parts)):
        for widths in itertools.product(_crossings(flow, limit), repeat=len(order) - 1):
            slots = list(_slots(order, widths, limit))
            plain = [one for one in able(math.inf, 1) if one.island in order]
            columns: list[Column] = [(one, None) for one in plain]
            columns += [
                (one, slot)
                for slot in slots
                for one in able(slot.limit, slot.width)
                if one.island == slot.island and one.width == slot.width
            ]
            chain = _chain(problem.layers, parts, columns, slots, order)
            if chain is not None:
                found.append(chain)
    yield from sorted(found, key=lambda chain: (-chain.spare, len(chain.stages)))


def _orders(count: int) -> Iterator[tuple[int, ...]]:
    """Islands in every order, from one alone to all of them."""
    for used in range(1, min(count, MANY) + 1):
        yield from itertools.permutations(range(count), used)


def _crossings(flow: float, limit: float) -> list[tuple[int, int]]:
    """Machines before and behind a crossing whose links bring `flow`: the least of each."""
    if not limit:
        return []
    links = math.ceil(flow / limit * (1 - 1e-12))
    pairs = [(before, -(-links // before)) for before in range(1, WIDEST + 1)]
    return [(a, b) for a, b in pairs if b <= WIDEST and not any(x < a and y <= b for x, y in pairs)]


def _slots(order: Sequence[int], widths: Sequence[tuple[int, int]], limit: float) -> Iterator[Slot]:
    for (before, behind), (a, b) in zip(itertools.pairwise(order), widths, strict=True):
        yield Slot(before, True, a, b * limit)
        yield Slot(behind, False, b, a * limit)


Column = tuple[Stage, Slot | None]


def _chain(
    layers: int,
    parts: Sequence[Group],
    columns: Sequence[Column],
    slots: Sequence[Slot],
    order: Sequence[int],
) -> Chain | None:
    """The chain with the most layers in that order of islands; None where they are too few."""
    chosen = _most_layers(parts, columns, slots) if columns else None
    if chosen is None:
        return None
    spare = sum(one.layers for one, _ in chosen) - layers
    return Chain(_ordered(chosen, order), spare) if spare >= 0 else None


def _most_layers(
    parts: Sequence[Group], columns: Sequence[Column], slots: Sequence[Slot]
) -> list[Column] | None:
    """Stages that hold the most layers, one in each slot; an integer programme (HiGHS)."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    used = np.zeros((len(parts) + len(slots), len(columns)))
    for column, (one, slot) in enumerate(columns):
        for group, count in one.machines:
            used[group, column] = count
        if slot is not None:
            used[len(parts) + slots.index(slot), column] = 1
    answer = milp(
        [-one.layers + 1e-3 * one.width for one, _ in columns],
        constraints=LinearConstraint(
            used,
            [*(0 for _ in parts), *(1 for _ in slots)],
            [*(len(part.names) for part in parts), *(1 for _ in slots)],
        ),
        integrality=np.ones(len(columns)),
        bounds=Bounds(0, np.inf),
    )
    if answer.x is None:
        return None
    return [columns[i] for i, times in enumerate(answer.x) for _ in range(round(times))]


def _ordered(chosen: Sequence[Column], order: Sequence[int]) -> list[Stage]:
    """First stage of an island, those in the middle, last stage; island after island."""
    found: list[Stage] = []
    for island in order:
        mine = [column for column in chosen if column[0].island == island]
        found += [one for one, slot in mine if slot is not None and not slot.last]
        found += [one for one, slot in mine if slot is None]
        found += [one for one, slot in mine if slot is not None and slot.last]
    return found
