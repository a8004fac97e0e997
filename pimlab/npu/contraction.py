"""How long does a product take on slices of dot products? The tensor unit of FuriosaAI's chips.

A slice multiplies one packet of the streamed operand with `lanes` packets of the stationary one in
a cycle: each lane is a dot product of as many elements as a packet holds. Lanes hold different
outputs in their registers, so a packet that stands still for some cycles meets as many sets of
lanes. Slices take different rows, different outputs, or parts of k, whose sums are added in the
end.

A product (m, k) @ (k, n) on one slice, with E elements a packet and L lanes:

- multiplying takes rows ceil(depth / E) ceil(outputs / L) cycles;
- the stream brings `stream` bits a cycle: rows depth bits for every set of outputs that the
  registers and accumulators hold at once;
- the registers are filled by `stream` bits a cycle, in one half while the other multiplies;
- sums leave L at a time.

The longest of the four is the time of a slice. The division over slices with the least time is
taken. RNGD: 2 clusters of 256 slices, 8 lanes, packets of 64 B, a stream of 32 B a cycle, 80 kB of
registers and 1,024 accumulators a slice (furiosa-opt book, "Contraction Engine", "Register Files").
Warboy: 128 slices of 4 lanes and 32 elements, 16 B, 8 kB (MLPerf v1.1, 128dpes.yml).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from pimlab.npu.arrays import Product
from pimlab.npu.systolic import ArrayWork
from pimlab.values import Value, integer, quantity


class TensorUnit(Value):
    """Slices of dot products behind one stream each."""

    slices: int = integer(1, 65536, doc="in all clusters")
    lanes: int = integer(1, 1024, doc="dot products a slice, each of one packet a cycle")
    packet: int = integer(8, 2**20, doc="bits of a packet")
    stream: int = integer(8, 2**20, doc="bits of streamed operand a cycle and slice")
    registers: int = integer(8, 2**40, doc="bits of stationary operand a slice holds")
    accumulators: int = integer(1, 2**20, doc="sums a slice holds")
    clock: float = quantity("Hz", above=0)

    rate = 1.0
    """Elements a packet follow from their width, so that no other rate is needed."""

    def elements(self, product: Product) -> int:
        """Elements of the wider operand that a packet holds (unit: elements)."""
        return max(1, int(self.packet // max(product.x_bits, product.w_bits)))

    @property
    def peak(self) -> float:
        """Operations a second of 8-bit operands, two a MAC (unit: 1/s)."""
        return self.peak_of(Product(m=1, n=1, k=1))

    def peak_of(self, product: Product) -> float:
        """Operations a second at most for a product's operands (unit: 1/s)."""
        return 2.0 * self.slices * self.lanes * self.elements(product) * self.clock

    @property
    def slab(self) -> int:
        """Words along k that a buffer of streamed operands holds (unit: words)."""
        return self.packet // 8

    def first(self, product: Product) -> int:
        """Words without which nothing can start: one packet for every lane (unit: words)."""
        return min(product.k, self.elements(product)) * min(product.n, self.lanes * self.slices)

    def counted(self, product: Product) -> ArrayWork:
        """Cycles of the whole product and words read and written on chip. Units: cycles and
        words.
        """
        return _contracted(self, product)


class _Share(NamedTuple):
    """What one slice does: rows of how many groups, outputs, and depth along k."""

    groups: int
    rows: int
    outputs: int
    depth: int


class _Division(NamedTuple):
    """Over how many slices outputs, k and rows are divided."""

    outputs: int
    parts: int
    rows: int


def _divisions(unit: TensorUnit, product: Product) -> Iterator[_Division]:
    """The divisions worth trying: those in which no slice could do with fewer turns."""
    sets = -(-product.n // unit.lanes)
    across = {-(-sets // -(-sets // count)) for count in range(1, min(sets, unit.slices) + 1)}
    packets = -(-product.k // unit.elements(product))
    parts = {2**i for i in range(unit.slices.bit_length()) if 2**i <= min(packets, unit.slices)}
    for outputs in across:
        for split in parts:
            if outputs * split <= unit.slices:
                yield _Division(outputs, split, unit.slices // (outputs * split))


def _share(unit: TensorUnit, product: Product, division: _Division) -> _Share:
    packets = -(-product.k // unit.elements(product))
    depth = min(product.k, -(-packets // division.parts) * unit.elements(product))
    sets = -(-product.n // unit.lanes)
    outputs = min(product.n, -(-sets // division.outputs) * unit.lanes)
    alone = max(1, division.rows // product.groups)
    groups = -(-product.groups // division.rows) if division.rows < product.groups else 1
    return _Share(groups, -(-product.m // alone), outputs, depth)


def _cycles(unit: TensorUnit, product: Product, division: _Division) -> int:
    """Cycles of the busiest slice, and of adding the sums of parts of k (L at a time)."""
    share = _share(unit, product, division)
    packets = -(-share.depth // unit.elements(product))
    turns = -(-share.outputs // unit.lanes)
    room = unit.registers / 2 / unit.lanes  # half of the registers is filled while half is read
    held = min(room // (share.depth * product.w_bits), unit.accumulators // unit.lanes)
    passes = -(-turns // int(min(turns, max(1, held))))
    chunks = -(-int(share.depth * product.w_bits) // int(room)) if held < 1 else 1
    once = share.groups * share.rows
    stream = once * passes * -(-int(share.depth * product.x_bits) // unit.stream)
    fill = share.groups * share.outputs * -(-int(share.depth * product.w_bits) // unit.stream)
    leave = once * turns * (2 * chunks - 1)
    busiest = max(once * packets * turns, stream, fill, leave)
    return busiest + -(-once * turns * (division.parts - 1) // division.parts)


@lru_cache(maxsize=65536)
def _contracted(unit: TensorUnit, product: Product) -> ArrayWork:
    cycles, division = min((_cycles(unit, product, one), one) for one in _divisions(unit, product))
    results = product.groups * product.m * product.n
    packets = -(-product.k // unit.elements(product))
    macs = results * product.k
    used = division.outputs * division.parts * min(division.rows, product.groups * product.m)
    copies = max(1, min(division.rows // product.groups, product.m))
    return ArrayWork(
        total_cycles=cycles,
        utilisation=2 * macs * unit.clock / (unit.peak_of(product) * cycles),
        arrays=min(unit.slices, used),
        sram_ifmap_reads=product.groups * product.m * product.k * division.outputs,
        sram_filter_reads=product.groups * product.k * product.n * copies,
        sram_ofmap_reads=results * (packets - 1),
        sram_ofmap_writes=results * packets,
    )
