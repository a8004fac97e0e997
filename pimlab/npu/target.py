"""What does a digital NPU answer? Exact outputs, and from the same operators its cycles, traffic
and energy.

Where data live is part of the answer: `weights_in="sram"` says that weights stay on chip between
inferences (loaded once, not charged to any), "dram" that every inference fetches them. Activations
stay on chip where they fit. Where neither operand stays, blocks of sums do, and both operands are
fetched as often as the best block needs.

A convolution is its matrix product: its arrays read an input once for every place of the window,
which counts in SRAM (with buffers for whole lines, of which nothing is published, up to window /
stride times fewer reads would do); in DRAM, and for what fits on chip, an input counts once
(`MacOp.inputs`, halos of blocks left out). Several inferences at once are `op.batched(count)`.
Arrays hold a second stationary tile unless `array.overlap` is False: no product published how its
arrays are fed, and without it a matrix-vector product would wait for the array, not for memory.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from operator import attrgetter
from typing import Any, ClassVar, Self

import numpy as np

from pimlab import formats, units
from pimlab.constants import Constant, assumed
from pimlab.cost import Prices
from pimlab.cost.technology import relative_energy
from pimlab.keys import Key
from pimlab.machine.protocol import Calibration, MacOp, Target, VectorOp
from pimlab.machine.work import DRAM, Work
from pimlab.npu.arithmetic import Arithmetic, MacProgrammed
from pimlab.npu.operands import is_integer
from pimlab.npu.pricing import dram_types, mac_price, memory_prices, static_price
from pimlab.npu.sparsity import check_two_of_four, kept
from pimlab.npu.systolic import GemmCycles, gemm_cycles
from pimlab.npu.tiling import Operands, fetches
from pimlab.npu.vectors import operations
from pimlab.values import Value, choice, integer, number, part, quantity, truth, unknown

_CAUSES = {
    "weight quantisation": "weights",
    "activation quantisation": "activations",
    "output requantisation": "outputs",
}
_INDEX_BITS = 2
"""Bits that say which place of its group of four a kept weight has."""


class MacArray(Value):
    """`count` systolic arrays of rows x cols multiply-accumulate units, `rate` MACs a unit and
    cycle.
    """

    rows: int = integer(1, 65536)
    cols: int = integer(1, 65536)
    count: int = integer(1, 65536, default=1)
    clock: float = quantity("Hz", above=0)
    dataflow: str = choice("ws", "os", "is", default="ws")
    overlap: bool = True
    """Whether an array holds a second stationary tile, so that folds follow each other without
    filling anew.
    """
    rate: float = number(
        above=0,
        default=1.0,
        doc="2 where narrow operands are paired, 0.5 where wide ones take two units",
    )

    def check(self) -> None:
        """`overlap` is True or False."""
        truth("MacArray overlap", self.overlap)

    @property
    def peak(self) -> float:
        """Operations a second, two a MAC."""
        return 2.0 * self.rows * self.cols * self.count * self.rate * self.clock


class Memory(Value):
    """On-chip SRAM, DRAM behind it, and where data live between operators."""

    sram: float = quantity("bit", above=0)
    dram: str = "lpddr4"
    """Type of the DRAM, one that has a price: "lpddr4", "gddr6", "hbm2", "hbm3", ..."""
    bandwidth: float = quantity("bit/s", above=0, doc="of DRAM")
    capacity: float | None = quantity(
        "bit", above=0, default=None, doc="of DRAM; None: as much as is needed"
    )
    weights_in: str = choice("sram", "dram", default="sram")
    activations_in: str = choice("sram", "dram", default="sram")

    def check(self) -> None:
        """The DRAM type has a price."""
        if self.dram not in dram_types():
            raise ValueError(unknown("Memory dram", self.dram, dram_types()))


class Origin(Value):
    """Where the value of one field of a published machine comes from: it is cited while the field
    holds that value.
    """

    field: str
    """Name of the field, of a part's field after a dot, such as "array.clock"."""
    value: Any
    sources: tuple[str, ...]
    """Keys of publications in `sources.bib`."""


