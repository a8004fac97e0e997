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
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, wraps
from typing import Any, ClassVar, Self, TypeVar

import numpy as np

from pimlab import formats, units
from pimlab.constants import Constant, assumed
from pimlab.cost import Prices, price
from pimlab.cost.technology import relative_energy
from pimlab.keys import Key
from pimlab.machine.protocol import Calibration, MacOp, Target, VectorOp, sizes
from pimlab.machine.work import DRAM, Work
from pimlab.npu.arithmetic import Arithmetic, MacProgrammed
from pimlab.npu.arrays import MacArray, Product
from pimlab.npu.contraction import TensorUnit
from pimlab.npu.dma import TensorDma
from pimlab.npu.efficiency import Efficiency
from pimlab.npu.memory import (
    INDEX_BITS,
    Memory,
    Widths,
    commands,
    depth,
    is_fused,
    lasts,
    live,
    product_traffic,
    right,
    values_moved,
    vector_traffic,
)
from pimlab.npu.operands import grid_of, is_integer
from pimlab.npu.pricing import delivery_price, mac_price, memory_prices, static_price
from pimlab.npu.sparsity import check_two_of_four
from pimlab.npu.systolic import ArrayWork
from pimlab.npu.vectors import operations
from pimlab.npu.waves import Dealt, Pace, dealt
from pimlab.values import Value, choice, integer, number, part, quantity, unknown

_CAUSES = {
    "weight quantisation": "weights",
    "activation quantisation": "activations",
    "output requantisation": "outputs",
}


_Cost = TypeVar("_Cost")


def _once(method: Callable[[Any, Any], _Cost]) -> Callable[[Any, Any], _Cost]:
    """`method` of an operator, computed once for all operators of equal sizes: of 289 products of
    a decoder with 32 layers, ten differ.
    """

    @wraps(method)
    def known(self: Any, op: MacOp | VectorOp) -> Any:
        key = (method.__name__, *sizes(op))
        if key not in self._costs:
            self._costs[key] = method(self, op)
        cost = self._costs[key]
        return dict(cost) if isinstance(cost, dict) else cost

    return known


class Origin(Value):
    """Where the value of one field of a published machine comes from: it is cited while the field
    holds that value.
    """

    field: str
    """Name of the field, of a part's field after a dot, such as "array.clock"."""
    value: Any
    sources: tuple[str, ...]
    """Keys of publications in `sources.bib`."""
    where: str = ""
    """What it was read in or fitted on, as the catalogue says."""


