"""HBM-PIM: how long does a product take when a unit of 16 multipliers sits beside every pair of
banks? Command streams through the scheduler, and the events they cause.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from pimlab.dram_pim import prices as event
from pimlab.dram_pim import streams
from pimlab.dram_pim.engine import Run, run
from pimlab.dram_pim.geometry import BankPairs
from pimlab.dram_pim.machine import Summary, stretched, summary
from pimlab.dram_pim.pins import LONGEST, PinnedBanks, timed
from pimlab.dram_pim.timing import Timing
from pimlab.kernels.dram_timing import ACTIVATE, READ, WRITE


class BankPim(BankPairs, PinnedBanks):
    """The organisation of HBM-PIM: a host switches all banks of a channel into one mode, broadcasts
    inputs to the units' registers, lets every unit read its weights, and switches back.
    """

    def bandwidth_ratio(self, t: Timing | None) -> float:
        """Bits a cycle that all units of a channel read, over bits a cycle through its pins."""
        t = timed(t, "BankPim")
        return self.units * t.tCCDS / t.tCCDL

    @property
    def operators(self) -> tuple[str, ...]:
        """Element-wise operators of the units."""
        return tuple(streams.OPERATORS)

    @property
    def activations(self) -> tuple[str, ...]:
        """Activation functions of the units."""
        return ("relu",)

    def host_additions(self, outputs: int, batch: int) -> int:
        """The host adds the lanes of every result. Unit: additions."""
        return outputs * batch * (self.lanes - 1)

    def elements_done(self, elements: int, op: str = "add") -> int:
        """Elements of an element-wise operator, padding included (unit: elements)."""
        return -(-elements // self.elements_per_step) * self.elements_per_step

    def gemv(
        self,
        t: Timing | None,
        outputs: int,
        inputs: int,
        batch: int,
        refresh: bool,
        compat: str | None,
    ) -> Run:
        """The whole schedule of `batch` products on one channel. Unit: cycles."""
        return self._run(streams.gemv(self, outputs, inputs, batch), t, refresh, compat)

    def gemv_summary(
        self,
        t: Timing | None,
        outputs: int,
        inputs: int,
        batch: int,
        refresh: bool,
        compat: str | None,
    ) -> Summary:
        """What `batch` products cost; many equal passes are scheduled in part and repeated. Unit:
        cycles.
        """
        return _gemv_summary(self, t, outputs, inputs, batch, refresh, compat)

    def elementwise(
        self, t: Timing | None, op: str, elements: int, refresh: bool, compat: str | None
    ) -> Run:
        """The schedule of an element-wise operator on one channel. Unit: cycles."""
        return self._run(streams.elementwise(self, op, elements), t, refresh, compat)

    def _run(
        self, stream: streams.Stream, t: Timing | None, refresh: bool, compat: str | None
    ) -> Run:
        done = run(stream, timed(t, "BankPim"), self, refresh, compat, self.controller)
        return replace(done, events=self._caused(done))

    def _caused(self, done: Run) -> dict[str, int]:
        """Events over all channels of a run: rows, bits by path, register bits and arithmetic."""
        kind, command, request, mode = (
            done.stream.requests[:, 0],
            done.trace[:, 1],
            done.trace[:, 4],
            done.trace[:, 5],
        )
        opened = np.bincount(mode[command == ACTIVATE], minlength=2)
        served = request[(command == READ) | (command == WRITE)]
        scope, phase = done.stream.requests[served, 3], done.stream.phase[served]
        is_mac = phase == streams.PHASES.index(streams.MAC)
        result = phase == streams.PHASES.index(streams.RESULT)
        banks = int((is_mac | result).sum())
        registers = int(((scope == 1) & ~is_mac & ~result).sum())
        outside = (scope == 0) & ~is_mac & ~result
        written = int((outside & (kind[served] == WRITE)).sum())
        read = int(outside.sum()) - written
        reads = int((is_mac & (kind[served] == READ)).sum())
        per = self.channels * self.access_bits
        return {
            event.ACTIVATE: self.channels * int(opened[0] + opened[1] * self.units),
            event.BANK_BIT: banks * per * self.units,
            event.MAC: reads * self.channels * self.units * self.lanes,
            event.REGISTER_BIT: registers * per * self.units,
            event.ARRAY_BIT: read * per,
            event.ARRAY_WRITE_BIT: written * per,
            event.IO_BIT: (registers + read + written) * per,
        }

    def all_banks(self, t: Timing | None) -> tuple[dict[str, int], int]:
        """(events over all channels, cycles) of one row's life in the banks of one parity: opened,
        every column read, closed. Unit: events and cycles.
        """
        t = timed(t, "BankPim")
        reads = self.channels * self.units * self.columns
        events = {
            event.ACTIVATE: self.channels * self.units,
            event.BANK_BIT: reads * self.access_bits,
            event.MAC: reads * self.lanes,
        }
        return events, (self.columns - 1) * t.tCCDL + t.row_to_row

    def results(self, t: Timing | None, outputs: int, inputs: int, batch: int) -> Summary:
        """What it costs a host to read the lane sums of `batch` products. Unit: cycles."""
        accesses = self.tiles(outputs, inputs)[0] * batch * self.registers * self.units
        return self.host_summary(t, accesses, READ, True, None)


@lru_cache(maxsize=512)
def _gemv_summary(
    org: BankPim,
    t: Timing | None,
    outputs: int,
    inputs: int,
    batch: int,
    refresh: bool,
    compat: str | None,
) -> Summary:
    out, even, odd = org.tiles(outputs, inputs)
    passes, a_pass = (
        out * batch,
        (even + odd) * (org.reads_per_tile + org.registers) + org.registers + 2,
    )
    many = max(LONGEST // a_pass, 8)
    if passes <= many:
        return summary(org.gemv(t, outputs, inputs, batch, refresh, compat))
    one = min(outputs, org.outputs_per_tile)
    few, most = (org.gemv(t, one, inputs, n, refresh, compat) for n in (many // 2, many))
    return stretched(few, most, (many // 2, many), passes)
