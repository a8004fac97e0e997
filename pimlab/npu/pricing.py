"""What does one event of an NPU cost? Cited energies at their own node, scaled to the machine's."""

from __future__ import annotations

from pimlab import catalogue
from pimlab.catalogue import Entry
from pimlab.constants import Constant, derive
from pimlab.cost import Price, Prices
from pimlab.cost.technology import scaled


def prices(chip: Entry) -> Prices:
    """Prices of every event of the machine `chip` describes (it gives node, voltage, DRAM type and standing power)."""
    node, volts = chip["node"].value * 1e9, chip["voltage"].value
    dram = catalogue.entry("energy", "memory")[chip.meta["dram"]]
    return Prices({
        "mac.int8": Price(constant=_at(int8_mac(), 45, 0.9, node, volts), component="MAC"),
        "sram.read": Price(constant=_sram("read", node, volts), component="SRAM"),
        "sram.write": Price(constant=_sram("write", node, volts), component="SRAM"),
        "psum.read": Price(constant=_psum(node, volts), component="accumulators"),
        "psum.write": Price(constant=_psum(node, volts), component="accumulators"),
        "dram.read": Price(constant=dram, component="DRAM"),
        "dram.write": Price(constant=dram, component="DRAM"),
        "vector.op": Price(constant=_at(vector_op(), 45, 0.9, node, volts), component="vector"),
        "standing": Price(constant=chip["power_standing"], component="leakage"),
    })  # fmt: skip


def int8_mac() -> Constant:
    """An 8-bit multiplication and a 32-bit addition at 45 nm: Horowitz and Aladdin disagree four times over."""
    table = catalogue.entry("energy", "arithmetic-45nm")
    low = derive("int8 MAC", lambda a, b: a + b, table["int8_multiply"], table["int32_add"], unit="J", reason="multiply + add")
    return between("int8 MAC, 45 nm", low, table["aladdin_int8_mac"])


def vector_op() -> Constant:
    """One elementary operation of the vector unit at 45 nm, from an int32 addition to a float32 multiplication."""
    table = catalogue.entry("energy", "arithmetic-45nm")
    return between("vector operation, 45 nm", table["int32_add"], table["fp32_multiply"])


def between(name: str, low: Constant, high: Constant) -> Constant:
    """Two sources that disagree: the geometric mean, and both as the interval."""
    mean = derive(name, lambda a, b: (a * b) ** 0.5, low, high, unit=low.unit,
                  reason=f"geometric mean of {low.value:.3g} and {high.value:.3g} {low.unit}: two sources that disagree")  # fmt: skip
    return mean.but(low=low.low, high=high.high)


def _sram(access: str, node: float, volts: float) -> Constant:
    table = catalogue.entry("energy", "memory")
    small = _at(table["cache_8kB_45nm"], 45, 0.9, node, volts)
    medium = _at(table[f"sram_4MB_{access}_7nm"], 7, 0.7, node, volts)
    large = _at(table[f"sram_128MB_{access}_7nm"], 7, 0.7, node, volts)
    return derive(f"SRAM {access}, 4 MB slices", lambda s, m, b: m, small, medium, large, unit=medium.unit,
                  reason="a 4 MB memory; low: banks of 8 kB; high: one memory of 128 MB").but(low=small.low, high=large.high)  # fmt: skip


def _psum(node: float, volts: float) -> Constant:
    table = catalogue.entry("energy", "memory")
    small = _at(table["cache_8kB_45nm"], 45, 0.9, node, volts)
    large = _at(table["sram_4MB_write_7nm"], 7, 0.7, node, volts)
    return derive("accumulator access, 8 kB banks", lambda s, b: s, small, large, unit=small.unit,
                  reason="banks of 8 kB beside the array; high: in the 4 MB slices").but(high=large.high)  # fmt: skip


def _at(constant: Constant, from_node: float, from_voltage: float, node: float, volts: float) -> Constant:
    return scaled(constant, from_node=from_node, from_voltage=from_voltage, node=node, voltage=volts)
