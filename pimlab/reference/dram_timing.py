"""Twin of `pimlab.kernels.dram_timing`: cycle by cycle, every rule looked up in the history of
commands.
"""

from __future__ import annotations

import numpy as np

from pimlab.kernels import dram_timing as k

_LONG_AGO = -(1 << 60)


def _rules(spacing):
    """(earlier command, where: bank, group or channel, later command, spacing)."""
    s = {
        name: spacing[getattr(k, name)]
        for name in vars(k)
        if name.isupper() and isinstance(getattr(k, name), int) and getattr(k, name) < k.SPACINGS
    }
    return [
        (k.ACTIVATE, "bank", k.READ, s["RCD_RD"]),
        (k.ACTIVATE, "bank", k.WRITE, s["RCD_WR"]),
        (k.ACTIVATE, "bank", k.PRECHARGE, s["RAS"]),
        (k.ACTIVATE, "bank", k.ACTIVATE, s["RC"]),
        (k.ACTIVATE, "bank", k.REFRESH, s["ACT_REF"]),
        (k.ACTIVATE, "group", k.ACTIVATE, s["RRD_L"]),
        (k.ACTIVATE, "all", k.ACTIVATE, s["RRD_S"]),
        (k.ACTIVATE, "all", k.REFRESH, s["ACT_REF_ANY"]),
        (k.PRECHARGE, "bank", k.ACTIVATE, s["RP"]),
        (k.PRECHARGE, "bank", k.REFRESH, s["REFRESH_GAP"]),
        (k.PRECHARGE, "all", k.PRECHARGE, s["PPD"]),
        (k.REFRESH, "bank", k.ACTIVATE, s["RFC"]),
        (k.REFRESH, "bank", k.REFRESH, s["RFC"]),
        (k.REFRESH, "all", k.ACTIVATE, s["REF_ACT_ANY"]),
        (k.REFRESH, "all", k.REFRESH, s["REF_REF_ANY"]),
        (k.READ, "bank", k.PRECHARGE, s["RD_PRE"]),
        (k.READ, "group", k.READ, s["CCD_L"]),
        (k.READ, "all", k.READ, s["CCD_S"]),
        (k.READ, "all", k.WRITE, s["RD_WR"]),
        (k.WRITE, "bank", k.PRECHARGE, s["WR_PRE"]),
        (k.WRITE, "group", k.WRITE, s["CCD_LW"]),
        (k.WRITE, "all", k.WRITE, s["CCD_S"]),
        (k.WRITE, "group", k.READ, s["WR_RD_L"]),
        (k.WRITE, "all", k.READ, s["WR_RD_S"]),
    ]


