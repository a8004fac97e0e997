"""Which links does a message pass between two chips, and how many messages share one of them?

Routes are fixed by the topology. Hops and crowding of a round are counted by sending all of its
messages at once, not taken from a formula.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from functools import lru_cache

from pimlab.cluster.collectives import Round
from pimlab.values import Value, integer

Edge = tuple[object, ...]


class Topology(Value):
    """Which links a message passes. Subclasses say the links of each route; the rest is counted."""

    def route(self, start: int, end: int, workers: int) -> tuple[Edge, ...]:
        """The directed links from worker `start` to worker `end`, in order."""
        raise NotImplementedError

    def capacity(self, edge: Edge) -> Fraction:
        """How many links' worth one edge carries. Unit: links."""
        return Fraction(1)

    def check_workers(self, workers: int) -> None:
        """ValueError where so many workers do not stand on this topology."""


class Switch(Topology):
    """Every chip has one link to one switch that blocks nobody."""

    def route(self, start: int, end: int, workers: int) -> tuple[Edge, ...]:
        """Out of one port and into another: one hop, as both count as one link."""
        return ((start, "port", end),)


class Ring(Topology):
    """Chips in a circle, each linked with its two neighbours."""

    def route(self, start: int, end: int, workers: int) -> tuple[Edge, ...]:
        """The shorter way round."""
        ahead = (end - start) % workers
        step, count = (1, ahead) if 2 * ahead <= workers else (-1, workers - ahead)
        places = [(start + step * i) % workers for i in range(count + 1)]
        return tuple(itertools.pairwise(places))


class Mesh(Topology):
    """Chips in rows of `columns`, each linked with its neighbours; ranks follow the rows, every
    second one backwards, so that ranks in turn are neighbours.
    """

    columns: int = integer(1)

    def check_workers(self, workers: int) -> None:
        """Rows must be full."""
        if workers > self.columns and workers % self.columns:
            raise ValueError(
                f"Mesh columns={self.columns} does not divide {workers} workers; allowed: "
                f"multiples of {self.columns}"
            )

    def _place(self, rank: int) -> tuple[int, int]:
        row, column = divmod(rank, self.columns)
        return row, column if row % 2 == 0 else self.columns - 1 - column

    def route(self, start: int, end: int, workers: int) -> tuple[Edge, ...]:
        """Along the row first, then along the column."""
        (row, column), (last_row, last_column) = self._place(start), self._place(end)
        places = [(row, column)]
        while column != last_column:
            column += 1 if last_column > column else -1
            places.append((row, column))
        while row != last_row:
            row += 1 if last_row > row else -1
            places.append((row, column))
        return tuple(itertools.pairwise(places))


class FatTree(Topology):
    """Chips on leaf switches of `leaf` ports; a leaf has `leaf / oversubscription` links up."""

    leaf: int = integer(1)
    oversubscription: int = integer(1, default=1)

    def route(self, start: int, end: int, workers: int) -> tuple[Edge, ...]:
        """Through one leaf switch, or up, across and down."""
        first, last = start // self.leaf, end // self.leaf
        if first == last:
            return ((start, "port", end),)
        return ((start, "port"), ("up", first), ("down", last))

    def capacity(self, edge: Edge) -> Fraction:
        """Links of a leaf, up or down; one of a port."""
        if edge[0] in ("up", "down"):
            return Fraction(self.leaf, self.oversubscription)
        return Fraction(1)


@lru_cache(maxsize=4096)
def travelled(topology: Topology, one: Round, workers: int) -> tuple[int, Fraction]:
    """(hops of the longest route, messages of the round that the fullest link carries over its
    capacity, 1 at least).

    Raises ValueError where the workers do not stand on the topology. Unit: hops, and messages.
    """
    topology.check_workers(workers)
    load: dict[Edge, int] = {}
    hops = 1
    for start, end in one.senders(workers):
        path = topology.route(start, end, workers)
        hops = max(hops, len(path))
        for edge in path:
            load[edge] = load.get(edge, 0) + 1
    crowding = [Fraction(count) / topology.capacity(edge) for edge, count in load.items()]
    return hops, max([Fraction(1), *crowding])


def crossings(topology: Topology, one: Round, workers: int) -> int:
    """Links that the messages of the round cross, all of them together: what energy is charged
    for (unit: links).
    """
    return sum(len(topology.route(a, b, workers)) for a, b in one.senders(workers))
