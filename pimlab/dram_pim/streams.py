"""Which requests does a channel get, and in what order? The command streams of in-bank products and
of host traffic.

A stream is written once for one channel: all channels work in lockstep. Requests that address all
banks of one parity have scope 1 and bank 0 (even) or 1 (odd).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pimlab.dram_pim.geometry import BankPairs, Banks
from pimlab.kernels.dram_timing import READ, WRITE

MODE, INPUT, MAC, RESULT, HOST = (
    "mode switching",
    "input broadcast",
    "in-bank MAC",
    "result write",
    "host access",
)
PHASES = (MODE, INPUT, MAC, RESULT, HOST)


@dataclass(frozen=True)
class Stream:
    """Requests of one channel.

    requests : int64, shape (n, 6): kind, bank, row, scope, barrier, hold
    (`pimlab.kernels.dram_timing`).  column : int64, shape (n,);  phase : int64, shape (n,), index
    into PHASES.
    """

    requests: np.ndarray
    column: np.ndarray
    phase: np.ndarray

    def __len__(self) -> int:
        return len(self.column)


def _block(
    kind: int,
    bank: np.ndarray | int,
    row: np.ndarray | int,
    column: np.ndarray | int,
    scope: int,
    phase: str,
    barriers: int,
) -> Stream:
    """Requests of one kind, with a barrier on every `barriers`-th."""
    bank, row, column = np.broadcast_arrays(np.atleast_1d(bank), row, column)
    barrier = (np.arange(1, bank.size + 1) % barriers) == 0
    table = [
        np.full(bank.size, kind),
        bank,
        row,
        np.full(bank.size, scope),
        barrier,
        np.full(bank.size, phase == MODE),
    ]
    return Stream(
        np.stack(table, axis=1).astype(np.int64),
        column.astype(np.int64),
        np.full(bank.size, PHASES.index(phase)),
    )


def _join(parts: list[Stream]) -> Stream:
    return Stream(
        *(np.concatenate([getattr(p, f) for p in parts]) for f in ("requests", "column", "phase"))
    )


def _repeat(one: Stream, times: int, row: np.ndarray, moved: np.ndarray) -> Stream:
    """`one` repeated, the rows where `moved` shifted by `row` (times,)."""
    requests = np.tile(one.requests, (times, 1))
    requests[:, 2] += np.repeat(row, len(one)) * np.tile(moved, times)
    return Stream(requests, np.tile(one.column, times), np.tile(one.phase, times))


def _bank_order(org: BankPairs) -> np.ndarray:
    """Banks with the groups interleaved, so that neighbours never share one."""
    return np.arange(org.banks).reshape(org.bank_groups, -1).T.reshape(-1)


def _park(org: BankPairs) -> Stream:
    return _block(READ, _bank_order(org), org.rows // 4, 0, 0, MODE, org.banks)


def _enter(org: BankPairs) -> Stream:
    """All banks closed, into all-bank mode, program the units, start them."""
    last = org.rows - 1
    half = org.banks // 2
    keys = np.array([0, half, 1, half + 1]) if half > 1 else np.array([0, 1])
    switch = _block(WRITE, keys, 3 * org.rows // 8 - 1, org.columns - 1, 0, MODE, len(keys))
    program = _block(WRITE, 1, last, 4 % org.columns, 1, MODE, 1)
    return _join([_park(org), switch, program, _block(WRITE, 0, last, 0, 1, MODE, 1)])


def _leave(org: BankPairs) -> Stream:
    stop = _block(WRITE, 0, org.rows - 1, 0, 1, MODE, 1)
    switch = _block(WRITE, np.array([0, 1]), org.rows // 2 - 1, org.columns - 1, 1, MODE, 2)
    return _join([stop, switch, _park(org)])


def _columns(kind: int, bank: int, first: int, count: int, org: BankPairs, phase: str) -> Stream:
    """`count` columns of all banks of one parity from linear column `first`, a barrier after every
    register's worth.
    """
    at = first + np.arange(count)
    return _block(kind, bank, at // org.columns, at % org.columns, 1, phase, org.registers)


def _load_inputs(org: BankPairs) -> Stream:
    # the registers answer to columns of the last row
    column = (org.registers + np.arange(org.registers)) % org.columns
    return _block(WRITE, 1, org.rows - 1, column, 1, INPUT, org.registers)


def _tiles(org: BankPairs, parity: int, count: int) -> Stream:
    """Inputs broadcast and weights read of `count` tiles in the banks of one parity."""
    one = _join([_load_inputs(org), _columns(READ, parity, 0, org.reads_per_tile, org, MAC)])
    reads = one.phase == PHASES.index(MAC)
    linear = np.arange(count)[:, None] * org.reads_per_tile + np.arange(org.reads_per_tile)
    requests = np.tile(one.requests, (count, 1))
    column = np.tile(one.column, count)
    where = np.tile(reads, count)
    requests[where, 2] = linear.reshape(-1) // org.columns
    column[where] = linear.reshape(-1) % org.columns
    return Stream(requests, column, np.tile(one.phase, count))


def gemv(org: BankPairs, outputs: int, inputs: int, batch: int) -> Stream:
    """`batch` products with an `inputs` x `outputs` matrix that lies in the banks, parking and mode
    switches included.

    A tile of inputs is broadcast to the unit registers, then every unit reads its weights column by
    column; lane sums are written to the banks after the last tile.
    """
    out, even, odd = org.tiles(outputs, inputs)
    weights = -(-even * org.reads_per_tile // org.columns)
    result = _columns(WRITE, 1, weights * out * org.columns, org.registers, org, RESULT)
    restart = _block(WRITE, 0, np.full(2, org.rows - 1), 0, 1, MODE, 1)
    one = _join([_tiles(org, 0, even), _tiles(org, 1, odd), result, restart])
    moved = (one.phase == PHASES.index(MAC)).astype(np.int64)
    body = _repeat(one, out * batch, np.repeat(np.arange(out), batch) * weights, moved)
    # the last pass's stop and start are the one stop of `_leave`
    body = Stream(*(getattr(body, f)[:-2] for f in ("requests", "column", "phase")))
    return _join([_enter(org), body, _leave(org)])


OPERATORS = {
    "add": (READ, READ, WRITE),
    "mul": (READ, READ, WRITE),
    "mad": (READ, READ, READ, WRITE),
    "mac": (READ, READ, READ, WRITE),
    "relu": (READ, WRITE),
    "mov": (READ, WRITE),
}
"""Element-wise operators of the unit: the operands it reads from the banks, and the result it
writes.
"""


def elementwise(org: BankPairs, op: str, elements: int) -> Stream:
    """`op` on `elements` numbers whose operands lie row by row in the banks, parking and mode
    switches included.
    """
    steps = -(-elements // org.elements_per_step)
    vector = org.rows // 128
    if -(-steps * org.registers // org.columns) > vector:
        raise ValueError(
            f"{elements} elements need more than {vector} rows a bank for each operand of {op!r}; "
            "split the vectors"
        )
    parts = []
    for step in range(steps):
        for parity in (0, 1):
            for operand, kind in enumerate(OPERATORS[op]):
                first = operand * vector * org.columns + step * org.registers
                parts.append(
                    _columns(
                        kind, parity, first, org.registers, org, RESULT if kind == WRITE else MAC
                    )
                )
    return _join([_enter(org), *parts, _leave(org)])


def refuse_beyond(org: Banks, accesses: int) -> None:
    """ValueError where a channel has fewer column accesses than asked."""
    room = org.rows * org.columns * org.banks * org.ranks
    if accesses > room:
        raise ValueError(
            f"{accesses} column accesses a channel do not fit; a channel has {room} ({org.rows} "
            "rows a bank)"
        )


def host(org: Banks, accesses: int, kind: int = READ, first: int = 0) -> Stream:
    """`accesses` consecutive column accesses by a host, bank groups and banks interleaved before
    columns and rows.
    """
    refuse_beyond(org, first + accesses)
    at = first + np.arange(accesses)
    per_group, near = org.banks // org.bank_groups, min(org.bank_groups, 2)
    group, at = at % near, at // near
    inner, at = at % per_group, at // per_group
    group, at = group + near * (at % (org.bank_groups // near)), at // (org.bank_groups // near)
    column, row = at % org.columns, at // org.columns
    return _block(kind, group * per_group + inner, row, column, 0, HOST, accesses + 1)


def join(*streams: Stream) -> Stream:
    """One stream after another, in one queue."""
    return _join(list(streams))
