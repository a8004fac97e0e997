"""When does each command of one DRAM channel go out? An event-skipping scheduler over bank,
bank-group and channel state.

Time is in cycles; one command a cycle. Within a window, requests whose next command is ready are
served: reads and writes before activates, the oldest first (FR-FCFS). A request with a barrier is
seen only at the head of the queue, and its data command comes before those of all later ones. A
bank closes as soon as no request in sight wants its open row. A due refresh lets no new row open.
"""

from __future__ import annotations

import numpy as np

from pimlab.kernels.jit import kernel

READ, WRITE, ACTIVATE, PRECHARGE, REFRESH = 0, 1, 2, 3, 4
"""Command codes; requests are reads and writes."""

KIND, BANK, ROW, SCOPE, BARRIER, HOLD = range(6)
"""Columns of a request. SCOPE 1 addresses all banks of one parity at once, as bank 0 or 1: all-bank
mode. HOLD 1: a refresh that falls due while this request is the oldest waits, at most POSTPONE
cycles (a change of mode is not interrupted).
"""

(
    BANKS,
    GROUPS,
    DEPTH,
    SIGHT,
    CCD_S,
    CCD_L,
    CCD_LW,
    RCD_RD,
    RCD_WR,
    RAS,
    RC,
    RP,
    RRD_S,
    RRD_L,
    RD_WR,
    WR_RD_S,
    WR_RD_L,
    RD_PRE,
    WR_PRE,
    XAW_WINDOW,
    REFI,
    RFC,
    RD_END,
    WR_END,
    FIRST_REFRESH,
    REFRESH_GAP,
    POSTPONE,
    EAGER_REFRESH,
    WHOLE_PARITY,
) = range(29)
"""Rows of `spacing`: banks, bank groups, requests that may be served and requests in sight of an
open row, then cycles. RD_END, WR_END: command to end of data. FIRST_REFRESH: when the first is due.
REFRESH_GAP: precharge to refresh. POSTPONE: how long a due refresh waits for open rows to drain.
EAGER_REFRESH: 1 where a due refresh closes rows as soon as they may close, while other commands go
on. WHOLE_PARITY: 1 where all-bank mode waits for every bank, 0 for banks 0 and 1 only.
"""
SPACINGS = 29

OPEN, ACT, RD, WR, PRE = range(5)
"""Columns of `ready`, one row a bank, then a bank group, then the channel: the open row (-1:
closed; for the channel, the next free command cycle), then the earliest cycle of each command. In
all-bank mode banks 0 and 1 stand for all.
"""
_NEVER = np.int64(1) << np.int64(62)
STUCK = 20_000
"""Commands without data after which rows only open and close for refreshes."""


@kernel
def _change_mode(mode, ready, spacing):
    """Enter the other mode: what held one bank holds all of its parity, and back. All banks are
    closed.
    """
    banks, groups = spacing[BANKS], spacing[GROUPS]
    for command in range(ACT, PRE + 1):
        if spacing[WHOLE_PARITY] == 1:
            for b in range(2, banks):
                if mode == 0:
                    ready[b % 2, command] = max(ready[b % 2, command], ready[b, command])
                else:
                    ready[b, command] = max(ready[b, command], ready[b % 2, command])
        for g in range(banks + 1, banks + groups):
            if mode == 0:
                ready[banks, command] = max(ready[banks, command], ready[g, command])
            else:
                ready[g, command] = max(ready[g, command], ready[banks, command])
    return 1 - mode


@kernel
def _at_least(ready, row, command, cycle):
    ready[row, command] = max(ready[row, command], cycle)


@kernel
def _earliest(ready, bank, command, spacing):
    """When bank, bank group and channel all allow `command`."""
    group = spacing[BANKS] + bank * spacing[GROUPS] // spacing[BANKS]
    return max(
        max(ready[bank, command], ready[group, command]), max(ready[-1, command], ready[-1, OPEN])
    )


@kernel
def _issue_read(bank, now, ready, spacing):
    group = spacing[BANKS] + bank * spacing[GROUPS] // spacing[BANKS]
    _at_least(ready, bank, PRE, now + spacing[RD_PRE])
    _at_least(ready, group, RD, now + spacing[CCD_L])
    _at_least(ready, -1, RD, now + spacing[CCD_S])
    _at_least(ready, -1, WR, now + spacing[RD_WR])
    return now + spacing[RD_END]


@kernel
def _issue_write(bank, now, ready, spacing):
    group = spacing[BANKS] + bank * spacing[GROUPS] // spacing[BANKS]
    _at_least(ready, bank, PRE, now + spacing[WR_PRE])
    _at_least(ready, group, WR, now + spacing[CCD_LW])
    _at_least(ready, group, RD, now + spacing[WR_RD_L])
    _at_least(ready, -1, WR, now + spacing[CCD_S])
    _at_least(ready, -1, RD, now + spacing[WR_RD_S])
    return now + spacing[WR_END]


