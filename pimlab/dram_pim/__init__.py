"""Stage 2, DRAM with multiply-accumulate units in its banks: exact rounding, command-level time and
energy by event.
"""

from __future__ import annotations

from pimlab.dram_pim.activation import LookUp
from pimlab.dram_pim.aim import AimPim
from pimlab.dram_pim.api import (
    activate,
    combine,
    elementwise,
    gemv,
    host_read,
    host_write,
    load,
    matmul,
    read_results,
    trace,
)
from pimlab.dram_pim.arithmetic import AnyFormat, Bf16Tree, FixedPoint, HalfLanes
from pimlab.dram_pim.currents import command_energies, trace_energy
from pimlab.dram_pim.cxl import CxlDevices, CxlRack, cxl_devices, cxl_rack
from pimlab.dram_pim.decode import decode_layer
from pimlab.dram_pim.engine import Controller, WriteQueue
from pimlab.dram_pim.geometry import Banks
from pimlab.dram_pim.hbm_pim import BankPim
from pimlab.dram_pim.heads import HeadUnits
from pimlab.dram_pim.interleaving import blocked, interleaved
from pimlab.dram_pim.machine import Organisation
from pimlab.dram_pim.near import NearMemory
from pimlab.dram_pim.presets import TARGETS
from pimlab.dram_pim.requests import RequestUnits
from pimlab.dram_pim.scalar import integers
from pimlab.dram_pim.stacks import HeadStacks
from pimlab.dram_pim.systems import head_stacks, head_units
from pimlab.dram_pim.target import DramPim
from pimlab.dram_pim.timing import AimTiming, Timing, timing
from pimlab.dram_pim.traffic import schedule
from pimlab.dram_pim.upmem import Dpus
from pimlab.dram_pim.validator import TraceError, validate

__all__ = [
    "TARGETS",
    "AimPim",
    "AimTiming",
    "AnyFormat",
    "BankPim",
    "Banks",
    "Bf16Tree",
    "Controller",
    "CxlDevices",
    "CxlRack",
    "Dpus",
    "DramPim",
    "FixedPoint",
    "HalfLanes",
    "HeadStacks",
    "HeadUnits",
    "LookUp",
    "NearMemory",
    "Organisation",
    "RequestUnits",
    "Timing",
    "TraceError",
    "WriteQueue",
    "activate",
    "blocked",
    "combine",
    "command_energies",
    "cxl_devices",
    "cxl_rack",
    "decode_layer",
    "elementwise",
    "gemv",
    "head_stacks",
    "head_units",
    "host_read",
    "host_write",
    "integers",
    "interleaved",
    "load",
    "matmul",
    "read_results",
    "schedule",
    "timing",
    "trace",
    "trace_energy",
    "validate",
]
