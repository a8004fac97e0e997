"""What does a host's traffic through the pins of a PIM memory cost? Banks that a host reads and
writes as those of any DRAM.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from functools import lru_cache

from pimlab.dram_pim import prices as event
from pimlab.dram_pim import streams
from pimlab.dram_pim.engine import Controller, Run, run
from pimlab.dram_pim.geometry import Banks
from pimlab.dram_pim.machine import Organisation, Summary, Traced, stretched, summary
from pimlab.dram_pim.timing import Timing
from pimlab.kernels.dram_timing import ACTIVATE, READ, WRITE
from pimlab.values import part

LONGEST = 60_000
"""Requests that are scheduled one by one; beyond, equal passes repeat (within 0.05 % of the whole
schedule).
"""


def timed(t: Timing | None, owner: str) -> Timing:
    """The timing table; ValueError where there is none."""
    if t is None:
        raise ValueError(f"{owner} needs a timing table, such as timing('hbm2')")
    return t


class PinnedBanks(Banks, Organisation):
    """Banks that compute, behind pins through which a host reads and writes them."""

    controller: Controller = part(
        Controller, default=Controller(), doc="how a host's requests are ordered"
    )

    def check_timing(self, t: Timing | None) -> None:
        """Banks need a timing table."""
        timed(t, type(self).__name__)

    def cycle(self, t: Timing | None) -> float:
        """Seconds [s] of one cycle of the memory's clock."""
        return timed(t, type(self).__name__).tCK

    def refreshes_a_second(self, t: Timing | None) -> float:
        """All-bank refreshes of all channels and ranks (unit: 1/s)."""
        t = timed(t, type(self).__name__)
        return self.channels * self.ranks / (t.tREFI * t.tCK)

    @abstractmethod
    def gemv(
        self,
        t: Timing | None,
        outputs: int,
        inputs: int,
        batch: int,
        refresh: bool,
        compat: str | None,
    ) -> Traced:
        """The whole schedule of `batch` products, command by command. Unit: cycles."""

    @abstractmethod
    def elementwise(
        self, t: Timing | None, op: str, elements: int, refresh: bool, compat: str | None
    ) -> Traced:
        """The schedule of an element-wise operator, command by command. Unit: cycles."""

    def host(
        self, t: Timing | None, accesses: int, kind: int, refresh: bool, compat: str | None
    ) -> Run:
        """The schedule of consecutive accesses by a host through the pins. Unit: cycles."""
        t = timed(t, type(self).__name__)
        done = run(streams.host(self, accesses, kind), t, self, refresh, compat, self.controller)
        return replace(done, events=self._moved(done))

    def host_summary(
        self, t: Timing | None, accesses: int, kind: int, refresh: bool, compat: str | None
    ) -> Summary:
        """What consecutive accesses cost; long sequences are scheduled in part and repeated. Unit:
        cycles.
        """
        return _host_summary(self, t, accesses, kind, refresh, compat)

    def _moved(self, done: Run) -> dict[str, int]:
        """Events over all channels: rows opened, and bits between the array and the pins."""
        command, each = done.trace[:, 1], self.channels * self.access_bits
        read, written = (int((command == kind).sum()) * each for kind in (READ, WRITE))
        return {
            event.ACTIVATE: int((command == ACTIVATE).sum()) * self.channels,
            event.BANK_BIT: 0,
            event.MAC: 0,
            event.REGISTER_BIT: 0,
            event.ARRAY_BIT: read,
            event.ARRAY_WRITE_BIT: written,
            event.IO_BIT: read + written,
        }


@lru_cache(maxsize=512)
def _host_summary(
    org: PinnedBanks,
    t: Timing | None,
    accesses: int,
    kind: int,
    refresh: bool,
    compat: str | None,
) -> Summary:
    streams.refuse_beyond(org, accesses)
    if accesses <= LONGEST:
        return summary(org.host(t, accesses, kind, refresh, compat))
    few, most = (org.host(t, n, kind, refresh, compat) for n in (LONGEST // 2, LONGEST))
    return stretched(few, most, (LONGEST // 2, LONGEST), accesses)