@kernel
def _issue_activate(bank, row, now, ready, spacing):
    group = spacing[BANKS] + bank * spacing[GROUPS] // spacing[BANKS]
    ready[bank, OPEN] = row
    _at_least(ready, bank, RD, now + spacing[RCD_RD])
    _at_least(ready, bank, WR, now + spacing[RCD_WR])
    _at_least(ready, bank, PRE, now + spacing[RAS])
    _at_least(ready, bank, ACT, now + spacing[RC])
    _at_least(ready, group, ACT, now + spacing[RRD_L])
    _at_least(ready, -1, ACT, now + spacing[RRD_S])
    return np.int64(0)


@kernel
def _fill(window, count, following, requests):
    """Requests that may be served, oldest first; a barrier only at the head."""
    while count < window.size and following < requests.shape[0]:
        if requests[following, BARRIER] == 1 and count > 0:
            break
        window[count] = following
        count += 1
        following += 1
    return count, following


@kernel
def _wanted(bank, row, mode, window, count, following, requests, sight):
    """Whether a request in sight wants the open `row` of `bank`."""
    for i in range(count):
        r = window[i]
        if requests[r, BANK] == bank and requests[r, ROW] == row and requests[r, SCOPE] == mode:
            return True
    for r in range(following, min(following + sight - count, requests.shape[0])):
        if requests[r, BARRIER] == 1:
            return False
        if requests[r, BANK] == bank and requests[r, ROW] == row and requests[r, SCOPE] == mode:
            return True
    return False


@kernel
def _best_request(window, count, requests, may_activate, may_column, mode, ready, oldest, spacing):
    """(cycle, position in the window, command) of the request whose next command is ready first; on
    a tie a read or write before an activate, and the older before the younger.

    oldest : cycle of the first activate in the window of XAW single-bank activates.
    """
    best, position, command = _NEVER, -1, -1
    for i in range(count):
        r = window[i]
        bank, row = requests[r, BANK], ready[requests[r, BANK], OPEN]
        when, what = _NEVER, -1
        if requests[r, SCOPE] != mode:
            continue
        if row == requests[r, ROW] and may_column and (i == 0 or requests[window[0], BARRIER] == 0):
            what = requests[r, KIND]
            when = _earliest(ready, bank, RD if what == READ else WR, spacing)
        elif row < 0 and may_activate:
            what, when = ACTIVATE, _earliest(ready, bank, ACT, spacing)
            if mode == 0:
                when = max(when, oldest + spacing[XAW_WINDOW])
        if when < best or (when == best and command == ACTIVATE and what != ACTIVATE):
            best, position, command = when, i, what
            if best == ready[-1, OPEN] and what != ACTIVATE:
                break
    return best, position, command


@kernel
def _best_precharge(
    before, window, count, following, requests, forced, sight, mode, ready, spacing
):
    """(cycle, bank) of the open row that closes first, not after `before`: one that nobody wants,
    or any when `forced`.
    """
    best, bank = before + 1, -1
    for b in range(2 if mode == 1 else spacing[BANKS]):
        when = max(ready[b, PRE], ready[-1, OPEN])
        if ready[b, OPEN] < 0 or when >= best:
            continue
        if forced or not _wanted(
            b, ready[b, OPEN], mode, window, count, following, requests, sight
        ):
            best, bank = when, b
    return best if bank >= 0 else _NEVER, bank


@kernel
def _all_closed(ready, mode, spacing):
    open_rows = 0
    for b in range(2 if mode == 1 else spacing[BANKS]):
        open_rows += ready[b, OPEN] >= 0
    return open_rows == 0


@kernel
def _note(trace, at, cycle, command, bank, row, request, mode):
    if at >= trace.shape[0]:
        return at + 1
    trace[at, 0] = cycle
    trace[at, 1] = command
    trace[at, 2] = bank
    trace[at, 3] = row
    trace[at, 4] = request
    trace[at, 5] = mode
    return at + 1


@kernel
def _refresh(closed, ready, spacing):
    """Refresh all banks once they are closed for REFRESH_GAP; returns its cycle."""
    when = max(closed + spacing[REFRESH_GAP], ready[-1, OPEN])
    for b in range(spacing[BANKS]):
        _at_least(ready, b, ACT, when + spacing[RFC])
    ready[-1, OPEN] = when + 1
    return when


