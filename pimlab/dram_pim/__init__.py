"""Stage 2, DRAM with multiply-accumulate units in its banks: exact rounding, command-level time and energy by event."""

from __future__ import annotations

from pimlab.dram_pim.organisation import BankPim
from pimlab.dram_pim.target import TARGETS, DramPim
from pimlab.dram_pim.timing import Timing, timing

__all__ = ["TARGETS", "BankPim", "DramPim", "Timing", "timing"]
