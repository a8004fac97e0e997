"""Stage 1, the digital NPU: exact integer arithmetic, cycles, traffic and energy by count."""

from __future__ import annotations

from pimlab.machine.registry import Registry
from pimlab.npu.accumulators import Accumulator
from pimlab.npu.arithmetic import Arithmetic
from pimlab.npu.arrays import MacArray
from pimlab.npu.chips import chip, chips
from pimlab.npu.contraction import TensorUnit
from pimlab.npu.dma import Command, DmaCycles, TensorDma, tensor_dma
from pimlab.npu.efficiency import Efficiency
from pimlab.npu.engines import (
    commit_cycles,
    fetch_cycles,
    switch_cycles,
    transpose_cycles,
)
from pimlab.npu.hbm import Hbm
from pimlab.npu.memory import Memory
from pimlab.npu.products import matmul
from pimlab.npu.requantisation import requantize
from pimlab.npu.roofline import attainable, ridge, roofline
from pimlab.npu.sequencer import Sequencer
from pimlab.npu.systolic import Buffers, GemmCycles, gemm_cycles
from pimlab.npu.target import Npu, Origin

TARGETS = Registry(chips, chip)

__all__ = [
    "TARGETS",
    "Accumulator",
    "Arithmetic",
    "Buffers",
    "Command",
    "DmaCycles",
    "Efficiency",
    "GemmCycles",
    "Hbm",
    "MacArray",
    "Memory",
    "Npu",
    "Origin",
    "Sequencer",
    "TensorDma",
    "TensorUnit",
    "attainable",
    "chip",
    "chips",
    "commit_cycles",
    "fetch_cycles",
    "gemm_cycles",
    "matmul",
    "requantize",
    "ridge",
    "roofline",
    "switch_cycles",
    "tensor_dma",
    "transpose_cycles",
]
