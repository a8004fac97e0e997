"""What does a digital NPU answer? Exact integers, and from the same operators its cycles, traffic and energy.

Where data live is part of the answer: `weights_in="sram"` says that weights stay on chip between inferences (loaded
once, not charged to any), "dram" that every inference fetches them. Activations stay on chip where they fit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from pimlab import formats
from pimlab.cost import Prices
from pimlab.keys import Key
from pimlab.npu.arithmetic import Arithmetic, MacProgrammed
from pimlab.npu.systolic import Buffers, GemmCycles, gemm_cycles
from pimlab.npu.vectors import operations
from pimlab.protocol import Calibration, MacOp, Target, VectorOp
from pimlab.values import Value, choice, integer, part, quantity, unknown

_CAUSES = {"weight quantisation": "weights", "activation quantisation": "activations", "output requantisation": "outputs"}


class MacArray(Value):
    """`count` systolic arrays of rows x cols multiply-accumulate units."""

    rows: int = integer(1, 65536)
    cols: int = integer(1, 65536)
    count: int = integer(1, 65536, default=1)
    clock: float = quantity("Hz", above=0)
    dataflow: str = choice("ws", "os", "is", default="ws")

    @property
    def peak(self) -> float:
        """Operations a second, two a MAC."""
        return 2.0 * self.rows * self.cols * self.count * self.clock


class Memory(Value):
    """On-chip SRAM, DRAM behind it, and where data live between operators."""

    sram: float = quantity("bit", above=0)
    bandwidth: float = quantity("bit/s", above=0, doc="of DRAM")
    weights_in: str = choice("sram", "dram", default="sram")
    activations_in: str = choice("sram", "dram", default="sram")


class Npu(Target):
    """One digital NPU (stage 1)."""

    stage: ClassVar[int] = 1

    arithmetic: Arithmetic = part(Arithmetic)
    array: MacArray = part(MacArray)
    memory: Memory = part(Memory)
    lanes: int = integer(1, 2**20, doc="elementary vector operations a cycle")
    energy: Prices = part(Prices)
    sources: tuple[str, ...] = ()
    """Keys of the publications behind the machine's organisation."""

    def serves(self, op: MacOp | VectorOp) -> bool:
        """Every operator."""
        return True

    def program(self, w: np.ndarray, key: int | Key = 0, *, bias: np.ndarray | None = None,
                calibration: Calibration | None = None) -> MacProgrammed:  # fmt: skip
        """Weights quantised by `arithmetic`; nothing in it is random."""
        return MacProgrammed(w, bias, self.arithmetic, calibration, self.name)

    @property
    def prices(self) -> Prices:
        """The field `energy`."""
        return self.energy

    @property
    def standing(self) -> Mapping[str, float]:
        """Leakage and idle power: one second of it a second."""
        return {"standing": 1.0}

    @property
    def causes(self) -> tuple[str, ...]:
        """The three roundings of an integer machine that are on."""
        return tuple(cause for cause, field in _CAUSES.items() if getattr(self.arithmetic, field) is not None)

    def with_causes(self, causes: tuple[str, ...]) -> Self:
        """This machine with only the named roundings; the rest is float32."""
        for cause in causes:
            if cause not in self.causes:
                raise ValueError(unknown(f"{self.name}: non-ideality", cause, self.causes))
        off = {field: None for cause, field in _CAUSES.items() if cause not in causes}
        return self.but(arithmetic=self.arithmetic.but(**off))

    def events(self, op: MacOp | VectorOp) -> dict[str, int]:
        """Counts of one inference: MACs, bits read and written in SRAM, accumulators and DRAM, vector operations."""
        if isinstance(op, VectorOp):
            bits = self._bits("activations") * op.elements
            return {"vector.op": operations(op), "sram.read": bits, "sram.write": bits}
        used = self.cycles(op)
        x, w, y, psum = (self._bits("activations"), self._bits("weights"), self._bits("outputs"), 32)
        counts = {
            "mac.int8": op.macs,
            "sram.read": used.sram_ifmap_reads * x + used.sram_filter_reads * w,
            "sram.write": op.m * op.n * y,
            "psum.read": used.sram_ofmap_reads * psum,
            "psum.write": used.sram_ofmap_writes * psum,
            "vector.op": op.m * op.n,
            "dram.read": self._dram_words(op)[0] * w + self._dram_words(op)[1] * x,
            "dram.write": self._dram_words(op)[2] * y,
        }
        return {event: count if event == "mac.int8" else count * op.groups for event, count in counts.items()}

    def latency(self, op: MacOp | VectorOp) -> dict[str, float]:
        """Seconds of one inference: "compute" (with array fill and drain), "memory" (what double buffering cannot hide), "vector"."""
        if isinstance(op, VectorOp):
            return {"vector": math.ceil(operations(op) / self.lanes) / self.array.clock}
        compute = self.cycles(op).total_cycles * op.groups / self.array.clock
        counts = self.events(op)
        transfer = (counts["dram.read"] + counts["dram.write"]) / self.memory.bandwidth
        return {"compute": compute, "memory": max(0.0, transfer - compute)}

    def cycles(self, op: MacOp) -> GemmCycles:
        """Cycles and words of one group's product on the arrays."""
        return gemm_cycles(op.m, op.n, op.k, rows=self.array.rows, cols=self.array.cols, dataflow=self.array.dataflow,
                           arrays=self.array.count, buffers=self._buffers())  # fmt: skip

    def utilisation(self, op: MacOp) -> float:
        """MACs of `op` over what the arrays could do in its whole latency."""
        return op.macs * 2 / (self.array.peak * sum(self.latency(op).values()))

    def placed(self, ops: tuple[MacOp, ...]) -> Self:
        """This machine with `weights_in="dram"` where the weights of all `ops` together exceed the SRAM."""
        held = sum(op.groups * op.k * op.n for op in ops if op.kind == "weights") * self._bits("weights")
        return self if held <= self.memory.sram else self.but(memory=self.memory.but(weights_in="dram"))

    def _bits(self, operand: str) -> int:
        name = getattr(self.arithmetic, operand)
        return 32 if name is None else math.ceil(formats.format(name).bits)

    def _buffers(self) -> Buffers:
        third = self.memory.sram / 3
        words = {name: max(2, int(third // self._bits(kind))) for name, kind in
                 (("ifmap", "activations"), ("filter", "weights"))}  # fmt: skip
        return Buffers(**words, ofmap=max(2, int(third // 32)))

    def _dram_words(self, op: MacOp) -> tuple[int, int, int]:
        """Words of weights and inputs read and of outputs written, one group."""
        used = self.cycles(op)
        weights_stay = op.kind == "weights" and self.memory.weights_in == "sram"
        held = op.groups * op.k * op.n * self._bits("weights") <= self.memory.sram
        live = op.groups * (op.m * op.k * self._bits("activations") + op.m * op.n * self._bits("outputs"))
        stay = self.memory.activations_in == "sram" and live <= self.memory.sram
        w = 0 if (weights_stay and held) or (op.kind == "activations" and stay) else used.dram_filter_reads
        return w, 0 if stay else used.dram_ifmap_reads, 0 if stay else op.m * op.n


def chip(name: str) -> Npu:
    """The machine of `catalogue/npu/<name>.toml`; ValueError with the nearest name for an unknown one."""
    from pimlab import catalogue
    from pimlab.npu.pricing import prices

    entry = catalogue.entry("npu", name)
    whole: dict[str, Any] = {key: round(entry[key].value) for key in ("rows", "cols", "arrays", "lanes")}
    return Npu(
        name=name, lanes=whole["lanes"], energy=prices(entry), arithmetic=Arithmetic(), sources=_cited(entry),
        array=MacArray(rows=whole["rows"], cols=whole["cols"], count=whole["arrays"], clock=entry["clock"].value,
                       dataflow=entry.meta["dataflow"]),
        memory=Memory(sram=entry["sram"].value, bandwidth=entry["dram_bandwidth"].value),
    )  # fmt: skip


def _cited(entry: Any) -> tuple[str, ...]:
    return tuple(sorted({source for constant in entry.values() for source in constant.sources}))
