"""Stage 1, the digital NPU: exact integer arithmetic, cycles, traffic and energy by count."""

from __future__ import annotations

from functools import partial

from pimlab.npu.arithmetic import Arithmetic
from pimlab.npu.requantisation import requantize
from pimlab.npu.systolic import Buffers, GemmCycles, gemm_cycles
from pimlab.npu.target import MacArray, Memory, Npu, chip

TARGETS = {name: partial(chip, name) for name in ("warboy",)}

__all__ = ["TARGETS", "Arithmetic", "Buffers", "GemmCycles", "MacArray", "Memory", "Npu", "chip", "gemm_cycles", "requantize"]
