"""What must every organisation of a PIM memory answer? The inner protocol of stage 2.

An organisation says what lies where and how long the banks take; `DramPim` joins one with a timing
table, an arithmetic and prices. Sizes are in values: a matrix has `outputs` by `inputs` weights,
`batch` input vectors meet it. Times are in cycles of `cycle(t)` seconds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from pimlab.dram_pim.timing import Timing
from pimlab.values import Value, integer


class Schedule(Protocol):
    """What an operation did on one channel, and the events that it caused on all of them."""

    @property
    def cycles(self) -> int:
        """Cycles to the last data (unit: cycles)."""

    @property
    def events(self) -> Mapping[str, int]:
        """Events over all channels (`pimlab.dram_pim.prices`). Unit: events."""

    def counts(self) -> dict[str, int]:
        """Commands (of scalar cores: instructions and transfers) of one channel by type (unit:
        commands).
        """

    def phases(self) -> dict[str, int]:
        """Cycles by phase (unit: cycles); they add up to `cycles`."""


@dataclass(frozen=True)
class Table:
    """The commands of one channel in the order of issue.

    names : what the codes in `command` mean.  cycle, command, bank, row, column, mode : int64,
    shape (commands,); mode 0 addresses one bank, 1 all banks (of the bank's parity).
    """

    names: tuple[str, ...]
    cycle: np.ndarray
    command: np.ndarray
    bank: np.ndarray
    row: np.ndarray
    column: np.ndarray
    mode: np.ndarray


@runtime_checkable
class Traced(Schedule, Protocol):
    """A schedule that knows every command it issued."""

    def table(self) -> Table:
        """The commands of one channel."""


@dataclass(frozen=True)
class Summary:
    """What a run cost, without its trace: cycles, commands of one channel, cycles by phase, events
    over all channels.
    """

    cycles: int
    commands: dict[str, int]
    spans: dict[str, int]
    events: dict[str, int]

    def counts(self) -> dict[str, int]:
        """Commands by type (unit: commands)."""
        return dict(self.commands)

    def phases(self) -> dict[str, int]:
        """Cycles by phase (unit: cycles)."""
        return dict(self.spans)


NOTHING = Summary(0, {}, {}, {})


def summary(done: Schedule) -> Summary:
    """A schedule without its commands. Unit: cycles."""
    return Summary(done.cycles, done.counts(), done.phases(), dict(done.events))


def stretched(short: Schedule, long: Schedule, passes: tuple[int, int], wanted: int) -> Summary:
    """The summary of `wanted` equal passes, from those of fewer: what lies between the two
    repeats. Unit: cycles.
    """
    (few, many), factor = passes, wanted - passes[1]

    def on(a: int, b: int) -> int:
        return b + round((b - a) * factor / (many - few))

    def each(a: Mapping[str, int], b: Mapping[str, int]) -> dict[str, int]:
        return {name: on(a.get(name, 0), count) for name, count in b.items()}

    return Summary(
        on(short.cycles, long.cycles),
        each(short.counts(), long.counts()),
        each(short.phases(), long.phases()),
        each(short.events, long.events),
    )


class Organisation(Value, ABC):
    """Banks with units, or cores, that compute: what every machine of stage 2 is built from."""

    sources: tuple[str, ...] = ()
    """Keys in `sources.bib` of the publications behind the numbers."""

    channels: int = integer(1, doc="channels, or cores, that work in lockstep")
    access_bits: int = integer(1, doc="bits of one access by a host to one channel")

    @abstractmethod
    def check_timing(self, t: Timing | None) -> None:
        """TypeError or ValueError where the organisation cannot work by the table `t`."""

    @abstractmethod
    def cycle(self, t: Timing | None) -> float:
        """Seconds [s] of one cycle that this organisation counts."""

    @abstractmethod
    def refreshes_a_second(self, t: Timing | None) -> float:
        """All-bank refreshes of all channels and ranks (unit: 1/s)."""

    @property
    @abstractmethod
    def weight_bits(self) -> int:
        """Bits of one weight as it lies in the banks (unit: bits)."""

    @property
    @abstractmethod
    def operators(self) -> tuple[str, ...]:
        """Element-wise operators that the banks compute."""

    @property
    def activations(self) -> tuple[str, ...]:
        """Those of `operators` that are activation functions of a network."""
        return ()

    def bandwidth_ratio(self, t: Timing | None) -> float | None:
        """Bits a cycle that the units read, over bits a cycle through the pins; None: not known."""
        return None

    def host_additions(self, outputs: int, batch: int) -> int:
        """Additions that a host does to finish `batch` products (unit: additions)."""
        return 0

    @abstractmethod
    def occupancy(self, outputs: int, inputs: int) -> float:
        """Share of the memory that a matrix takes up (unit 1); more than 1 does not fit."""

    @abstractmethod
    def macs_done(self, outputs: int, inputs: int, batch: int) -> int:
        """Multiply-accumulates of `batch` products, padding included (unit: MACs); ValueError for a
        matrix that does not fit.
        """

    @abstractmethod
    def elements_done(self, elements: int, op: str) -> int:
        """Elements that the operator `op` computes for `elements` wanted, padding included (unit:
        elements).
        """

    @abstractmethod
    def gemv(
        self,
        t: Timing | None,
        outputs: int,
        inputs: int,
        batch: int,
        refresh: bool,
        compat: str | None,
    ) -> Schedule:
        """The whole schedule of `batch` products; `compat` names a tool whose deviations are
        repeated. Unit: cycles; weights have the shape (inputs, outputs).
        """

    @abstractmethod
    def gemv_summary(
        self,
        t: Timing | None,
        outputs: int,
        inputs: int,
        batch: int,
        refresh: bool,
        compat: str | None,
    ) -> Summary:
        """What `batch` products cost; equal passes may be scheduled in part and repeated. Unit:
        cycles; weights have the shape (inputs, outputs).
        """

    @abstractmethod
    def elementwise(
        self, t: Timing | None, op: str, elements: int, refresh: bool, compat: str | None
    ) -> Schedule:
        """The schedule of an element-wise operator on vectors that lie in the banks. Unit:
        cycles.
        """

    @abstractmethod
    def host_summary(
        self, t: Timing | None, accesses: int, kind: int, refresh: bool, compat: str | None
    ) -> Summary:
        """What `accesses` accesses of every channel by a host cost; kind READ or WRITE of
        `pimlab.kernels.dram_timing`. Unit: cycles.
        """

    @abstractmethod
    def results(self, t: Timing | None, outputs: int, inputs: int, batch: int) -> Summary:
        """What it costs a host to read the results of `batch` products, where `gemv` leaves that
        out. Unit: cycles.
        """

    @abstractmethod
    def all_banks(self, t: Timing | None) -> tuple[dict[str, int], int]:
        """(events over all channels, cycles) of a short span in which every unit computes."""
