"""Twin of `pimlab.kernels.dram_replay`: every rule looked up in the history of the commands."""

from __future__ import annotations

import numpy as np

from pimlab.kernels import dram_replay as k


class _Fault(Exception):
    """A fault of the trace, as the entries of an answer."""


def _limit(limits, which):
    return limits[which] or np.inf


def _met(command, bank, mode, together, banks):
    if command == k.REF:
        return list(range(banks))
    parity = (mode > 0 and bank < 2) if command == k.ACT else bank in together
    return list(range(bank % 2, banks, 2)) if parity and command != k.REFPB else [bank]


def _half_fits(slots, history, cycle, limits):
    """Whether an activate's first half finds a free slot after the last activate or refresh, which
    it takes.
    """
    rows = [when for when, what, _ in history if what in (k.ACT, k.REF, k.REFPB)]
    first = max([0, *rows]) + 1
    before = range(max(first, cycle - limits[k.ACT_AHEAD]), cycle)
    free = [slot for slot in before if slot not in slots]
    slots.update(free[:1])
    return bool(free)


def _clock_fits(slots, history, cycle, limits):
    """Whether the write clock runs at `cycle`, or the command that starts it finds its slot."""
    runs = {k.RD: limits[k.CLOCK_RD], k.WR: limits[k.CLOCK_WR]}
    if cycle <= max([0, *(when + runs[what] for when, what, _ in history if what in runs)]):
        return True
    start = cycle - limits[k.COLUMN_CYCLES]
    fits = start > max([0, *(when for when, _, _ in history)])
    slots.add(start)
    return fits


def _slots_fit(slots, history, command, cycle, limits):
    fits = True
    if command == k.ACT and limits[k.ACT_AHEAD]:
        fits = _half_fits(slots, history, cycle, limits)
    elif command in (k.RD, k.WR) and limits[k.CLOCK_RD]:
        fits = _clock_fits(slots, history, cycle, limits)
    slots.add(cycle)
    return fits


def _check_bus(line, history, slots, command, cycle, limits, now, bank):
    split = limits[k.SPLIT_BUS] == 1
    if cycle < now or (cycle == now and not split):
        raise _Fault(k.OUT_OF_ORDER, line, 0, bank, now)
    columns = (k.RD, k.WR)
    taken = {k.ACT: limits[k.ACT_CYCLES]} | dict.fromkeys(columns, limits[k.COLUMN_CYCLES])
    same = [
        when for when, what, _ in history if not split or (what in columns) == (command in columns)
    ]
    if same and cycle - same[-1] < taken.get(command, 1):
        raise _Fault(k.BUS_TAKEN, line, 0, bank, same[-1])
    if not _slots_fit(slots, history, command, cycle, limits):
        raise _Fault(k.NO_SLOT, line, 0, bank, same[-1] if same else -(1 << 60))
    if not 0 <= bank < limits[k.BANKS]:
        raise _Fault(k.NO_BANK, line, 0, bank, now)


def _check_rows(line, cycle, command, row, met, open_rows, since, refreshed, limits):
    for b in met:
        held = open_rows.get(b, -1)
        if command in (k.RD, k.WR) and held != row:
            raise _Fault(k.WRONG_ROW, line, 0, b, held)
        if command in (k.ACT, k.REF, k.REFPB) and held >= 0:
            raise _Fault(k.ROW_OPEN, line, 0, b, held)
        if command == k.PRE and held < 0:
            raise _Fault(k.NO_ROW, line, 0, b, held)
        if command == k.PRE and cycle - since[b] > _limit(limits, k.OPEN_LIMIT):
            raise _Fault(k.OPEN_LONG, line, 0, b, since[b])
        late = cycle - refreshed.get(b, 0) > _limit(limits, k.REFRESH_LIMIT)
        if command in (k.REF, k.REFPB) and late:
            raise _Fault(k.NO_REFRESH, line, 0, b, refreshed.get(b, 0))


def _group(bank, limits):
    return bank * limits[k.GROUPS] // limits[k.BANKS]


def _check_spacing(line, cycle, command, met, rules, history, limits):
    for rule, (later, earlier, where, least) in enumerate(rules):
        if later != command:
            continue
        for b in met if where != k.CHANNEL else [0]:
            before = [
                when
                for when, what, banks in history
                if what == earlier
                and (
                    where == k.CHANNEL
                    or (where == k.BANK and b in banks)
                    or (
                        where == k.GROUP
                        and _group(b, limits) in {_group(other, limits) for other in banks}
                    )
                )
            ]
            if before and cycle - before[-1] < least:
                place = {k.BANK: b, k.GROUP: _group(b, limits), k.CHANNEL: 0}[where]
                raise _Fault(k.TOO_SOON, line, rule, place, before[-1])


