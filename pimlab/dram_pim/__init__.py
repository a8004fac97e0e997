"""Stage 2, DRAM with multiply-accumulate units in its banks: exact rounding, command-level time and energy by event."""

from __future__ import annotations

from pimlab.dram_pim.api import elementwise, gemv, host_read, host_write, matmul, trace
from pimlab.dram_pim.organisation import BankPim
from pimlab.dram_pim.target import TARGETS, DramPim
from pimlab.dram_pim.timing import Timing, timing
from pimlab.dram_pim.validator import TraceError, validate

__all__ = ["TARGETS", "BankPim", "DramPim", "Timing", "TraceError", "elementwise", "gemv", "host_read", "host_write", "matmul",
           "timing", "trace", "validate"]  # fmt: skip
