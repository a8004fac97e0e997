"""Twin of `pimlab.kernels.dram_timing`: cycle by cycle, every rule looked up in the history of
commands.
"""

from __future__ import annotations

import numpy as np

from pimlab.kernels import dram_timing as k

_LONG_AGO = -(1 << 60)


def _rules(spacing):
    """(earlier command, where: bank, group or channel) -> [(later command, spacing)]."""
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
        (k.ACTIVATE, "group", k.ACTIVATE, s["RRD_L"]),
        (k.ACTIVATE, "all", k.ACTIVATE, s["RRD_S"]),
        (k.PRECHARGE, "bank", k.ACTIVATE, s["RP"]),
        (k.REFRESH, "all", k.ACTIVATE, s["RFC"]),
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
        self.activates, self.mode, self.closed = [], 0, 0

    def met(self, bank):
        if self.mode == 1 and self.spacing[k.WHOLE_PARITY] == 1:
            return range(bank, self.spacing[k.BANKS], 2)
        return (bank,)

    def groups(self, bank):
        every = range(self.spacing[k.GROUPS])
        return (
            every if self.mode == 1 else (bank * self.spacing[k.GROUPS] // self.spacing[k.BANKS],)
        )

    def ready(self, command, bank):
        when = 0
        if command == k.ACTIVATE and self.mode == 0 and len(self.activates) >= self.xaw:
            when = self.activates[-self.xaw] + self.spacing[k.XAW_WINDOW]
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

    def issue(self, command, bank, row, now):
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
        if command == k.PRECHARGE:
            self.closed = now
        if command == k.REFRESH:
            self.closed = now + self.spacing[k.RFC] - self.spacing[k.REFRESH_GAP]

    @property
    def idle(self):
        return all(row is None for row in self.open.values())


def _beyond(rest, limit, requests):
    seen: list[int] = []
    for r in rest:
        if len(seen) >= limit or requests[r, k.BARRIER]:
            break
        seen.append(r)
    return seen


def _served(pending, depth, requests):
    seen: list[int] = []
    for r in pending:
        if len(seen) == depth or (seen and requests[r, k.BARRIER]):
            break
        seen.append(r)
    return seen


def _request_now(channel, window, requests, now, may_activate, may_column):
    activate = None
    for place, r in enumerate(window):
        kind, bank, row, scope, *_ = requests[r]
        if scope != channel.mode:
            continue
        if channel.open[bank] == row:
            barred = place > 0 and requests[window[0], k.BARRIER]
            if may_column and not barred and channel.ready(kind, bank) <= now:
                return r, kind
        elif channel.open[bank] is None and may_activate and channel.ready(k.ACTIVATE, bank) <= now:
            activate = activate or (r, k.ACTIVATE)
    return activate


def _precharge_now(channel, seen, requests, now, forced):
    wanted = {
        (requests[r, k.BANK], requests[r, k.ROW])
        for r in seen
        if requests[r, k.SCOPE] == channel.mode
    }
    for bank in range(2 if channel.mode else channel.spacing[k.BANKS]):
        row = channel.open[bank]
        if (
            row is not None
            and (forced or (bank, row) not in wanted)
            and channel.ready(k.PRECHARGE, bank) <= now
        ):
            return bank
    return None


def schedule(requests, spacing, xaw):
    """(trace int64 (commands, 6), cycle after the last data) of the same requests, one cycle at a
    time.
    """
    channel, pending, end = _Channel(spacing, xaw), list(range(len(requests))), 0
    trace: list[tuple] = []
    now, due = 1, spacing[k.FIRST_REFRESH]
    while pending or not channel.idle:
        over, eager = now >= due + spacing[k.POSTPONE], now >= due and spacing[k.EAGER_REFRESH] == 1
        window = _served(pending, spacing[k.DEPTH], requests)
        late = now >= due and (over or eager or not window or not requests[window[0], k.HOLD])
        sight = 0 if late else spacing[k.SIGHT]
        seen = window + _beyond(pending[len(window) :], sight - len(window), requests)
        if late and channel.idle:
            if now >= channel.closed + spacing[k.REFRESH_GAP]:
                channel.issue(k.REFRESH, 0, 0, now)
                trace.append((now, k.REFRESH, 0, 0, -1, channel.mode))
                due += spacing[k.REFI]
            now += 1
            continue
        if channel.idle and window and requests[window[0], k.SCOPE] != channel.mode:
            channel.mode = 1 - channel.mode
        found = _request_now(channel, window, requests, now, eager or not late, eager or not over)
        bank = _precharge_now(channel, seen, requests, now, eager or over)
        if bank is not None and (found is None or eager):
            trace.append((now, k.PRECHARGE, bank, channel.open[bank], -1, channel.mode))
            channel.issue(k.PRECHARGE, bank, None, now)
        elif found is not None:
            r, command = found
            trace.append((now, command, requests[r, k.BANK], requests[r, k.ROW], r, channel.mode))
            channel.issue(command, requests[r, k.BANK], requests[r, k.ROW], now)
            if command != k.ACTIVATE:
                pending.remove(r)
                end = max(end, now + spacing[k.RD_END if command == k.READ else k.WR_END])
        now += 1
    return np.array(trace, np.int64), end


def in_order(commands, gaps, opens, refresh, interval):
    """(cycles of the commands, cycles of the refreshes), from lists of all that went before."""
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
