"""What does a network of chips make of a collective? Seconds and joules, by the fastest algorithm.

A calibrated network (catalogue room `networks`) names the measured rows that its launch time and
its share of the link's bandwidth were fitted on; the paper folder `collectives` fits them again and
reports the error on all other rows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from pimlab import catalogue
from pimlab.arguments import named
from pimlab.cluster.collectives import ALGORITHMS, Round, rounds
from pimlab.cluster.topologies import FatTree, Mesh, Ring, Switch, Topology, crossings, travelled
from pimlab.machine.links import Link, link
from pimlab.values import Value, number, part, quantity, unknown

_KINDS = {"switch": Switch, "ring": Ring, "mesh": Mesh, "fat-tree": FatTree}


class Network(Value):
    """Chips joined by one kind of link on one topology.

    launch : time of one collective before its first message (kernels, synchronisation).
    efficiency : share of the link's bandwidth that a collective's messages reach.
    send_launch, send_efficiency : the same of one message between two chips.
    rails : links of one board that a collective between boards uses at once, where
    four chips or more of each board take part; one where fewer do.
    algorithms : those to choose from; "switch" only where the switch can add.
    """

    name: str = ""
    link: Link = part(Link)
    topology: Topology = part(Topology, default=Switch())
    launch: float = quantity("s", low=0, default=0.0)
    efficiency: float = number(above=0, high=1, default=1.0)
    send_launch: float = quantity("s", low=0, default=0.0)
    send_efficiency: float = number(above=0, high=1, default=1.0)
    rails: float = number(low=1, default=1.0)
    algorithms: Sequence[str] = ("ring", "tree", "halving")
    sources: tuple[str, ...] = ()

    def check(self) -> None:
        """One algorithm at least, all of them known."""
        for name in self.algorithms:
            if name not in ALGORITHMS:
                raise ValueError(unknown("algorithm", name, ALGORITHMS))
        if not self.algorithms:
            raise ValueError(f"Network {self.name}: algorithms=() leaves none; allowed: ('ring',)")
        object.__setattr__(self, "algorithms", tuple(self.algorithms))
        object.__setattr__(self, "name", self.name or self.link.name)

    def seconds(
        self,
        operation: str,
        message: float,
        workers: int,
        algorithm: str | None = None,
        on_board: int = 1,
    ) -> float:
        """Seconds [s] of `operation` on a message of `message` bytes among `workers` chips, by the
        named algorithm or the fastest one; `on_board` of them share a board (and its rails).

        Raises ValueError for an unknown operation or algorithm, a negative message, or workers that
        do not stand on the topology.
        """
        return self.best(operation, message, workers, algorithm, on_board)[0]

    def best(
        self,
        operation: str,
        message: float,
        workers: int,
        algorithm: str | None = None,
        on_board: int = 1,
    ) -> tuple[float, str]:
        """(seconds, algorithm) of the fastest one, or of the one named [s]."""
        if not message >= 0:
            raise ValueError(f"{operation}: message={message!r} bytes; allowed: 0 or more")
        names = (algorithm,) if algorithm else self.algorithms
        if operation == "all-to-all" and algorithm is None:
            names = ("ring",)
        found = [(self._seconds(operation, message, workers, one, on_board), one) for one in names]
        return min(found, key=lambda pair: pair[0])

    def _seconds(
        self, operation: str, message: float, workers: int, algorithm: str, on_board: int
    ) -> float:
        steps = rounds(operation, algorithm, workers)
        if not steps:
            return 0.0
        lone = operation == "send"
        launch = self.send_launch if lone else self.launch
        rate = self.link.bandwidth * (self.send_efficiency if lone else self.efficiency)
        rate *= 1.0 if lone or on_board < 4 else self.rails
        return launch + sum(self._round(one, message, workers, rate) for one in steps)

    def _round(self, one: Round, message: float, workers: int, rate: float) -> float:
        hops, crowding = travelled(self.topology, one, workers)
        return hops * self.link.delay + float(crowding * one.share) * 8 * message / rate

    def bits(self, operation: str, message: float, workers: int, algorithm: str) -> float:
        """Bits over all links together, each link that a message passes counted (unit: bits)."""
        steps = rounds(operation, algorithm, workers)
        if operation == "send" and steps:
            return 8 * message * len(self.topology.route(0, 1, workers))
        return sum(
            float(one.share) * 8 * message * crossings(self.topology, one, workers) for one in steps
        )


@named
def network(name: str) -> Network:
    """The calibrated network `name` of catalogue room `networks`, such as "dgx-a100"; ValueError
    with the nearest name.

    >>> pim.network("dgx-h100").seconds("all-reduce", 16e6, 8) < 2e-4
    True
    """
    table = catalogue.entry("networks", name)
    between = link(table.meta["link"])
    shape = {key: int(table[key].value) for key in ("columns", "leaf") if key in table}
    given = {
        field.name: table[field.name].value
        for field in dataclasses.fields(Network)  # type: ignore[arg-type]
        if field.name in table
    }
    cited = {source for constant in table.values() for source in constant.sources}
    return Network(
        name=name,
        link=between,
        topology=_KINDS[table.meta["topology"]](**shape),
        algorithms=tuple(table.meta["algorithms"].split(", ")),
        sources=tuple(sorted(cited)),
        **given,
    )


def networks() -> tuple[str, ...]:
    """Names that `network` knows."""
    return catalogue.names("networks")
