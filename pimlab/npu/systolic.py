"""How many cycles and how much traffic does a matrix product need on a systolic MAC array? Closed forms, by fold.

out (m, n) = x (m, k) @ w (k, n) on arrays of `rows` x `cols` MACs. A fold is one stationary tile:

=========  ===========  ===========  ==========  ==================
dataflow   on rows      on columns   streamed    cycles a fold
=========  ===========  ===========  ==========  ==================
"ws"       k            n            m           2 R + C + m - 2
"is"       k            m            n           2 R + C + n - 2
"os"       m            n            k           2 R + C + k - 2
=========  ===========  ===========  ==========  ==================

R cycles place the stationary tile (ws, is) or drain the finished sums (os); the rest is skewed streaming.
"""

from __future__ import annotations

import math

from pimlab.values import Value, unknown

DATAFLOWS = ("ws", "os", "is")
LARGEST = 2**31
"""Largest m, n, k, rows or cols accepted: beyond it a shape is a mistake, not a layer."""


class Buffers(Value):
    """On-chip words for each operand; one half works while the other fills (double buffered)."""

    ifmap: int = 262144
    filter: int = 262144
    ofmap: int = 131072

    def check(self) -> None:
        """Every buffer holds at least two words."""
        for name in self.fields():
            if getattr(self, name) < 2:
                raise ValueError(f"Buffers {name}={getattr(self, name)} words; allowed: 2 or more (double buffered)")


class GemmCycles(Value):
    """Cycles and traffic (in words of each operand) of one matrix product. ifmap = x, filter = w, ofmap = out."""

    total_cycles: int
    utilisation: float
    """MACs over (MACs of all arrays x cycles), at most 1."""
    folds: int
    sram_ifmap_reads: int
    sram_filter_reads: int
    sram_ofmap_reads: int
    """Partial sums read back to be added to."""
    sram_ofmap_writes: int
    dram_ifmap_reads: int
    dram_filter_reads: int
    dram_ofmap_reads: int
    dram_ofmap_writes: int


def gemm_cycles(m: int, n: int, k: int, *, rows: int, cols: int, dataflow: str = "ws", arrays: int = 1,
                buffers: Buffers | None = None) -> GemmCycles:  # fmt: skip
    """Cycles and traffic of x (m, k) @ w (k, n); ValueError for an unknown dataflow or a shape outside 1..2^31."""
    _checked(m=m, n=n, k=k, rows=rows, cols=cols, arrays=arrays)
    if dataflow not in DATAFLOWS:
        raise ValueError(unknown("dataflow", dataflow, DATAFLOWS))
    on_rows, on_cols, streamed = {"ws": (k, n, m), "is": (k, m, n), "os": (m, n, k)}[dataflow]
    down, across = math.ceil(on_rows / rows), math.ceil(on_cols / cols)
    folds = down * across
    cycles = math.ceil(folds / arrays) * (2 * rows + cols + streamed - 2)
    return GemmCycles(total_cycles=cycles, utilisation=m * n * k / (rows * cols * arrays * cycles), folds=folds,
                      **_traffic(m, n, k, rows, cols, dataflow, down, across, buffers or Buffers()))  # fmt: skip


def _traffic(m: int, n: int, k: int, rows: int, cols: int, dataflow: str, down: int, across: int, buffers: Buffers) -> dict[str, int]:
    x, w, y = m * k, k * n, m * n
    x_passes = across if dataflow in ("ws", "os") else 1
    w_passes = {"ws": 1, "is": across, "os": down}[dataflow]
    y_passes = 1 if dataflow == "os" else down
    tile = {"ws": m * min(cols, n), "is": n * min(cols, m), "os": 0}[dataflow]
    spilled = y_passes if tile > buffers.ofmap // 2 else 1
    x_kept = min(rows, m) * k if dataflow == "os" else x
    return {
        "sram_ifmap_reads": x * x_passes, "sram_filter_reads": w * w_passes,
        "sram_ofmap_reads": y * (y_passes - 1), "sram_ofmap_writes": y * y_passes,
        "dram_ifmap_reads": x * (x_passes if x_kept > buffers.ifmap // 2 else 1),
        "dram_filter_reads": w * (w_passes if w > buffers.filter // 2 else 1),
        "dram_ofmap_reads": y * (spilled - 1), "dram_ofmap_writes": y * spilled,
    }  # fmt: skip


def _checked(**sizes: int) -> None:
    for name, size in sizes.items():
        if isinstance(size, bool) or not hasattr(size, "__index__"):
            raise TypeError(f"{name}={size!r} is not an integer 1..{LARGEST}")
        if not 1 <= size <= LARGEST:
            raise ValueError(f"{name}={size} is outside 1..{LARGEST}")
