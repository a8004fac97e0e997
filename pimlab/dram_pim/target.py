"""Which machine is stage 2? A DRAM whose banks multiply and accumulate, beside a host that does the rest."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import ClassVar, Self

import numpy as np

from pimlab.catalogue import entry
from pimlab.cost import Prices
from pimlab.dram_pim import layout
from pimlab.dram_pim import prices as events
from pimlab.dram_pim.engine import Summary
from pimlab.dram_pim.organisation import BankPim, bank_pim
from pimlab.dram_pim.timing import Timing, timing
from pimlab.kernels.dram_timing import READ
from pimlab.keys import Key
from pimlab.protocol import Calibration, MacOp, Programmed, Target, VectorOp, checked_operands, checked_weights
from pimlab.values import choice, part, unknown

OPERANDS, ACCUMULATION = "fp16 operands", "fp16 accumulation"


class DramPim(Target):
    """HBM-PIM: FP16 units beside bank pairs, `acc = fp16(fp16(w x) + acc)` in 16 lanes that the host adds in order.

    Serves every product with constant weights. Products of two activations and vector operators run on `host`: their
    operands would have to be laid out in the banks first. The host adds the bias in float32.
    """

    stage: ClassVar[int] = 2

    organisation: BankPim = part(BankPim, doc="banks, units and registers")
    timing: Timing = part(Timing, doc="DRAM timing table")
    energies: Prices = part(Prices, doc="energy of each event")
    operands: str = choice("fp16", "float32", default="fp16", doc="grid of weights and inputs")
    accumulation: str = choice("fp16", "float32", default="fp16", doc="rounding of each product and sum")

    def serves(self, op: MacOp | VectorOp) -> bool:
        """Products with constant weights only."""
        return isinstance(op, MacOp) and op.kind == "weights"

    def program(self, w: np.ndarray, key: int | Key = 0, *, bias: np.ndarray | None = None,
                calibration: Calibration | None = None) -> BankWeights:  # fmt: skip
        """Weights laid out in banks as binary16; neither `key` nor `calibration` matters to a floating-point machine.

        ValueError for weights beyond binary16's range, not finite, of a wrong shape or too many for the banks.
        """
        w, bias = checked_weights(w, bias, self.name)
        self.organisation.tiles(w.shape[1], w.shape[0])
        return BankWeights(self, w, bias)

    def events(self, op: MacOp | VectorOp) -> Mapping[str, int]:
        """Rows, bits by path, MACs and host additions of one inference over all channels, padding included."""
        total = dict(self._product(op).events)
        for name, count in self._results(op).events.items():
            total[name] = total.get(name, 0) + count
        total[events.HOST_ADD] = op.m * op.n * (self.organisation.lanes - 1)  # type: ignore[union-attr]
        return {name: count * op.groups for name, count in total.items()}  # type: ignore[union-attr]

    def latency(self, op: MacOp | VectorOp) -> Mapping[str, float]:
        """Seconds by phase, refresh included: mode switching, input broadcast, in-bank MAC, result write and read."""
        cycles = self._product(op).phases()
        cycles["result read"] = self._results(op).cycles
        return {phase: op.groups * count * self.timing.tCK for phase, count in cycles.items()}  # type: ignore[union-attr]

    def _product(self, op: MacOp | VectorOp) -> Summary:
        self._refuse(op)
        return self.organisation.gemv_summary(self.timing, op.n, op.k, op.m, True, None)  # type: ignore[union-attr]

    def _results(self, op: MacOp | VectorOp) -> Summary:
        accesses = self.organisation.result_accesses(op.n, op.k, op.m)  # type: ignore[union-attr]
        return self.organisation.host_summary(self.timing, accesses, READ, True, None)

    def _refuse(self, op: MacOp | VectorOp) -> None:
        if not self.serves(op):
            raise ValueError(f"{self.name} does not serve {op.name!r}; allowed: products with constant weights; the host does the rest")

    @property
    def prices(self) -> Prices:
        """Energy of one event (catalogue room `pim`)."""
        return self.energies

    @property
    def standing(self) -> Mapping[str, float]:
        """All-bank refreshes of every channel and rank, and standby, a second."""
        return {events.REFRESH: self.organisation.refreshes_a_second(self.timing), events.BACKGROUND: 1.0}

    @property
    def causes(self) -> tuple[str, ...]:
        """binary16 operands, and binary16 rounding of each product and sum."""
        return tuple(name for name, field in _CAUSES.items() if getattr(self, field) == "fp16")

    def with_causes(self, causes: tuple[str, ...]) -> Self:
        """This machine with only the named roundings, the others in float32; ValueError for an unknown name."""
        for name in causes:
            if name not in _CAUSES:
                raise ValueError(unknown(f"{self.name}: non-ideality", name, _CAUSES))
        return self.but(**{field: "fp16" if name in causes else "float32" for name, field in _CAUSES.items()})


_CAUSES = {OPERANDS: "operands", ACCUMULATION: "accumulation"}


class BankWeights(Programmed):
    """Weights (k, n) in the banks of a `DramPim`, split into lanes and tiles."""

    def __init__(self, target: DramPim, w: np.ndarray, bias: np.ndarray | None):
        self.target, self.bias, self.inputs = target, bias, w.shape[0]
        w = self._on_grid(w)
        if not np.isfinite(w).all():
            raise ValueError(f"{target.name}: {np.count_nonzero(~np.isfinite(w))} weights are beyond binary16; allowed: up to 65504")
        order = layout.lane_order(self.inputs, target.organisation)
        self.order = order[:, (order < self.inputs).any(axis=0)]
        self.weights = w if target.accumulation == "float32" else layout.laid_out(w, self.order, 0)

    def _on_grid(self, a: np.ndarray) -> np.ndarray:
        return layout.to_half(a) if self.target.operands == "fp16" else a

    def matmul(self, x: np.ndarray, key: int | Key = 0, at: str | float = 0.0) -> np.ndarray:
        """y float32 (batch, n) of x float32 (batch, k), plus bias; a sum beyond binary16's range is infinite."""
        x = self._on_grid(checked_operands(x, self.inputs, self.target.name))
        y = self._sums(x)
        return y if self.bias is None else y + self.bias

    def _sums(self, x: np.ndarray) -> np.ndarray:
        if self.target.accumulation == "float32":
            # in double: BLAS orders a float32 sum by the batch size, and chunks of a batch must give the same bits
            return (x.astype(np.float64) @ self.weights).astype(np.float32)
        return layout.product(layout.laid_out(x, self.order, 1), self.weights)

    def lanes(self, x: np.ndarray) -> np.ndarray:
        """float32 (batch, n, lanes): what each lane holds before the host adds them."""
        x = self._on_grid(checked_operands(x, self.inputs, self.target.name))
        return layout.lane_partials(layout.laid_out(x, self.order, 1), self.weights).transpose(0, 2, 1)


def build(name: str = "hbm-pim") -> DramPim:
    """The preset `name` of catalogue room `pim`, without a host."""
    table = entry("pim", name)
    return DramPim(name=name, organisation=bank_pim(table), timing=timing(table.meta["dram"]), energies=events.prices(name))


TARGETS = {"hbm-pim": partial(build, "hbm-pim")}
