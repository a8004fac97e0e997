"""Which chips stand together, and what joins them? One value: chips, boards, racks and links.

A cluster is a rack of equal chips and, where chips are mixed, the racks beside it. `link` joins the
chips of one board, `between` the boards and the racks. A link by itself is an ideal network (a
switch, all of its bandwidth, no launch time); a calibrated `Network` says what was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from pimlab import catalogue
from pimlab.cluster.costs import machines
from pimlab.cluster.networks import Network
from pimlab.constants import Constant
from pimlab.machine.links import Link
from pimlab.machine.protocol import Target
from pimlab.values import Value, integer, number, part, quantity


class Cluster(Value):
    """`chips` equal machines `chip` on boards of `board`, and the clusters `beside` them.

    link : joins the chips of a board; between : joins boards, and this cluster with those beside it
    (None: `link` does).  memory : of one chip, for weights, caches and activations (None: what the
    catalogue states of the chip; machines that compute where weights lie say it by `occupancy`).
    price : of one chip and hour, in any currency, for the objective "cost".
    Raises ValueError for a board that does not divide the chips, for chips of one name in two
    places; TypeError for what is no machine, link or cluster.

    >>> rack = pim.Cluster(chip=pim.target("rngd"), chips=8, link=pim.link("pcie5-x16"))
    >>> rack.count
    8
    """

    chip: Target = part(Target)
    chips: int = integer(1, 2**20, default=1)
    link: Link | Network | None = part(Link, Network, default=None)
    board: int | None = integer(1, default=None, hint="for one board of all chips write board=None")
    between: Link | Network | None = part(Link, Network, default=None)
    memory: float | None = quantity("bit", above=0, default=None)
    price: float | None = number(low=0, default=None)
    beside: Sequence[Cluster] = ()

    def check(self) -> None:
        """Several chips need a link; boards are full; every kind of chip has its own name."""
        for other in self.beside:
            if not isinstance(other, Cluster):
                raise TypeError(f"Cluster beside={other!r:.60} is not a Cluster")
        if self.count > 1 and self.link is None and self.between is None:
            raise ValueError(
                f"Cluster of {self.count} chips {self.chip.name} has no link; write for example "
                "link=pimlab.link('pcie5-x16')"
            )
        if self.board is not None and self.chips % self.board and self.chips > self.board:
            raise ValueError(
                f"Cluster board={self.board} does not divide chips={self.chips}; allowed: full "
                "boards"
            )
        object.__setattr__(self, "beside", tuple(self.beside))
        names = [rack.chip.name for rack in self.racks]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"Cluster has chips {twice!r} in two racks; give each its own name")

    @property
    def racks(self) -> tuple[Cluster, ...]:
        """Every rack of equal chips, this one first."""
        alone = self.but(beside=()) if self.beside else self
        return (alone, *(rack for other in self.beside for rack in other.racks))

    @property
    def count(self) -> int:
        """Chips of all racks (unit: chips)."""
        return self.chips + sum(other.count for other in self.beside)

    @property
    def inner(self) -> Network:
        """The network of the chips of one board."""
        return _network(self.link if self.link is not None else self.between)

    @property
    def outer(self) -> Network:
        """The network between boards and racks."""
        return _network(self.between if self.between is not None else self.link)

    def seconds(self, operation: str, message: float, workers: int, stride: int = 1) -> float:
        """Seconds [s] of a collective of `message` bytes among `workers` chips of this rack whose
        ranks lie `stride` apart: on the board where they all fit, between boards otherwise.
        """
        if workers <= 1:
            return 0.0
        board = self.board or self.chips
        if (workers - 1) * stride < board:
            return self.inner.seconds(operation, message, workers)
        on_board = max(1, board // stride)
        return self.outer.seconds(operation, message, workers, on_board=min(on_board, workers))

    def bits(self, operation: str, message: float, workers: int, stride: int = 1) -> float:
        """Bits over all links together of the same collective (unit: bits)."""
        if workers <= 1:
            return 0.0
        net = self.inner if (workers - 1) * stride < (self.board or self.chips) else self.outer
        return net.bits(operation, message, workers, net.best(operation, message, workers)[1])

    def bit_price(self, workers: int, stride: int = 1) -> Constant:
        """Energy of one bit over one link of the network that such workers use [J]."""
        near = (workers - 1) * stride < (self.board or self.chips)
        return (self.inner if near else self.outer).link.bit

    @property
    def cited(self) -> tuple[str, ...]:
        """Keys in `sources.bib` of every publication behind chips and links, sorted."""
        found = set(self.chip.cited)
        for net in (self.link, self.between):
            if isinstance(net, Network):
                found.update((*net.sources, *net.link.sources, *net.link.bit.sources))
            elif net is not None:
                found.update((*net.sources, *net.bit.sources))
        for other in self.beside:
            found.update(other.cited)
        return tuple(sorted(found))


def _network(between: Link | Network | None) -> Network:
    if between is None:
        raise ValueError("Cluster: chips without a link exchange nothing; write link=...")
    return between if isinstance(between, Network) else Network(link=between)


@lru_cache(maxsize=1024)
def memory_bytes(rack: Cluster, machine: int = 0) -> float | None:
    """Bytes of memory of the machine (0) or of the host of that number of one chip: as the rack
    says of its machine, else as the catalogue states of the NPU of that name (unit: bytes); None
    where nothing states it.
    """
    if machine == 0 and rack.memory is not None:
        return rack.memory / 8
    name = machines(rack.chip)[machine].name
    if name in catalogue.names("npu"):
        table = catalogue.entry("npu", name)
        if "dram_capacity" in table:
            return table["dram_capacity"].value / 8
    return None
