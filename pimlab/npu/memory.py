"""What stays on chip, and what must an operator move to and from DRAM?

Weights stay where they all fit beside the activations that are alive; activations stay where those
of one operator fit. Of a batch, as many inferences go through the network together as keep the
traffic least. The scores of attention stay on chip row by row in any case (Dao et al.,
FlashAttention, NeurIPS 2022), unless `attention="apart"`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from pimlab import catalogue
from pimlab.machine.protocol import MacOp, VectorOp
from pimlab.npu.pricing import dram_types
from pimlab.npu.sparsity import kept
from pimlab.npu.tiling import Operands, fetches
from pimlab.values import Value, choice, integer, quantity, truth, unknown

INDEX_BITS = 2
"""Bits that say which place of its group of four a kept weight has."""

POINTWISE = frozenset(
    {
        "abs", "add", "clip", "div", "erf", "exp", "gelu", "hardsigmoid", "hardswish", "leakyrelu",
        "max", "min", "mul", "neg", "pow", "prelu", "relu", "sigmoid", "silu", "sub", "swiglu",
        "swish", "tanh",
    }
)  # fmt: skip
"""Operators whose results need one value of each operand."""


ONE_OPERAND = frozenset(
    {
        "gather", "instancenormalization", "layernormalization", "logsoftmax", "rmsnormalization",
        "rotaryembedding", "simplifiedlayernormalization", "softmax",
    }
)  # fmt: skip
"""Operators with one large operand, which comes from DRAM once however often they read it."""


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
    attention: str = choice(
        "fused", "apart", default="fused", doc="whether scores of attention stay on chip"
    )
    pointwise: str = choice(
        "apart", "fused", default="apart", doc="whether a product's software does what follows it"
    )
    prefetch: bool = True
    """Whether weights come from DRAM while earlier operators of the same network compute."""
    batches: str = choice(
        "parts", "whole", default="parts", doc="whether software cuts a batch to what stays on chip"
    )
    together: int | None = integer(
        1, default=None, hint="for all inferences of a batch write together=None"
    )
    """Inferences of a batch that go through the network together."""

    def check(self) -> None:
        """The DRAM type has a price; `prefetch` is True or False."""
        truth("Memory prefetch", self.prefetch)
        if self.dram not in dram_types():
            raise ValueError(unknown("Memory dram", self.dram, dram_types()))


class Widths(NamedTuple):
    """Bits of the operands, and how the arrays take them."""

    x: float
    w: float
    y: float
    sum: float
    slab: int
    """Words along k that a buffer of streamed operands holds."""
    sparse: bool


def lasts(op: MacOp) -> bool:
    """Whether the right operand is there before the inference: weights, or a cache of keys and
    values.
    """
    return op.kind == "weights" or op.cached


def depth(op: MacOp, widths: Widths) -> int:
    """k of the multiplications that are done: without those that 2:4 weights skip (unit:
    products).
    """
    return kept(op.k) if widths.sparse and op.kind == "weights" else op.k


def right(op: MacOp, widths: Widths) -> float:
    """Bits of the right operand: the weights, or the second activation (unit: bits)."""
    return op.groups * depth(op, widths) * op.n * right_width(op, widths)


def right_width(op: MacOp, widths: Widths) -> float:
    """Bits of one value of the right operand: caches and activations are held as activations (unit:
    bits).
    """
    return widths.w if op.kind == "weights" else widths.x


def moved(op: MacOp, memory: Memory) -> tuple[int, int]:
    """Inputs and results that exist outside the operator: not the scores of fused attention, which
    are the longer side of a product of activations (unit: values).
    """
    results = op.groups * op.m * op.n
    if op.kind == "weights" or memory.attention == "apart":
        return op.inputs, results
    return (op.inputs if op.k <= op.n else 0), (results if op.n <= op.k else 0)


def live(op: MacOp, memory: Memory, widths: Widths) -> float:
    """Bits of the inputs and results of `op` (unit: bits)."""
    inputs, results = moved(op, memory)
    return inputs * widths.x + results * widths.y


def stays(op: MacOp, memory: Memory, widths: Widths) -> tuple[bool, bool]:
    """Whether the right operand and the activations of `op` are on chip when it starts."""
    beside, alive = right(op, widths), live(op, memory, widths)
    activations = memory.activations_in == "sram" and alive <= memory.sram
    if not lasts(op):
        return activations and beside + alive <= memory.sram, activations
    return memory.weights_in == "sram" and beside <= memory.sram, activations


class Crossing(NamedTuple):
    """Bits of a product that cross between the chip and DRAM, each a stream of its own."""

    right: float
    inputs: float
    results: float


def crossing(op: MacOp, memory: Memory, widths: Widths) -> Crossing:
    """What of `op` crosses, as often as it is fetched (unit: bits)."""
    weights, activations = stays(op, memory, widths)
    x_fetches, w_fetches = (1, 1) if weights or activations else _fetches(op, memory, widths)
    filters = 0 if weights else op.groups * depth(op, widths) * op.n * w_fetches
    inputs, results = (0, 0) if activations else moved(op, memory)
    return Crossing(
        filters * right_width(op, widths), inputs * x_fetches * widths.x, results * widths.y
    )


def product_traffic(op: MacOp, memory: Memory, widths: Widths) -> dict[str, int]:
    """Bits that `op` reads from and writes to DRAM, by event (unit: bits)."""
    right, inputs, results = crossing(op, memory, widths)
    counts = {"dram.read": math.ceil(right + inputs), "dram.write": math.ceil(results)}
    if widths.sparse and op.kind == "weights":
        return {**counts, "dram.index": round(INDEX_BITS * right / right_width(op, widths))}
    return counts


def commands(op: MacOp | VectorOp, memory: Memory, widths: Widths) -> int:
    """Transfers in a row that bring the operands of `op` and take its results: one for each that
    crosses, more where it is larger than half of the on-chip memory, since the other half is in
    use (unit: transfers).
    """
    if isinstance(op, VectorOp):
        traffic = vector_traffic(op, memory, widths.x)
        sides: tuple[float, ...] = (traffic.get("dram.read", 0), traffic.get("dram.write", 0))
    else:
        sides = crossing(op, memory, widths)
    return sum(math.ceil(2 * bits / memory.sram) for bits in sides)


def _fetches(op: MacOp, memory: Memory, widths: Widths) -> tuple[int, int]:
    bits = Operands(x=widths.x, w=widths.w, sum=widths.sum, slab=min(widths.slab, op.k))
    return fetches(op.m, op.n, op.k, bits, memory.sram)


def vector_traffic(op: VectorOp, memory: Memory, bits: float) -> dict[str, int]:
    """Bits that `op` reads and writes on chip, or in DRAM where they do not stay, by event (unit:
    bits).
    """
    scores = op.kind == "softmax" and memory.attention == "fused"
    values, results = (reads(op), 1)
    if is_fused(op, memory) and not scores:
        values, results = max(0.0, reads(op) - 1), 0
    read = math.ceil(bits * op.elements * values)
    write = math.ceil(bits * op.elements * results) if reads(op) else 0
    counts = {"sram.read": read, "sram.write": write}
    comes = min(read, math.ceil(bits * op.elements)) if op.kind in ONE_OPERAND else read
    if scores or (memory.activations_in == "sram" and comes + write <= memory.sram):
        return counts
    return {**counts, "dram.read": comes, "dram.write": write}


def is_fused(op: VectorOp, memory: Memory) -> bool:
    """Whether an operator is part of the product before it: it takes that result where it stands,
    and writes in its place.
    """
    if op.kind == "softmax":
        return memory.attention == "fused"
    return memory.pointwise == "fused" and op.kind in POINTWISE


def values_moved(op: VectorOp) -> float:
    """Values that `op` reads and writes (unit: values); none where it renames data."""
    return op.elements * (reads(op) + 1) if reads(op) else 0.0


def reads(op: VectorOp) -> float:
    """Values read for each result of `op` (unit: values); a kind that is not listed reads one, 0
    renames data.
    """
    table = catalogue.entry("energy", "vector-reads")
    return table[op.kind].value if op.kind in table else 1.0
