"""In which order does a tensor unit touch memory? Nested loops over addresses, and the packets that
leave them.

A sequencer is a list of loops (size, stride), outermost first, and a packet: so many elements leave
together. What a single access brings is bounded by how far addresses follow each other without a
gap: max access = gcd(packet, contiguous run) (furiosa-opt book, "Sequencer", "Access Size").
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pimlab.units import is_integer
from pimlab.values import Value, integer

LOOPS = 8
"""Loops of a configuration at most ("Sequencer", "Constraints")."""
TURNS = 65536
"""Turns of a loop at most (same place)."""


class Sequencer(Value):
    """Nested loops over addresses, with `packet` elements leaving at a time."""

    loops: tuple[tuple[int, int], ...]
    """(size, stride) of each loop in elements, outermost first; stride 0 reads an element again."""
    packet: int = integer(1, doc="elements that leave together")
    base: int = integer(0, default=0, doc="address of the first element, in elements")
    bits: int = integer(1, 64, default=8, doc="bits of an element")

    def __post_init__(self) -> None:
        object.__setattr__(self, "loops", _as_loops(self.loops))
        super().__post_init__()

    def check(self) -> None:
        """Loops fit the hardware once those that follow each other are one; packets fill the loops
        evenly. ValueError names the loop.
        """
        if len(merged := self.merged()) > LOOPS:
            raise ValueError(f"Sequencer has {len(merged)} loops, and the hardware runs {LOOPS}")
        if self.elements % self.packet:
            raise ValueError(
                f"Sequencer packet={self.packet} does not divide its {self.elements} elements"
            )

    @property
    def elements(self) -> int:
        """Elements of the whole stream, broadcast ones counted as often as they leave (unit:
        elements).
        """
        return math.prod(size for size, _ in self.loops)

    @property
    def packets(self) -> int:
        """Packets of the whole stream (unit: packets)."""
        return self.elements // self.packet

    @property
    def packet_bytes(self) -> int:
        """Bytes of a packet, rounded up (unit: B)."""
        return -(-self.packet * self.bits // 8)

    def merged(self) -> tuple[tuple[int, int], ...]:
        """The loops with those joined whose addresses follow each other without a gap, up to 65,536
        turns.
        """
        joined = [self.loops[-1]]
        for size, stride in reversed(self.loops[:-1]):
            inner, step = joined[0]
            if stride == inner * step and size * inner <= TURNS:
                joined[0] = (size * inner, step)
            else:
                joined.insert(0, (size, stride))
        return tuple(joined)

    def contiguous_run(self) -> int:
        """Elements that follow each other in memory, from the innermost loop outwards (unit:
        elements).
        """
        run = self.loops[-1][0]
        for (count, stride), (size, step) in zip(
            self.loops[-2::-1], self.loops[:0:-1], strict=True
        ):
            if stride != size * step:
                break
            run *= count
        return run

    def max_access(self) -> int:
        """Elements that one access can bring: gcd of packet and contiguous run (unit: elements)."""
        return math.gcd(self.packet, self.contiguous_run())

    def addresses(self) -> np.ndarray:
        """Address of the first element of every packet in order: int64, shape (packets,), in
        elements. ValueError where the elements of a packet do not follow each other.
        """
        if self.max_access() != self.packet:
            raise ValueError(
                f"Sequencer packet={self.packet} is not one run of elements (the run is "
                f"{self.contiguous_run()})"
            )
        outer, left = list(self.loops), self.packet
        while left > 1:
            size, stride = outer.pop()
            if left < size:
                outer.append((size // left, stride * left))
            left = max(1, left // size)
        address = np.array([self.base], dtype=np.int64)
        for size, stride in outer:
            address = (address[:, None] + stride * np.arange(size)).ravel()
        return address


def _as_loops(given: Any) -> tuple[tuple[int, int], ...]:
    """Pairs of integers; TypeError or ValueError names the loop that is none."""
    if isinstance(given, (str, bytes)) or not hasattr(given, "__iter__"):
        raise TypeError(f"Sequencer loops={given!r} is not a list of (size, stride)")
    loops = tuple(_as_loop(one) for one in given)
    if not loops:
        raise ValueError("Sequencer loops=() has no loop; a single element is ((1, 1),)")
    return loops


def _as_loop(one: Any) -> tuple[int, int]:
    pair = tuple(one) if isinstance(one, (tuple, list)) else ()
    if len(pair) != 2 or not all(map(is_integer, pair)):
        raise TypeError(f"Sequencer loop {one!r} is not (size, stride), two integers")
    size, stride = int(pair[0]), int(pair[1])
    if not 1 <= size <= TURNS:
        raise ValueError(f"Sequencer loop {one!r} has a size outside 1..{TURNS}")
    return size, stride
