"""When does each command of one DRAM channel go out? An event-skipping scheduler over bank,
bank-group and channel state.

Time is in cycles; a command stands at the cycle in which the memory has received the last of it,
so that spacings hold from command to command as a data sheet prints them, and a command of several
cycles only occupies its bus for longer. Within a window, requests whose next command is ready are
served: reads and writes before activates, the oldest first (FR-FCFS). A request with a barrier is
seen only at the head of the queue, and its data command comes before those of all later ones. A
bank closes as soon as no request in sight wants its open row, or none of them can be served while
it stays open; but a precharge takes no cycle that the next read, write or activate needs. A due
refresh lets no new row open.

Writes may have a queue of their own: then only reads are served until WRITE_HIGH writes wait or no
read does, and only writes until WRITE_LOW are left; a request whose row is already being opened for
it is served in either state.
"""

from __future__ import annotations

import numpy as np

from pimlab.kernels.jit import inline, kernel

READ, WRITE, ACTIVATE, PRECHARGE, REFRESH, REFRESH_BANK = range(6)
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
    PPD,
    ACT_CYCLES,
    COLUMN_CYCLES,
    SPLIT_BUS,
    ACT_REF,
    ACT_REF_ANY,
    REF_ACT_ANY,
    REF_REF_ANY,
    PER_BANK,
    WRITE_DEPTH,
    WRITE_HIGH,
    WRITE_LOW,
    ACT_AHEAD,
    KEEP_OPEN,
    LEAVES_OPENED,
    CLOCK_RD,
    CLOCK_WR,
) = range(46)
"""Rows of `spacing`: banks, bank groups, requests that may be served and requests in sight of an
open row, then cycles. RD_END, WR_END: command to end of data. FIRST_REFRESH: when the first is due.
REFRESH_GAP: precharge to refresh. POSTPONE: how long a due refresh waits for open rows to drain.
EAGER_REFRESH: 1 where a due refresh closes rows as soon as they may close, while other commands go
on. WHOLE_PARITY: 1 where all-bank mode waits for every bank, 0 for banks 0 and 1 only. PPD:
precharge to precharge of any banks. ACT_CYCLES, COLUMN_CYCLES: cycles that an activate, and a read
or a write, occupy their bus. SPLIT_BUS: 1 where row and column commands have a bus each. ACT_REF:
activate to refresh of the same bank; ACT_REF_ANY, REF_ACT_ANY, REF_REF_ANY: of any two banks (RFC
holds for the same bank). PER_BANK: 1 where a refresh is of one bank, in turn. WRITE_DEPTH: writes
that wait in their own queue (0: one queue for all); WRITE_HIGH, WRITE_LOW: when they are served.
ACT_AHEAD: cycles by which the first of an activate's two halves may come before the second, in any
slot of the bus that is free (0: an activate is one command). KEEP_OPEN: 1 where a row stays open
until a request that may be served wants another row of its bank. LEAVES_OPENED: 1 where a request
leaves its queue when its row opens for it, and no longer when its data go. CLOCK_RD, CLOCK_WR:
cycles after a read or a write in which the next one finds the write clock running; one that does
not needs a command before it that starts the clock (0: no such clock).
"""
SPACINGS = 46

OPEN, ACT, RD, WR, PRE, REF = range(6)
"""Columns of `ready`, one row a bank, then a bank group, then the channel: the open row (-1:
closed; for the channel, the earliest cycle of any command), then the earliest cycle of each
command. In all-bank mode banks 0 and 1 stand for all.
"""
STATES = 6
ANY = -1
"""In place of a bank or a kind of request: all of them."""
_NEVER = np.int64(1) << np.int64(62)
STUCK = 20_000
"""Commands without data after which rows only open and close for refreshes."""


@kernel
def _change_mode(mode, ready, spacing):
    """Enter the other mode: what held one bank holds all of its parity, and back. All banks are
    closed.
    """
    banks, groups = spacing[BANKS], spacing[GROUPS]
    for command in range(ACT, REF + 1):
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
    _at_least(ready, bank, REF, now + spacing[ACT_REF])
    _at_least(ready, group, ACT, now + spacing[RRD_L])
    _at_least(ready, -1, ACT, now + spacing[RRD_S])
    _at_least(ready, -1, REF, now + spacing[ACT_REF_ANY])
    return np.int64(0)


