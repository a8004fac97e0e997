"""How long does a transfer between stacked DRAM and the memories of slices take? By commands,
requests, memory networks and channels.

A command starts after `startup` cycles and moves one request of `request` bytes a cycle. In the
slices' memories two networks take turns, each at half of that rate; a transfer within one kind of
memory reads first and writes then, one between two kinds does both at once. All engines share the
channels of the stacked DRAM (`npu.hbm`). furiosa-opt book, "DMA Engine".
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from pimlab import catalogue
from pimlab.arguments import typed
from pimlab.catalogue import Entry
from pimlab.npu.hbm import Hbm
from pimlab.npu.sequencer import Sequencer
from pimlab.values import Value, choice, integer, number, part, unknown

SLICE_SPAN = 4 * 2**20
"""Addresses of a slice's memory [B] ("DMA Engine", "Detailed Examples")."""

CLOCK = 1e9
"""Cycles a second in which the book counts [Hz]."""

BANK = 8
"""Bytes of a word of a slice's bank, which is written whole."""


class Command(Value):
    """One command of a DMA engine: what is read, and where it is written."""

    source: str = choice("hbm", "dm", doc="memory that is read: stacked DRAM, or that of slices")
    target: str = choice("hbm", "dm", doc="memory that is written")
    read: Sequencer = part(Sequencer)
    write: Sequencer = part(Sequencer)

    def check(self) -> None:
        """Both sides move as many packets of as many whole bytes, 8 of them between two kinds of
        memory; ValueError says which does not.
        """
        for side in (self.read, self.write):
            if side.bits != 8:
                raise ValueError(f"Command sequencers count bytes; one has {side.bits} bits")
        if (self.read.packets, self.read.packet) != (self.write.packets, self.write.packet):
            raise ValueError(
                f"Command reads {self.read.packets} packets of {self.read.packet} B and writes "
                f"{self.write.packets} of {self.write.packet} B"
            )
        if self.source != self.target and self.read.packet % 8:
            raise ValueError(
                f"Command packet={self.read.packet} B between {self.source} and {self.target} is "
                "no multiple of 8 B"
            )

    @property
    def sides(self) -> tuple[tuple[str, Sequencer], tuple[str, Sequencer]]:
        """(memory, sequencer) of the read and of the write."""
        return (self.source, self.read), (self.target, self.write)


class DmaCycles(NamedTuple):
    """Cycles of a transfer, and what made them."""

    total: float
    engines: tuple[float, ...]
    """Cycles of each engine alone: start of its commands, and their requests."""
    channels: float
    """Cycles of the busiest channel of the stacked DRAM."""
    requests: int
    """Requests to the stacked DRAM, of all engines."""


