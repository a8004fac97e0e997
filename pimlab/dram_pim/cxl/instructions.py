"""How long does a sequence of AiM instructions take when one sequencer feeds all channels of a
device?

Instructions that use every bank go to the channels together, in order, as in `dram_pim.aim`. Reads
and writes of single banks go out one a cycle over the whole device; a channel takes up the next
all-bank instruction when its own are done.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pimlab.dram_pim import aim
from pimlab.dram_pim.timing import AimTiming
from pimlab.kernels import dram_timing as kernel

NAMES = (*aim.COMMANDS, "RDCP", "WRCP", "ACT", "PRE", "WRA16")
"""Commands of `aim.COMMANDS`, and: copy a column of one bank to the global buffer and back; open
and close one bank; write one column of all banks and close them.
"""
CODES = {name: code for code, name in enumerate(NAMES)}
BUFFER_COMMANDS = frozenset({"WRGB", "WRMAC16", "RDMAC16", "RDAF16"})
"""Commands to buffers and accumulators; between them and those to banks lies a change of class."""
QUEUE = 33
"""Requests of one channel that wait before the sequencer stalls (aim_simulator's buffers)."""


def gaps(t: AimTiming) -> np.ndarray:
    """int64, shape (types, types): cycles from a command to a later one; 0 where no rule holds."""
    table = np.zeros((len(NAMES),) * 2, np.int64)
    old = len(aim.COMMANDS)
    table[:old, :old] = aim.gaps(t)
    write_end = t.WL + t.burst + t.tWR
    one_read = t.burst + 1
    for (before, after), cycles in {
        ("RDMAC16", "RDMAC16"): one_read,
        ("RDMAC16", "RDAF16"): one_read,
        ("RDAF16", "RDMAC16"): one_read,
        ("RDAF16", "RDAF16"): one_read,
        ("RDMAC16", "TMOD"): one_read,
        ("RDAF16", "TMOD"): one_read,
        ("RDCP", "RDCP"): t.tCCDL,
        ("WRCP", "WRCP"): t.tCCDL,
        ("RDCP", "PRE"): t.tRTPL,
        ("RDCP", "PREA"): t.tRTPL,
        ("WRCP", "PRE"): write_end,
        ("WRCP", "PREA"): write_end,
        ("EWMUL16", "PRE"): t.WL + t.tWR,
        ("MAC16", "PRE"): t.tRTPL,
        ("ACT16", "RDCP"): t.tRCDRDCP,
        ("ACT", "RDCP"): t.tRCDRDCP,
        ("ACT16", "WRCP"): t.tRCDWRCP,
        ("ACT", "WRCP"): t.tRCDWRCP,
        ("ACT16", "WRA16"): t.tRCDWR,
        ("WRA16", "ACT16"): write_end + t.tRP,
        ("ACT16", "ACT16"): t.tRRDL,
        ("ACT", "ACT16"): t.tRRDL,
        ("ACT16", "PRE"): t.tRAS,
        ("ACT", "PREA"): t.tRAS,
        ("PREA", "ACT"): t.tRP,
        ("PRE", "ACT"): t.tRP,
        ("PRE", "PRE"): t.tRP,
        ("PRE", "PREA"): t.tRP,
        ("PRE", "ACT16"): t.tRP,
        ("TMOD", "RDCP"): t.tMOD,
        ("TMOD", "WRCP"): t.tMOD,
        ("TMOD", "ACT"): t.tMOD,
        ("TMOD", "PRE"): t.tMOD,
        ("TMOD", "WRA16"): t.tMOD,
    }.items():
        table[CODES[before], CODES[after]] = cycles
    return table


@dataclass(frozen=True)
class Transfer:
    """Accesses of single banks: `lines` over the whole device in `passes` equal rounds over the
    channels, each access in one of `banks` of its channel, in row `row`.
    """

    write: bool
    lines: int
    passes: int
    banks: Sequence[int]
    row: Hashable


class Program:
    """Instructions of one device in order; `cycles` and `counts` grow with them.

    Rows have names instead of numbers: what matters is whether the next one is open.
    counts : commands over all channels by name; "RD" and "WR" are accesses of single banks, "ACT"
    counts rows of single banks. instructions : issued by the sequencer. open_cycles : cycles in
    which a channel has a row open. Unit: cycles of the memory's clock.
    """

    def __init__(self, t: AimTiming, banks: int = 16):
        self.t, self.cycles, self.open_cycles, self.instructions = t, 0, 0, 0
        self.counts: dict[str, int] = dict.fromkeys((*NAMES, "RD", "WR"), 0)
        self.rows: list[Hashable | None] = [None] * banks
        self._gaps, self._runs, self._buffers = gaps(t), [(0, 0)][:0], False

    def buffers(self, name: str, times: int, channels: int) -> None:
        """`times` commands to the global buffer or the accumulators of `channels` channels."""
        self.instructions += 1 if name == "WRGB" else times
        self._add(name, times, channels)

    def all_banks(self, name: str, times: int, row: Hashable, channels: int) -> None:
        """`times` commands to all banks of `channels` channels, their row opened first."""
        self.instructions += 1
        if any(one != row for one in self.rows):
            if any(one not in (None, row) for one in self.rows):
                self._add("PREA", 1, channels)
            self._add("ACT16", 1, channels)
        self._add(name, times, channels)
        self.rows = [None if name == "WRA16" else row] * len(self.rows)

    def one_bank(self, name: str, times: int, bank: int, row: Hashable, channels: int) -> None:
        """`times` copies between the global buffer and one bank of `channels` channels."""
        self.instructions += 1
        if self.rows[bank] != row:
            if self.rows[bank] is not None:
                self._add("PRE", 1, channels)
            self._add("ACT", 1, channels)
            self.rows[bank] = row
        self._add(name, times, channels)

    def _add(self, name: str, times: int, channels: int) -> None:
        if (name in BUFFER_COMMANDS) != self._buffers:
            self._buffers = not self._buffers
            self._add_run("TMOD", 1, channels)
        self._add_run(name, times, channels)

    def _add_run(self, name: str, times: int, channels: int) -> None:
        self._runs.append((CODES[name], times))
        self.counts[name] += times * channels

    def transfer(self, transfers: Iterable[Transfer]) -> None:
        """Reads and writes of single banks; the last channel's rows open when its first access
        comes.
        """
        busy, sent = float(self.end()), 0.0
        for one in transfers:
            busy = max(busy, sent + one.lines / one.passes) + self._opening(one)
            self._count(one)
            sent += one.lines
        took = int(np.ceil(max(sent, busy))) + 1
        self.cycles += took
        self.open_cycles += took

    def _opening(self, one: Transfer) -> int:
        """Cycles from the first access of a channel to its data command in the last of its banks:
        precharges go out one by one.
        """
        wrong = [self.rows[bank] for bank in one.banks if self.rows[bank] != one.row]
        closing = sum(row is not None for row in wrong)
        column = self.t.tRCDWR if one.write else self.t.tRCDRD
        if closing:
            return closing * self.t.tRP + column + 1
        return (len(wrong) - 1) * self.t.tRRDL + column + 1 if wrong else 0

    def _count(self, one: Transfer) -> None:
        reached = one.lines // one.passes
        for bank in one.banks:
            if self.rows[bank] != one.row:
                self.counts["ACT"] += reached // len(one.banks)
                closing = self.rows[bank] is not None
                self.counts["PRE"] += closing * (reached // len(one.banks))
            self.rows[bank] = one.row
        self.counts["WR" if one.write else "RD"] += one.lines

    def one_row(self, lines: int, times: int) -> None:
        """`times` runs of `lines` writes to a row of one bank: the sequencer waits until all but
        those in the channel's queue are out.
        """
        self.end()
        opening = 2 * self.t.tRP + self.t.tRCDWR
        took = times * max(lines, opening + self.t.tCCDL * (lines - QUEUE))
        self.cycles, self.open_cycles = self.cycles + took, self.open_cycles + took
        self.counts["WR"] += times * lines
        self.counts["ACT"] += times
        self.counts["PRE"] += times
        self.rows[0] = "one row"

    def wait(self) -> None:
        """Until the last read's data are here."""
        self.end()
        took = self.t.RL + self.t.burst + 2
        self.cycles, self.open_cycles = self.cycles + took, self.open_cycles + took

    def end(self) -> int:
        """Issue what is there; cycles until a bank may close after its last command."""
        if not self._runs:
            return 0
        codes, times = np.array(self._runs, np.int64).T
        commands = np.repeat(codes, times)
        cycles, none = np.empty(len(commands), np.int64), np.empty(1, np.int64)
        kernel.in_order(commands, self._gaps, aim.ACT16, aim.REFAB, 1 << 60, cycles, none)
        self.cycles += int(cycles[-1]) + self.t.burst
        self.open_cycles += int(cycles[-1]) + self.t.burst - self._closed(commands, cycles)
        last, self._runs = int(codes[-1]), []
        return int(self._gaps[last, CODES["PREA"]])

    def _closed(self, commands: np.ndarray, cycles: np.ndarray) -> int:
        """Cycles in which all banks are closed: from a precharge of all to the next activate."""
        opens = np.flatnonzero(commands == aim.ACT16)
        before = np.maximum(opens - 1, 0)
        shut = np.isin(commands[before], (aim.PREA, CODES["WRA16"])) & (opens > 0)
        return int((cycles[opens] - cycles[before])[shut].sum())
