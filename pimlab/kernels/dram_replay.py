"""Does a command trace keep the spacings, rows and refreshes of a DRAM channel? A replay that stops
at the first command which does not.

It knows nothing of the scheduler: every command is checked against the last command of each kind on
the same bank, bank group and channel.
"""

from __future__ import annotations

import numpy as np

from pimlab.kernels.jit import kernel

ACT, PRE, RD, WR, REF, REFPB = range(6)
"""Command codes of `replay`. REF is of all banks, REFPB of one."""
COMMANDS = 6

(
    BANKS,
    GROUPS,
    XAW,
    WINDOW,
    OPEN_LIMIT,
    REFRESH_LIMIT,
    ACT_CYCLES,
    COLUMN_CYCLES,
    SPLIT_BUS,
    ACT_AHEAD,
    CLOCK_RD,
    CLOCK_WR,
) = range(12)
"""Entries of `limits`: banks, bank groups, activates in WINDOW cycles, cycles a row may stay open
and a bank may go without a refresh (0: no limit), cycles that an activate, and a read or a write,
occupy their bus, 1 where row and column commands have a bus each, cycles by which the first half of
an activate may come before the second (0: an activate is one command), and cycles after a read or a
write in which the next one finds the write clock running (0: no such clock).
"""
LIMITS = 12

LATER, EARLIER, WHERE, LEAST = range(4)
"""Columns of a rule: the later and the earlier command, where both act and how many cycles lie
between at least.
"""
BANK, GROUP, CHANNEL = range(3)
"""What WHERE says: on the same bank, the same bank group, or anywhere."""

(
    FINE,
    OUT_OF_ORDER,
    BUS_TAKEN,
    NO_BANK,
    WRONG_ROW,
    ROW_OPEN,
    NO_ROW,
    TOO_SOON,
    TOO_MANY,
    OPEN_LONG,
    NO_REFRESH,
    NO_SLOT,
) = range(12)
"""Faults: a cycle before the last command's; a bus still taken; a bank that there is not; a read or
write of a row that is not open; an activate or refresh of a bank with an open row; a precharge of a
closed bank; a rule broken; too many activates in the window; a row open for too long; a bank
without refresh for too long; no free slot of the bus for the first half of an activate, or for the
command that starts the write clock.
"""

FAULT, LINE, RULE, PLACE, BEFORE = range(5)
"""Entries of an answer: the fault, the line of the trace, the rule (TOO_SOON), the bank or group,
and the cycle (WRONG_ROW, ROW_OPEN: the row) that it is measured from.
"""
_LONG_AGO = -(np.int64(1) << np.int64(60))
_BITS = (np.int64(1) << np.int64(62)) - np.int64(1)


@kernel
def _fault(answer, fault, line, place, before):
    answer[FAULT], answer[LINE], answer[PLACE], answer[BEFORE] = fault, line, place, before
    return False


@kernel
def _banks(command, bank, mode, together, banks):
    """First, beyond the last and step of the banks that a command acts on: one; in all-bank mode an
    activate opens its parity, and what follows acts on all of it.
    """
    if command == REF:
        return 0, banks, 1
    all_of_it = (mode > 0 and bank < 2) if command == ACT else together[bank] == 1
    if all_of_it and command != REFPB:
        return bank % 2, banks, 2
    return bank, bank + 1, 1


@kernel
def _rows_fit(line, cycle, command, row, met, state, limits, answer):
    """Columns need their row open, precharges an open row, activates and refreshes closed banks.

    state : int64, shape (3, banks): open row (-1: closed), since when, and the last refresh.
    """
    for b in range(met[0], met[1], met[2]):
        held = state[0, b]
        if command in (RD, WR) and held != row:
            return _fault(answer, WRONG_ROW, line, b, held)
        if command in (ACT, REF, REFPB) and held >= 0:
            return _fault(answer, ROW_OPEN, line, b, held)
        if command == PRE and held < 0:
            return _fault(answer, NO_ROW, line, b, held)
        if command == PRE and 0 < limits[OPEN_LIMIT] < cycle - state[1, b]:
            return _fault(answer, OPEN_LONG, line, b, state[1, b])
        if command in (REF, REFPB) and 0 < limits[REFRESH_LIMIT] < cycle - state[2, b]:
            return _fault(answer, NO_REFRESH, line, b, state[2, b])
    return True