class TensorDma(Value):
    """The DMA engines of one chip. Cycles are those of a clock of 1 GHz."""

    hbm: Hbm = part(Hbm)
    engines: int = integer(1, 64)
    startup: int = integer(0, doc="cycles before the first request of a command")
    request: int = integer(1, doc="bytes of a request, one a cycle")
    packet: int = integer(1, doc="bytes of a packet at most")
    network: int = integer(1, doc="bytes a network of slices moves in a cycle")
    slices: int = integer(1, doc="of a network")
    queue: int = integer(1, doc="requests that wait at a slice")
    partial: float = number(low=1, doc="times the transfer that a partial write to DRAM takes")
    rewrite: float = number(low=1, doc="times a write to slices takes that splits words of a bank")
    host: float = number(above=0, doc="bytes a cycle from and to the host")

    def requests(self, memory: str, side: Sequencer) -> np.ndarray:
        """Addresses of the requests of a sequencer, in order: int64, B. ValueError for packets
        beyond `packet` bytes. memory : "hbm" or "dm".
        """
        if side.packet > self.packet:
            raise ValueError(f"Command packet={side.packet} B is more than {self.packet} B")
        parts = np.arange(-(-side.packet // self.request)) * self.request
        return (side.addresses()[:, None] + parts).ravel()

    def engine(self, command: Command) -> float:
        """Cycles of an engine for the requests of a command, without start and without waiting for
        DRAM (unit: cycles).
        """
        read = self._issue(command.source, command.read)
        write = self._issue(command.target, command.write)
        if command.target == "dm" and (command.write.addresses() % BANK).any():
            write = round(write * self.rewrite)
        return float(read + write if command.source == command.target else max(read, write))

    def _issue(self, memory: str, side: Sequencer) -> int:
        """A request a cycle; a network of slices takes `request` / `network` cycles for each, and
        may fall behind by what its slices' queues hold.
        """
        addresses = self.requests(memory, side)
        if memory == "hbm":
            return len(addresses)
        network = addresses // (SLICE_SPAN * self.slices)
        network -= network.min()
        window = np.arange(len(addresses)) // (self.queue * self.slices)
        count = int(network.max()) + 1
        table = np.bincount(window * count + network, minlength=(int(window[-1]) + 1) * count)
        busiest = table.reshape(-1, count).max(axis=1) * -(-self.request // self.network)
        return int(np.maximum(np.bincount(window), busiest).sum())

    def transfer(self, engines: Sequence[Sequence[Command]]) -> DmaCycles:
        """Cycles until every engine has done its commands, one after another.

        engines : for each engine that takes part its commands. ValueError for none, or for more
        engines than the chip has. furiosa-opt book, "DMA Engine", "Detailed Examples".
        """
        if not 1 <= len(engines) <= self.engines or not all(engines):
            raise ValueError(
                f"transfer: {len(engines)} engines with commands, of 1..{self.engines}"
            )
        alone = tuple(sum(self.startup + self.engine(c) for c in own) for own in engines)
        shared, count = self._shared(engines)
        return DmaCycles(max(*alone, self.startup + shared), alone, shared, count)

    def _shared(self, engines: Sequence[Sequence[Command]]) -> tuple[float, int]:
        """Cycles of the busiest channel and requests, reads and writes one after another; engines
        take turns.
        """
        cycles, count = 0.0, 0
        for which in (0, 1):
            lists = [self._to_hbm([c.sides[which] for c in own], which) for own in engines]
            addresses = _in_turn([addresses for addresses, _ in lists])
            cycles += self.hbm.nanoseconds(addresses, _in_turn([load for _, load in lists]))
            count += len(addresses)
        return cycles, count

    def _to_hbm(
        self, sides: Sequence[tuple[str, Sequencer]], writes: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Requests of one engine to the stacked DRAM, and the transfers each of them needs."""
        own = [side for memory, side in sides if memory == "hbm"]
        addresses = [self.requests("hbm", side) for side in own]
        sizes = [self._sizes(side) for side in own]
        if not own:
            return np.zeros(0, dtype=np.int64), np.zeros(0)
        address, size = np.concatenate(addresses), np.concatenate(sizes)
        offset = address % self.request
        crossing = np.where(offset + size > self.request, 2.0, 1.0)
        part = (offset != 0) | (size != self.request)
        return address, np.where(part, self.partial, 1.0) if writes else crossing

    def _sizes(self, side: Sequencer) -> np.ndarray:
        """Bytes of each request: the last one of a packet may be smaller."""
        parts = -(-side.packet // self.request)
        sizes = np.full(parts, self.request)
        sizes[-1] = side.packet - (parts - 1) * self.request
        return np.tile(sizes, side.packets)

    def seconds(self, bits: float, bandwidth: float, commands: int) -> float:
        """Time of `commands` transfers, one after another, that move `bits` between stacked DRAM
        of `bandwidth` [bit/s] and the slices, all engines side by side (unit: s).

        Each starts anew. Engines take turns on one run of addresses, so that they keep the share of
        the channels' rate that `transfer` counts for it, and issue no more than their requests.
        """
        most = 8.0 * self.engines * self.request * CLOCK
        return commands * self.startup / CLOCK + bits / min(bandwidth * _share(self), most)

    @typed
    def host_cycles(self, size: int) -> int:
        """Cycles in which `size` bytes come from the host or go there, without start (unit:
        cycles).
        """
        return int(-(-size // self.host))


@lru_cache(maxsize=64)
def _share(dma: TensorDma) -> float:
    """Share of the channels' rate while engines read one run of addresses in turn, counted on 4 MB:
    every channel then has whole queues of requests (unit 1).
    """
    size, turns = dma.request, 2**22 // (dma.request * dma.engines)
    whole = (size, 1)
    engines = [
        [
            Command(
                source="hbm",
                target="dm",
                read=Sequencer(
                    loops=((turns, dma.engines * size), whole), packet=size, base=i * size
                ),
                write=Sequencer(loops=((turns, size), whole), packet=size, base=i * SLICE_SPAN),
            )
        ]
        for i in range(dma.engines)
    ]
    moved = turns * dma.engines * size
    return moved / (dma.transfer(engines).channels * 1e-9) / dma.hbm.bandwidth


def _in_turn(lists: Sequence[np.ndarray]) -> np.ndarray:
    """One list: the first of each, then the second of each, ..."""
    place = np.concatenate([np.arange(len(one)) for one in lists])
    return np.concatenate(lists)[np.argsort(place, kind="stable")]


@typed
def tensor_dma(name: str = "rngd") -> TensorDma:
    """The DMA engines of `catalogue/npu/<name>.toml`, whose `transfer` counts cycles (unit:
    cycles of 1 GHz); ValueError for a chip that says nothing of them.

    >>> read = pim.npu.Sequencer(loops=[(1000, 256), (256, 1)], packet=256)
    >>> write = pim.npu.Sequencer(loops=[(500, 256), (2, 2**27), (256, 1)], packet=256)
    >>> one = pim.npu.Command(source="hbm", target="dm", read=read, write=write)
    >>> pim.npu.tensor_dma("rngd").transfer([[one]]).total
    1500.0
    """
    entry = catalogue.entry("npu", name)
    if "dma.startup" not in entry:
        known = [n for n in catalogue.names("npu") if "dma.startup" in catalogue.entry("npu", n)]
        raise ValueError(unknown("DMA engines of", name, known))
    whole = {name: _whole(entry, f"dma.{name}") for name in _DMA}
    shares = {
        "partial": entry["hbm.partial_write"].value,
        "rewrite": entry["dma.rewrite"].value,
        "host": entry["dma.host"].value / 8,
    }
    return TensorDma(hbm=_hbm(entry), **shares, **whole)  # type: ignore[arg-type]


_DMA = ("engines", "startup", "request", "packet", "network", "slices", "queue")
_BITS = {"dma.request", "dma.packet", "dma.network", "hbm.beat"}


def _whole(entry: Entry, name: str) -> int:
    value = entry[name].value
    return round(value / 8 if name in _BITS else value)


def _hbm(entry: Entry) -> Hbm:
    return Hbm(
        stacks=_whole(entry, "hbm.stacks"),
        channels=_whole(entry, "hbm.channels"),
        beat=_whole(entry, "hbm.beat"),
        clock=entry["hbm.clock"].value,
        request=_whole(entry, "dma.request"),
        queue=_whole(entry, "hbm.queue"),
        row_switch=entry["hbm.row_switch"].value,
        commands=entry.row("hbm.commands"),
        command_clock=entry["hbm.command_clock"].value,
    )