class Npu(Target):
    """One digital NPU (stage 1).

    Energies follow from `node`, `voltage`, `memory` and the format of the MACs; what `energy`
    prices is taken from there instead. Static power is given for a node and a voltage: where those
    of `origins` are changed it moves with the energy of an operation, and counts as assumed.
    """

    stage: ClassVar[int] = 1

    arithmetic: Arithmetic = part(Arithmetic)
    array: MacArray | TensorUnit = part(MacArray, TensorUnit)
    memory: Memory = part(Memory)
    efficiency: Efficiency | None = part(Efficiency, default=None)
    """What the chip loses against its arrays and memory, fitted to measurements; None: times are
    bounds.
    """
    dma: TensorDma | None = part(TensorDma, default=None)
    """The engines that move data between DRAM and the chip; None: transfers start at once."""
    lanes: int = integer(1, 2**20, doc="elementary vector operations a cycle")
    node: float = quantity("m", above=0, doc="technology node, such as '14 nm'")
    voltage: float = quantity("V", above=0)
    static_power: Constant
    """What is drawn whatever runs (leakage, clock tree, idle interfaces), W; a number or a text
    such as "5 W" counts as assumed.
    """
    limit: float | None = quantity(
        "W", above=0, default=None, doc="most that the board draws; None: nothing limits it"
    )
    energy: Prices = part(Prices, default=Prices({}))
    """Prices of the user's own, by event; the others follow from node, voltage, memory and
    format.
    """
    sparsity: str | None = choice(
        "2:4", default=None, doc="structured sparsity of weights that the arrays skip"
    )
    origins: tuple[Origin, ...] = ()
    """Where the fields of a published machine come from."""
    hidden: float = number(
        low=0,
        high=1,
        default=0.0,
        doc="share of transfers that earlier operators hide, once placed",
    )

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
        """A field by its path; None where a part is absent or of another kind."""
        value: Any = self
        for name in path.split("."):
            value = getattr(value, name, None)
        return value

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
        says they are. w : float32, shape (k, n).
        """
        if self.sparsity is not None:
            check_two_of_four(np.asarray(w), self.name)
        return MacProgrammed(w, bias, self.arithmetic, calibration, self.name)

    def counted_product(
        self, x: np.ndarray, w: np.ndarray, key: int | Key = 0
    ) -> tuple[np.ndarray, Mapping[str, int]]:
        """As the base class; both operands are activations: they have their format, not that of
        weights, and arrays that skip weights skip none of theirs.
        """
        if self._of_activations is self:
            return super().counted_product(x, w, key)
        return self._of_activations.counted_product(x, w, key)

    @cached_property
    def _of_activations(self) -> Npu:
        """The machine whose weights are activations; this one where its formats are the same."""
        name = self.arithmetic.activations
        if is_integer(name):  # a right operand is signed, and no wider than the multipliers' side
            name = f"int{min(grid_of(name).width, max(8, round(self._bits('weights'))))}"
        if self.sparsity is None and name == self.arithmetic.weights:
            return self
        return self.but(sparsity=None, arithmetic=self.arithmetic.but(weights=name))

    @cached_property
    def _costs(self) -> dict[tuple[object, ...], Any]:
        """What methods found for an operator, by their names and its sizes."""
        return {}

    @cached_property
    def prices(self) -> Prices:
        """Prices of every event: those of `energy`, the others from node, voltage, memory and
        format. Unit: J an event.
        """
        derived = memory_prices(self.node, self.voltage, self.memory.dram, self.memory.sram)
        mac = self.arithmetic.mac
        return Prices(
            {
                **derived,
                f"mac.{mac}": mac_price(mac, self.node, self.voltage),
                "delivery": delivery_price(mac, self.node, self.voltage),
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
        """Leakage and idle power: one second of it a second. Unit: s a second."""
        return {"static": 1.0}

    @property
    def weight_bits(self) -> float:
        """Bits of the format of weights (unit: bits)."""
        return self._bits("weights")

    @property
    def activation_bits(self) -> float:
        """Bits of the format of activations (unit: bits)."""
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

    @property
    def timing_source(self) -> str:
        """What its times are: "bound", of a chip that nobody measured; "fitted on ..." the rows of
        measurements that its constants were found from; "carried over, fitted on ..." with the
        constants of a chip that it differs from (a host without the call does not differ);
        constants of the user's own where they are.
        """
        lost = self.efficiency
        if lost is None:
            return "bound"
        fitted = [one for one in self.origins if one.field.startswith("efficiency.")]
        rows = [one.where for one in fitted if one.where]
        published = self._published("efficiency")
        if not rows or lost.but(call=published.call) != published:
            return "constants of the user's own"
        origin = f"fitted on {'; '.join(dict.fromkeys(rows))}"
        own = not any(one.where for one in self.origins if one.field == "efficiency")
        same = own and all(
            self._field(field) == self._published(field) for field in ("array", "memory.bandwidth")
        )
        return origin if same else f"carried over, {origin}"

    @_once
    def events(self, op: MacOp | VectorOp) -> dict[str, int]:
        """Counts of one inference (or a batch): MACs, bits read and written in SRAM, accumulators
        and DRAM, vector operations. Unit: events.
        """
        total: Counter[str] = Counter()
        for count, each in self._parts(op):
            for event, amount in self._counts(each).items():
                total[event] += count * amount
        return dict(total)

    @_once
    def _counts(self, op: MacOp | VectorOp) -> dict[str, int]:
        if isinstance(op, VectorOp):
            bits = self._bits("activations")
            counts = {"vector.op": operations(op), **vector_traffic(op, self.memory, bits)}
        else:
            counts = {**self._on_chip(op), **product_traffic(op, self.memory, self._widths)}
        crossing = sum(count for event, count in counts.items() if event.startswith("dram."))
        return {**counts, "interface": crossing} if crossing else counts

    @_once
    def throttled(self, op: MacOp | VectorOp) -> float:
        """Share of the priced energy that is drawn: the board lowers its voltage until it draws no
        more than `limit` (unit 1). Times are not longer for it: shares that arrays sustain were
        measured on boards that do so.
        """
        if self.limit is None:
            return 1.0
        priced = sum(price(self.events(op), self.prices).nominal.values())
        room = max(0.0, self.limit - self.prices["static"].constant.value)
        allowed = room * sum(self.latency(op).values())
        return min(1.0, allowed / priced) if priced else 1.0

    def _parts(self, op: MacOp | VectorOp) -> tuple[tuple[int, MacOp | VectorOp], ...]:
        """How often which part of a batch goes through: `memory.together` inferences at once."""
        size = min(self.memory.together or op.inferences, op.inferences)
        full, rest = divmod(op.inferences, size)
        last = ((1, op.part(rest)),) if rest else ()
        return ((full, op if size == op.inferences else op.part(size)), *last)

    @_once
    def latency(self, op: MacOp | VectorOp) -> dict[str, float]:
        """Seconds of one inference (or a batch) by phase.

        "compute": cycles of the arrays, filling and draining included; "vector": vector unit
        (requantisation follows the sums out of the array and takes no time of its own); "memory":
        the DRAM traffic that these do not hide. A bound (`efficiency` None) has "fill", the first
        tile's weights from DRAM, before anything can start; with constants "operator" is the fixed
        cost of an operator. What a batch costs once is `call`.
        """
        total: dict[str, float] = {}
        for count, each in self._parts(op):
            for phase, seconds in self._phases(each).items():
                total[phase] = total.get(phase, 0.0) + count * seconds
        return total

    @property
    def call(self) -> float:
        """The fixed cost of a batch [s]; 0 for a bound."""
        return 0.0 if self.efficiency is None else self.efficiency.call

    def behind(self, pins: float) -> Self:
        """This chip with a DRAM that carries at most `pins` bits a second (unit: bit/s)."""
        if pins >= self.memory.bandwidth:
            return self
        return self.but(memory=self.memory.but(bandwidth=pins))

    def as_host(self) -> Self:
        """This chip without the call."""
        if self.efficiency is None or self.efficiency.call == 0:
            return self
        return self.but(efficiency=self.efficiency.but(call=0.0))

    @_once
    def _phases(self, op: MacOp | VectorOp) -> dict[str, float]:
        """Seconds [s] of what goes through at once, by phase."""
        busy, transfer = self._seconds(op)
        unit = "vector" if isinstance(op, VectorOp) else "compute"
        seen = 1.0 - self.hidden
        if self.efficiency is not None:
            if isinstance(op, VectorOp):
                fixed = 0.0 if is_fused(op, self.memory) else self.efficiency.starts
                beside = 0.0 if self.efficiency.reads_first(op) else busy
                return {"operator": fixed, unit: busy, "memory": seen * max(0.0, transfer - beside)}
            memory = seen * self.efficiency.exposes(busy, transfer, self._waves(op, transfer))
            return {"operator": self._fixed(op), unit: busy, "memory": memory}
        if isinstance(op, VectorOp):
            return {unit: busy, "memory": seen * max(0.0, transfer - busy)}
        tile = self.array.first(self._product(op)) * self._bits("weights")
        fill = min(tile / self.memory.bandwidth, transfer)
        return {unit: busy, "fill": seen * fill, "memory": seen * max(0.0, transfer - fill - busy)}

    @_once
    def _seconds(self, op: MacOp | VectorOp) -> tuple[float, float]:
        """Seconds of the arrays or the vector unit, and of the DRAM traffic, each alone."""
        lost = self.efficiency or Efficiency()
        traffic = sum(c for event, c in self._counts(op).items() if event.startswith("dram."))
        if isinstance(op, VectorOp):
            busy = math.ceil(operations(op) / self.lanes) / self.array.clock
            if is_fused(op, self.memory):  # its operand comes and its result goes as a product's
                return busy, self._transfer(op, traffic, lost.bandwidth)
            busy = max(busy, lost.moves(op, values_moved(op), self._arrays, self.array.clock))
            return busy, self._transfer(op, traffic, lost.vector)
        transfer = self._transfer(op, traffic, lost.bandwidth)
        blocks = self._blocks(op, transfer)
        rate = self.array.clock * self.array.rate * lost.arrays
        busy = self.cycles(op).total_cycles / rate if blocks is None else blocks.seconds
        if op.kind == "weights" and op.groups > 1:  # a vector unit may be faster at depthwise ones
            busy = min(busy, math.ceil(op.macs / self.lanes) / self.array.clock)
        return max(busy, lost.attends(op, self._arrays, self.array.clock)), transfer

    def _blocks(self, op: MacOp, transfer: float) -> Dealt | None:
        """The blocks in which arrays make the results beside a transfer [s]; None where no constant
        says how fast operands come from the cache.
        """
        lost = self.efficiency
        if lost is None or lost.feed is None or not isinstance(self.array, MacArray):
            return None
        product = self._product(op)
        pace = Pace(
            arrays=self._arrays,
            macs=self.array.peak * lost.arrays / (2 * self._arrays),
            feed=lost.feed * self.array.clock,
            multipliers=self.array.rows * self.array.cols * self.array.rate * product.x_bits / 16,
        )
        return dealt(product, pace, transfer, lost.exposed)

    @property
    def _arrays(self) -> int:
        """Arrays that work side by side; a tensor unit is one."""
        return self.array.count if isinstance(self.array, MacArray) else 1

    def _fixed(self, op: MacOp) -> float:
        """Fixed cost of a product [s]; fused attention is one operator, of two products."""
        fixed = 0.0 if self.efficiency is None else self.efficiency.operator
        halved = op.kind == "activations" and self.memory.attention == "fused"
        return fixed / 2 if halved else fixed

    def _waves(self, op: MacOp, transfer: float) -> float:
        """Blocks of results that an array makes one after another beside a transfer [s]."""
        blocks = self._blocks(op, transfer)
        if blocks is not None:
            return blocks.waves
        lost = self.efficiency or Efficiency()
        return lost.waves(op.m, op.n, op.groups, self._arrays)

    def _transfer(self, op: MacOp | VectorOp, traffic: float, share: float) -> float:
        """Seconds [s] of `traffic` bits at a share of the memory's rate, and what starts them."""
        rate = self.memory.bandwidth * share
        if self.dma is None:
            return traffic / rate
        return self.dma.seconds(traffic, rate, commands(op, self.memory, self._widths))

    def resources(self, op: MacOp | VectorOp) -> dict[str, str]:
        """Arrays compute, the vector unit does the rest, and operands come over the DRAM."""
        own = "vector unit" if isinstance(op, VectorOp) else "arrays"
        units = {"compute": own, "vector": own, "operator": own}
        return {phase: units.get(phase, DRAM) for phase in self.latency(op)}

    def work(self, op: MacOp | VectorOp) -> tuple[Work, ...]:
        """What has to come first (the fixed cost, transfers that nothing hides), then the arrays or
        the vector unit, while the DRAM channel brings the rest, also what of it hides under the
        computation.
        """
        phases, unit = self.latency(op), self.resources(op)
        own = "vector unit" if isinstance(op, VectorOp) else "arrays"
        transfer = sum(count * self._seconds(part)[1] for count, part in self._parts(op))
        busy = phases.get("compute", 0.0) + phases.get("vector", 0.0)
        beside = transfer - phases.get("fill", 0.0)
        alone = max(0.0, phases["memory"] - max(0.0, beside - busy))
        before = [
            Work(unit[phase], phases[phase])
            for phase in ("operator", "fill")
            if phases.get(phase, 0.0) > 0
        ]
        before += [Work(own, alone)] if alone > 0 else []
        chain = [w._replace(after=(i - 1,) if i else ()) for i, w in enumerate(before)]
        after = (len(chain) - 1,) if chain else ()
        both = [Work(own, busy, after), Work(DRAM, beside, after)]
        return (*chain, *(w for w in both if w.seconds > 0))

    def streams(self, op: MacOp | VectorOp) -> bool:
        """The vector unit goes row by row; arrays have all of an operator's results together,
        since each stationary tile meets every row.
        """
        return isinstance(op, VectorOp)

    def cycles(self, op: MacOp) -> ArrayWork:
        """Cycles and SRAM words of the operator on the arrays, all its inferences at once; k counts
        the weights that are not skipped. Units: cycles and words.
        """
        return self.array.counted(self._product(op))

    def _product(self, op: MacOp) -> Product:
        return Product(
            m=op.m,
            n=op.n,
            k=depth(op, self._widths),
            groups=op.groups,
            x_bits=self._bits("activations"),
            w_bits=self._bits("weights" if op.kind == "weights" else "activations"),
        )

    @cached_property
    def _widths(self) -> Widths:
        x, w, y = (self._bits(name) for name in ("activations", "weights", "outputs"))
        sums = float(self.arithmetic.accumulator.bits)
        return Widths(x, w, y, sums, self.array.slab, self.sparsity is not None)

    def peak(self, op: MacOp | None = None) -> float:
        """Operations a second at most, skipped ones included: twice what the arrays do where
        weights are 2:4 (k / kept for an `op`). Unit: 1/s.
        """
        if op is None:
            product = Product(m=1, n=1, k=1, x_bits=self._widths.x, w_bits=self._widths.w)
            return self.array.peak_of(product) * (1 if self.sparsity is None else 2)
        return self.array.peak_of(self._product(op)) * op.k / depth(op, self._widths)

    def utilisation(self, op: MacOp) -> float:
        """MACs that are not skipped over what the arrays could do in the whole latency of `op`
        (unit 1).
        """
        product = self._product(op)
        done = 2 * op.groups * op.m * product.k * op.n
        return done / (self.array.peak_of(product) * sum(self.latency(op).values()))

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
        """Weights that stay on the chip are read from DRAM and written to SRAM. Units: s, and
        events.
        """
        if self.memory.weights_in != "sram":
            return 0.0, {}
        return bits / self.memory.bandwidth, {"dram.read": bits, "sram.write": bits}

    def occupancy(self, op: MacOp | VectorOp) -> float:
        """Share of the DRAM that the weights or the cache of `op` take up (unit 1); 0 where its
        size is not stated.
        """
        if self.memory.capacity is None or not isinstance(op, MacOp) or not lasts(op):
            return 0.0
        return right(op, self._widths) / self.memory.capacity

    def placed(self, ops: tuple[MacOp, ...]) -> Self:
        """This machine with its data where they live when it runs all `ops` in turn.

        Weights and caches stay in SRAM where all of them and the largest activations fit; of a
        batch, as many inferences then go through together as fit beside them. Otherwise weights
        come from DRAM, and as many go through together as keep the traffic of all `ops` least.
        """
        if not ops:
            return self
        first = {sizes(op): op for op in reversed(ops)}  # equal layers are looked at once
        counted = Counter(first[sizes(op)] for op in ops)
        return self._settled(counted)._prefetching(counted)

    def _prefetching(self, ops: Counter[MacOp]) -> Self:
        """With the transfers hidden that fit where the DRAM channel would wait for the arrays.

        That holds where the largest weights fit beside what is alive; activations that come from
        DRAM have only just been written.
        """
        size = self.memory.together or max(op.inferences for op in ops)
        room = self.memory.sram - self._alive(ops, size)
        ahead = max((right(op, self._widths) for op in ops if lasts(op)), default=0.0)
        if not self.memory.prefetch or self.memory.activations_in == "dram" or room < ahead:
            return self
        waits = spare = 0.0
        for op, times in ops.items():
            for count, each in self._parts(op):
                busy, transfer = self._seconds(each)
                exposed = sum(self._phases(each).values()) - busy
                waits += times * count * exposed
                spare += times * count * max(0.0, busy - transfer)
        return self if waits <= 0 else self.but(hidden=min(1.0, spare / waits))

    def _settled(self, ops: Counter[MacOp]) -> Self:
        """With weights and the size of parts of a batch where they make least traffic."""
        most = max(op.inferences for op in ops)
        sizes = _sizes(min(most, self.memory.together or most))
        held = sum(times * right(op, self._widths) for op, times in ops.items() if lasts(op))
        for size in sizes:
            room = self.memory.sram - held - self._alive(ops, size)
            if room >= 0 and self.memory.weights_in == "sram":
                return self._of_memory(together=size if size < most else None)
        away = self._of_memory(weights_in="dram")
        if self.memory.activations_in == "dram" or self.memory.batches == "whole":
            return away
        ways = [away._of_memory(together=size if size < most else None) for size in sizes]
        return min(ways, key=lambda way: sum(n * way._traffic(op) for op, n in ops.items()))

    def _of_memory(self, **changes: Any) -> Self:
        return self.but(memory=self.memory.but(**changes))

    def _alive(self, ops: Iterable[MacOp], size: int) -> float:
        """Bits of the largest activations of the inferences that go through together."""
        if self.memory.activations_in == "dram":
            return 0.0
        parts = [op.part(min(size, op.inferences)) for op in ops]
        widths = self._widths
        return max(
            live(op, self.memory, widths) + (0.0 if lasts(op) else right(op, widths))
            for op in parts
        )

    def _traffic(self, op: MacOp) -> int:
        return sum(n for event, n in self.events(op).items() if event.startswith("dram."))

    def _bits(self, operand: str) -> float:
        name = getattr(self.arithmetic, operand)
        return 32.0 if name is None else formats.format(name).bits

    def _on_chip(self, op: MacOp) -> dict[str, int]:
        used, results = self.cycles(op), op.groups * op.m * op.n
        x, w, y, sums, _, sparse = self._widths
        k = depth(op, self._widths)
        inputs = used.sram_ifmap_reads // k * op.k
        counts = {
            f"mac.{self.arithmetic.mac}": results * k,
            "delivery": results * k,
            "sram.read": math.ceil(inputs * x + used.sram_filter_reads * w),
            "sram.write": math.ceil(results * y),
            "psum.read": math.ceil(used.sram_ofmap_reads * sums),
            "psum.write": math.ceil(used.sram_ofmap_writes * sums),
            "vector.op": results,
        }
        if sparse and op.kind == "weights":
            return {**counts, "sram.index": INDEX_BITS * used.sram_filter_reads}
        return counts


def _sizes(inferences: int) -> tuple[int, ...]:
    """Numbers of inferences worth trying together: all, half of them, ... down to one."""
    sizes = [inferences]
    while sizes[-1] > 1:
        sizes.append(-(-sizes[-1] // 2))
    return tuple(sizes)


def _as_power(given: Any) -> Constant:
    """Watts [W] as a constant: a number or a text counts as assumed; anything else is refused."""
    if isinstance(given, Constant):
        return given
    if not (isinstance(given, str) or units.is_number(given)):
        raise TypeError(f"Npu static_power={given!r} is neither a Constant nor a power in W")
    watts = units.parse(given if isinstance(given, str) else float(given), "W", "Npu static_power")
    if not 0 <= watts < math.inf:
        raise ValueError(f"Npu static_power={given!r} is outside 0..inf W (and must be finite)")
    return assumed("static power", watts, "W", "set by the user")
