"""How does a machine that changes one thing about another answer for the rest? By handing it on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np

from pimlab.cost import Prices
from pimlab.keys import Key
from pimlab.machine.links import Link
from pimlab.machine.protocol import Calibration, MacOp, Programmed, Target, VectorOp
from pimlab.machine.work import Work
from pimlab.values import part


class Wrapped(Target):
    """`machine`, with whatever a subclass changes; every other answer is the machine's own.

    A test holds that each member of the protocol is handed on, so that a member added to `Target`
    cannot be forgotten here.
    """

    stage: ClassVar[int] = 0

    name: str = ""
    machine: Target = part(Target)

    def __post_init__(self) -> None:
        if isinstance(self.machine, Target):
            object.__setattr__(self, "stage", self.machine.stage)
            object.__setattr__(self, "name", self.name or self.machine.name)
            object.__setattr__(self, "host", self.host or self.machine.host)
        super().__post_init__()

    def serves(self, op: MacOp | VectorOp) -> bool:
        """What the machine serves."""
        return self.machine.serves(op)

    def searched(self) -> Self:
        """The machine as a search takes it."""
        free = self.machine.searched()
        return self if free is self.machine else self.but(machine=free)

    def program(
        self,
        w: np.ndarray,
        key: int | Key = 0,
        *,
        bias: np.ndarray | None = None,
        calibration: Calibration | None = None,
    ) -> Programmed:
        """Weights w float32, shape (k, n) and bias float32, shape (n,) as the machine holds
        them.
        """
        return self.machine.program(w, key, bias=bias, calibration=calibration)

    def product(self, x: np.ndarray, w: np.ndarray, key: int | Key = 0) -> np.ndarray:
        """y float32, shape (b, m, n) of two activations, as the machine multiplies them."""
        return self.machine.product(x, w, key)

    def counted_product(
        self, x: np.ndarray, w: np.ndarray, key: int | Key = 0
    ) -> tuple[np.ndarray, Mapping[str, int]]:
        """`product` and what left its range, as the machine counts it. Shapes as
        `Target.counted_product`: x float32, shape (batch, m, k).
        """
        return self.machine.counted_product(x, w, key)

    def placed(self, ops: tuple[MacOp, ...]) -> Self:
        """The machine with its data where they live."""
        return self.but(machine=self.machine.placed(ops))

    def occupancy(self, op: MacOp | VectorOp) -> float:
        """Share of the machine's memory (unit 1)."""
        return self.machine.occupancy(op)

    def spread(self, chips: int) -> Self:
        """The machine, when an operator may lie over the memories of `chips` of them."""
        wide = self.machine.spread(chips)
        return self if wide is self.machine else self.but(machine=wide)

    def events(self, op: MacOp | VectorOp) -> Mapping[str, int]:
        """Counts of the machine. Unit: events."""
        return self.machine.events(op)

    def latency(self, op: MacOp | VectorOp) -> Mapping[str, float]:
        """Seconds [s] of the machine, by phase."""
        return self.machine.latency(op)

    @property
    def link(self) -> Link | None:
        """What leads to the machine."""
        return self.machine.link

    @property
    def pins(self) -> float | None:
        """What others read through the machine's pins (unit: bit/s)."""
        return self.machine.pins

    @property
    def handover(self) -> float:
        """Seconds [s] in which the machine's DRAM changes hands."""
        return self.machine.handover

    def behind(self, pins: float) -> Self:
        """The machine, when its DRAM is the memory of another (unit: bit/s)."""
        inner = self.machine.behind(pins)
        return self if inner is self.machine else self.but(machine=inner)

    @property
    def call(self) -> float:
        """Seconds [s] that a batch costs the machine once."""
        return self.machine.call

    @property
    def stands_alone(self) -> bool:
        """As the machine within."""
        return self.machine.stands_alone

    def as_host(self) -> Self:
        """The machine as the host of another."""
        return self.but(machine=self.machine.as_host())

    def resources(self, op: MacOp | VectorOp) -> Mapping[str, str]:
        """Resources of the machine, by phase."""
        return self.machine.resources(op)

    def work(self, op: MacOp | VectorOp) -> tuple[Work, ...]:
        """What the machine keeps busy. Unit of a duration: s."""
        return self.machine.work(op)

    def streams(self, op: MacOp | VectorOp) -> bool:
        """Whether rows leave the machine one after another."""
        return self.machine.streams(op)

    @property
    def array_count(self) -> int | None:
        """Arrays of the machine (unit: arrays)."""
        return self.machine.array_count

    def arrays_of(self, op: MacOp | VectorOp) -> int:
        """Arrays of the machine that `op` takes up (unit: arrays)."""
        return self.machine.arrays_of(op)

    @property
    def timing_source(self) -> str:
        """What the machine's times are."""
        return self.machine.timing_source

    def throttled(self, op: MacOp | VectorOp) -> float:
        """Share of the priced energy that the machine draws (unit 1)."""
        return self.machine.throttled(op)

    @property
    def static_owners(self) -> Mapping[str, str]:
        """Who draws the machine's static power."""
        return self.machine.static_owners

    @property
    def holds(self) -> str:
        """Where the machine's weights stand."""
        return self.machine.holds

    def refill(self, bits: float) -> tuple[float, Mapping[str, float]]:
        """What writing the machine's weights again takes. Units: s, and events."""
        return self.machine.refill(bits)

    @property
    def prices(self) -> Prices:
        """Prices of the machine. Unit: J an event."""
        return self.machine.prices

    @property
    def static(self) -> Mapping[str, float]:
        """What the machine is charged by the second. Unit of an amount: that of the event, by
        second.
        """
        return self.machine.static

    @property
    def cited(self) -> tuple[str, ...]:
        """Keys in `sources.bib` of the machine."""
        return self.machine.cited

    @property
    def weight_bits(self) -> float:
        """Bits of one weight in the machine's memory (unit: bits)."""
        return self.machine.weight_bits

    @property
    def activation_bits(self) -> float:
        """Bits of one activation in the machine's memory (unit: bits)."""
        return self.machine.activation_bits

    @property
    def codes(self) -> str:
        """The machine's format of activations."""
        return self.machine.codes

    @property
    def varies(self) -> bool:
        """Whether the machine's values depend on key or time."""
        return self.machine.varies

    @property
    def causes(self) -> tuple[str, ...]:
        """Non-idealities of the machine."""
        return self.machine.causes

    def with_causes(self, causes: tuple[str, ...]) -> Self:
        """The wrapped machine with only the named non-idealities."""
        return self.but(machine=self.machine.with_causes(causes))