class Npu(Target):
    """One digital NPU (stage 1).

    Energies follow from `node`, `voltage`, `memory` and the format of the MACs; what `energy`
    prices is taken from there instead. Static power is given for a node and a voltage: where those
    of `origins` are changed it moves with the energy of an operation, and counts as assumed.
    """

    stage: ClassVar[int] = 1

    arithmetic: Arithmetic = part(Arithmetic)
    array: MacArray = part(MacArray)
    memory: Memory = part(Memory)
    lanes: int = integer(1, 2**20, doc="elementary vector operations a cycle")
    node: float = quantity("m", above=0, doc="technology node, such as '14 nm'")
    voltage: float = quantity("V", above=0)
    static_power: Constant
    """Leakage and idle power, W; a number or a text such as "5 W" counts as assumed."""
    energy: Prices = part(Prices, default=Prices({}))
    """Prices of the user's own, by event; the others follow from node, voltage, memory and
    format.
    """
    sparsity: str | None = choice(
        "2:4", default=None, doc="structured sparsity of weights that the arrays skip"
    )
    origins: tuple[Origin, ...] = ()
    """Where the fields of a published machine come from."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "static_power", _as_power(self.static_power))
        super().__post_init__()

    def check(self) -> None:
        """Node and voltage are such that energies can be scaled to them."""
        try:
            relative_energy(self.node * 1e9, self.voltage)
        except ValueError as error:
            raise ValueError(f"Npu {self.name}: {error}") from None

    @property
    def sources(self) -> tuple[str, ...]:
        """Keys of the publications behind those fields that hold what was published."""
        kept = (one.sources for one in self.origins if self._field(one.field) == one.value)
        return tuple(sorted({key for keys in kept for key in keys}))

    def _field(self, path: str) -> Any:
        return attrgetter(path)(self)

    def _published(self, path: str) -> Any:
        """What a field held when it was published; its present value for a machine of one's own."""
        return next((one.value for one in self.origins if one.field == path), self._field(path))

    def serves(self, op: MacOp | VectorOp) -> bool:
        """Every operator."""
        return True

    def program(
        self,
        w: np.ndarray,
        key: int | Key = 0,
        *,
        bias: np.ndarray | None = None,
        calibration: Calibration | None = None,
    ) -> MacProgrammed:
        """Weights in the format of `arithmetic`; nothing in it is random.

        ValueError for weights that are not finite and two-dimensional, or not 2:4 where `sparsity`
        says they are.
        """
        if self.sparsity is not None:
            check_two_of_four(np.asarray(w), self.name)
        return MacProgrammed(w, bias, self.arithmetic, calibration, self.name)

    @property
    def prices(self) -> Prices:
        """Prices of every event: those of `energy`, the others from node, voltage, memory and
        format.
        """
        derived = memory_prices(self.node, self.voltage, self.memory.dram, self.memory.sram)
        mac = self.arithmetic.mac
        return Prices(
            {
                **derived,
                f"mac.{mac}": mac_price(mac, self.node, self.voltage),
                "static": static_price(self.static_power, self._power_ratio()),
                **self.energy,
            }
        )

    def _power_ratio(self) -> float:
        """By how much static power moved with node and voltage since it was published."""
        if self.static_power != self._published("static_power"):
            return 1.0
        node, voltage = self._published("node"), self._published("voltage")
        return relative_energy(self.node * 1e9, self.voltage) / relative_energy(node * 1e9, voltage)

    @property
    def static(self) -> Mapping[str, float]:
        """Leakage and idle power: one second of it a second."""
        return {"static": 1.0}

    @property
    def weight_bits(self) -> float:
        """Bits of the format of weights."""
        return self._bits("weights")

    @property
    def activation_bits(self) -> float:
        """Bits of the format of activations."""
        return self._bits("activations")

    @property
    def codes(self) -> str:
        """The format of activations where it is one of integers, else "int8"."""
        name = self.arithmetic.activations
        return name if name is not None and is_integer(name) else "int8"

    @property
    def causes(self) -> tuple[str, ...]:
        """The roundings of the machine that are on."""
        return tuple(
            cause for cause, field in _CAUSES.items() if getattr(self.arithmetic, field) is not None
        )

    def with_causes(self, causes: tuple[str, ...]) -> Self:
        """This machine with only the named roundings; the rest is float32."""
        for cause in causes:
            if cause not in self.causes:
                raise ValueError(unknown(f"{self.name}: non-ideality", cause, self.causes))
        off = {field: None for cause, field in _CAUSES.items() if cause not in causes}
        return self.but(arithmetic=self.arithmetic.but(**off))

    def events(self, op: MacOp | VectorOp) -> dict[str, int]:
        """Counts of one inference: MACs, bits read and written in SRAM, accumulators and DRAM,
        vector operations.
        """
        if isinstance(op, VectorOp):
            bits = math.ceil(self._bits("activations") * op.elements)
            return {"vector.op": operations(op), "sram.read": bits, "sram.write": bits}
        return {**self._on_chip(op), **self._off_chip(op)}

    def latency(self, op: MacOp | VectorOp) -> dict[str, float]:
        """Seconds of one inference by phase.

        "compute": cycles of the arrays, filling and draining included; "fill": the first tile's
        weights from DRAM, before anything can start; "memory": the DRAM traffic that double
        buffering cannot hide; "vector": vector unit (requantisation follows the sums out of the
        array and takes no time of its own).
        """
        if isinstance(op, VectorOp):
            return {"vector": math.ceil(operations(op) / self.lanes) / self.array.clock}
        compute = self.cycles(op).total_cycles / (self.array.clock * self.array.rate)
        transfer = sum(self._off_chip(op).values()) / self.memory.bandwidth
        tile = (
            min(self.array.rows, op.k)
            * min(self.array.cols, op.n)
            * self._bits("weights")
            / self.memory.bandwidth
        )
        fill = min(tile, transfer)
        return {"compute": compute, "fill": fill, "memory": max(0.0, transfer - fill - compute)}

    def resources(self, op: MacOp | VectorOp) -> dict[str, str]:
        """Arrays compute, the vector unit does the rest, and operands come over the DRAM
        channel.
        """
        units = {"compute": "arrays", "vector": "vector unit"}
        return {phase: units.get(phase, DRAM) for phase in self.latency(op)}

    def work(self, op: MacOp | VectorOp) -> tuple[Work, ...]:
        """The first tile comes over the DRAM channel; then the arrays compute while the channel
        brings the rest, also what of it hides under the computation.
        """
        if isinstance(op, VectorOp):
            return super().work(op)
        phases = self.latency(op)
        transfer = sum(self._off_chip(op).values()) / self.memory.bandwidth
        compute, rest = phases["compute"], transfer - phases["fill"]
        if transfer <= 0:
            return (Work("arrays", compute),)
        beside = (Work(DRAM, rest, (0,)),) if rest > 0 else ()
        return (Work(DRAM, phases["fill"]), Work("arrays", compute, (0,)), *beside)

    def streams(self, op: MacOp | VectorOp) -> bool:
        """The vector unit goes row by row; arrays have all of an operator's results together,
        since each stationary tile meets every row.
        """
        return isinstance(op, VectorOp)

    def cycles(self, op: MacOp) -> GemmCycles:
        """Cycles and SRAM words of the whole operator on the arrays; k counts the weights that are
        not skipped.

        Its DRAM words are those of separate small buffers; the machine's own traffic is in
        `events`.
        """
        array = self.array
        return gemm_cycles(
            op.m,
            op.n,
            self._k(op),
            groups=op.groups,
            rows=array.rows,
            cols=array.cols,
            dataflow=array.dataflow,
            arrays=array.count,
            overlap=array.overlap,
        )

    def peak(self, op: MacOp | None = None) -> float:
        """Operations a second at most, skipped ones included: twice what the arrays do where
        weights are 2:4 (k / kept for an `op`).
        """
        if op is None:
            return self.array.peak * (1 if self.sparsity is None else 2)
        return self.array.peak * op.k / self._k(op)

    def utilisation(self, op: MacOp) -> float:
        """MACs that are not skipped over what the arrays could do in the whole latency of `op`."""
        done = 2 * op.groups * op.m * self._k(op) * op.n
        return done / (self.array.peak * sum(self.latency(op).values()))

    def in_format(self, format: str, weights: str | None = None) -> Self:
        """This machine computing in `format`, with `weights` in another where given; its arrays
        keep their rate.

        Outputs are requantised to `format`; of block formats (microscaling) they leave as FP16.
        """
        blocks = not isinstance(
            formats.format(format), (formats.IntegerFormat, formats.FloatFormat)
        )
        return self.but(
            arithmetic=self.arithmetic.but(
                activations=format, weights=weights or format, outputs="fp16" if blocks else format
            )
        )

    @property
    def holds(self) -> str:
        """SRAM, where weights stay on the chip between inferences."""
        return "SRAM" if self.memory.weights_in == "sram" else "DRAM"

    def refill(self, bits: float) -> tuple[float, dict[str, float]]:
        """Weights that stay on the chip are read from DRAM and written to SRAM."""
        if self.memory.weights_in != "sram":
            return 0.0, {}
        return bits / self.memory.bandwidth, {"dram.read": bits, "sram.write": bits}

    def occupancy(self, op: MacOp | VectorOp) -> float:
        """Share of the DRAM that the weights or the cache of `op` take up; 0 where its size is not
        stated.
        """
        if self.memory.capacity is None or not isinstance(op, MacOp) or not _lasts(op):
            return 0.0
        return self._right(op) / self.memory.capacity

    def placed(self, ops: tuple[MacOp, ...]) -> Self:
        """This machine with `weights_in="dram"` where the weights and caches of all `ops` and the
        largest activations exceed the SRAM.
        """
        held = sum(self._right(op) for op in ops if _lasts(op))
        live = max(
            (self._live(op) + (0 if _lasts(op) else self._right(op)) for op in ops), default=0.0
        )
        if self.memory.activations_in == "dram":
            live = 0.0
        return (
            self
            if held + live <= self.memory.sram
            else self.but(memory=self.memory.but(weights_in="dram"))
        )

    def _skips(self, op: MacOp) -> bool:
        return self.sparsity is not None and op.kind == "weights"

    def _k(self, op: MacOp) -> int:
        return kept(op.k) if self._skips(op) else op.k

    def _bits(self, operand: str) -> float:
        name = getattr(self.arithmetic, operand)
        return 32.0 if name is None else formats.format(name).bits

    def _on_chip(self, op: MacOp) -> dict[str, int]:
        used, results = self.cycles(op), op.groups * op.m * op.n
        x, w, y = (self._bits(name) for name in ("activations", "weights", "outputs"))
        inputs = used.sram_ifmap_reads // self._k(op) * op.k
        counts = {
            f"mac.{self.arithmetic.mac}": results * self._k(op),
            "sram.read": math.ceil(inputs * x + used.sram_filter_reads * w),
            "sram.write": math.ceil(results * y),
            "psum.read": used.sram_ofmap_reads * self.arithmetic.accumulator.bits,
            "psum.write": used.sram_ofmap_writes * self.arithmetic.accumulator.bits,
            "vector.op": results,
        }  # fmt: skip
        return (
            {**counts, "sram.index": _INDEX_BITS * used.sram_filter_reads}
            if self._skips(op)
            else counts
        )

    def _off_chip(self, op: MacOp) -> dict[str, int]:
        weights, activations = self._stay(op)
        x_fetches, w_fetches = (1, 1) if weights or activations else self._fetches(op)
        filters = 0 if weights else op.groups * self._k(op) * op.n * w_fetches
        inputs = 0 if activations else op.inputs * x_fetches
        counts = {
            "dram.read": math.ceil(
                filters * self._bits("weights") + inputs * self._bits("activations")
            ),
            "dram.write": 0
            if activations
            else math.ceil(op.groups * op.m * op.n * self._bits("outputs")),
        }
        return {**counts, "dram.index": _INDEX_BITS * filters} if self._skips(op) else counts

    def _fetches(self, op: MacOp) -> tuple[int, int]:
        bits = Operands(
            x=self._bits("activations"),
            w=self._bits("weights"),
            sum=float(self.arithmetic.accumulator.bits),
            slab=min(self.array.rows, op.k),
        )
        return fetches(op.m, op.n, op.k, bits, self.memory.sram)

    def _right(self, op: MacOp) -> float:
        """Bits of the right operand: the weights, or the second activation."""
        return op.groups * self._k(op) * op.n * self._bits("weights")

    def _live(self, op: MacOp) -> float:
        """Bits of the inputs and outputs of one inference of `op`."""
        return op.inputs * self._bits("activations") + op.groups * op.m * op.n * self._bits(
            "outputs"
        )

    def _stay(self, op: MacOp) -> tuple[bool, bool]:
        """Whether the right operand and the activations of `op` are on chip when it starts."""
        right, live = self._right(op), self._live(op)
        activations = self.memory.activations_in == "sram" and live <= self.memory.sram
        if not _lasts(op):
            return activations and right + live <= self.memory.sram, activations
        return self.memory.weights_in == "sram" and right <= self.memory.sram, activations


def _as_power(given: Any) -> Constant:
    """Watts as a constant: a number or a text counts as assumed; anything else is refused."""
    if isinstance(given, Constant):
        return given
    if isinstance(given, bool) or not (isinstance(given, str) or hasattr(given, "__float__")):
        raise TypeError(f"Npu static_power={given!r} is neither a Constant nor a power in W")
    watts = units.parse(given if isinstance(given, str) else float(given), "W", "Npu static_power")
    if not 0 <= watts < math.inf:
        raise ValueError(f"Npu static_power={given!r} is outside 0..inf W (and must be finite)")
    return assumed("static power", watts, "W", "set by the user")


def _lasts(op: MacOp) -> bool:
    """Whether the right operand is there before the inference: weights, or a cache of keys and
    values.
    """
    return op.kind == "weights" or op.cached
