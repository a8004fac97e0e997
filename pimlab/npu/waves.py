"""How are the results of an operator dealt to arrays that work side by side?

A product's results are made block by block, as many at a time as there are arrays: a wave. Sizes
that no block divides are filled up, and the last wave leaves arrays idle. A block's operands come
from the cache at `feed` bytes a cycle and array, so that narrow blocks wait for them; where blocks
are few, k is cut into parts whose sums are added afterwards. The library is taken to choose the
block and the parts that end first.

Rows go to arrays whole, two at a time. One row alone takes more than half of what two take, since
nothing fills its waits; a row of a norm, of which all must be read before any can be written, takes
as long alone as two do.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from pimlab.npu.arrays import Product

_SIDES = (16, 32, 64, 128, 256)
"""Sides of the blocks that libraries for GPUs come with (NVIDIA CUTLASS, cuBLAS)."""
_SMALLEST, _LARGEST = 1024, 32768
"""Results of the smallest block, and of the largest that A100 and H100 hold."""
_RESULTS_A_MULTIPLIER = 16
"""Results that an array holds for each of its FP16 multipliers, where that is more: as on H100."""
_PARTS = (1, 2, 4)
"""Into how many parts k may be cut."""
_SUM_BYTES = 4
"""A partial sum is FP32."""
ABREAST = 2
"""Rows that an array takes at a time: 1,024 threads each, of the 2,048 that a streaming
multiprocessor holds (CUDA C++ programming guide, compute capabilities 8.0 and 9.0).
"""


class Pace(NamedTuple):
    """What arrays and cache do in a second."""

    arrays: int
    macs: float
    """MACs a second of one array, as sustained (unit: 1/s)."""
    feed: float
    """Bytes a second that an array takes from the cache (unit: B/s)."""
    multipliers: float = 0.0
    """MACs a cycle of one array in FP16; arrays of more than 2,048 hold larger blocks."""


class Dealt(NamedTuple):
    """A product as its arrays do it."""

    seconds: float
    """Of the arrays [s]."""
    waves: int


def _choices() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows and columns of a block, and parts of k, of every choice."""
    kept = [
        (rows, cols, parts)
        for rows in _SIDES
        for cols in _SIDES
        for parts in _PARTS
        if rows * cols >= _SMALLEST
    ]
    rows, cols, parts = np.array(kept, dtype=float).T
    return rows, cols, parts


_CHOICES = _choices()


@lru_cache(maxsize=65536)
def dealt(product: Product, pace: Pace, transfer: float, exposed: float) -> Dealt:
    """The blocks that end `product` first beside a `transfer` [s] of which a share `exposed` of a
    wave's shorter part is not hidden.

    seconds = waves x (k / parts) x max(rows cols / macs, bytes / feed), and what adds the parts.
    """
    rows, cols, parts = _CHOICES
    blocks = product.groups * np.ceil(product.m / rows) * np.ceil(product.n / cols) * parts
    waves = np.ceil(blocks / pace.arrays)
    operands = (rows * product.x_bits + cols * product.w_bits) / 8
    step = np.maximum(rows * cols / pace.macs, operands / pace.feed)
    sums = product.groups * product.m * product.n * _SUM_BYTES
    adding = 2 * sums * np.where(parts > 1, parts, 0) / (pace.feed * pace.arrays)
    busy = waves * np.ceil(product.k / parts) * step + adding
    total = np.maximum(busy, transfer) + exposed * np.minimum(busy, transfer) / waves
    held = max(_LARGEST, _RESULTS_A_MULTIPLIER * pace.multipliers)
    total = np.where(rows * cols <= held, total, np.inf)
    best = int(np.argmin(total))
    return Dealt(float(busy[best]), int(waves[best]))


def turns(rows: int, arrays: int, alone: float) -> float:
    """How often `arrays` take `ABREAST` rows, one after another, until `rows` are done; a single
    row of the last turn takes the share `alone` of it (unit: turns).
    """
    full, rest = divmod(rows, ABREAST * arrays)
    if not rest:
        return float(full)
    second = max(0.0, rest / arrays - 1)
    return full + alone + (1 - alone) * second