@kernel
def _spaced(line, cycle, met, rules, first, beyond, last, limits, answer):
    """Every rule whose later command this is, in every place where it acts."""
    banks, groups = limits[BANKS], limits[GROUPS]
    for rule in range(first, beyond):
        earlier, where, least = rules[rule, EARLIER], rules[rule, WHERE], rules[rule, LEAST]
        for b in range(met[0], met[1], met[2]):
            place = b if where == BANK else banks + (b * groups // banks)
            if where == CHANNEL:
                # the channel is one place: the loop below ends after its one check
                place = banks + groups
            if cycle - last[earlier, place] < least:
                answer[RULE] = rule
                shown = place if where == BANK else max(place - banks, 0) * (where == GROUP)
                return _fault(answer, TOO_SOON, line, shown, last[earlier, place])
            # one check of the channel is enough, however many banks the command acts on
            if where == CHANNEL:
                break
    return True


@kernel
def _note(cycle, command, row, met, state, last, limits):
    banks, groups = limits[BANKS], limits[GROUPS]
    last[command, banks + groups] = cycle
    for b in range(met[0], met[1], met[2]):
        last[command, b] = cycle
        last[command, banks + b * groups // banks] = cycle
        if command == ACT:
            state[0, b], state[1, b] = row, cycle
        elif command == PRE:
            state[0, b] = -1
        elif command >= REF:
            state[2, b] = cycle


LAST, TAKEN, LAST_ROW, CLOCK = range(4)
"""Entries of `slots`: cycle of the last command, the taken cycles up to it as bits, the cycle of
the last activate or refresh, and the last cycle in which the write clock runs.
"""


@kernel
def _half(cycle, taken, slots, limits):
    """Cycles from an activate's first half to `cycle`: in the oldest free slot after the last
    activate or refresh; 0 where no slot is free.
    """
    for back in range(min(limits[ACT_AHEAD], cycle - slots[LAST_ROW] - 1), 0, -1):
        if (taken >> back) & 1 == 0:
            return back
    return 0


@kernel
def _slots_fit(cycle, command, slots, limits):
    """Whether the bus has free slots for an activate's first half, and for the command that starts
    the write clock for a read or a write; they are taken.

    slots : int64, shape (4,).
    """
    steps, before, fits = cycle - slots[LAST], 0, True
    taken = slots[TAKEN] << steps if steps < 62 else np.int64(0)
    if command == ACT and limits[ACT_AHEAD] > 0:
        before = _half(cycle, taken, slots, limits)
        fits = before > 0
    elif command in (RD, WR) and limits[CLOCK_RD] > 0:
        if cycle > slots[CLOCK]:
            before = limits[COLUMN_CYCLES]
            fits = steps > before
        runs = limits[CLOCK_RD if command == RD else CLOCK_WR]
        slots[CLOCK] = max(slots[CLOCK], cycle + runs)
    if command in (ACT, REF, REFPB):
        slots[LAST_ROW] = cycle
    slots[LAST], slots[TAKEN] = cycle, (taken | 1 | (np.int64(1) << before)) & _BITS
    return fits


@kernel
def _in_order(line, cycle, command, bank, now, bus, slots, limits, answer):
    """The command comes after the one before it, its bus is free and its bank exists."""
    own = 1 if limits[SPLIT_BUS] == 1 and command in (RD, WR) else 0
    if cycle < now or (cycle == now and limits[SPLIT_BUS] == 0):
        return _fault(answer, OUT_OF_ORDER, line, bank, now)
    taken = 1
    if command == ACT:
        taken = limits[ACT_CYCLES]
    elif command in (RD, WR):
        taken = limits[COLUMN_CYCLES]
    if cycle - bus[own] < taken:
        return _fault(answer, BUS_TAKEN, line, bank, bus[own])
    if not _slots_fit(cycle, command, slots, limits):
        return _fault(answer, NO_SLOT, line, bank, bus[own])
    if bank < 0 or bank >= limits[BANKS]:
        return _fault(answer, NO_BANK, line, bank, now)
    bus[own] = cycle
    return True


@kernel
def _ends(lines, now, state, limits, answer):
    """No row is open, and no bank without refresh, for too long at the end of the trace."""
    for b in range(limits[BANKS]):
        if state[0, b] >= 0 and 0 < limits[OPEN_LIMIT] < now - state[1, b]:
            return _fault(answer, OPEN_LONG, lines - 1, b, state[1, b])
        if 0 < limits[REFRESH_LIMIT] < now - state[2, b]:
            return _fault(answer, NO_REFRESH, lines - 1, b, state[2, b])
    return True


@kernel
def replay(cycle, command, bank, row, mode, rules, starts, limits, answer):
    """Replay a trace on one channel whose banks are closed; `answer` tells the first fault.

    cycle, command, bank, row, mode : int64, shape (n,); modes 1 and 2 address every bank of the
    parity of bank 0 or 1.  rules : int64, shape (rules, 4), sorted by LATER;  starts : int64,
    shape (COMMANDS + 1,), where the rules of each later command begin.  limits : int64,
    shape (LIMITS,).  answer : int64, shape (5,), out.
    """
    banks = limits[BANKS]
    state = np.zeros((3, banks), np.int64)
    state[0] = -1
    last = np.full((COMMANDS, banks + limits[GROUPS] + 1), _LONG_AGO, np.int64)
    together = np.zeros(banks, np.int64)
    bus = np.full(2, _LONG_AGO, np.int64)
    slots = np.zeros(4, np.int64)
    recent = np.full(limits[XAW], _LONG_AGO, np.int64)
    activates, now = 0, np.int64(-1)
    answer[:] = 0
    for line in range(cycle.size):
        when, what = cycle[line], command[line]
        if not _in_order(line, when, what, bank[line], now, bus, slots, limits, answer):
            return
        met = _banks(what, bank[line], mode[line], together, banks)
        if not _rows_fit(line, when, what, row[line], met, state, limits, answer):
            return
        if not _spaced(
            line, when, met, rules, starts[what], starts[what + 1], last, limits, answer
        ):
            return
        if what == ACT:
            if mode[line] == 0:
                # a ring of the last XAW activates: its oldest entry must have left the window
                first = recent[activates % limits[XAW]]
                if when - first < limits[WINDOW]:
                    _fault(answer, TOO_MANY, line, bank[line], first)
                    return
                recent[activates % limits[XAW]] = when
                activates += 1
            together[bank[line]] = 1 if met[1] - met[0] > 1 else 0
        _note(when, what, row[line], met, state, last, limits)
        now = when
    _ends(cycle.size, now, state, limits, answer)


@kernel
def replay_together(cycle, command, least, opens, closes, needs, refresh, limits, answer):
    """Replay commands that all go to all banks; `answer` tells the first fault.

    cycle, command : int64, shape (n,), codes 0..types - 1.  least : int64, shape (types, types),
    cycles from the last command of the row's type to one of the column's (0: no rule).  opens,
    closes, refresh : the types that open a row, close it and refresh.  needs : int64,
    shape (types,), 1 where the row must be open.  limits : int64, shape (2,), cycles a row may stay
    open and banks may go without refresh (0: no limit).  answer : int64, shape (5,), out; its RULE
    is the type of the earlier command.
    """
    types = least.shape[0]
    last = np.full(types, _LONG_AGO, np.int64)
    is_open, since, refreshed, now = False, np.int64(0), np.int64(0), np.int64(-1)
    answer[:] = 0
    for line in range(cycle.size):
        when, what = cycle[line], command[line]
        if when <= now:
            _fault(answer, OUT_OF_ORDER, line, 0, now)
            return
        if needs[what] == 1 and not is_open:
            _fault(answer, WRONG_ROW, line, 0, -1)
            return
        if (what in (opens, refresh)) and is_open:
            _fault(answer, ROW_OPEN, line, 0, 0)
            return
        if what == closes and not is_open:
            _fault(answer, NO_ROW, line, 0, -1)
            return
        for before in range(types):
            if least[before, what] > 0 and when - last[before] < least[before, what]:
                answer[RULE] = before
                _fault(answer, TOO_SOON, line, 0, last[before])
                return
        if what == closes and 0 < limits[0] < when - since:
            _fault(answer, OPEN_LONG, line, 0, since)
            return
        if what == refresh:
            if 0 < limits[1] < when - refreshed:
                _fault(answer, NO_REFRESH, line, 0, refreshed)
                return
            refreshed = when
        if what == opens:
            is_open, since = True, when
        elif what == closes:
            is_open = False
        last[what], now = when, when
    if is_open and 0 < limits[0] < now - since:
        _fault(answer, OPEN_LONG, cycle.size - 1, 0, since)
    elif 0 < limits[1] < now - refreshed:
        _fault(answer, NO_REFRESH, cycle.size - 1, 0, refreshed)
