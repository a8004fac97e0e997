"""How is a PIM memory built? Channels, banks, units and registers, and how a matrix lies in
them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from pimlab.dram_pim import prices as event
from pimlab.dram_pim import streams
from pimlab.dram_pim.engine import Run, Summary, run, stretched
from pimlab.dram_pim.timing import Timing
from pimlab.kernels.dram_timing import ACTIVATE, READ, WRITE
from pimlab.values import Value, integer

LONGEST = 60_000
"""Requests that are scheduled one by one; beyond, equal passes repeat (within 0.05 % of the whole
schedule).
"""


class Banks(Value):
    """Channels of banks that a host reads and writes through pins."""

    channels: int = integer(1, 4096, doc="channels that work in lockstep")
    ranks: int = integer(1, 8, doc="ranks a channel; rank 0 computes")
    banks: int = integer(2, 64, doc="banks a channel")
    bank_groups: int = integer(1, 16, doc="bank groups a channel")
    rows: int = integer(4, 1 << 24, doc="rows a bank")
    columns: int = integer(1, 1 << 16, doc="column accesses a row")
    access_bits: int = integer(8, 1 << 16, doc="bits of one column access")

    def check(self) -> None:
        """Banks come in groups."""
        if self.banks % self.bank_groups:
            raise ValueError(
                f"{type(self).__name__} banks={self.banks} is not a multiple of "
                f"bank_groups={self.bank_groups}"
            )

    @property
    def capacity(self) -> int:
        """Bytes of the computing rank of all channels."""
        return self.channels * self.banks * self.rows * self.columns * self.access_bits // 8

    def cycle(self, t: Timing) -> float:
        """Seconds of one cycle that this organisation counts."""
        return t.tCK

    def host(self, t: Timing, accesses: int, kind: int, refresh: bool, compat: str | None) -> Run:
        """The schedule of consecutive accesses by a host through the pins."""
        return run(streams.host(self, accesses, kind), t, self, refresh, compat)

    def host_summary(
        self, t: Timing, accesses: int, kind: int, refresh: bool, compat: str | None
    ) -> Summary:
        """What consecutive accesses cost; long sequences are scheduled in part and repeated."""
        return _host_summary(self, t, accesses, kind, refresh, compat)

    @property
    def activations(self) -> tuple[str, ...]:
        """Activation functions that the banks compute."""
        return ()

    def refreshes_a_second(self, t: Timing) -> float:
        """All-bank refreshes of all channels and ranks."""
        return self.channels * self.ranks / (t.tREFI * t.tCK)

    def events(self, done: Any) -> dict[str, int]:
        """Events over all channels of a host's run: rows opened, and bits from the array through
        the pins.
        """
        bits = int((done.trace[:, 1] <= WRITE).sum()) * self.channels * self.access_bits
        return {
            event.ACTIVATE: int((done.trace[:, 1] == ACTIVATE).sum()) * self.channels,
            event.BANK_BIT: 0,
            event.MAC: 0,
            event.REGISTER_BIT: 0,
            event.ARRAY_BIT: bits,
            event.IO_BIT: bits,
        }


class BankPim(Banks):
    """Units of `lanes` multipliers, each beside a pair of banks (even and odd), that read a column
    in lockstep.

    A matrix lies in tiles: `outputs_per_tile` outputs over all channels, units and result
    registers, by `inputs_per_tile` inputs, `registers` columns of `lanes`. Even tiles lie in even
    banks, odd tiles in odd banks.
    """

    units: int = integer(1, 64, doc="PIM units a channel")
    lanes: int = integer(1, 1024, doc="multipliers a unit")
    registers: int = integer(1, 64, doc="input registers a unit, and as many result registers")

    def check(self) -> None:
        """Every unit has a pair of banks."""
        super().check()
        if self.banks != 2 * self.units:
            raise ValueError(
                f"BankPim units={self.units} with banks={self.banks}; allowed: one unit for each "
                "pair of banks"
            )

    def bandwidth_ratio(self, t: Timing) -> float:
        """Bits a cycle that all units of a channel read, over bits a cycle through its pins."""
        return self.units * t.tCCDS / t.tCCDL

    @property
    def outputs_per_tile(self) -> int:
        """Outputs that one tile holds over all channels."""
        return self.channels * self.units * self.registers

    @property
    def inputs_per_tile(self) -> int:
        """Inputs that one tile holds."""
        return self.lanes * self.registers

    @property
    def reads_per_tile(self) -> int:
        """Column reads of one tile in each channel, all banks of one parity at once."""
        return self.registers * self.registers

    @property
    def weight_bits(self) -> int:
        """Bits of one weight as it lies in the banks."""
        return self.access_bits // self.lanes

    def tiles(self, outputs: int, inputs: int) -> tuple[int, int, int]:
        """Tiles of outputs, and tiles of inputs in even and in odd banks; ValueError when the rows
        do not hold them.
        """
        out, ins = -(-outputs // self.outputs_per_tile), -(-inputs // self.inputs_per_tile)
        needed, free = self._rows_of(outputs, inputs), self.rows // 2
        if needed > free:
            raise ValueError(
                f"a {inputs} x {outputs} matrix needs {needed} rows a bank; {free} of {self.rows} "
                "hold weights"
            )
        return out, (ins + 1) // 2, ins // 2

    def _rows_of(self, outputs: int, inputs: int) -> int:
        """Rows of each bank that a matrix takes up, padding included."""
        out, ins = -(-outputs // self.outputs_per_tile), -(-inputs // self.inputs_per_tile)
        return -(-out * -(-ins // 2) * self.reads_per_tile // self.columns)

    def occupancy(self, outputs: int, inputs: int) -> float:
        """Share of the rows for weights that a matrix takes up."""
        return self._rows_of(outputs, inputs) / (self.rows // 2)

    @property
    def operators(self) -> tuple[str, ...]:
        """Element-wise operators of the units."""
        return tuple(streams.OPERATORS)

    @property
    def activations(self) -> tuple[str, ...]:
        """Activation functions of the units."""
        return ("relu",)

    def macs_done(self, outputs: int, inputs: int, batch: int) -> int:
        """Multiply-accumulates of `batch` products, padding included."""
        out, even, odd = self.tiles(outputs, inputs)
        return out * batch * (even + odd) * self.outputs_per_tile * self.inputs_per_tile

    def elements_done(self, elements: int, op: str = "add") -> int:
        """Elements of an element-wise operator, padding included."""
        step = streams.elements_per_step(self)
        return -(-elements // step) * step

    def gemv(
        self, t: Timing, outputs: int, inputs: int, batch: int, refresh: bool, compat: str | None
    ) -> Run:
        """The whole schedule of `batch` products on one channel."""
        return run(streams.gemv(self, outputs, inputs, batch), t, self, refresh, compat)

    def gemv_summary(
        self, t: Timing, outputs: int, inputs: int, batch: int, refresh: bool, compat: str | None
    ) -> Summary:
        """What `batch` products cost; many equal passes are scheduled in part and repeated."""
        return _gemv_summary(self, t, outputs, inputs, batch, refresh, compat)

    def elementwise(
        self, t: Timing, op: str, elements: int, refresh: bool, compat: str | None
    ) -> Run:
        """The schedule of an element-wise operator on one channel."""
        return run(streams.elementwise(self, op, elements), t, self, refresh, compat)

    def events(self, done: Any) -> dict[str, int]:
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
        outside = int(((scope == 0) & ~is_mac & ~result).sum())
        reads = int((is_mac & (kind[served] == READ)).sum())
        per = self.channels * self.access_bits
        return {
            event.ACTIVATE: self.channels * int(opened[0] + opened[1] * self.units),
            event.BANK_BIT: banks * per * self.units,
            event.MAC: reads * self.channels * self.units * self.lanes,
            event.REGISTER_BIT: registers * per * self.units,
            event.ARRAY_BIT: outside * per,
            event.IO_BIT: (registers + outside) * per,
        }

    def all_banks(self, t: Timing) -> tuple[dict[str, int], int]:
        """(events over all channels, cycles) of one row's life in the banks of one parity: opened,
        every column read, closed.
        """
        reads = self.channels * self.units * self.columns
        events = {
            event.ACTIVATE: self.channels * self.units,
            event.BANK_BIT: reads * self.access_bits,
            event.MAC: reads * self.lanes,
        }
        return events, (self.columns - 1) * t.tCCDL + t.row_to_row

    def results(self, t: Timing, outputs: int, inputs: int, batch: int) -> Summary:
        """What it costs a host to read the lane sums of `batch` products."""
        accesses = self.tiles(outputs, inputs)[0] * batch * self.registers * self.units
        return self.host_summary(t, accesses, READ, True, None)


@lru_cache(maxsize=512)
def _gemv_summary(
    org: BankPim,
    t: Timing,
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
        return _summary(
            org, run(streams.gemv(org, outputs, inputs, batch), t, org, refresh, compat)
        )
    one = min(outputs, org.outputs_per_tile)
    few, most = (
        _summary(org, run(streams.gemv(org, one, inputs, n), t, org, refresh, compat))
        for n in (many // 2, many)
    )
    return stretched(few, most, (many // 2, many), passes)


@lru_cache(maxsize=512)
def _host_summary(
    org: Banks, t: Timing, accesses: int, kind: int, refresh: bool, compat: str | None
) -> Summary:
    streams.refuse_beyond(org, accesses)
    if accesses <= LONGEST:
        return _summary(org, org.host(t, accesses, kind, refresh, compat))
    few, most = (
        _summary(org, org.host(t, n, kind, refresh, compat)) for n in (LONGEST // 2, LONGEST)
    )
    return stretched(few, most, (LONGEST // 2, LONGEST), accesses)


def _summary(org: Banks, done: Run) -> Summary:
    return Summary(done.cycles, done.counts(), done.phases(), org.events(done))