def _check_end(line, now, open_rows, since, refreshed, limits):
    for b in range(limits[k.BANKS]):
        if open_rows.get(b, -1) >= 0 and now - since[b] > _limit(limits, k.OPEN_LIMIT):
            raise _Fault(k.OPEN_LONG, line, 0, b, since[b])
        if now - refreshed.get(b, 0) > _limit(limits, k.REFRESH_LIMIT):
            raise _Fault(k.NO_REFRESH, line, 0, b, refreshed.get(b, 0))


def _replay(lines, rules, limits):
    history: list[tuple] = []
    open_rows, since, refreshed = dict[int, int](), dict[int, int](), dict[int, int]()
    together: set[int] = set()
    slots: set[int] = set()
    activates: list[int] = []
    now, line = -1, -1
    for line, (cycle, command, bank, row, mode) in enumerate(lines):
        _check_bus(line, history, slots, command, cycle, limits, now, bank)
        met = _met(command, bank, mode, together, limits[k.BANKS])
        _check_rows(line, cycle, command, row, met, open_rows, since, refreshed, limits)
        _check_spacing(line, cycle, command, met, rules, history, limits)
        if command == k.ACT and mode == 0:
            window = activates[-limits[k.XAW] :]
            if len(window) == limits[k.XAW] and cycle - window[0] < limits[k.WINDOW]:
                raise _Fault(k.TOO_MANY, line, 0, bank, window[0])
            activates.append(cycle)
        if command == k.ACT:
            together = together | {bank} if len(met) > 1 else together - {bank}
        for b in met:
            if command == k.ACT:
                open_rows[b], since[b] = row, cycle
            elif command == k.PRE:
                open_rows[b] = -1
            elif command in (k.REF, k.REFPB):
                refreshed[b] = cycle
        history.append((cycle, command, met))
        now = cycle
    _check_end(line, now, open_rows, since, refreshed, limits)


def replay(cycle, command, bank, row, mode, rules, limits):
    """int64, shape (5,), the first fault of a trace as `pimlab.kernels.dram_replay.replay` tells
    it.
    """
    lines = [
        tuple(int(v) for v in line) for line in zip(cycle, command, bank, row, mode, strict=True)
    ]
    try:
        _replay(lines, [tuple(int(v) for v in rule) for rule in rules], [int(v) for v in limits])
    except _Fault as fault:
        return np.array(fault.args, np.int64)
    return np.zeros(5, np.int64)


def _replay_together(lines, least, opens, closes, needs, refresh, limits):
    last: dict[int, int] = {}
    open_since, refreshed, now, line = None, 0, -1, -1
    for line, (cycle, command) in enumerate(lines):
        if cycle <= now:
            raise _Fault(k.OUT_OF_ORDER, line, 0, 0, now)
        if needs[command] and open_since is None:
            raise _Fault(k.WRONG_ROW, line, 0, 0, -1)
        if command in (opens, refresh) and open_since is not None:
            raise _Fault(k.ROW_OPEN, line, 0, 0, 0)
        if command == closes and open_since is None:
            raise _Fault(k.NO_ROW, line, 0, 0, -1)
        for before, when in sorted(last.items()):
            if least[before, command] > 0 and cycle - when < least[before, command]:
                raise _Fault(k.TOO_SOON, line, before, 0, when)
        if command == closes and cycle - open_since > (limits[0] or np.inf):
            raise _Fault(k.OPEN_LONG, line, 0, 0, open_since)
        if command == refresh:
            if cycle - refreshed > (limits[1] or np.inf):
                raise _Fault(k.NO_REFRESH, line, 0, 0, refreshed)
            refreshed = cycle
        if command == opens:
            open_since = cycle
        elif command == closes:
            open_since = None
        last[command] = now = cycle
    if open_since is not None and now - open_since > (limits[0] or np.inf):
        raise _Fault(k.OPEN_LONG, line, 0, 0, open_since)
    if now - refreshed > (limits[1] or np.inf):
        raise _Fault(k.NO_REFRESH, line, 0, 0, refreshed)


def replay_together(cycle, command, least, opens, closes, needs, refresh, limits):
    """int64, shape (5,), the first fault of a trace whose commands all go to all banks."""
    lines = [(int(when), int(what)) for when, what in zip(cycle, command, strict=True)]
    try:
        _replay_together(lines, least, opens, closes, needs, refresh, limits)
    except _Fault as fault:
        return np.array(fault.args, np.int64)
    return np.zeros(5, np.int64)
