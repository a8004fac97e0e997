"""UPMEM: how long does a product take on thousands of small scalar cores, one beside each bank?

Each core (DPU) issues one instruction a cycle if enough tasklets are ready: a tasklet may issue
again only `reentry` cycles after its last instruction, so `reentry` tasklets fill the pipeline and
fewer leave it idle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pimlab.dram_pim import prices as event
from pimlab.dram_pim.machine import NOTHING, Organisation, Summary, summary
from pimlab.dram_pim.timing import Timing
from pimlab.values import integer, number, quantity

_MOVED = {"add": 3, "mul": 3, "reduce": 1, "scan": 4, "histogram": 1}
"""Vectors that an operator reads from and writes to the banks."""


def _refuse(compat: str | None) -> None:
    if compat is not None:
        raise ValueError(f"compat={compat!r} is not known for scalar cores (known: none)")


@dataclass(frozen=True)
class DpuRun:
    """What the cores did: cycles by phase (those that overlap are one), counts of one core by kind,
    and events over all cores.
    """

    spans: dict[str, int]
    done: dict[str, int]
    events: Mapping[str, int] = field(default_factory=dict)

    @property
    def cycles(self) -> int:
        """Cycles of the core's clock (unit: cycles)."""
        return sum(self.spans.values())

    def counts(self) -> dict[str, int]:
        """Instructions and transfers of one core (unit: events)."""
        return dict(self.done)

    def phases(self) -> dict[str, int]:
        """Cycles by phase (unit: cycles)."""
        return dict(self.spans)


