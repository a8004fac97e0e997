"""How is the noise of one read related to that of the next? As a sum of parts that each stay for a
time.

A part is held for a number of reads and then drawn anew, in every cell. Two reads that are n apart
share a part of hold h with probability 1 - n / h: where its boundaries lie is random, by the key.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pimlab.keys import Key

SHORTEST, RATIO = 64, 4
"""Hold of the shortest part of a 1/f spectrum, in reads, and the ratio of one hold to the next."""
LONG = 4096
"""Parts held at least so many reads are added to the conductances once and kept."""
FOREVER = 2**62
"""Hold of a part that no two reads differ in."""
_FROM = 8.0
"""Components faster than so many reads count as drawn in every read: between 1 and `SHORTEST` reads
the correlation is then within 0.04 of the exact one a year after programming, beyond within 0.01.
"""
_NARROW = math.exp(1 - np.euler_gamma) / (2 * math.pi)

Part = tuple[int, float]
"""(hold in reads, share of the variance)."""


def spectrum(age: float, read_time: float, interval: float) -> tuple[Part, ...]:
    """Parts of 1/f noise accumulated for `age` seconds, of reads `interval` seconds [s] apart; what
    the shares leave of 1 is white.

    A spectrum Q^2 / f between f1 = 1 / (age + read_time) and f2 = 1 / (2 read_time) has the
    variance Q^2 ln(f2 / f1) and, for f1 << 1/tau << f2, the covariance Q^2 (-gamma - ln(2 pi f1
    tau)). Parts whose hold is spread evenly in ln h between a and b give ln(b / a) and ln(b / tau)
    - 1. So b = e^(1 - gamma) / (2 pi f1), and a = b f1 / f2, make both agree.
    """
    total = math.log(max((age + read_time) / (2 * read_time), 1.0))
    longest = _NARROW * (age + read_time) / interval
    if total <= 0 or longest <= _FROM:
        return ()
    least = longest * math.exp(-total)
    parts, hold, low = list[Part](), SHORTEST, max(_FROM, least)
    while low < longest:
        high = min(hold * math.sqrt(RATIO), longest)
        parts.append((hold, math.log(high / low) / total))
        hold, low = hold * RATIO, hold * math.sqrt(RATIO)
    return tuple(parts)


@dataclass(frozen=True)
class History:
    """The parts of the noise of one machine at one time, for the reads of one key.

    parts : (hold, share) of each;  first : index of the read with row 0, counted from programming.
    """

    parts: tuple[Part, ...]
    key: Key
    first: int

    @cached_property
    def white(self) -> np.float32:
        """Share of the variance that is drawn in every read (unit 1)."""
        return np.float32(max(1.0 - sum(share for _, share in self.parts), 0.0))

    @cached_property
    def amplitudes(self) -> np.ndarray:
        """float32, shape (parts,): standard deviation of each part, relative to the whole."""
        return np.sqrt([share for _, share in self.parts], dtype=np.float32)

    @cached_property
    def lasting(self) -> int:
        """Index of the first part that is held long. Counted from 0, unit: parts."""
        return sum(hold < LONG for hold, _ in self.parts)

    def counters(self, lane: int) -> np.ndarray:
        """uint64, shape (parts,): numbers that tell the draws of parts and of tiles apart. Those of
        1,024 reads and more are counted anew.
        """
        few = sum(hold < 1024 for hold, _ in self.parts)
        return np.array(
            [
                part + 64 * lane if part < few else part - few + 64 * (lane + 2**20)
                for part in range(len(self.parts))
            ],
            np.uint64,
        )

    def segments(self, row: int) -> np.ndarray:
        """uint32, shape (parts,): which draw of each part the read of `row` sees; of one that stays
        for ever, the draw of all reads at this time.
        """
        return np.array(
            [
                (self.first if hold >= FOREVER else (self.first + row - phase) // hold) % 2**32
                for (hold, _), phase in zip(self.parts, self._phases, strict=True)
            ],
            np.uint32,
        )

    def until(self, row: int, least: int = 0) -> int:
        """First row after `row` that sees another draw of some part, of those from number `least`
        on (unit: rows).
        """
        now = self.first + row
        held = list(zip(self.parts, self._phases, strict=True))[least:]
        return row + min(
            (hold - (now - phase) % hold for (hold, _), phase in held), default=FOREVER
        )

    @cached_property
    def _phases(self) -> list[int]:
        """Where the draws of each part begin, in reads: every boundary is one of the shortest part
        where holds are multiples of each other.
        """
        low, high = self.key.child("phase").words
        word, phases = int(low) | int(high) << 32, list[int]()
        start, before = 0, 1
        for hold, _ in self.parts:
            if hold < FOREVER:
                choices = max(hold // before, 1)
                start += before * (word % choices)
                word = (word * 6364136223846793005 + 1442695040888963407) % 2**64 >> 7
                before = hold
            phases.append(start % hold)
        return phases
