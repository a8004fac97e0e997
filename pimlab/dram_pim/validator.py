"""Does a command trace keep every rule of its timing table? A replay that knows nothing of the
scheduler.

Every command is checked against the last command of each kind on the same bank, bank group and
channel.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from pimlab.dram_pim.timing import AimTiming, Timing
from pimlab.values import unknown

COMMANDS = ("ACT", "PRE", "RD", "WR", "REF")
POSTPONED = 8
"""Refreshes that JEDEC lets a controller postpone."""


_FORM = "a trace is a table of cycle, command, bank and row (and column, mode)"


class TraceError(ValueError):
    """A trace breaks a rule: the message names the rule, both commands and their cycles."""


def _pairs(t: Timing) -> tuple[tuple[str, str, str, str, int], ...]:
    """(rule, earlier command, where both act, later command, cycles at least)."""
    return (
        ("tRCDRD", "ACT", "bank", "RD", t.tRCDRD),
        ("tRCDWR", "ACT", "bank", "WR", t.tRCDWR),
        ("tRAS", "ACT", "bank", "PRE", t.tRAS),
        ("tRC", "ACT", "bank", "ACT", t.tRC),
        ("tRP", "PRE", "bank", "ACT", t.tRP),
        ("tRRDL", "ACT", "group", "ACT", t.tRRDL),
        ("tRRDS", "ACT", "channel", "ACT", t.tRRDS),
        ("tCCDL", "RD", "group", "RD", t.tCCDL),
        ("tCCDS", "RD", "channel", "RD", t.tCCDS),
        ("tCCDLW", "WR", "group", "WR", t.write_to_write),
        ("tCCDS", "WR", "channel", "WR", t.tCCDS),
        ("read to write", "RD", "channel", "WR", t.read_to_write),
        ("tWTRL", "WR", "group", "RD", t.write_to_read),
        ("tWTRS", "WR", "channel", "RD", t.write_to_read_other),
        ("tRTP", "RD", "bank", "PRE", t.read_to_precharge),
        ("tWR", "WR", "bank", "PRE", t.write_to_precharge),
        ("tRP", "PRE", "channel", "REF", t.tRP),
        ("tRFC", "REF", "channel", "ACT", t.tRFC),
        ("tRFC", "REF", "channel", "REF", t.tRFC),
    )


def _columns(trace: Any) -> Iterable[tuple[int, str, int, int, int]]:
    """(cycle, command, bank, row, mode) of each line of a Dataset, DataFrame, mapping of columns or
    rows of such tuples.
    """
    if isinstance(trace, (list, tuple)) or not hasattr(trace, "__getitem__"):
        if isinstance(trace, str) or not hasattr(trace, "__iter__"):
            raise TypeError(f"trace={trace!r:.80} is no trace; {_FORM}")
        rows = [tuple(row) for row in trace]
        if any(len(row) < 4 for row in rows):
            raise TraceError(f"a line has fewer fields than four; {_FORM}")
        return [_line(r[0], r[1], r[2], r[3], r[5] if len(r) > 5 else 0) for r in rows]
    names = set(trace)
    missing = [name for name in ("cycle", "command", "bank", "row") if name not in names]
    if missing:
        raise TraceError(
            f"the trace has no column {missing[0]!r} (columns: "
            f"{', '.join(sorted(map(str, names)))}); {_FORM}"
        )
    read = [np.asarray(trace[name]) for name in ("cycle", "command", "bank", "row")]
    mode = np.asarray(trace["mode"]) if "mode" in names else np.zeros(len(read[0]), np.int64)
    return [_line(*fields) for fields in zip(*read, mode, strict=True)]


def _line(
    cycle: Any, command: Any, bank: Any, row: Any, mode: Any
) -> tuple[int, str, int, int, int]:
    for name, value in (("cycle", cycle), ("bank", bank), ("row", row), ("mode", mode)):
        if not hasattr(value, "__index__"):
            raise TraceError(f"{command} {name}={value!r} is not an integer")
    if row < 0 or mode not in (0, 1, 2):
        raise TraceError(
            f"{command} at cycle {cycle}: row={row} mode={mode}; allowed: rows from 0, modes 0 "
            "(one bank), 1 and 2 (all banks)"
        )
    return int(cycle), str(command), int(bank), int(row), int(mode)


class _Channel:
    def __init__(self, t: Timing, banks: int, groups: int):
        self.t, self.banks, self.groups, self.pairs = t, banks, groups, _pairs(t)
        self.open: dict[int, int] = {}
        self.together: set[int] = set()
        self.last: dict[tuple[str, str, int], int] = {}
        self.activates: list[int] = []
        self.refreshed: list[int] = []
        self.now = -1

    def met(self, command: str, bank: int, mode: int) -> range:
        """Banks that a command acts on: one; in all-bank mode an activate opens its parity, and
        what follows acts on all.
        """
        together = mode > 0 and bank < 2 if command == "ACT" else bank in self.together
        return range(bank % 2, self.banks, 2) if together else range(bank, bank + 1)

    def places(self, banks: range, where: str) -> set[int]:
        if where == "channel":
            return {0}
        return set(banks) if where == "bank" else {b * self.groups // self.banks for b in banks}

    def step(self, cycle: int, command: str, bank: int, row: int, mode: int) -> None:
        if command not in COMMANDS:
            raise TraceError(unknown("command", command, COMMANDS))
        if cycle <= self.now:
            raise TraceError(
                f"{command} at cycle {cycle} is out of order: the command before it was issued at "
                f"cycle {self.now}"
            )
        if not 0 <= bank < self.banks:
            raise TraceError(
                f"{command} at cycle {cycle}: bank {bank} is outside 0..{self.banks - 1}"
            )
        met = range(self.banks) if command == "REF" else self.met(command, bank, mode)
        self.rows(cycle, command, met, row)
        self.spacing(cycle, command, met)
        self.window(cycle, command, mode)
        for where in ("bank", "group", "channel"):
            for place in self.places(met, where):
                self.last[command, where, place] = cycle
        self.now = cycle

    def rows(self, cycle: int, command: str, met: range, row: int) -> None:
        """Columns need their row open, activates and refreshes closed banks."""
        for bank in met:
            held = self.open.get(bank)
            if command in ("RD", "WR") and held != row:
                state = "is closed" if held is None else f"has row {held} open"
                raise TraceError(f"{command} of row {row} at cycle {cycle}: bank {bank} {state}")
            if command in ("ACT", "REF") and held is not None:
                raise TraceError(
                    f"{command} at cycle {cycle}: bank {bank} still has row {held} open"
                )
        for bank in met:
            if command == "ACT":
                self.open[bank] = row
                self.together = self.together | {bank} if len(met) > 1 else self.together - {bank}
            elif command == "PRE":
                self.open.pop(bank, None)

    def spacing(self, cycle: int, command: str, met: range) -> None:
        for rule, earlier, where, later, least in self.pairs:
            if later != command:
                continue
            for place in self.places(met, where):
                before = self.last.get((earlier, where, place))
                if before is not None and cycle - before < least:
                    raise TraceError(
                        f"{rule}: {command} of {where} {place} at cycle {cycle} comes "
                        f"{cycle - before} cycles after "
                        f"{earlier} at {before}; at least {least}"
                    )

    def window(self, cycle: int, command: str, mode: int) -> None:
        """No more than XAW single-bank activates in tXAW; no more than eight refreshes
        postponed.
        """
        if command == "ACT" and not mode:
            first = self.activates[-self.t.XAW] if len(self.activates) >= self.t.XAW else None
            if first is not None and cycle - first < self.t.tXAW:
                raise TraceError(
                    f"tXAW: ACT at cycle {cycle} is activate {self.t.XAW + 1} in {cycle - first} "
                    f"cycles; at least {self.t.tXAW}"
                )
            self.activates.append(cycle)
        if command == "REF":
            since = cycle - (self.refreshed[-1] if self.refreshed else 0)
            if since > (POSTPONED + 1) * self.t.tREFI:
                raise TraceError(
                    f"tREFI: REF at cycle {cycle} comes {since} cycles after the last; at most "
                    f"{(POSTPONED + 1) * self.t.tREFI}"
                )
            self.refreshed.append(cycle)


def _aim_pairs(t: AimTiming) -> tuple[tuple[str, str, str, int], ...]:
    """(rule, earlier command, later command, cycles at least) of a channel whose banks compute
    together.
    """
    bus = max(t.burst, t.tCCDS)
    every = ("WRGB", "WRMAC16", "MAC16", "RDMAC16", "ACT16", "PREA", "EWMUL16", "AF16", "RDAF16")
    return (
        *(("tCCDS", a, b, bus) for a in ("WRGB", "WRMAC16") for b in ("WRGB", "WRMAC16")),
        *(("tMOD", "TMOD", b, t.tMOD) for b in every),
        ("tCCDL", "MAC16", "MAC16", t.tCCDL),
        ("tCCDL", "EWMUL16", "EWMUL16", t.tCCDL),
        ("tREG", "RDMAC16", "WRMAC16", t.tREG),
        ("tREG", "RDMAC16", "WRGB", t.tREG),
        ("tRCDMAC", "ACT16", "MAC16", t.tRCDMAC),
        ("tRCDEW", "ACT16", "EWMUL16", t.tRCDEW),
        ("tRAS", "ACT16", "PREA", t.tRAS),
        ("tRC", "ACT16", "ACT16", t.tRC),
        ("tRTP", "MAC16", "PREA", t.tRTPL),
        ("tWR", "EWMUL16", "PREA", t.WL + t.tWR),
        ("tRP", "PREA", "ACT16", t.tRP),
        ("tRP", "PREA", "REFAB", t.tRP),
        ("tRFC", "REFAB", "ACT16", t.tRFC),
        ("tRFC", "REFAB", "REFAB", t.tRFC),
        ("tRCDAF", "ACT16", "AF16", t.tRCDAF),
        ("tCCDL", "AF16", "AF16", t.tCCDL),
        ("tRTP", "AF16", "PREA", t.tRTPL),
        ("tREG", "RDAF16", "WRMAC16", t.tREG),
        ("tREG", "RDAF16", "WRGB", t.tREG),
        ("tREG", "RDAF16", "TMOD", t.tREG),
        ("tREG", "RDMAC16", "TMOD", t.tREG),
    )


def _replay_together(lines: Iterable[tuple[int, str, int, int, int]], t: AimTiming) -> int:
    """Replay commands that go to all banks: spacings, and rows open where banks compute."""
    pairs, last, count, now, is_open = _aim_pairs(t), dict[str, int](), 0, -1, False
    names = {name for _, a, b, _ in pairs for name in (a, b)}
    for cycle, command, *_ in lines:
        if command not in names:
            raise TraceError(unknown("command", command, names))
        if cycle <= now:
            raise TraceError(
                f"{command} at cycle {cycle} is out of order: the command before it was issued at "
                f"cycle {now}"
            )
        if (command in ("MAC16", "EWMUL16", "AF16") and not is_open) or (
            command in ("ACT16", "REFAB") and is_open
        ):
            raise TraceError(
                f"{command} at cycle {cycle}: all banks are {'open' if is_open else 'closed'}"
            )
        for rule, earlier, later, least in pairs:
            if later == command and earlier in last and cycle - last[earlier] < least:
                raise TraceError(
                    f"{rule}: {command} at cycle {cycle} comes {cycle - last[earlier]} cycles "
                    f"after {earlier}; at least {least}"
                )
        is_open = command == "ACT16" or (is_open and command != "PREA")
        last[command], now, count = cycle, cycle, count + 1
    return count


def validate(
    trace: Any, timing: Timing, *, banks: int | None = None, bank_groups: int | None = None
) -> int:
    """Replay `trace` on one channel; returns the number of commands checked.

    trace : Dataset or DataFrame with cycle, command, bank, row (and mode: 1 and 2 address every
    bank of one parity), or rows of (cycle, command, bank, row, column, mode).
    banks, bank_groups : taken from the trace's attributes where it has them, else 16 and 4.
    TraceError (a ValueError) names the rule broken, the commands and their cycles.

    >>> machine = pim.target("gddr6-aim")
    >>> commands = pim.dram_pim.trace(machine, 512, 512)
    >>> pim.dram_pim.validate(commands, machine.timing) == commands.sizes["index"]
    True
    """
    if not isinstance(timing, Timing):
        raise TypeError(
            f"timing={timing!r:.80} is not a Timing; write for example "
            "pimlab.dram_pim.timing('hbm2')"
        )
    lines = list(_columns(trace))
    if isinstance(timing, AimTiming) and any(command not in COMMANDS for _, command, *_ in lines):
        return _replay_together(lines, timing)
    attributes = getattr(trace, "attrs", {})
    banks = int(attributes.get("banks", 16)) if banks is None else banks
    groups = int(attributes.get("bank_groups", 4)) if bank_groups is None else bank_groups
    if min(banks, groups) < 1 or banks % groups:
        raise ValueError(
            f"banks={banks} bank_groups={groups}; allowed: 1 or more, banks a multiple of the "
            "groups"
        )
    channel = _Channel(timing, banks, groups)
    for line in lines:
        channel.step(*line)
    return len(lines)