class _Channel:
    def __init__(self, spacing, xaw):
        self.spacing, self.rules, self.history, self.xaw = spacing, _rules(spacing), {}, xaw
        self.open = dict.fromkeys(range(spacing[k.BANKS]))
        self.activates, self.mode, self.bus = [], 0, {}
        self.slots: set[int] = set()
        self.row_at, self.clock = 0, 0

    def met(self, bank, command=None):
        if bank == k.ANY:
            return range(self.spacing[k.BANKS])
        if self.mode == 1 and self.spacing[k.WHOLE_PARITY] == 1:
            return range(bank, self.spacing[k.BANKS], 2)
        return (bank,)

    def groups(self, bank):
        every = range(self.spacing[k.GROUPS])
        together = self.mode == 1 or bank == k.ANY
        return every if together else (bank * self.spacing[k.GROUPS] // self.spacing[k.BANKS],)

    def on_bus(self, command):
        return command >= k.ACTIVATE and self.spacing[k.SPLIT_BUS] == 1

    def ready(self, command, bank):
        held = {k.ACTIVATE: k.ACT_CYCLES, k.READ: k.COLUMN_CYCLES, k.WRITE: k.COLUMN_CYCLES}
        taken = self.spacing[held[command]] if command in held else 1
        when = self.bus.get(self.on_bus(command), _LONG_AGO) + taken
        if command == k.ACTIVATE and self.mode == 0 and len(self.activates) >= self.xaw:
            when = max(when, self.activates[-self.xaw] + self.spacing[k.XAW_WINDOW])
        for earlier, where, later, gap in self.rules:
            if later == command:
                places = {"bank": self.met(bank), "group": self.groups(bank), "all": ("all",)}[
                    where
                ]
                when = max(
                    [
                        when,
                        *(
                            self.history.get((earlier, where, place), _LONG_AGO) + gap
                            for place in places
                        ),
                    ]
                )
        return when

    def column_soon(self, kind, bank, now):
        """Whether a read or a write that goes out next takes cycle `now` of the precharges' bus."""
        when = max(self.ready(kind, bank), now)
        if self.spacing[k.CLOCK_RD] > 0 and when > self.clock:
            return when - self.spacing[k.COLUMN_CYCLES] <= now
        shared = self.spacing[k.SPLIT_BUS] == 0
        return when - (self.spacing[k.COLUMN_CYCLES] - 1 if shared else 0) <= now

    def activate_soon(self, bank, now):
        """Whether an activate that goes out next takes cycle `now` of the bus."""
        ends = range(now, now + self.spacing[k.ACT_CYCLES])
        return any(self.activate_ready(bank, end) for end in ends)

    def activate_ready(self, bank, now):
        """Whether an activate may end at `now`: its first half needs a free slot before that."""
        if self.ready(k.ACTIVATE, bank) > now:
            return False
        return self.spacing[k.ACT_AHEAD] == 0 or bool(self.free_slots(now))

    def free_slots(self, now):
        return [
            slot
            for slot in range(max(self.row_at + 1, now - self.spacing[k.ACT_AHEAD]), now)
            if slot not in self.slots
        ]

    def column_at(self, kind, bank, now):
        """Cycle of a read or a write that goes out at `now`, or whose write clock is started then,
        COLUMN_CYCLES before it; None where neither is possible yet.
        """
        when = max(self.ready(kind, bank), now)
        stopped = self.spacing[k.CLOCK_RD] > 0 and when > self.clock
        lead = self.spacing[k.COLUMN_CYCLES] if stopped else 0
        return now + lead if when - lead <= now else None

    def issue(self, command, bank, row, now):
        self.slots.add(now)
        if command == k.ACTIVATE and self.spacing[k.ACT_AHEAD]:
            self.slots.add(self.free_slots(now)[0])
        if command in (k.ACTIVATE, k.REFRESH):
            self.row_at = now
        if command <= k.WRITE and self.spacing[k.CLOCK_RD]:
            if now > self.clock:
                self.slots.add(now - self.spacing[k.COLUMN_CYCLES])
            runs = self.spacing[k.CLOCK_RD if command == k.READ else k.CLOCK_WR]
            self.clock = max(self.clock, now + runs)
        for where, places in (
            ("bank", self.met(bank)),
            ("group", self.groups(bank)),
            ("all", ("all",)),
        ):
            for place in places:
                self.history[command, where, place] = now
        for b in self.met(bank) if command in (k.ACTIVATE, k.PRECHARGE) else ():
            self.open[b] = row if command == k.ACTIVATE else None
        if command == k.ACTIVATE and self.mode == 0:
            self.activates.append(now)
        self.bus[self.on_bus(command)] = now

    @property
    def idle(self):
        return all(row is None for row in self.open.values())


class _Queue:
    """Requests in order of arrival, those that may be served first in `window`."""

    def __init__(self, requests, spacing):
        self.requests, self.spacing = requests, spacing
        self.window, self.rest, self.opened = [], list(range(len(requests))), set()
        self.active = k.READ

    def fill(self):
        depths = {k.READ: self.spacing[k.DEPTH], k.WRITE: self.spacing[k.WRITE_DEPTH]}
        apart = self.spacing[k.WRITE_DEPTH] > 0
        while self.rest:
            r = self.rest[0]
            same = [q for q in self.waiting if not apart or self.kind(q) == self.kind(r)]
            full = len(same) >= (depths[self.kind(r)] if apart else self.spacing[k.DEPTH])
            if full or (self.window and self.requests[r, k.BARRIER]):
                break
            self.window.append(self.rest.pop(0))
        reads = sum(self.kind(r) == k.READ for r in self.waiting)
        writes = len(self.waiting) - reads
        if not apart:
            self.active = k.ANY
        elif self.active == k.WRITE:
            done = writes <= self.spacing[k.WRITE_LOW] and reads > 0
            self.active = k.READ if done else k.WRITE
        else:
            begin = writes >= self.spacing[k.WRITE_HIGH] or reads == 0
            self.active = k.WRITE if begin else k.READ

    @property
    def waiting(self):
        """Requests that take room in their queue."""
        leaves = self.opened if self.spacing[k.LEAVES_OPENED] else ()
        return [r for r in self.window if r not in leaves]

    def kind(self, r):
        return int(self.requests[r, k.KIND])

    def served(self, r, mode):
        head = self.window[0] if self.window else None
        ordered = head is not None and (
            self.requests[head, k.BARRIER] or self.requests[head, k.SCOPE]
        )
        if mode or ordered:
            return True
        return self.active == k.ANY or r in self.opened or self.kind(r) == self.active

    def barred(self, r):
        head = self.window[0]
        return r != head and bool(self.requests[head, k.BARRIER])

    def beyond(self, sight):
        """Requests after the window, `sight` of both together, up to the next barrier."""
        seen: list[int] = []
        for r in self.rest:
            if len(seen) >= sight - len(self.window) or self.requests[r, k.BARRIER]:
                break
            seen.append(r)
        return seen


def _request_now(channel, queue, now, may_activate, may_column, only):
    """(request, command) that goes out now, or None; whether any could go out later; and whether
    any takes this cycle of the bus of precharges.
    """
    activate, possible, soon = None, False, False
    for r in queue.window:
        kind, bank, row, scope, *_ = queue.requests[r]
        free = only not in (k.ANY, bank)
        if scope != channel.mode or not queue.served(r, channel.mode):
            continue
        if channel.open[bank] == row:
            if (may_column or free) and not queue.barred(r):
                possible = True
                soon = soon or channel.column_soon(kind, bank, now)
                if channel.column_at(kind, bank, now) is not None:
                    return (r, kind), True, True
        elif channel.open[bank] is None and (may_activate or free):
            possible = True
            soon = soon or channel.activate_soon(bank, now)
            if channel.activate_ready(bank, now):
                activate = activate or (r, k.ACTIVATE)
    return activate, possible, soon


def _precharge_now(channel, queue, requests_seen, now, forced, kept=lambda bank, row: False):
    """The bank that closes now, or None; and whether any could close later.

    requests_seen : bank -> requests that keep its row open.  forced : bank -> bool.  kept : (bank,
    row) -> whether the row stays open although nobody wants it.
    """
    possible, first = False, None
    for bank in range(2 if channel.mode else channel.spacing[k.BANKS]):
        row = channel.open[bank]
        wanted = any(
            queue.requests[r, k.BANK] == bank
            and queue.requests[r, k.ROW] == row
            and queue.requests[r, k.SCOPE] == channel.mode
            and queue.served(r, channel.mode)
            for r in requests_seen(bank)
        )
        if row is None or (not forced(bank) and kept(bank, row)):
            continue
        if forced(bank) or not wanted:
            possible = True
            if channel.ready(k.PRECHARGE, bank) <= now and first is None:
                first = bank
    return first, possible


class _Refreshes:
    """When refreshes are due, and of which bank."""

    def __init__(self, spacing):
        self.spacing, self.due, self.turn = spacing, spacing[k.FIRST_REFRESH], 0

    @property
    def only(self):
        return self.turn if self.spacing[k.PER_BANK] else k.ANY

    def state(self, now, queue):
        """(over, eager, late) at cycle `now`."""
        over = now >= self.due + self.spacing[k.POSTPONE]
        eager = now >= self.due and self.spacing[k.EAGER_REFRESH] == 1
        holds = bool(queue.window) and queue.requests[queue.window[0], k.HOLD]
        return over, eager, now >= self.due and (over or eager or not holds)

    def done(self):
        self.due += self.spacing[k.REFI]
        self.turn = (self.turn + 1) % self.spacing[k.BANKS]


def schedule(requests, spacing, xaw):
    """(trace int64, shape (commands, 6), cycle after the last data) of the same requests, one cycle
    at a time.
    """
    channel, queue, refreshes = (
        _Channel(spacing, xaw),
        _Queue(requests, spacing),
        _Refreshes(spacing),
    )
    trace: list[tuple] = []
    now, end = 1, 0
    while True:
        queue.fill()
        if not queue.window and (channel.idle or spacing[k.KEEP_OPEN]):
            return np.array(trace, np.int64), end
        line = _step(channel, queue, refreshes, now)
        if line is not None:
            trace.append(line)
            if line[1] <= k.WRITE:
                end = max(end, line[0] + spacing[k.RD_END if line[1] == k.READ else k.WR_END])
            now = line[0]
        # on two buses another command may go out in the same cycle
        now += line is None or spacing[k.SPLIT_BUS] == 0


def _step(channel, queue, refreshes, now):
    """The line of the trace that is issued at `now`, or None."""
    over, eager, late = refreshes.state(now, queue)
    only = refreshes.only
    closed = channel.idle if only == k.ANY else channel.open[only] is None
    if late and closed:
        if channel.ready(k.REFRESH, only) <= now:
            channel.issue(k.REFRESH, only, 0, now)
            code = k.REFRESH if only == k.ANY else k.REFRESH_BANK
            refreshes.done()
            return (now, code, max(only, 0), 0, -1, channel.mode)
        if only == k.ANY:
            return None
    head = queue.window[0] if queue.window else None
    if channel.idle and head is not None and queue.requests[head, k.SCOPE] != channel.mode:
        channel.mode = 1 - channel.mode
    request, can_serve, soon = _request_now(
        channel, queue, now, eager or not late, eager or not over, only
    )
    beyond = queue.beyond(channel.spacing[k.SIGHT])

    def here(bank):
        return only in (k.ANY, bank)

    def seen(bank):
        return queue.window + ([] if late and here(bank) else beyond)

    def kept(bank, row):
        if channel.spacing[k.KEEP_OPEN] == 0 or (late and here(bank)):
            return False
        return not any(
            queue.requests[r, k.BANK] == bank
            and queue.requests[r, k.ROW] != row
            and queue.requests[r, k.SCOPE] == channel.mode
            and queue.served(r, channel.mode)
            for r in queue.window
        )

    bank, can_close = _precharge_now(
        channel, queue, seen, now, lambda b: (eager or over) and here(b), kept
    )
    stuck = not (can_serve or can_close or channel.idle or (late and closed))
    if stuck and (only != k.ANY or not late):
        narrow = [r for r in queue.window if not queue.barred(r)]
        bank, _ = _precharge_now(channel, queue, lambda b: narrow, now, lambda b: False)
    if bank is not None and (eager or (over and request is None) or not soon):
        line = (now, k.PRECHARGE, bank, channel.open[bank], -1, channel.mode)
        channel.issue(k.PRECHARGE, bank, None, now)
        return line
    if request is None:
        return None
    r, command = request
    bank, row = (int(value) for value in queue.requests[r, [k.BANK, k.ROW]])
    if command == k.ACTIVATE:
        queue.opened.add(r)
    else:
        queue.window.remove(r)
        now = channel.column_at(command, bank, now)
    channel.issue(command, bank, row, now)
    return (now, command, bank, row, r, channel.mode)


def in_order(commands, gaps, opens, refresh, interval):
    """(cycles of the commands, cycles of the refreshes), from lists of all that went before.

    commands : int64, shape (n,), types;  gaps : int64, shape (types, types), unit: cycles;
    interval : cycles.
    """
    history: list[tuple[int, int]] = []
    cycles: list[int] = []
    refreshed: list[int] = []

    def issue(what):
        rules = (when + gaps[before, what] for before, when in history if gaps[before, what])
        when = max([history[-1][1] + 1 if history else 1, *rules])
        history.append((what, when))
        return when

    for command in commands:
        while command == opens and history and history[-1][1] >= interval * (len(refreshed) + 1):
            refreshed.append(issue(refresh))
        cycles.append(issue(command))
    return np.array(cycles, np.int64), np.array(refreshed, np.int64)
