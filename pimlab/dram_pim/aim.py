"""GDDR6-AiM: how long does a product take when every bank has 16 multipliers and a global buffer
broadcasts the inputs?

Commands go to all banks at once and in order, so one table of gaps between command types is the
whole timing model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from pimlab.dram_pim import prices as event
from pimlab.dram_pim.activation import FUNCTIONS
from pimlab.dram_pim.machine import NOTHING, Summary, Table, stretched, summary
from pimlab.dram_pim.pins import PinnedBanks
from pimlab.dram_pim.timing import AimTiming, Timing
from pimlab.kernels import dram_timing as kernel
from pimlab.values import choice, integer, unknown

COMMANDS = (
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
"""Write the global buffer; write, use and read the accumulators; change command class; open, close,
multiply, refresh all banks; look the accumulators up in the open table row; read the results of
that.
"""
WRGB, WRMAC, MAC16, RDMAC, TMOD, ACT16, PREA, EWMUL, REFAB, AF16, RDAF = range(11)
_PHASES = (
    "input broadcast",
    "input broadcast",
    "in-bank MAC",
    "result read",
    "mode switching",
    "row opening",
    "row closing",
    "element-wise product",
    "refresh",
    "table look-up",
    "result read",
)
LONGEST = 400_000
"""Commands that are scheduled one by one; beyond, equal passes repeat."""


def gaps(t: AimTiming) -> np.ndarray:
    """int64, shape (types, types): cycles from a command to a later one; 0 where no rule holds."""
    table = np.zeros((len(COMMANDS),) * 2, np.int64)
    bus = max(t.burst, t.tCCDS)
    for (before, after), cycles in {
        (WRGB, WRGB): bus,
        (WRGB, WRMAC): bus,
        (WRMAC, WRGB): bus,
        (WRMAC, WRMAC): bus,
        (MAC16, MAC16): t.tCCDL,
        (EWMUL, EWMUL): t.tCCDL,
        (RDMAC, WRMAC): t.tREG,
        (RDMAC, WRGB): t.tREG,
        (RDMAC, RDMAC): bus,
        (ACT16, MAC16): t.tRCDMAC,
        (ACT16, EWMUL): t.tRCDEW,
        (ACT16, PREA): t.tRAS,
        (ACT16, ACT16): t.tRC,
        (MAC16, PREA): t.tRTPL,
        (EWMUL, PREA): t.WL + t.tWR,
        (PREA, ACT16): t.tRP,
        (PREA, REFAB): t.tRP,
        (REFAB, ACT16): t.tRFC,
        (REFAB, REFAB): t.tRFC,
        (ACT16, AF16): t.tRCDAF,
        (AF16, AF16): t.tCCDL,
        (AF16, PREA): t.tRTPL,
        (RDAF, TMOD): t.tREG,
        (RDMAC, TMOD): t.tREG,
        (RDAF, WRMAC): t.tREG,
        (RDAF, WRGB): t.tREG,
        (RDAF, RDAF): bus,
    }.items():
        table[before, after] = cycles
    others = np.arange(len(COMMANDS)) != REFAB
    table[TMOD, others] = np.maximum(table[TMOD, others], t.tMOD)
    return table


@dataclass(frozen=True)
class AimRun:
    """What was issued on one channel: commands int64, shape (n,) and their cycles (n,), cycles to
    the end of the last one, the row that each ACT16 opens, in order, and the events over all
    channels.
    """

    commands: np.ndarray
    issued: np.ndarray
    cycles: int
    opened: np.ndarray
    events: Mapping[str, int] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        """Commands by type (unit: commands)."""
        number = np.bincount(self.commands, minlength=len(COMMANDS))
        return {name: int(count) for name, count in zip(COMMANDS, number, strict=True)}

    def phases(self) -> dict[str, int]:
        """Cycles by phase: each command ends a span that is its own (unit: cycles); what follows a
        refresh is that of the refresh.
        """
        spans = np.diff(self.issued, prepend=0)
        spans[-1] += self.cycles - self.issued[-1]
        after = np.concatenate([[False], self.commands[:-1] == REFAB])
        owner = np.where(after, REFAB, self.commands)
        total = np.bincount(owner, weights=spans, minlength=len(COMMANDS))
        phases: dict[str, int] = {}
        for name, cycles in zip(_PHASES, total, strict=True):
            if cycles:
                phases[name] = phases.get(name, 0) + int(cycles)
        return phases

    def table(self) -> Table:
        """The commands of the channel, all of them to all banks."""
        none = np.zeros_like(self.commands)
        opens, computes, fills = (
            self.commands == ACT16,
            np.isin(self.commands, (MAC16, EWMUL)),
            self.commands == WRGB,
        )
        row = self.opened[np.maximum(np.cumsum(opens) - 1, 0)] if opens.any() else none
        column = _since(computes, opens) + _since(fills, ~fills)
        return Table(COMMANDS, self.issued, self.commands, none, row, column, none + 1)


def _since(counted: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """int64, shape (n,): where `counted`, how many of them there were since the last of `starts`; 0
    elsewhere.
    """
    total = np.cumsum(counted)
    return np.where(counted, total - 1 - np.maximum.accumulate(np.where(starts, total, 0)), 0)


def issue(commands: np.ndarray, opened: np.ndarray, t: AimTiming, refresh: bool) -> AimRun:
    """Issue `commands` in order from cycle 0, ACT16 opening the rows `opened`; the run ends when
    the last one's data could be followed by a write. Unit: cycles.
    """
    table = gaps(t)
    cycles, refreshed = np.empty(len(commands), np.int64), np.empty(len(commands) + 8, np.int64)
    interval = t.tREFI if refresh else 1 << 60
    count = kernel.in_order(commands, table, ACT16, REFAB, interval, cycles, refreshed)
    every = np.concatenate([commands, np.full(count, REFAB)])
    when = np.concatenate([cycles, refreshed[:count]])
    order = np.argsort(when, kind="stable")
    return AimRun(every[order], when[order], int(when.max()) + t.tREG, opened)


class AimPim(PinnedBanks):
    """Banks with `lanes` multipliers and an adder tree each; a global buffer holds the inputs of
    one row.

    loop : "outputs first" finishes one group of outputs before the next (its inputs are broadcast
    again for each group); "inputs first" broadcasts a chunk of inputs once and reads partial sums
    back after each chunk.
    after : the accumulators are read, or looked up in the bank's table of an activation function
    and the results read.
    """

    lanes: int = integer(1, 1024, doc="multipliers a bank")
    loop: str = choice("outputs first", "inputs first", default="outputs first")
    after: str = choice(
        "read", "look up", default="read", doc="what follows a group's last product"
    )

    def check_timing(self, t: Timing | None) -> None:
        """Banks that compute together need an `AimTiming`."""
        super().check_timing(t)
        _checked(t)

    def bandwidth_ratio(self, t: Timing | None) -> float:
        """Bits a cycle that all banks of a channel read, over bits a cycle through its pins (unit
        1).
        """
        t = _checked(t)
        return self.banks * t.tCCDS / t.tCCDL

    @property
    def outputs_per_tile(self) -> int:
        """Outputs of one group: one a bank (unit: outputs)."""
        return self.channels * self.banks

    @property
    def inputs_per_tile(self) -> int:
        """Inputs of one chunk: the weights of one row (unit: inputs)."""
        return self.columns * self.lanes

    @property
    def operators(self) -> tuple[str, ...]:
        """Element-wise operators in the banks: a product, and activation functions by table."""
        return ("mul", *FUNCTIONS)

    @property
    def activations(self) -> tuple[str, ...]:
        """Vector operators that the banks answer by table."""
        return tuple(FUNCTIONS)

    @property
    def weight_bits(self) -> int:
        """Bits of one weight as it lies in the banks (unit: bits)."""
        return self.access_bits // self.lanes

    def chunks(self, outputs: int, inputs: int) -> tuple[int, np.ndarray]:
        """Groups of outputs, and column accesses of each chunk of inputs; ValueError when the rows
        do not hold them. The accesses are int64, shape (chunks,).
        """
        groups, whole = -(-outputs // self.outputs_per_tile), -(-inputs // self.inputs_per_tile)
        needed = self._rows_of(outputs, inputs)
        if needed > self.rows:
            raise ValueError(
                f"a {inputs} x {outputs} matrix needs {needed} rows a bank; there are "
                f"{self.rows} rows a bank"
            )
        reads = np.full(whole, self.columns)
        reads[-1] = -(-(inputs - (whole - 1) * self.inputs_per_tile) // self.lanes)
        return groups, reads

    def groups_per_row(self, inputs: int, compat: str | None = None) -> int:
        """Groups of outputs whose weights lie in one row: several where half a row holds the inputs
        (the tool gives each group a row of its own) (unit: groups).
        """
        return 1 if compat else max(self.columns // -(-inputs // self.lanes), 1)

    def _rows_of(self, outputs: int, inputs: int) -> int:
        """Rows of each bank that a matrix takes up."""
        groups, whole = -(-outputs // self.outputs_per_tile), -(-inputs // self.inputs_per_tile)
        return -(-groups * whole // self.groups_per_row(inputs))

    def occupancy(self, outputs: int, inputs: int) -> float:
        """Share of the rows that a matrix takes up (unit 1)."""
        return self._rows_of(outputs, inputs) / self.rows

    def macs_done(self, outputs: int, inputs: int, batch: int) -> int:
        """Multiply-accumulates of `batch` products, padding included (unit: MACs)."""
        groups, reads = self.chunks(outputs, inputs)
        return groups * self.outputs_per_tile * int(reads.sum()) * self.lanes * batch

    def elements_done(self, elements: int, op: str = "mul") -> int:
        """Elements of an element-wise operator, padding included (unit: elements). A product: one
        bank of each four holds the result; a function by table: one accumulator a bank.
        """
        step = (
            self.outputs_per_tile
            if op in FUNCTIONS
            else self.channels * self.bank_groups * self.lanes
        )
        return -(-elements // step) * step

    def commands(
        self, outputs: int, inputs: int, batch: int, compat: str | None = None
    ) -> np.ndarray:
        """int64, shape (n,), the commands of `batch` products in order."""
        groups, reads = self.chunks(outputs, inputs)
        together = self.groups_per_row(inputs, compat)
        if together > 1 and self.after == "read":
            return self._packed(groups, int(reads[0]), together, batch)
        # partial sums of all but the last chunk are read as they are
        last = [PREA, ACT16, AF16, TMOD, RDAF] if self.after == "look up" else [TMOD, RDMAC]
        ends = [*[[TMOD, RDMAC]] * (len(reads) - 1), last]
        if self.loop == "outputs first":
            chunk = [
                np.r_[[WRGB] * n, TMOD, PREA, ACT16, [MAC16] * n, end[:-1]]
                for n, end in zip(reads, ends, strict=True)
            ]
            body = np.tile(np.concatenate([[WRMAC], *chunk, last[-1:]]), groups * batch)
        else:
            one = [
                np.concatenate(
                    [[WRGB] * n, np.tile(np.r_[WRMAC, TMOD, PREA, ACT16, [MAC16] * n, end], groups)]
                )
                for n, end in zip(reads, ends, strict=True)
            ]
            body = np.tile(np.concatenate(one), batch)
        return _without_first_precharge(np.concatenate([[TMOD], body]))

    def _packed(self, groups: int, reads: int, together: int, batch: int) -> np.ndarray:
        """The commands where one row holds several groups: it is opened for the first of them."""
        fill, product = [WRGB] * reads, [*[MAC16] * reads, TMOD, RDMAC]
        if self.loop == "outputs first":
            first, later = [WRMAC, *fill, TMOD, PREA, ACT16, *product], [WRMAC, *fill, TMOD]
        else:
            first, later = [WRMAC, TMOD, PREA, ACT16, *product], [WRMAC, TMOD]
        one = [*first, *[*later, *product] * (together - 1)]
        body = np.tile(np.array(one), groups // together)
        if left := groups % together:
            body = np.r_[body, first, [*later, *product] * (left - 1)].astype(np.int64)
        if self.loop == "inputs first":
            body = np.r_[fill, body]
        return _without_first_precharge(np.concatenate([[TMOD], np.tile(body, batch)]))

    def opened(
        self, outputs: int, inputs: int, batch: int, compat: str | None = None
    ) -> np.ndarray:
        """int64, shape (activates,), the row that each opens: the weights of one chunk of one group
        or of several groups, or the tables in the last row.
        """
        groups, reads = self.chunks(outputs, inputs)
        together = self.groups_per_row(inputs, compat)
        if together > 1 and self.after == "read":
            return np.tile(np.arange(-(-groups // together)), batch)
        weights = np.arange(groups * len(reads)).reshape(groups, len(reads)) // together
        if self.loop == "inputs first":
            weights = weights.T
        rows = weights.reshape(-1)
        if self.after == "look up":
            # the tables follow the last chunk of each group
            last = np.flatnonzero(np.tile(np.arange(len(reads)), groups) == len(reads) - 1)
            if self.loop == "inputs first":
                last = np.arange(rows.size - groups, rows.size)
            rows = np.insert(rows, last + 1, self.rows - 1)
        return np.tile(rows, batch)

    def gemv(
        self,
        t: Timing | None,
        outputs: int,
        inputs: int,
        batch: int,
        refresh: bool,
        compat: str | None,
    ) -> AimRun:
        """The whole schedule of `batch` products on one channel; `compat="aim_simulator"` never
        refreshes. Unit: cycles.
        """
        commands = self.commands(outputs, inputs, batch, compat)
        opened = self.opened(outputs, inputs, batch, compat)
        return self._run(commands, opened, t, refresh, compat)

    def gemv_summary(
        self,
        t: Timing | None,
        outputs: int,
        inputs: int,
        batch: int,
        refresh: bool,
        compat: str | None,
    ) -> Summary:
        """What `batch` products cost; many equal ones are scheduled in part and repeated. Unit:
        cycles.
        """
        _refreshes(compat)
        return _gemv_summary(self, _checked(t), outputs, inputs, batch, refresh, compat)

    def elementwise(
        self, t: Timing | None, op: str, elements: int, refresh: bool, compat: str | None
    ) -> AimRun:
        """The schedule of an element-wise operator. A product: a row is opened, its columns
        multiplied, the row closed. Unit: cycles.
        """
        if op in FUNCTIONS:
            commands = self.look_ups(_checked(t), elements)
            return self._run(commands, np.full(len(commands), self.rows - 1), t, refresh, compat)
        columns = self.elements_done(elements) // (self.channels * self.bank_groups * self.lanes)
        rows = np.full(-(-columns // self.columns), self.columns)
        rows[-1] = columns - (len(rows) - 1) * self.columns
        if len(rows) > self.rows:
            raise ValueError(
                f"{elements} elements need {len(rows)} rows a bank, there are {self.rows}; split "
                "the vectors"
            )
        body = np.concatenate([np.r_[PREA, ACT16, [EWMUL] * n] for n in rows])
        commands = _without_first_precharge(body)
        return self._run(commands, np.arange(len(rows)), t, refresh, compat)

    def _run(
        self,
        commands: np.ndarray,
        opened: np.ndarray,
        t: Timing | None,
        refresh: bool,
        compat: str | None,
    ) -> AimRun:
        done = issue(commands, opened, _checked(t), refresh and _refreshes(compat))
        return replace(done, events=self._caused(done))

    def look_ups(self, t: AimTiming, elements: int) -> np.ndarray:
        """int64, shape (n,), the commands of an activation function: the accumulators are written,
        looked up in the tables' row and read.

        The row is closed and opened again once an interval of refreshes, which need it closed.
        """
        steps = self.elements_done(elements, "relu") // self.outputs_per_tile
        one = np.r_[WRMAC, TMOD, AF16, TMOD, RDAF]
        once = max((t.tREFI - t.tRFC - t.tRCDAF - t.tRC) // (3 * t.tMOD + t.tREG + 2), 1)
        body = [
            np.r_[TMOD, PREA, ACT16, np.tile(np.r_[TMOD, one], min(once, steps - first))]
            for first in range(0, steps, once)
        ]
        return _without_first_precharge(np.concatenate(body))

    def _caused(self, done: AimRun) -> dict[str, int]:
        """Events over all channels of a run: rows, bits by path, register bits and arithmetic."""
        n, every = done.counts(), self.channels * self.banks
        accesses = n["WRGB"] + n["WRMAC16"] + n["RDMAC16"] + n["RDAF16"]
        return {
            event.ACTIVATE: n["ACT16"] * every,
            event.BANK_BIT: (n["MAC16"] + n["EWMUL16"] + n["AF16"]) * every * self.access_bits,
            # between two entries of the table lies one multiplication and addition a bank
            event.MAC: (n["MAC16"] * self.lanes + n["AF16"]) * every
            + n["EWMUL16"] * self.channels * self.bank_groups * self.lanes,
            event.REGISTER_BIT: accesses * self.channels * self.access_bits,
            event.ARRAY_BIT: 0,
            event.ARRAY_WRITE_BIT: 0,
            event.IO_BIT: accesses * self.channels * self.access_bits,
        }

    def all_banks(self, t: Timing | None) -> tuple[dict[str, int], int]:
        """(events over all channels, cycles) of one row's life in all banks: opened, every column
        multiplied, closed. Unit: events and cycles.
        """
        aim, every = _checked(t), self.channels * self.banks
        reads = every * self.columns
        events = {
            event.ACTIVATE: every,
            event.BANK_BIT: reads * self.access_bits,
            event.MAC: reads * self.lanes,
        }
        return events, aim.tRCDMAC + (self.columns - 1) * aim.tCCDL + aim.tRTPL + aim.tRP

    def results(self, t: Timing | None, outputs: int, inputs: int, batch: int) -> Summary:
        """Results come back through the accumulators within the product. Unit: cycles."""
        return NOTHING


def _without_first_precharge(commands: np.ndarray) -> np.ndarray:
    """All banks are closed at the start."""
    return np.delete(commands, np.flatnonzero(commands == PREA)[0])


def _checked(t: Timing | None) -> AimTiming:
    if not isinstance(t, AimTiming):
        raise TypeError(
            f"GDDR6-AiM timing={t.name if t else None!r} is not an AimTiming, such as "
            "timing('gddr6-aim')"
        )
    return t


def _refreshes(compat: str | None) -> bool:
    if compat not in (None, "aim_simulator"):
        raise ValueError(unknown("compat", compat, ("aim_simulator",)))
    return compat is None


@lru_cache(maxsize=512)
def _gemv_summary(
    org: AimPim,
    t: AimTiming,
    outputs: int,
    inputs: int,
    batch: int,
    refresh: bool,
    compat: str | None,
) -> Summary:
    one = 2 * org.macs_done(outputs, inputs, 1) // (org.outputs_per_tile * org.lanes)
    many = max(LONGEST // one, 4)
    if batch <= many:
        return summary(org.gemv(t, outputs, inputs, batch, refresh, compat))
    few, most = (org.gemv(t, outputs, inputs, n, refresh, compat) for n in (many // 2, many))
    return stretched(few, most, (many // 2, many), batch)
