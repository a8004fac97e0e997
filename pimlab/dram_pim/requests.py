"""How long does attention take where each request has one channel, and a bank group's rows open at
a time?

The mapping is NeuPIMs' (ASPLOS 2024, after Newton): a request's cache lies in one channel. A row of
all its banks holds a key of each bank for as many heads as fit side by side, or a feature of a
head's values in each bank. Before a row is multiplied its bank groups open one after another, tFAW
apart, since one command opens as many rows as the window allows.
"""

from __future__ import annotations

from pimlab.dram_pim.heads import HeadUnits
from pimlab.values import integer


class RequestUnits(HeadUnits):
    """Units in every bank; heads of one request share its channel.

    >>> units = pim.dram_pim.head_units("neupims")
    >>> one, two = (units.cycles(context=300, heads=n, width=128) for n in (1, 2))
    >>> one < two < 2 * one
    True
    """

    request_heads: int = integer(1, 1 << 20, doc="heads of one request")
    write_cycles: int = integer(0, 1 << 20, doc="cycles in which a channel takes up one input row")

    def row(self) -> int:
        """Values of a row of one bank (unit: values)."""
        return self.columns * self.lanes

    def _tile(self, products: int, results: int) -> int:
        """Cycles of one row of all banks: bank groups opened in turn, products, results read, the
        row closed.
        """
        t = self.timing
        opening = (self.bank_groups - 1) * t.tXAW + t.tRCDRD
        return opening + products * self.gap + results * t.tCCDS + t.read_to_precharge + t.tRP

    def scores(self, context: int, heads: int, width: int) -> int:
        """Cycles of a request's scores in its channel: `heads` heads, those that fit side by side
        in one row with one input row. Unit: cycles.
        """
        tokens = -(-context // (self.bank_groups * self.banks))
        each, beside = -(-width // self.lanes), max(self.row() // width, 1)
        whole, left = divmod(heads, beside)
        turns = [beside] * whole + [left] * bool(left)
        return sum(self.write_cycles + tokens * self._tile(n * each, n) for n in turns)

    def values(self, context: int, heads: int, width: int) -> int:
        """Cycles of a request's values in its channel: a row of tokens of one head and feature a
        bank; products come in powers of two. Unit: cycles.
        """
        features = -(-width // (self.bank_groups * self.banks))
        pieces = [self.row()] * (context // self.row()) + [context % self.row()] * bool(
            context % self.row()
        )
        each = (1 << (-(-tokens // self.lanes) - 1).bit_length() for tokens in pieces)
        return heads * sum(self.write_cycles + features * self._tile(n, 1) for n in each)

    def cycles(self, context: int, heads: int, width: int) -> float:
        """Cycles of `heads` heads, dealt out to channels by request, refresh included."""
        self._checked(context, heads, width)
        requests, left = divmod(heads, self.request_heads)
        sides = self.stacks * self.channels
        most = [self.request_heads] * -(-requests // sides)
        if left and requests % sides == 0:
            most = [*most, left]
        busy = sum(self.scores(context, n, width) + self.values(context, n, width) for n in most)
        t = self.timing
        return busy / (1 - (t.tRFC + t.tRP + t.tRCDRD) / t.tREFI)
