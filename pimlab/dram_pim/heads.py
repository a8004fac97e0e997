"""How long does attention take in an HBM stack whose units sit at the banks, at the bank groups or
on the buffer die?

The mapping is AttAcc's (ASPLOS 2024): a head lives in one channel (or in `spread` of them, each
with a part of its tokens), its keys dealt out over the units by token and its features over the
banks of a group; scores go to softmax units on the buffer die and come back. Two heads of a channel
take turns, so one moves while the other multiplies; the last of an odd number has nobody to hide
behind.
"""

from __future__ import annotations

import math

from pimlab.arguments import typed
from pimlab.constants import Constant
from pimlab.dram_pim.timing import Timing
from pimlab.values import Value, choice, integer, part

LEVELS = ("bank", "bank group", "buffer")
_WORD = 16
_SCORES = 256


class HeadUnits(Value):
    """Units of one level in `stacks` HBM stacks, each with the heads of its channels.

    >>> units = pim.dram_pim.head_units("attacc", level="bank")
    >>> units.seconds(context=2048, heads=384, width=128) < 3e-5
    True
    >>> units.mapped(context=131072, heads=8, width=128).spread
    20
    """

    level: str = choice(*LEVELS, doc="where the units sit")
    timing: Timing = part(Timing)
    stacks: int = integer(1, 4096)
    channels: int = integer(1, 4096, doc="of one stack")
    pseudochannels: int = integer(1, 8, doc="of one channel, in lockstep")
    ranks: int = integer(1, 8)
    bank_groups: int = integer(1, 16)
    banks: int = integer(1, 64, doc="banks of a group")
    rows: int = integer(1, 1 << 24, doc="rows of a bank")
    columns: int = integer(1, 1 << 16, doc="columns of a row")
    lanes: int = integer(1, 1024, doc="multipliers of a unit")
    gap: int = integer(1, 1024, doc="cycles between two products of all units")
    softmax_cycles: int = integer(0, 1 << 20, doc="of 256 scores")
    spread: int = integer(
        1,
        1 << 20,
        default=1,
        doc="channels that share the tokens of one head: 1 is head-parallel, all of them "
        "token-parallel",
    )
    read: Constant = part(Constant, doc="energy of a bit from the cells to its unit")
    moved: Constant = part(Constant, doc="energy of a bit between banks and the buffer die")
    multiply: Constant = part(Constant, doc="energy of a multiply-accumulate")

    @property
    def capacity(self) -> int:
        """Bytes of all stacks (unit: bytes)."""
        banks = self.pseudochannels * self.ranks * self.bank_groups * self.banks
        bits = self.stacks * self.channels * banks * self.rows * self.columns * self.lanes * _WORD
        return bits // 8

    def steps(self, context: int, width: int) -> int:
        """All-unit products that one head's scores, or its values, take in its channel."""
        if self.level == "buffer":
            return -(-context // self.pseudochannels) * -(-width // self.lanes)
        tokens = -(-context // (self.pseudochannels * self.ranks * self.bank_groups))
        beside = self.banks if self.level == "bank" else 1
        return tokens * -(-width // (self.lanes * beside))

    def check(self) -> None:
        """A head has at most all channels."""
        if self.spread > self.stacks * self.channels:
            raise ValueError(
                f"HeadUnits spread={self.spread} is more than the {self.stacks * self.channels} "
                f"channels of {self.stacks} stacks"
            )

    @typed
    def mapped(self, context: int, heads: int, width: int) -> HeadUnits:
        """These units with the `spread` that is fastest for such heads: of equal ones the least
        (unit: channels).
        """
        total = self.stacks * self.channels
        tried = {-(-total // turns) for turns in range(1, total + 1)}
        found = [self.but(spread=one) for one in sorted(tried)]
        return min(found, key=lambda units: units.cycles(context, heads, width))

    def _head(self, context: int, width: int) -> float:
        """Cycles of one head's products, its rows opened, without refresh. Only units in every bank
        wait for rows: of the others, the next bank's opens meanwhile.
        """
        t, steps = self.timing, 2 * self.steps(context, width)
        opening = t.tRTPL + t.tRP + t.tRCDRD - self.gap
        rows = math.ceil(steps / self.columns) if self.level == "bank" else 1
        return steps * self.gap + rows * max(opening, 0)

    def _moves(self, context: int, width: int) -> float:
        """Cycles in which a head's query, weights and softmax move without products beside them."""
        ways = self.ranks * self.bank_groups
        query = -(-width // self.lanes)
        back = ways * -(-context // (self.pseudochannels * ways * self.lanes))
        softmax = -(-context // _SCORES) * self.softmax_cycles
        return (query + back) * self.timing.tCCDL + softmax

    def _gathered(self, width: int) -> float:
        """Cycles in which the buffer die adds the parts of a head's result, and the sums and
        largest scores that its softmax needs, an access each.
        """
        return (self.spread - 1) * (-(-width // self.lanes) + 1) * self.timing.tCCDS

    def cycles(self, context: int, heads: int, width: int) -> float:
        """Cycles of `heads` heads of `width` features over `context` tokens, refresh included."""
        self._checked(context, heads, width)
        side = self.stacks * self.channels // self.spread
        turns, part = -(-heads // side), -(-context // self.spread)
        t = self.timing
        busy = turns * self._head(part, width) + turns % 2 * self._moves(part, width)
        busy += turns * self._gathered(width)
        lost = (t.tRFC + t.tRP + t.tRCDRD) / t.tREFI
        return busy / (1 - lost)

    def seconds(self, context: int, heads: int, width: int) -> float:
        """Seconds [s] of the same."""
        return self.cycles(context, heads, width) * self.timing.tCK

    def energy(self, context: int, heads: int, width: int) -> dict[str, float]:
        """Joules [J] of the same: cells and columns, movement to the buffer die and back, units."""
        self._checked(context, heads, width)
        values = 2 * context * width * heads
        moved = (2 * width + 2 * context) * heads * _WORD
        return {
            "DRAM columns": values * _WORD * self.read.value,
            "I/O": moved * self.moved.value,
            "MAC": values * self.multiply.value,
        }

    def _checked(self, context: int, heads: int, width: int) -> None:
        for name, value in (("context", context), ("heads", heads), ("width", width)):
            if value < 1:
                raise ValueError(f"HeadUnits {name}={value}; allowed: 1 or more")
        needed = 2 * context * width * heads * _WORD // 8
        if needed > self.capacity:
            raise ValueError(
                f"HeadUnits: the cache of {heads} heads of {context} tokens needs "
                f"{needed / 2**30:.1f} GiB, {self.stacks} stacks hold {self.capacity / 2**30:.1f} "
                f"GiB; {(needed - self.capacity) / 2**30:.1f} GiB are missing"
            )

    @property
    def cited(self) -> tuple[str, ...]:
        """Keys in `sources.bib` of every publication behind the units, sorted."""
        constants = (self.read, self.moved, self.multiply)
        return tuple(sorted({*self.timing.sources, *(s for c in constants for s in c.sources)}))