TAKEN, AT, ROW_AT, CLOCK = range(4)
"""Entries of `slots`: the last 62 cycles of the bus as bits, 1 where a command takes it; the cycle
of bit 0; the cycle of the last activate or refresh, neither of which may come between the two
halves of an activate; and the last cycle in which the write clock still runs.
"""
_ALL = (np.int64(1) << np.int64(62)) - np.int64(1)


@kernel
def _moved(slots, now):
    """The taken slots as bits, bit 0 for cycle `now`."""
    steps = now - slots[AT]
    return (slots[TAKEN] << steps) & _ALL if steps < 62 else np.int64(0)


@kernel
def _first_half(slots, now, ahead):
    """How many cycles before `now` the oldest free slot for the first half of an activate lies; 0
    where none of the last `ahead`, since the last activate or refresh, is free.
    """
    taken = _moved(slots, now)
    for back in range(min(ahead, now - slots[ROW_AT] - 1), 0, -1):
        if (taken >> back) & 1 == 0:
            return back
    return 0


@inline
def _clock_lead(when, slots, spacing):
    """Cycles by which a command that starts the write clock comes before a read or a write at
    `when`; 0 where the clock runs.
    """
    return spacing[COLUMN_CYCLES] if spacing[CLOCK_RD] > 0 and when > slots[CLOCK] else 0


@kernel
def _take_slots(command, now, slots, spacing):
    """Slots of the bus that a command takes: its own, and that of its first half or of the command
    that starts the write clock for it.
    """
    before = 0
    if command == ACTIVATE:
        before = _first_half(slots, now, spacing[ACT_AHEAD])
    elif command <= WRITE:
        before = _clock_lead(now, slots, spacing)
        runs = spacing[CLOCK_RD if command == READ else CLOCK_WR]
        slots[CLOCK] = max(slots[CLOCK], now + runs)
    slots[TAKEN], slots[AT] = _moved(slots, now) | 1 | (np.int64(1) << before), now
    if command in (ACTIVATE, REFRESH):
        slots[ROW_AT] = now


@kernel
def _occupy(command, now, ready, slots, spacing):
    """The bus of `command` is taken until `now`: what comes after needs its own cycles."""
    if spacing[ACT_AHEAD] > 0 or spacing[CLOCK_RD] > 0:
        _take_slots(command, now, slots, spacing)
    is_row, split = command >= ACTIVATE, spacing[SPLIT_BUS] == 1
    if is_row or not split:
        _at_least(ready, -1, ACT, now + spacing[ACT_CYCLES])
        _at_least(ready, -1, PRE, now + 1)
        _at_least(ready, -1, REF, now + 1)
    if not is_row or not split:
        _at_least(ready, -1, RD, now + spacing[COLUMN_CYCLES])
        _at_least(ready, -1, WR, now + spacing[COLUMN_CYCLES])
    ready[-1, OPEN] = now if split else now + 1


@kernel
def _fill(window, opened, count, following, requests, spacing):
    """Requests that may be served, oldest first; a barrier only at the head. Where writes have a
    queue of their own, the next request waits for room in its queue. Reads and writes that wait
    there are counted too.
    """
    reads, writes = 0, 0
    for i in range(count):
        waits = 1 - opened[i] * spacing[LEAVES_OPENED]
        writes += waits * requests[window[i], KIND]
        reads += waits * (1 - requests[window[i], KIND])
    while following < requests.shape[0]:
        kind = requests[following, KIND]
        if spacing[WRITE_DEPTH] == 0:
            full = reads + writes >= spacing[DEPTH]
        else:
            full = (writes >= spacing[WRITE_DEPTH]) if kind == WRITE else (reads >= spacing[DEPTH])
        if full or (requests[following, BARRIER] == 1 and count > 0):
            break
        window[count], opened[count] = following, 0
        count += 1
        writes += kind
        reads += 1 - kind
        following += 1
    return count, following, reads, writes


@kernel
def _may_serve(r, opened, active, requests):
    """Whether the queue of request `r` is being served, or its row was opened for it."""
    return active == ANY or opened == 1 or requests[r, KIND] == active


@kernel
def _wants(r, bank, row, mode, requests):
    return requests[r, BANK] == bank and requests[r, ROW] == row and requests[r, SCOPE] == mode


