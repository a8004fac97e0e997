"""How long does a stream of requests take on a DRAM channel? Spacings from the timing table, and
one scheduler run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from pimlab.dram_pim.geometry import Banks
from pimlab.dram_pim.machine import Table
from pimlab.dram_pim.streams import PHASES, Stream
from pimlab.dram_pim.timing import Timing
from pimlab.kernels import dram_timing as kernel
from pimlab.values import unknown

COMMANDS = ("RD", "WR", "ACT", "PRE", "REF")
DEPTH, SIGHT = 32, 64
"""Requests a channel's scheduler may serve out of order, and requests it looks at before it closes
a row.
"""
COMPAT = ("pimsimulator",)
_FAR = 1 << 60


@dataclass(frozen=True)
class Run:
    """What the scheduler did: trace int64 (commands, 6) as `pimlab.kernels.dram_timing`, the
    stream, cycles to the last data; and the events over all channels, which the organisation
    counts.
    """

    stream: Stream
    trace: np.ndarray
    cycles: int
    events: Mapping[str, int] = field(default_factory=dict)

    def table(self) -> Table:
        """The commands of the channel."""
        cycle, command, bank, row, request, mode = self.trace.T
        column = np.where(request >= 0, self.stream.column[request], 0)
        return Table(COMMANDS, cycle, command, bank, row, column, mode)

    def counts(self) -> dict[str, int]:
        """Commands by type."""
        number = np.bincount(self.trace[:, 1], minlength=len(COMMANDS))
        return {name: int(number[code]) for code, name in enumerate(COMMANDS)}

    def phases(self) -> dict[str, int]:
        """Cycles by phase: each column command ends a span that belongs to its phase; a refresh
        owns its own.
        """
        refresh = self.trace[:, 1] == kernel.REFRESH
        ends = self.trace[(self.trace[:, 1] <= kernel.WRITE) | refresh]
        owner = np.where(ends[:, 1] == kernel.REFRESH, len(PHASES), self.stream.phase[ends[:, 4]])
        # what a refresh costs is the gap until the next column command
        after = np.concatenate([[False], ends[:-1, 1] == kernel.REFRESH])
        owner = np.where(after, len(PHASES), owner)
        spans = np.diff(ends[:, 0], prepend=0)
        spans[-1:] += self.cycles - ends[-1:, 0]
        totals = np.bincount(owner, weights=spans, minlength=len(PHASES) + 1)
        return {
            name: int(cycles)
            for name, cycles in zip((*PHASES, "refresh"), totals, strict=True)
            if cycles
        }


def spacings(t: Timing, org: Banks, refresh: bool, compat: str | None) -> np.ndarray:
    """int64 row of cycle counts the scheduler obeys. `compat="pimsimulator"` repeats that tool's
    deviations from JEDEC: no activate window, refresh one cycle after precharge and starved by
    writes, all-bank commands that look at one bank.
    """
    if compat is not None and compat not in COMPAT:
        raise ValueError(unknown("compat", compat, COMPAT))
    row = np.zeros(kernel.SPACINGS, np.int64)
    strict = compat is None
    for place, value in {
        kernel.BANKS: org.banks,
        kernel.GROUPS: org.bank_groups,
        kernel.DEPTH: DEPTH,
        kernel.SIGHT: SIGHT,
        kernel.CCD_S: t.tCCDS,
        kernel.CCD_L: t.tCCDL,
        kernel.CCD_LW: t.write_to_write,
        kernel.RCD_RD: t.tRCDRD,
        kernel.RCD_WR: t.tRCDWR,
        kernel.RAS: t.tRAS,
        kernel.RC: t.tRC,
        kernel.RP: t.tRP,
        kernel.RRD_S: t.tRRDS,
        kernel.RRD_L: t.tRRDL,
        kernel.RD_WR: t.read_to_write,
        kernel.WR_RD_S: t.write_to_read_other,
        kernel.WR_RD_L: t.write_to_read,
        kernel.RD_PRE: t.read_to_precharge,
        kernel.WR_PRE: t.write_to_precharge,
        kernel.XAW_WINDOW: t.tXAW if strict else 0,
        kernel.REFI: t.tREFI,
        kernel.RFC: t.tRFC,
        kernel.RD_END: t.RL + t.burst + 2,
        kernel.WR_END: t.WL + t.burst + 2,
        kernel.FIRST_REFRESH: t.tREFI // org.ranks if refresh else _FAR,
        kernel.REFRESH_GAP: t.tRP if strict else 1,
        kernel.POSTPONE: t.tREFI,
        kernel.EAGER_REFRESH: 0 if strict else 1,
        kernel.WHOLE_PARITY: 1 if strict else 0,
    }.items():
        row[place] = value
    return row


def issue(requests: np.ndarray, spacing: np.ndarray, activates: int) -> tuple[np.ndarray, int]:
    """(trace int64 (commands, 6), cycles to the last data) of requests int64 (n, 6) on a channel
    whose banks are closed.

    activates : how many single-bank activates one window tXAW allows.
    """
    banks, groups = int(spacing[kernel.BANKS]), int(spacing[kernel.GROUPS])
    ready = np.zeros((banks + groups + 1, 5), np.int64)
    ready[:banks, kernel.OPEN] = -1
    ready[-1, kernel.OPEN] = 1
    trace = np.empty((3 * len(requests) + 1024, 6), np.int64)
    while True:
        issued, cycles = kernel.schedule(
            requests, spacing, ready.copy(), np.full(activates, -_FAR, np.int64), trace
        )
        if issued < 0:
            raise ValueError(
                f"refreshes of {spacing[kernel.RFC]} cycles every {spacing[kernel.REFI]} leave no "
                "time for data by these rules; "
                "allowed: a longer tREFI, or compat=None"
            )
        if issued <= len(trace):
            return trace[:issued].copy(), int(cycles)
        trace = np.empty((issued + 1024, 6), np.int64)


def run(
    stream: Stream, t: Timing, org: Banks, refresh: bool = True, compat: str | None = None
) -> Run:
    """Schedule `stream` on one channel from cycle 0, everything queued."""
    trace, cycles = issue(stream.requests, spacings(t, org, refresh, compat), t.XAW)
    return Run(stream, trace, cycles)
