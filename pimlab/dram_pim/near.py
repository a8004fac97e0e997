"""How long does a product take on an accelerator that stands beside a memory, and not in its banks?

CXL-PNM multiplies in the controller of a CXL memory, AXDIMM in the buffer of a DIMM, SmartSSD
beside flash. All weights cross the pins between memory and accelerator, at more than a host's link
carries; in return one pass over them serves as many input vectors as the accelerator holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pimlab.dram_pim import prices as event
from pimlab.dram_pim.machine import NOTHING, Organisation, Summary, summary
from pimlab.dram_pim.timing import Timing
from pimlab.kernels.dram_timing import READ
from pimlab.values import integer, quantity, unknown


@dataclass(frozen=True)
class NearRun:
    """What accelerator and memory did: cycles by phase, counts, and events."""

    spans: dict[str, int]
    done: dict[str, int]
    events: Mapping[str, int] = field(default_factory=dict)

    @property
    def cycles(self) -> int:
        """Cycles of the accelerator's clock (unit: cycles)."""
        return sum(self.spans.values())

    def counts(self) -> dict[str, int]:
        """Passes over the weights and bytes that were read (unit: events)."""
        return dict(self.done)

    def phases(self) -> dict[str, int]:
        """Cycles by phase (unit: cycles)."""
        return {name: cycles for name, cycles in self.spans.items() if cycles}


class NearMemory(Organisation):
    """Accelerators of `lanes` multipliers that each read their own memory at `bandwidth`, while a
    host reads it at `host_bandwidth`; outputs are dealt out over them.

    A pass over the weights takes the longer of reading them and of multiplying them with up to
    `vectors` input vectors.
    """

    channels: int = integer(1, 4096, default=1, doc="accelerators that work in lockstep")
    access_bits: int = integer(8, 8, default=8, doc="a host moves bytes")
    clock: float = quantity("Hz", above=0, doc="clock of the accelerator")
    lanes: int = integer(1, 1 << 24, doc="multiply-accumulates a cycle")
    bandwidth: float = quantity("bit/s", above=0, doc="between memory and accelerator")
    host_bandwidth: float = quantity("bit/s", above=0, doc="between memory and a host")
    capacity: int = integer(1, 1 << 60, doc="bytes of one memory")
    vectors: int = integer(1, 1 << 20, default=1, doc="input vectors of one pass over the weights")
    operand_bytes: int = integer(1, 4, default=2, doc="bytes of a weight and of an input")

    def check_timing(self, t: Timing | None) -> None:
        """The accelerator counts its own clock."""
        if t is not None:
            raise ValueError("NearMemory needs timing=None (the accelerator has its own clock)")

    def cycle(self, t: Timing | None) -> float:
        """Seconds [s] of one cycle of the accelerator."""
        return 1 / self.clock

    def refreshes_a_second(self, t: Timing | None) -> float:
        """Refresh is part of the background power. Hence 0, in the unit 1/s."""
        return 0.0

    @property
    def weight_bits(self) -> int:
        """Bits of one weight as it lies in the memory (unit: bits)."""
        return 8 * self.operand_bytes

    @property
    def operators(self) -> tuple[str, ...]:
        """No element-wise operators."""
        return ()

    def occupancy(self, outputs: int, inputs: int) -> float:
        """Share of the fullest memory that a matrix takes up (unit 1)."""
        return self._side(outputs) * inputs * self.operand_bytes / self.capacity

    def _side(self, outputs: int) -> int:
        """Outputs of one accelerator."""
        return -(-outputs // self.channels)

    def macs_done(self, outputs: int, inputs: int, batch: int) -> int:
        """Multiply-accumulates of `batch` products (unit: MACs); ValueError for a matrix that does
        not fit.
        """
        if self.occupancy(outputs, inputs) > 1:
            raise ValueError(
                f"a {inputs} x {outputs} matrix needs "
                f"{self._side(outputs) * inputs * self.operand_bytes} bytes a memory; there are "
                f"{self.capacity}"
            )
        return self._side(outputs) * self.channels * inputs * batch

    def elements_done(self, elements: int, op: str) -> int:
        """ValueError: there are no element-wise operators (unit: elements)."""
        raise ValueError(unknown("NearMemory: operator", op, self.operators))

    def gemv(
        self,
        t: Timing | None,
        outputs: int,
        inputs: int,
        batch: int,
        refresh: bool,
        compat: str | None,
    ) -> NearRun:
        """`batch` products: the weights are read once for every `vectors` input vectors. Unit:
        cycles of the accelerator's clock.
        """
        _refuse(compat)
        macs = self.macs_done(outputs, inputs, batch) // self.channels
        passes = -(-batch // self.vectors)
        moved = passes * self._side(outputs) * inputs * self.operand_bytes
        work, wait = -(-macs // self.lanes), self._cycles(moved, self.bandwidth)
        return NearRun(
            {"MAC": work, "memory": max(wait - work, 0)},
            {"pass": passes, "byte": moved},
            {
                event.MAC: self.channels * macs,
                event.ARRAY_BIT: self.channels * 8 * moved,
                event.IO_BIT: self.channels * 8 * moved,
                event.REGISTER_BIT: self.channels * 8 * batch * inputs * self.operand_bytes,
            },
        )

    def _cycles(self, moved: int, rate: float) -> int:
        """Cycles in which `moved` bytes cross at `rate` bits a second."""
        return round(8 * moved / rate * self.clock)

    def gemv_summary(
        self,
        t: Timing | None,
        outputs: int,
        inputs: int,
        batch: int,
        refresh: bool,
        compat: str | None,
    ) -> Summary:
        """What `batch` products cost. Unit: cycles of the accelerator's clock."""
        return summary(self.gemv(t, outputs, inputs, batch, refresh, compat))

    def elementwise(
        self, t: Timing | None, op: str, elements: int, refresh: bool, compat: str | None
    ) -> NearRun:
        """ValueError: there are no element-wise operators. Unit: cycles."""
        raise ValueError(unknown("NearMemory: operator", op, self.operators))

    def host_summary(
        self, t: Timing | None, accesses: int, kind: int, refresh: bool, compat: str | None
    ) -> Summary:
        """`accesses` bytes between host and each memory. Unit: cycles of the accelerator's
        clock.
        """
        _refuse(compat)
        way = event.ARRAY_BIT if kind == READ else event.ARRAY_WRITE_BIT
        bits = self.channels * 8 * accesses
        done = NearRun(
            {"host transfer": self._cycles(accesses, self.host_bandwidth)},
            {"byte": accesses},
            {way: bits, event.IO_BIT: bits},
        )
        return summary(done)

    def results(self, t: Timing | None, outputs: int, inputs: int, batch: int) -> Summary:
        """Results leave over the link of the machine, which a plan charges. Unit: cycles."""
        return NOTHING

    def all_banks(self, t: Timing | None) -> tuple[dict[str, int], int]:
        """(events, cycles) of a MiB of weights that streams through each accelerator."""
        outputs = self.channels * (1 << 20) // self.operand_bytes
        done = self.gemv(t, outputs, 1, 1, True, None)
        return dict(done.events), done.cycles


def _refuse(compat: str | None) -> None:
    if compat is not None:
        raise ValueError(f"compat={compat!r} is not known for memory beside an accelerator")