@kernel
def _wanted(bank, row, mode, window, opened, count, following, requests, sight, active):
    """Whether a request in sight wants the open `row` of `bank`."""
    for i in range(count):
        r = window[i]
        if _wants(r, bank, row, mode, requests) and _may_serve(r, opened[i], active, requests):
            return True
    for r in range(following, min(following + sight - count, requests.shape[0])):
        if requests[r, BARRIER] == 1:
            return False
        if _wants(r, bank, row, mode, requests) and _may_serve(r, 0, active, requests):
            return True
    return False


@kernel
def _contested(bank, row, mode, window, opened, count, requests, active):
    """Whether a request that may be served wants another row of `bank` than the open `row`."""
    for i in range(count):
        r = window[i]
        other = requests[r, BANK] == bank and requests[r, ROW] != row
        if other and requests[r, SCOPE] == mode and _may_serve(r, opened[i], active, requests):
            return True
    return False


@inline
def _activate_from(bank, mode, oldest, ready, slots, spacing):
    """When an activate of `bank` may go out: after the oldest in the window of XAW single-bank
    activates, at cycle `oldest`, and with a free slot for its first half.
    """
    when = _earliest(ready, bank, ACT, spacing)
    # an all-bank activate is no part of the window: its current is limited by RRD alone
    if mode == 0:
        when = max(when, oldest + spacing[XAW_WINDOW])
    ahead = spacing[ACT_AHEAD]
    if ahead > 0 and _first_half(slots, when, ahead) == 0:
        when += 1  # the slot before it is free then
    return when


@kernel
def _best_request(at, window, opened, requests, may_open, may_move, oldest, ready, slots, spacing):
    """(cycle, position in the window, command, lead, first) of the request whose next command is
    ready first; on a tie a read or write before an activate, and the older before the younger. A
    command that starts the write clock for it goes out in `cycle`, it itself `lead` cycles later.
    `first` is the first cycle that any request's next command takes of the bus of precharges.

    at : as in `schedule`;  may_open, may_move : whether activates, and reads and writes, may go out
    to its bank `only` (ANY: to all).
    oldest : cycle of the first activate in the window of XAW single-bank activates.
    """
    count, _, mode, active, only = at
    best, position, command, lead, first = _NEVER, -1, -1, 0, _NEVER
    for i in range(count):
        r = window[i]
        bank, row = requests[r, BANK], ready[requests[r, BANK], OPEN]
        when, what, starts, long = _NEVER, -1, 0, 0
        if requests[r, SCOPE] != mode or not _may_serve(r, opened[i], active, requests):
            continue
        free = only != ANY and bank != only
        if row == requests[r, ROW]:
            # data of a barrier come before those of all younger requests
            if (may_move or free) and (i == 0 or requests[window[0], BARRIER] == 0):
                what = requests[r, KIND]
                when = _earliest(ready, bank, RD if what == READ else WR, spacing)
                starts = _clock_lead(when, slots, spacing)
                when = max(when - starts, ready[-1, OPEN])
                if starts == 0 and spacing[SPLIT_BUS] == 0:
                    long = spacing[COLUMN_CYCLES] - 1
        elif row < 0 and (may_open or free):
            what, when = ACTIVATE, _activate_from(bank, mode, oldest, ready, slots, spacing)
            long = spacing[ACT_CYCLES] - 1
        first = min(first, when - long)
        if when < best or (when == best and command == ACTIVATE and what != ACTIVATE):
            best, position, command, lead = when, i, what, starts
            # nothing is earlier than the next free cycle, and no younger request goes first
            if best == ready[-1, OPEN] and what != ACTIVATE:
                break
    return best, position, command, lead, first


@kernel
def _best_precharge(before, at, window, opened, requests, forced, late, sight, ready, spacing):
    """(cycle, bank) of the open row that closes first, not after `before`: one that nobody wants,
    or any when `forced`. While a refresh is `late`, only requests that can still be served keep a
    row open. `forced` and `late` hold for the bank `only` of `at` (ANY: for all).
    """
    count, following, mode, active, only = at
    best, bank = before + 1, -1
    for b in range(2 if mode == 1 else spacing[BANKS]):
        when = max(max(ready[b, PRE], ready[-1, PRE]), ready[-1, OPEN])
        row = ready[b, OPEN]
        if row < 0 or when >= best:
            continue
        here = only == ANY or b == only
        seen = 0 if late and here else sight
        if (
            spacing[KEEP_OPEN] == 1
            and not (late and here)
            and not _contested(b, row, mode, window, opened, count, requests, active)
        ):
            continue
        if (forced and here) or not _wanted(
            b, row, mode, window, opened, count, following, requests, seen, active
        ):
            best, bank = when, b
    return best if bank >= 0 else _NEVER, bank