class Dpus(Organisation):
    """Scalar cores with a bank each, a scratchpad and a transfer engine between them."""

    channels: int = integer(1, 1 << 16, doc="cores")
    clock: float = quantity("Hz", above=0, doc="clock of the cores")
    tasklets: int = integer(1, 24, doc="threads that run")
    reentry: int = integer(1, 64, doc="cycles between two instructions of one thread")
    mac_instructions: int = integer(
        1, 4096, doc="instructions of one multiply-accumulate, loads and loop included"
    )
    add_instructions: int = integer(
        1, 4096, doc="instructions of one addition of two vectors, loop included"
    )
    mul_instructions: int = integer(
        1, 4096, doc="instructions of one multiplication of two vectors, loop included"
    )
    reduce_instructions: int = integer(
        1, 4096, doc="instructions of one element of a sum, loop included"
    )
    scan_instructions: int = integer(
        1, 4096, doc="instructions of one element of a prefix sum, both passes"
    )
    histogram_instructions: int = integer(
        1, 4096, doc="instructions of one element of a histogram, loop included"
    )
    histogram_bins: int = integer(1, 1 << 14, doc="bins of a histogram")
    operand_bytes: int = integer(1, 4, doc="bytes of a weight and of an input")
    transfer_bytes: int = integer(8, 2048, doc="bytes of one transfer between bank and scratchpad")
    transfer_setup: int = integer(0, 4096, doc="cycles of one transfer before its data")
    transfer_rate: float = number(above=0, doc="bytes a cycle between bank and scratchpad")
    bank_bytes: int = integer(1, 1 << 40, doc="bytes of one bank")
    host_bandwidth: float = quantity(
        "bit/s", above=0, doc="bits a second between host and all cores"
    )

    access_bits: int = integer(8, 8, default=8, doc="a host moves bytes")

    def check_timing(self, t: Timing | None) -> None:
        """Cores count their own clock."""
        if t is not None:
            raise ValueError("Dpus needs timing=None (cores have their own clock)")

    @property
    def operators(self) -> tuple[str, ...]:
        """Operators of the cores on vectors: element by element, and three with a result of
        another shape.
        """
        return tuple(_MOVED)

    def cycle(self, t: Timing | None) -> float:
        """Seconds [s] of one cycle of the cores."""
        return 1 / self.clock

    def refreshes_a_second(self, t: Timing | None) -> float:
        """Refresh is part of the measured background power. Hence 0, in the unit 1/s."""
        return 0.0

    def pipeline(self, instructions: int) -> int:
        """Cycles that `instructions` of one core take, spread over its tasklets (unit: cycles)."""
        return -(-instructions * max(self.reentry, self.tasklets) // self.tasklets)

    def transfers(self, moved: int) -> int:
        """Cycles of the transfer engine for `moved` bytes (unit: cycles)."""
        return round(
            -(-moved // self.transfer_bytes) * self.transfer_setup + moved / self.transfer_rate
        )

    def rows(self, outputs: int, inputs: int) -> int:
        """Outputs of the busiest core (unit: outputs); ValueError when its bank does not hold their
        weights.
        """
        rows = -(-outputs // self.channels)
        if self.occupancy(outputs, inputs) > 1:
            raise ValueError(
                f"a {inputs} x {outputs} matrix needs {rows * inputs * self.operand_bytes} bytes a "
                f"bank; there are {self.bank_bytes}"
            )
        return rows

    def occupancy(self, outputs: int, inputs: int) -> float:
        """Share of the busiest core's bank that a matrix takes up (unit 1)."""
        return -(-outputs // self.channels) * inputs * self.operand_bytes / self.bank_bytes

    def macs_done(self, outputs: int, inputs: int, batch: int) -> int:
        """Multiply-accumulates of `batch` products when every core does as many as the busiest
        (unit: MACs).
        """
        return self.rows(outputs, inputs) * self.channels * inputs * batch

    def elements_done(self, elements: int, op: str = "add") -> int:
        """Elements of an element-wise operator, padding included (unit: elements)."""
        return -(-elements // self.channels) * self.channels

    def _joined(self, op: str, each: int) -> int:
        """Cycles in which one tasklet goes on and the others of a core wait, of `each` elements:
        it sums their sums, or a prefix sum hands the sum so far from tasklet to tasklet, once a
        block of every one.
        """
        if op == "reduce":
            return (self.tasklets - 1) * self.reduce_instructions * self.reentry
        if op != "scan":
            return 0
        block = self.tasklets * (self.transfer_bytes // self.operand_bytes)
        return -(-each // block) * self.tasklets * self.add_instructions * self.reentry

    def _run(self, instructions: int, moved: int, host_bytes: int, joined: int = 0) -> DpuRun:
        work, dma = self.pipeline(instructions), self.transfers(moved)
        host = round(host_bytes * 8 / self.host_bandwidth * self.clock)
        # transfers of one tasklet run beside instructions of the others; the longer of the two is
        # what is seen
        spans = {
            "in-bank MAC": work,
            "waiting for the bank": max(dma - work, 0),
            "waiting for other tasklets": joined,
            "host transfer": host,
        }
        done = {
            "instruction": instructions,
            "transfer": -(-moved // self.transfer_bytes),
            "host byte": host_bytes,
        }
        events = {
            event.MAC: done["instruction"] * self.channels,
            event.BANK_BIT: done["transfer"] * self.transfer_bytes * 8 * self.channels,
            event.IO_BIT: host_bytes * 8,
        }
        return DpuRun({name: cycles for name, cycles in spans.items() if cycles}, done, events)

    def gemv(
        self,
        t: Timing | None,
        outputs: int,
        inputs: int,
        batch: int,
        refresh: bool,
        compat: str | None,
    ) -> DpuRun:
        """`batch` products: inputs sent to every core, weights streamed from the bank, results
        fetched. Unit: cycles of the cores' clock.
        """
        _refuse(compat)
        macs = self.rows(outputs, inputs) * inputs * batch
        host_bytes = batch * (inputs * self.operand_bytes * self.channels + outputs * 4)
        return self._run(macs * self.mac_instructions, macs * self.operand_bytes, host_bytes)

    def gemv_summary(
        self,
        t: Timing | None,
        outputs: int,
        inputs: int,
        batch: int,
        refresh: bool,
        compat: str | None,
    ) -> Summary:
        """What `batch` products cost. Unit: cycles of the cores' clock."""
        return summary(self.gemv(t, outputs, inputs, batch, refresh, compat))

    def elementwise(
        self, t: Timing | None, op: str, elements: int, refresh: bool, compat: str | None
    ) -> DpuRun:
        """An operator on vectors that lie in the banks: "add", "mul" read two and write one,
        "scan" (a prefix sum) reads and writes one twice, "reduce" (a sum) and "histogram" read one;
        the host fetches one result of a core of these. Tasklets join their sums one after another;
        each has a histogram of its own, cleared before and summed bin by bin after, as in PrIM's
        RED, SCAN-SSA and HST-S; what their barriers take is left out. Unit: cycles of the cores'
        clock.
        """
        _refuse(compat)
        each = self.elements_done(elements) // self.channels
        instructions = each * int(getattr(self, f"{op}_instructions"))
        if op == "histogram":
            instructions += 2 * self.histogram_bins * self.tasklets * self.reduce_instructions
        results = {"reduce": 1, "scan": 1, "histogram": self.histogram_bins}.get(op, 0)
        moved = _MOVED[op] * each * self.operand_bytes
        joined = self._joined(op, each)
        return self._run(instructions, moved, results * 4 * self.channels, joined)

    def host_summary(
        self, t: Timing | None, accesses: int, kind: int, refresh: bool, compat: str | None
    ) -> Summary:
        """`accesses` bytes a core between host and banks. Unit: cycles of the cores' clock."""
        return summary(self._run(0, 0, accesses * self.channels))

    def all_banks(self, t: Timing | None) -> tuple[dict[str, int], int]:
        """(events over all cores, cycles) of one block streamed from the bank and multiplied. Unit:
        events and cycles.
        """
        macs = self.transfer_bytes // self.operand_bytes
        done = self._run(macs * self.mac_instructions, self.transfer_bytes, 0)
        return dict(done.events), done.cycles

    def results(self, t: Timing | None, outputs: int, inputs: int, batch: int) -> Summary:
        """Results are fetched within the product. Unit: cycles of the cores' clock."""
        return NOTHING

    @property
    def weight_bits(self) -> int:
        """Bits of one weight as it lies in the banks (unit: bits)."""
        return 8 * self.operand_bytes
