"""Does a command trace keep every rule of its timing table? A replay that knows nothing of the
scheduler.

Every command is checked against the last command of each kind on the same bank, bank group and
channel (`pimlab.kernels.dram_replay`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from pimlab.arguments import typed
from pimlab.dram_pim.timing import AimTiming, Timing
from pimlab.kernels import dram_replay as kernel
from pimlab.units import is_integer
from pimlab.values import unknown

COMMANDS = ("ACT", "PRE", "RD", "WR", "REF", "REFPB")
POSTPONED = 8
"""Refreshes that JEDEC lets a controller postpone; a row may stay open as long (tRAS max is nine
tREFI).
"""
_PLACES = {"bank": kernel.BANK, "group": kernel.GROUP, "channel": kernel.CHANNEL}
_TOGETHER = (
    "WRGB",
    "WRMAC16",
    "MAC16",
    "RDMAC16",
    "TMOD",
    "ACT16",
    "PREA",
    "EWMUL16",
    "REFAB",
    "AF16",
    "RDAF16",
)
"""Commands of a channel whose banks compute together."""
_NEED_A_ROW = ("MAC16", "EWMUL16", "AF16")

_FORM = "a trace is a table of cycle, command, bank and row (and column, mode)"


class TraceError(ValueError):
    """A trace breaks a rule: the message names the rule, both commands and their cycles."""


class _Rule(NamedTuple):
    name: str
    earlier: str
    where: str
    later: str
    least: int


def _rules(t: Timing) -> list[_Rule]:
    """The spacings that a channel of single banks keeps, sorted by their later command."""
    rules = [
        _Rule("tRCDRD", "ACT", "bank", "RD", t.tRCDRD),
        _Rule("tRCDWR", "ACT", "bank", "WR", t.tRCDWR),
        _Rule("tRAS", "ACT", "bank", "PRE", t.tRAS),
        _Rule("tRC", "ACT", "bank", "ACT", t.tRC),
        _Rule("tRP", "PRE", "bank", "ACT", t.tRP),
        _Rule("tRRDL", "ACT", "group", "ACT", t.tRRDL),
        _Rule("tRRDS", "ACT", "channel", "ACT", t.tRRDS),
        _Rule("tCCDL", "RD", "group", "RD", t.tCCDL),
        _Rule("tCCDS", "RD", "channel", "RD", t.tCCDS),
        _Rule("tCCDLW", "WR", "group", "WR", t.write_to_write),
        _Rule("tCCDS", "WR", "channel", "WR", t.tCCDS),
        _Rule("read to write", "RD", "channel", "WR", t.read_to_write),
        _Rule("tWTRL", "WR", "group", "RD", t.write_to_read),
        _Rule("tWTRS", "WR", "channel", "RD", t.write_to_read_other),
        _Rule("tRTP", "RD", "bank", "PRE", t.read_to_precharge),
        _Rule("tWR", "WR", "bank", "PRE", t.write_to_precharge),
        _Rule("tPPD", "PRE", "channel", "PRE", t.tPPD),
        _Rule("tRP", "PRE", "channel", "REF", t.tRP),
        _Rule("tRC", "ACT", "channel", "REF", t.tRC),
        _Rule("tRFC", "REF", "channel", "ACT", t.tRFC),
        _Rule("tRFC", "REF", "channel", "REF", t.tRFC),
        *_one_bank_refresh(t),
    ]
    return sorted(rules, key=lambda rule: COMMANDS.index(rule.later))


def _one_bank_refresh(t: Timing) -> list[_Rule]:
    if t.tRFCpb is None or t.tRREFD is None:
        return []
    return [
        _Rule("tRP", "PRE", "bank", "REFPB", t.tRP),
        _Rule("tRC", "ACT", "bank", "REFPB", t.tRC),
        _Rule("tRRDS", "ACT", "channel", "REFPB", t.tRRDS),
        _Rule("tRFCpb", "REFPB", "bank", "ACT", t.tRFCpb),
        _Rule("tRREFD", "REFPB", "channel", "ACT", t.tRREFD),
        _Rule("tPBR2PBR", "REFPB", "channel", "REFPB", t.tPBR2PBR or t.tRREFD),
        _Rule("tRFCpb", "REFPB", "channel", "REF", t.tRFCpb),
    ]


def _together_rules(t: AimTiming) -> list[_Rule]:
    """The spacings of a channel whose banks compute together."""
    bus = max(t.burst, t.tCCDS)
    pairs = [
        *(("tCCDS", a, b, bus) for a in ("WRGB", "WRMAC16") for b in ("WRGB", "WRMAC16")),
        *(("tMOD", "TMOD", b, t.tMOD) for b in _TOGETHER if b not in ("TMOD", "REFAB")),
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
    ]
    return [_Rule(name, a, "channel", b, least) for name, a, b, least in pairs]


@dataclass(frozen=True)
class _Lines:
    """A trace as int64 arrays (n,) and the texts of its commands (n,)."""

    cycle: np.ndarray
    bank: np.ndarray
    row: np.ndarray
    column: np.ndarray
    mode: np.ndarray
    names: np.ndarray
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def codes(self, known: tuple[str, ...]) -> np.ndarray:
        """int64, shape (n,), the position of each command in `known`; TraceError for another."""
        code = np.full(self.names.size, -1, np.int64)
        for place, name in enumerate(known):
            code[self.names == name] = place
        if (code < 0).any():
            raise TraceError(unknown("command", str(self.names[code < 0][0]), known))
        return code


def _read(trace: Any) -> _Lines:
    """The lines of a Dataset, DataFrame, mapping of columns or of rows (cycle, command, bank, row,
    column, mode).
    """
    wanted = ("cycle", "command", "bank", "row", "column", "mode")
    if isinstance(trace, (list, tuple)) or not hasattr(trace, "__getitem__"):
        if isinstance(trace, str) or not hasattr(trace, "__iter__"):
            raise TypeError(f"trace={trace!r:.80} is no trace; {_FORM}")
        rows = [tuple(row) for row in trace]
        if any(len(row) < 4 for row in rows):
            raise TraceError(f"a line has fewer fields than four; {_FORM}")
        columns = {
            name: [row[place] if place < len(row) else 0 for row in rows]
            for place, name in enumerate(wanted)
        }
    else:
        names = set(trace)
        missing = [name for name in wanted[:4] if name not in names]
        if missing:
            raise TraceError(
                f"the trace has no column {missing[0]!r} (columns: "
                f"{', '.join(sorted(map(str, names)))}); {_FORM}"
            )
        columns = {name: trace[name] for name in wanted if name in names}
    texts = np.asarray(columns["command"]).astype(str)
    numbers = {
        name: _integers(name, columns[name], texts)
        if name in columns
        else np.zeros(texts.size, np.int64)
        for name in wanted
        if name != "command"
    }
    lines = _Lines(**numbers, names=texts, attributes=getattr(trace, "attrs", {}))
    _refuse_negative(lines)
    return lines


def _integers(name: str, values: Any, texts: np.ndarray) -> np.ndarray:
    """values as int64; TraceError for the first that is no integer."""
    array = values if isinstance(values, np.ndarray) else np.asarray(values)
    if array.dtype.kind in "iu":
        return np.ascontiguousarray(array, dtype=np.int64)
    items = values if isinstance(values, list) else array.tolist()
    for line, value in enumerate(items):
        if not is_integer(value):
            raise TraceError(f"{texts[line]} {name}={value!r} is not an integer")
    return np.array([value.__index__() for value in items], np.int64)


def _refuse_negative(lines: _Lines) -> None:
    wrong = (lines.row < 0) | (lines.mode < 0) | (lines.mode > 2) | (lines.column < 0)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise TraceError(
            f"{lines.names[at]} at cycle {lines.cycle[at]}: row={lines.row[at]} "
            f"column={lines.column[at]} mode={lines.mode[at]}; allowed: rows and columns from 0, "
            "modes 0 (one bank), 1 and 2 (all banks)"
        )


def _refuse_beyond(lines: _Lines, rows: int | None, columns: int | None) -> None:
    """TraceError for a row or column that the banks do not have."""
    for what, limit, values in (("row", rows, lines.row), ("column", columns, lines.column)):
        if limit is not None and (values >= limit).any():
            at = int(np.argmax(values >= limit))
            raise TraceError(
                f"{lines.names[at]} at cycle {lines.cycle[at]}: {what} {values[at]} is outside "
                f"0..{limit - 1}"
            )


def _limits(t: Timing, banks: int, groups: int, refreshed: bool) -> np.ndarray:
    limits = np.zeros(kernel.LIMITS, np.int64)
    longest = (POSTPONED + 1) * t.tREFI if refreshed else 0
    for place, value in {
        kernel.BANKS: banks,
        kernel.GROUPS: groups,
        kernel.XAW: t.XAW,
        kernel.WINDOW: t.tXAW,
        kernel.OPEN_LIMIT: longest,
        kernel.REFRESH_LIMIT: longest,
        kernel.ACT_CYCLES: t.act_cycles,
        kernel.COLUMN_CYCLES: t.column_cycles,
        kernel.SPLIT_BUS: t.buses == "row and column",
        kernel.ACT_AHEAD: t.tAAD or 0,
        kernel.CLOCK_RD: 0 if t.WCK is None else t.RL + t.WCK,
        kernel.CLOCK_WR: 0 if t.WCK is None else t.WL + t.WCK,
    }.items():
        limits[place] = value
    return limits


def _replay(lines: _Lines, t: Timing, banks: int, groups: int, refreshed: bool) -> None:
    """Replay commands to single banks, and to all banks of one parity."""
    rules = _rules(t)
    later = np.array([COMMANDS.index(rule.later) for rule in rules])
    table = np.array(
        [
            (COMMANDS.index(r.later), COMMANDS.index(r.earlier), _PLACES[r.where], r.least)
            for r in rules
        ],
        np.int64,
    )
    starts = np.searchsorted(later, np.arange(len(COMMANDS) + 1)).astype(np.int64)
    known = COMMANDS if t.tRFCpb is not None else COMMANDS[:-1]
    code, answer = lines.codes(known), np.zeros(5, np.int64)
    limits = _limits(t, banks, groups, refreshed)
    kernel.replay(
        lines.cycle, code, lines.bank, lines.row, lines.mode, table, starts, limits, answer
    )
    if answer[kernel.FAULT] == kernel.TOO_SOON:
        rule = rules[answer[kernel.RULE]]
        place = f" of {rule.where} {answer[kernel.PLACE]}"
        raise TraceError(_too_soon(lines, answer, rule, place))
    _raise(lines, answer, t, banks)


def _replay_together(lines: _Lines, t: AimTiming, refreshed: bool) -> None:
    """Replay commands that go to all banks: spacings, and rows open where banks compute."""
    rules, code = _together_rules(t), lines.codes(_TOGETHER)
    least = np.zeros((len(_TOGETHER),) * 2, np.int64)
    for rule in rules:
        at = _TOGETHER.index(rule.earlier), _TOGETHER.index(rule.later)
        least[at] = max(least[at], rule.least)
    needs = np.isin(_TOGETHER, _NEED_A_ROW).astype(np.int64)
    longest = (POSTPONED + 1) * t.tREFI if refreshed else 0
    kinds = [_TOGETHER.index(name) for name in ("ACT16", "PREA", "REFAB")]
    answer = np.zeros(5, np.int64)
    kernel.replay_together(
        lines.cycle,
        code,
        least,
        kinds[0],
        kinds[1],
        needs,
        kinds[2],
        np.array([longest, longest], np.int64),
        answer,
    )
    if answer[kernel.FAULT] == kernel.TOO_SOON:
        pair = _TOGETHER[answer[kernel.RULE]], str(lines.names[answer[kernel.LINE]])
        (rule,) = [r for r in rules if (r.earlier, r.later) == pair]
        raise TraceError(_too_soon(lines, answer, rule, ""))
    _raise(lines, answer, t, 1)


def _too_soon(lines: _Lines, answer: np.ndarray, rule: _Rule, place: str) -> str:
    cycle, before = int(lines.cycle[answer[kernel.LINE]]), int(answer[kernel.BEFORE])
    return (
        f"{rule.name}: {rule.later}{place} at cycle {cycle} comes {cycle - before} cycles after "
        f"{rule.earlier} at {before}; at least {rule.least}"
    )


def _raise(lines: _Lines, answer: np.ndarray, t: Timing, banks: int) -> None:
    """TraceError for any other fault; nothing where there is none."""
    fault, line, _, place, before = (int(value) for value in answer)
    if fault == kernel.FINE:
        return
    cycle, name, row = int(lines.cycle[line]), str(lines.names[line]), int(lines.row[line])
    here = f"{name} at cycle {cycle}"
    together = name in _TOGETHER
    holds = f"bank {place} {'is closed' if before < 0 else f'has row {before} open'}"
    longest = (POSTPONED + 1) * t.tREFI
    texts = {
        kernel.OUT_OF_ORDER: f"{here} is out of order: the command before it was issued at cycle "
        f"{before}",
        kernel.BUS_TAKEN: f"command bus: {here} comes {cycle - before} cycles after the command "
        f"before it on its bus; ACT takes {t.act_cycles}, RD and WR {t.column_cycles}, others 1",
        kernel.NO_SLOT: f"command bus: {here} finds no free cycle before it for "
        + (
            f"its first half (tAAD={t.tAAD}, since the last ACT or REF)"
            if name == "ACT"
            else "the command that starts the write clock"
        ),
        kernel.NO_BANK: f"{here}: bank {place} is outside 0..{banks - 1}",
        kernel.WRONG_ROW: f"{here}: all banks are closed"
        if together
        else f"{name} of row {row} at cycle {cycle}: {holds}",
        kernel.ROW_OPEN: f"{here}: all banks are open"
        if together
        else f"{here}: bank {place} still has row {before} open",
        kernel.NO_ROW: f"{here}: all banks are closed already"
        if together
        else f"{here}: bank {place} is closed already",
        kernel.TOO_MANY: f"tXAW: {here} is activate {t.XAW + 1} in {cycle - before} cycles; at "
        f"least {t.tXAW}",
        kernel.OPEN_LONG: f"tRAS: {here}: a row of bank {place} is open since cycle {before}; at "
        f"most {longest} cycles (nine tREFI)",
        kernel.NO_REFRESH: f"tREFI: {here} comes {cycle - before} cycles after the last refresh of "
        f"bank {place}; at most {longest} (a trace that is never refreshed: refresh=False)",
    }
    raise TraceError(texts[fault])


@typed
def validate(
    trace: Any,
    timing: Timing,
    *,
    banks: int | None = None,
    bank_groups: int | None = None,
    rows: int | None = None,
    columns: int | None = None,
    refresh: bool | None = None,
) -> int:
    """Replay `trace` on one channel; returns the number of commands checked.

    trace : Dataset or DataFrame with cycle, command, bank, row (and mode: 1 and 2 address every
    bank of one parity), or rows of (cycle, command, bank, row, column, mode).
    banks, bank_groups, rows, columns, refresh : taken from the trace's attributes where it has
    them, else 16 and 4, any row and column, and refreshed: then no bank may go nine tREFI without
    a refresh, and no row stay open for as long.
    TraceError (a ValueError) names the rule broken, the commands and their cycles. Every time is in
    the unit of `timing`'s clock, cycles.

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
    lines = _read(trace)
    known = lines.attributes
    refreshed = bool(known.get("refresh", True) if refresh is None else refresh)
    _refuse_beyond(
        lines,
        known.get("rows") if rows is None else rows,
        known.get("columns") if columns is None else columns,
    )
    if isinstance(timing, AimTiming) and not np.isin(lines.names, COMMANDS).all():
        _replay_together(lines, timing, refreshed)
        return lines.cycle.size
    count = int(known.get("banks", 16)) if banks is None else banks
    groups = int(known.get("bank_groups", 4)) if bank_groups is None else bank_groups
    if min(count, groups) < 1 or count % groups:
        raise ValueError(
            f"banks={count} bank_groups={groups}; allowed: 1 or more, banks a multiple of the "
            "groups"
        )
    _replay(lines, timing, count, groups, refreshed)
    return lines.cycle.size