@kernel
def _precharge_for_barred(at, window, opened, requests, ready, spacing):
    """As `_best_precharge`, where nothing else can go out: open rows are kept for requests that
    wait behind one that needs another row, so only what can be served counts.
    """
    count, following, mode, active, _ = at
    barred = count > 0 and requests[window[0], BARRIER] == 1
    count = min(count, 1) if barred else count
    head = (count, following, mode, active, np.int64(ANY))
    return _best_precharge(_NEVER, head, window, opened, requests, False, True, 0, ready, spacing)


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
def _refresh_ready(bank, ready, spacing):
    """When the refresh of `bank` (ANY: of all banks, which are closed) may go out."""
    when = max(ready[-1, REF], ready[-1, OPEN])
    if bank != ANY:
        return max(when, ready[bank, REF])
    for b in range(spacing[BANKS]):
        when = max(when, ready[b, REF])
    return when


@kernel
def _refresh(bank, when, ready, slots, spacing):
    """Refresh `bank` (ANY: all banks) at cycle `when`."""
    first, beyond = (0, spacing[BANKS]) if bank == ANY else (bank, bank + 1)
    for b in range(first, beyond):
        _at_least(ready, b, ACT, when + spacing[RFC])
        _at_least(ready, b, REF, when + spacing[RFC])
    _at_least(ready, -1, ACT, when + spacing[REF_ACT_ANY])
    _at_least(ready, -1, REF, when + spacing[REF_REF_ANY])
    _occupy(REFRESH, when, ready, slots, spacing)


@inline
def _refresh_state(now, due, holds, spacing):
    """(over, eager, held, late): whether the refresh that falls due at `due` may wait no longer,
    closes rows at once, waits for the oldest request (which `holds` it back), or is being prepared.
    """
    over, eager = now >= due + spacing[POSTPONE], now >= due and spacing[EAGER_REFRESH] == 1
    held = now >= due and not over and not eager and holds
    return over, eager, held, now >= due and not held


@inline
def _next_refresh(late, only, idle, ready, spacing):
    """Cycle of the refresh of bank `only` (ANY: of all), _NEVER while a row of it is open."""
    if late and (idle if only == ANY else ready[only, OPEN] < 0):
        return _refresh_ready(only, ready, spacing)
    return _NEVER


@kernel
def _issue(command, bank, row, now, ready, slots, spacing):
    """Issue a command; returns the cycle its data end, 0 where it has none."""
    _occupy(command, now, ready, slots, spacing)
    if command == READ:
        return _issue_read(bank, now, ready, spacing)
    if command == WRITE:
        return _issue_write(bank, now, ready, spacing)
    if command == ACTIVATE:
        return _issue_activate(bank, row, now, ready, spacing)
    ready[bank, OPEN] = -1
    _at_least(ready, bank, ACT, now + spacing[RP])
    _at_least(ready, bank, REF, now + spacing[REFRESH_GAP])
    _at_least(ready, -1, PRE, now + spacing[PPD])
    return np.int64(0)


@kernel
def _remove(window, opened, count, position):
    for i in range(position, count - 1):
        window[i], opened[i] = window[i + 1], opened[i + 1]
    return count - 1


@kernel
def _served(active, reads, writes, spacing):
    """The kind of request that is served next, of writes with a queue of their own; ANY without."""
    if spacing[WRITE_DEPTH] == 0:
        return ANY
    if active == WRITE:
        return READ if writes <= spacing[WRITE_LOW] and reads > 0 else WRITE
    return WRITE if writes >= spacing[WRITE_HIGH] or reads == 0 else READ


@kernel
def _in_stream_order(window, count, requests, mode):
    """Whether the oldest request may not wait for its queue: one with a barrier, and in all-bank
    mode any.
    """
    if mode == 1:
        return True
    return count > 0 and (requests[window[0], BARRIER] == 1 or requests[window[0], SCOPE] == 1)


