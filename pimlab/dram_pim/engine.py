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
from pimlab.values import Value, choice, integer, part, unknown

COMMANDS = ("RD", "WR", "ACT", "PRE", "REF", "REFPB")
COMPAT = ("pimsimulator",)
_FAR = 1 << 60


class WriteQueue(Value):
    """Writes wait in a queue of their own until `high` of them do (or no read waits), then are
    served until `low` are left.
    """

    depth: int = integer(1, 4096, default=32, doc="writes that may wait")
    high: int = integer(1, 4096, default=26, doc="waiting writes at which they are served")
    low: int = integer(0, 4095, default=6, doc="waiting writes at which reads are served again")

    def check(self) -> None:
        """low < high <= depth."""
        if not self.low < self.high <= self.depth:
            raise ValueError(
                f"WriteQueue low={self.low} high={self.high} depth={self.depth}; allowed: low < "
                "high <= depth"
            )


class Controller(Value):
    """How a channel's memory controller orders the requests of a host."""

    depth: int = integer(1, 4096, default=32, doc="requests that may be served out of order")
    sight: int = integer(
        0, 1 << 16, default=64, doc="requests it looks at before it closes a row that none wants"
    )
    refresh: str = choice(
        "all banks", "one bank", default="all banks", doc="what one refresh command refreshes"
    )
    postpone: int | None = integer(
        0,
        1 << 40,
        default=None,
        doc="cycles that a due refresh waits for open rows to be drained; None: one interval",
    )
    rows: str = choice(
        "closed when unwanted",
        "open until wanted",
        default="closed when unwanted",
        doc="when a row closes: as soon as no request in sight wants it, or when one that may be "
        "served wants another of its bank",
    )
    leaves: str = choice(
        "data go",
        "row opens",
        default="data go",
        doc="when a request makes room in its queue for the next: when it is served, or when a row "
        "is opened for it",
    )
    writes: WriteQueue | None = part(
        WriteQueue, default=None, doc="the queue of writes; None: one queue for all requests"
    )


@dataclass(frozen=True)
class Run:
    """What the scheduler did: trace int64, shape (commands, 6) as `pimlab.kernels.dram_timing`, the
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
        """Commands by type (unit: commands)."""
        number = np.bincount(self.trace[:, 1], minlength=len(COMMANDS))
        return {
            name: int(number[code])
            for code, name in enumerate(COMMANDS)
            if code <= kernel.REFRESH or number[code]
        }

    def phases(self) -> dict[str, int]:
        """Cycles by phase: each column command ends a span that belongs to its phase (unit:
        cycles); a refresh owns its own.
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


def spacings(
    t: Timing,
    org: Banks,
    refresh: bool,
    compat: str | None,
    controller: Controller = Controller(),
) -> np.ndarray:
    """int64 row of cycle counts the scheduler obeys. `compat="pimsimulator"` repeats that tool's
    deviations from JEDEC: no activate window, no write clock, refresh one cycle after precharge and
    starved by writes, all-bank commands that look at one bank. Shape (SPACINGS,), unit: cycles.
    """
    if compat is not None and compat not in COMPAT:
        raise ValueError(unknown("compat", compat, COMPAT))
    row, strict = np.zeros(kernel.SPACINGS, np.int64), compat is None
    table = {
        kernel.BANKS: org.banks,
        kernel.GROUPS: org.bank_groups,
        kernel.DEPTH: controller.depth,
        kernel.SIGHT: controller.sight,
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
        kernel.RD_END: t.RL + t.burst + 2,
        kernel.WR_END: t.WL + t.burst + 2,
        kernel.REFRESH_GAP: t.tRP if strict else 1,
        kernel.EAGER_REFRESH: 0 if strict else 1,
        kernel.WHOLE_PARITY: 1 if strict else 0,
        kernel.PPD: t.tPPD,
        kernel.ACT_CYCLES: t.act_cycles,
        kernel.COLUMN_CYCLES: t.column_cycles,
        kernel.SPLIT_BUS: t.buses == "row and column",
        kernel.ACT_AHEAD: t.tAAD or 0,
        kernel.CLOCK_RD: t.RL + t.WCK if strict and t.WCK is not None else 0,
        kernel.CLOCK_WR: t.WL + t.WCK if strict and t.WCK is not None else 0,
        kernel.ACT_REF: t.tRC if strict else 0,
        kernel.KEEP_OPEN: controller.rows == "open until wanted",
        kernel.LEAVES_OPENED: controller.leaves == "row opens",
    }
    if controller.writes is not None:
        table[kernel.WRITE_DEPTH] = controller.writes.depth
        table[kernel.WRITE_HIGH] = controller.writes.high
        table[kernel.WRITE_LOW] = controller.writes.low
    for place, value in (table | _refreshes(t, org, refresh, controller)).items():
        row[place] = value
    return row


def _refreshes(t: Timing, org: Banks, refresh: bool, controller: Controller) -> dict[int, int]:
    """When refreshes are due, and what they keep apart."""
    one = controller.refresh == "one bank"
    interval = t.tREFI // org.banks if one else t.tREFI
    table = {
        kernel.REFI: interval,
        kernel.FIRST_REFRESH: interval // org.ranks if refresh else _FAR,
        kernel.POSTPONE: interval if controller.postpone is None else controller.postpone,
        kernel.RFC: t.tRFC,
        kernel.REF_ACT_ANY: t.tRFC,
        kernel.REF_REF_ANY: t.tRFC,
    }
    if not one:
        return table
    if t.tRFCpb is None or t.tRREFD is None:
        raise ValueError(
            f"timing {t.name!r} has no refresh of one bank (tRFCpb, tRREFD); allowed: "
            "Controller(refresh='all banks')"
        )
    return table | {
        kernel.PER_BANK: 1,
        kernel.RFC: t.tRFCpb,
        kernel.REF_ACT_ANY: t.tRREFD,
        kernel.REF_REF_ANY: t.tPBR2PBR or t.tRREFD,
        kernel.ACT_REF_ANY: t.tRRDS,
    }


def issue(requests: np.ndarray, spacing: np.ndarray, activates: int) -> tuple[np.ndarray, int]:
    """(trace int64, shape (commands, 6), cycles to the last data) of requests int64, shape (n, 6)
    on a channel whose banks are closed.

    activates : how many single-bank activates one window tXAW allows.
    """
    banks, groups = int(spacing[kernel.BANKS]), int(spacing[kernel.GROUPS])
    ready = np.zeros((banks + groups + 1, kernel.STATES), np.int64)
    ready[:banks, kernel.OPEN] = -1
    # time begins at cycle 1
    ready[-1] = 1
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
    stream: Stream,
    t: Timing,
    org: Banks,
    refresh: bool = True,
    compat: str | None = None,
    controller: Controller = Controller(),
) -> Run:
    """Schedule `stream` on one channel from cycle 0, everything queued. All-bank commands are
    refreshed all banks at once, whatever the controller does. Unit: cycles.
    """
    if (stream.requests[:, kernel.SCOPE] == 1).any():
        controller = controller.but(refresh="all banks")
    rules = spacings(t, org, refresh, compat, controller)
    trace, cycles = issue(stream.requests, rules, t.XAW)
    return Run(stream, trace, cycles)
