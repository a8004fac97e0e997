"""How does a machine attend whose units sit at the banks, the bank groups or the buffer die of its
stacks, while another one does the rest? `HeadUnits` as a target.

The stacks serve products of a query with its cache; weights, and softmax where the buffer die has
no units for it, are a host's. In a plan that shares the DRAM with that host (`Plan.shared`) the two
take turns, or work at once where banks have a second row buffer (NeuPIMs, ASPLOS 2024).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np

from pimlab.cost import Price, Prices
from pimlab.dram_pim import layout
from pimlab.dram_pim.heads import HeadUnits
from pimlab.keys import Key
from pimlab.machine.protocol import (
    Calibration,
    MacOp,
    Programmed,
    Target,
    VectorOp,
    checked_operands,
    checked_weights,
)
from pimlab.machine.work import BANKS, DRAM
from pimlab.values import choice, part

COLUMN_BIT, MOVED_BIT, MAC = "column bit", "moved bit", "in-bank MAC"
"""Bits between cells and their unit; bits between banks and the buffer die or the pins;
multiply-accumulates.
"""
_WORD = 16


class _Heads(NamedTuple):
    """What one product of attention is to the units."""

    context: int
    heads: int
    width: int


class HeadStacks(Target):
    """Stacks that hold the cache of a decoder and attend beside it, in FP16 with float32 sums.

    A query of several heads that share a key (GQA) reads that key once for each of them, as AttAcc
    does. Standby of the stacks is in no file of these systems and is left out.

    >>> stacks = pim.dram_pim.head_stacks("attacc", level="bank")
    >>> model = pim.load_model("llama2-7b")
    >>> ds = pim.run(model, pim.Plan(model=model, machines=[stacks, pim.target("h100")]))
    >>> float(ds.latency.sel(layer="layer0.scores")) < 1e-5
    True
    """

    stage: ClassVar[int] = 2

    units: HeadUnits = part(HeadUnits, doc="where the units sit, and how many there are")
    row_buffers: str = choice(
        "one",
        "two",
        default="one",
        doc="two: others read through the pins while the banks compute",
    )

    def serves(self, op: MacOp | VectorOp) -> bool:
        """Products with a cache; softmax where the buffer die has units for it."""
        if isinstance(op, VectorOp):
            return op.kind == "softmax" and self.units.softmax_cycles > 0
        return op.kind == "activations" and op.cached

    def _heads(self, op: MacOp | VectorOp) -> _Heads:
        if isinstance(op, VectorOp) or not self.serves(op):
            raise ValueError(
                f"{self.name} does not serve {op.name!r} ({op}); allowed: products with a cache"
            )
        width = min(op.k, op.n) if op.appended is None else op.appended
        context = op.n if op.k == width else op.k
        return _Heads(context, op.groups * op.m, width)

    def occupancy(self, op: MacOp | VectorOp) -> float:
        """Share of the stacks that the keys, or the values, of `op` take up (unit 1)."""
        if isinstance(op, VectorOp) or not self.serves(op):
            return 0.0
        return op.groups * op.k * op.n * _WORD / 8 / self.units.capacity

    def program(
        self,
        w: np.ndarray,
        key: int | Key = 0,
        *,
        bias: np.ndarray | None = None,
        calibration: Calibration | None = None,
    ) -> HeldCache:
        """Keys or values as the banks hold them, in binary16. w : float32, shape (k, n)."""
        w, bias = checked_weights(w, bias, self.name)
        return HeldCache(self.name, w, bias)

    def events(self, op: MacOp | VectorOp) -> Mapping[str, int]:
        """Bits read from cells, bits moved (query or weights in, scores or results out, the key or
        value that is appended), and multiply-accumulates; {} for a softmax. Unit: events.
        """
        if isinstance(op, VectorOp):
            return {}
        context, heads, width = self._heads(op)
        values = context * heads * width
        moved = heads * (context + width) + op.groups * width
        return {COLUMN_BIT: values * _WORD, MOVED_BIT: moved * _WORD, MAC: values}

    def latency(self, op: MacOp | VectorOp) -> Mapping[str, float]:
        """Seconds [s]: half of what scores and values take together, and the append through the
        pins; a softmax is hidden, or within those.
        """
        if isinstance(op, VectorOp):
            return {"softmax": 0.0}
        context, heads, width = self._heads(op)
        appended = op.groups * width * _WORD / self._rate
        both = self.units.seconds(context, heads, width)
        return {"in-bank MAC": both / 2, "cache append": appended}

    @property
    def _rate(self) -> float:
        """Bits a second through the pins of all stacks."""
        u = self.units
        bits = u.stacks * u.channels * u.pseudochannels * u.lanes * _WORD
        return bits / (u.timing.tCCDS * u.timing.tCK)

    @property
    def pins(self) -> float:
        """Bits a second through the pins, less the share of refresh (unit: bit/s)."""
        t = self.units.timing
        return self._rate * (1 - t.tRFC / t.tREFI)

    @property
    def handover(self) -> float:
        """Rows of the host close, tWR + tRP after its last data, and open again after, tRCD [s]."""
        t = self.units.timing
        return (t.write_to_precharge + t.tRP + t.tRCDRD) * t.tCK

    def resources(self, op: MacOp | VectorOp) -> Mapping[str, str]:
        """Banks compute and block the channel, unless they have a second row buffer."""
        inside = BANKS if self.row_buffers == "two" else DRAM
        own = {"in-bank MAC": inside, "softmax": "buffer die"}
        return {phase: own.get(phase, DRAM) for phase in self.latency(op)}

    @property
    def prices(self) -> Prices:
        """Energy of one event, of the system's file. Unit: J an event."""
        u = self.units
        return Prices(
            {
                COLUMN_BIT: Price(constant=u.read, component="DRAM columns"),
                MOVED_BIT: Price(constant=u.moved, component="I/O"),
                MAC: Price(constant=u.multiply.but(unit="J"), component="MAC"),
            }
        )

    @property
    def sources(self) -> tuple[str, ...]:
        """Keys in `sources.bib` behind the units."""
        return self.units.cited


class HeldCache(Programmed):
    """Keys or values (k, n) of one head in the banks of `HeadStacks`."""

    def __init__(self, name: str, w: np.ndarray, bias: np.ndarray | None):
        self.name, self.w, self.bias = name, layout.to_half(w).astype(np.float64), bias

    def matmul(self, x: np.ndarray, key: int | Key = 0, at: str | float = 0.0) -> np.ndarray:
        """y float32, shape (batch, n) of x float32, shape (batch, k): operands in binary16, one
        rounding of the sum.
        """
        x = layout.to_half(checked_operands(x, len(self.w), self.name)).astype(np.float64)
        y = (x @ self.w).astype(np.float32)
        return y if self.bias is None else y + self.bias