@kernel
def schedule(requests, spacing, ready, recent, trace):
    """Issue every request; returns (commands issued, cycle after the last data). Commands beyond
    `trace` are only counted. (-1, cycle) where refreshes, by the rules of `spacing`, leave no time
    for data. The helpers see the state of the queue as one tuple `at`: requests in the window,
    the next one, mode, kind that is served, bank that is refreshed (or ANY).

    requests : int64, shape (requests, 6).  spacing : int64, shape (SPACINGS,).  ready : int64,
    shape (banks + groups + 1, STATES), all banks closed.
    recent : int64, shape (XAW,), cycles of the last activates, long past.
    trace : int64, shape (room, 6): cycle, command, bank, row, request (-1 for precharge and
    refresh), mode.
    """
    # a request whose row is open has a bank of its own
    room = spacing[DEPTH] + spacing[WRITE_DEPTH] + spacing[LEAVES_OPENED] * requests.shape[0]
    window = np.empty(room, np.int64)
    opened = np.zeros_like(window)
    count, following, issued, mode, last = 0, 0, 0, 0, 0
    end, due, turn = np.int64(0), spacing[FIRST_REFRESH], 0
    queue, fruitful = READ, 0
    slots = np.zeros(4, np.int64)
    while issued <= fruitful + STUCK:
        count, following, reads, writes = _fill(window, opened, count, following, requests, spacing)
        queue = _served(queue, reads, writes, spacing)
        idle = _all_closed(ready, mode, spacing)
        if count == 0 and (idle or spacing[KEEP_OPEN] == 1):
            return issued, end
        only = turn if spacing[PER_BANK] == 1 else ANY
        holds = count > 0 and requests[window[0], HOLD] == 1
        over, eager, held, late = _refresh_state(ready[-1, OPEN], due, holds, spacing)
        refreshes = _next_refresh(late, only, idle, ready, spacing)
        if idle and requests[window[0], SCOPE] != mode and refreshes == _NEVER:
            mode = _change_mode(mode, ready, spacing)
        active = ANY if _in_stream_order(window, count, requests, mode) else queue
        at = (count, following, mode, active, only)
        may_open, may_move = eager or not late, eager or not over
        cycle, position, command, lead, first = _best_request(
            at, window, opened, requests, may_open, may_move, recent[last], ready, slots, spacing
        )
        close, bank = _best_precharge(
            cycle, at, window, opened, requests, eager or over, late, spacing[SIGHT], ready, spacing
        )
        if close >= first and not eager and not over:
            close, bank = _NEVER, -1
        stuck = cycle == _NEVER and close == _NEVER and refreshes == _NEVER and not idle
        if stuck and (only != ANY or not late):
            close, bank = _precharge_for_barred(at, window, opened, requests, ready, spacing)
        limit = due + spacing[POSTPONE] if late or held else due
        if refreshes != _NEVER and (only == ANY or refreshes <= min(cycle, close)):
            what = REFRESH if only == ANY else REFRESH_BANK
            issued = _note(trace, issued, refreshes, what, max(only, 0), 0, -1, mode)
            _refresh(only, refreshes, ready, slots, spacing)
            due += spacing[REFI]
            turn = (turn + 1) % spacing[BANKS]
        elif not over and min(cycle, close) >= limit:
            # nothing goes out before the refresh falls due: look again at that cycle
            ready[-1, OPEN] = limit
        elif close < cycle or (close == cycle and eager):
            issued = _note(trace, issued, close, PRECHARGE, bank, ready[bank, OPEN], -1, mode)
            end = max(end, _issue(PRECHARGE, bank, -1, close, ready, slots, spacing))
        else:
            r, cycle = window[position], cycle + lead
            bank, row = requests[r, BANK], requests[r, ROW]
            issued = _note(trace, issued, cycle, command, bank, row, r, mode)
            end = max(end, _issue(command, bank, row, cycle, ready, slots, spacing))
            if command != ACTIVATE:
                count, fruitful = _remove(window, opened, count, position), issued
            else:
                opened[position] = 1
                if mode == 0:
                    recent[last] = cycle
                    last = (last + 1) % recent.size
    return -1, end


@kernel
def in_order(commands, gaps, opens, refresh, interval, cycles, refreshed):
    """Issue broadcast commands in order, each at the earliest cycle that every earlier one allows.

    commands : int64, shape (n,), types 0..types - 1;  gaps : int64, shape (types, types), cycles
    from the last command of the row's type to one of the column's type (0: no rule);  opens : the
    type that opens rows: a due refresh goes out just before it, when all banks are closed;
    refresh : the type of a refresh;  interval : cycles between refreshes;
    cycles : int64, shape (n,), out;  refreshed : int64, shape (room,), out, cycles of the
    refreshes. Returns their number.
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