@kernel
def _issue(command, bank, row, now, ready, spacing):
    """Issue a command; returns the cycle its data end, 0 where it has none."""
    ready[-1, OPEN] = now + 1
    if command == READ:
        return _issue_read(bank, now, ready, spacing)
    if command == WRITE:
        return _issue_write(bank, now, ready, spacing)
    if command == ACTIVATE:
        return _issue_activate(bank, row, now, ready, spacing)
    ready[bank, OPEN] = -1
    _at_least(ready, bank, ACT, now + spacing[RP])
    return np.int64(0)


@kernel
def _remove(window, count, position):
    for i in range(position, count - 1):
        window[i] = window[i + 1]
    return count - 1


@kernel
def schedule(requests, spacing, ready, recent, trace):
    """Issue every request; returns (commands issued, cycle after the last data). Commands beyond
    `trace` are only counted. (-1, cycle) where refreshes, by the rules of `spacing`, leave no time
    for data.

    requests : int64 (requests, 6).  spacing : int64 (SPACINGS,).  ready : int64 (banks + groups +
    1, 5), all banks closed.
    recent : int64 (XAW,), cycles of the last activates, long past.
    trace : int64 (room, 6): cycle, command, bank, row, request (-1 for precharge and refresh),
    mode.
    """
    window = np.empty(spacing[DEPTH], np.int64)
    count, following, issued, mode, last = 0, 0, 0, 0, 0
    end, closed, due = np.int64(0), np.int64(0), spacing[FIRST_REFRESH]
    fruitful = 0
    while True:
        if issued > fruitful + STUCK:
            return -1, end
        count, following = _fill(window, count, following, requests)
        idle = _all_closed(ready, mode, spacing)
        if idle and count == 0:
            return issued, end
        now = ready[-1, OPEN]
        over, eager = now >= due + spacing[POSTPONE], now >= due and spacing[EAGER_REFRESH] == 1
        held = (
            now >= due and not over and not eager and count > 0 and requests[window[0], HOLD] == 1
        )
        late = now >= due and not held
        if late and idle:
            when = _refresh(closed, ready, spacing)
            issued = _note(trace, issued, when, REFRESH, 0, 0, -1, mode)
            closed = when + spacing[RFC] - spacing[REFRESH_GAP]
            due += spacing[REFI]
            continue
        if idle and requests[window[0], SCOPE] != mode:
            mode = _change_mode(mode, ready, spacing)
        cycle, position, command = _best_request(
            window,
            count,
            requests,
            eager or not late,
            eager or not over,
            mode,
            ready,
            recent[last],
            spacing,
        )
        # while a refresh waits, only requests that can still be served keep a row open
        sight = 0 if late else spacing[SIGHT]
        close, bank = _best_precharge(
            cycle, window, count, following, requests, eager or over, sight, mode, ready, spacing
        )
        limit = due + spacing[POSTPONE] if late or held else due
        if not over and min(cycle, close) >= limit:
            ready[-1, OPEN] = limit
        elif close < cycle or (close == cycle and eager):
            issued = _note(trace, issued, close, PRECHARGE, bank, ready[bank, OPEN], -1, mode)
            closed = close
            end = max(end, _issue(PRECHARGE, bank, -1, close, ready, spacing))
        else:
            r = window[position]
            issued = _note(
                trace, issued, cycle, command, requests[r, BANK], requests[r, ROW], r, mode
            )
            end = max(
                end, _issue(command, requests[r, BANK], requests[r, ROW], cycle, ready, spacing)
            )
            if command != ACTIVATE:
                count = _remove(window, count, position)
                fruitful = issued
            elif mode == 0:
                recent[last] = cycle
                last = (last + 1) % recent.size


@kernel
def in_order(commands, gaps, opens, refresh, interval, cycles, refreshed):
    """Issue broadcast commands in order, each at the earliest cycle that every earlier one allows.

    commands : int64 (n,), types 0..types - 1;  gaps : int64 (types, types), cycles from the last
    command of the row's type to one of the column's type (0: no rule);  opens : the type that opens
    rows: a due refresh goes out just before it, when all banks are closed;  refresh : the type of a
    refresh;  interval : cycles between refreshes;
    cycles : int64 (n,), out;  refreshed : int64 (room,), out, cycles of the refreshes. Returns
    their number.
    """
    types = gaps.shape[0]
    last = np.full(types, -(np.int64(1) << np.int64(60)), np.int64)
    now, due, count = np.int64(0), np.int64(interval), 0
    for i in range(commands.size):
        command = commands[i]
        while True:
            pending = command == opens and now >= due
            what = refresh if pending else command
            when = now + 1
            for before in range(types):
                if gaps[before, what] > 0:
                    when = max(when, last[before] + gaps[before, what])
            last[what] = when
            now = when
            if not pending:
                break
            if count < refreshed.size:
                refreshed[count] = when
            count += 1
            due += interval
        cycles[i] = now
    return count
