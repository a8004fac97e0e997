"""What does one event of an NPU cost? Cited energies at their own node, scaled to the machine's."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

from pimlab import catalogue, formats
from pimlab.constants import Constant, assumed, derive
from pimlab.cost import Price, Prices
from pimlab.cost.technology import scaled
from pimlab.values import unknown

_PRINTED = {"fp16": "fp16", "fp32": "fp32"}


def dram_types() -> tuple[str, ...]:
    """DRAM types with a price, such as "hbm2"."""
    table = catalogue.entry("energy", "memory")
    return tuple(sorted(name for name in table if not name.startswith(("cache", "sram"))))


@lru_cache(maxsize=256)
def memory_prices(node: float, voltage: float, dram: str, sram: float) -> Prices:
    """Prices of everything but MACs and static power for a machine at `node` [m] and `voltage` (V),
    with a DRAM type and `sram` bits on chip.

    ValueError for an unknown DRAM type, and outside the nodes and voltages that can be scaled to.
    """
    if dram not in dram_types():
        raise ValueError(unknown("DRAM type", dram, dram_types()))
    outside = catalogue.entry("energy", "memory")[dram]
    at = (node, voltage, sram)
    read, write, psum = (_sram("read", *at), _sram("write", *at), _psum(*at))
    costs = {
        "sram.read": (read, "SRAM"),
        "sram.write": (write, "SRAM"),
        "sram.index": (read, "SRAM"),
        "psum.read": (psum, "accumulators"),
        "psum.write": (psum, "accumulators"),
        "dram.read": (outside, "DRAM"),
        "dram.write": (outside, "DRAM"),
        "dram.index": (outside, "DRAM"),
        "vector.op": (_from_45nm(vector_op(), node, voltage), "vector"),
        "interface": (_interface(node, voltage), "DRAM interface"),
    }
    return Prices(
        {
            event: Price(constant=constant, component=component)
            for event, (constant, component) in costs.items()
        }
    )


def static_price(power: Constant, ratio: float) -> Price:
    """Price of a second of static power [W], which a technology ratio may have moved.

    No law of leakage and idle power from node to node was found: a ratio other than 1 moves it as
    the energy of an operation moves, the interval reaches to power that does not move at all, and
    the price counts as assumed.
    """
    if ratio == 1:
        return Price(constant=power, component="static")
    ends = sorted((1.0, ratio))
    reason = (
        f"{power.printed} at the node and voltage of the product, moved as Stillmaker and Baas' "
        "energies; the interval reaches to power that does not move"
    )
    moved = assumed(
        f"{power.name}, moved", power.value * ratio, "W", reason, power.low * ends[0],
        power.high * ends[1],
    )  # fmt: skip
    return Price(constant=moved.but(sources=power.sources), component="static")


def _interface(node: float, voltage: float) -> Constant:
    """One bit between DRAM and arrays: PHY, controller, network on chip and cache [J].

    Drivers and long wires hardly shrink: the nominal value is that of A100 whatever the node, and
    the interval reaches to one that moves with the node as a MAC does.
    """
    one = catalogue.entry("energy", "on-chip")["dram_interface"]
    fitted = catalogue.entry("npu", "a100")
    moved = scaled(
        one,
        from_node=fitted["node"].value * 1e9,
        from_voltage=fitted["voltage"].value,
        node=node * 1e9,
        voltage=voltage,
    )
    return one.but(low=min(one.low, moved.low), high=max(one.high, moved.high))


@lru_cache(maxsize=256)
def delivery_price(format_: str, node: float, voltage: float) -> Price:
    """Price of registers, operand delivery and instruction issue for one MAC in `format_`, at
    `node` [m] and `voltage` (V).
    """
    delivered = derive(
        f"operand delivery, {format_}",
        lambda ratio, one: ratio * one,
        catalogue.entry("energy", "on-chip")["operand_delivery"],
        mac_price(format_, node, voltage).constant,
        unit="J",
        reason="ratio to the MAC, fitted on A100",
    )
    return Price(constant=delivered, component="operand delivery")


@lru_cache(maxsize=256)
def mac_price(format_: str, node: float, voltage: float) -> Price:
    """Price of one multiply-accumulate in `format_` at `node` [m] and `voltage` (V)."""
    return Price(constant=_from_45nm(mac(format_), node, voltage), component="MAC")


def mac(format_: str) -> Constant:
    """One multiplication in `format_` and one addition to the accumulator [J] at 45 nm and 0.9 V.

    Integers: Horowitz and Aladdin disagree four times over, and both are the interval; other widths
    than 8 go with the square of the width (Horowitz's 32-bit multiplier costs 15.5 times the 8-bit
    one). Floats: printed for FP16 and FP32; other significands are assumed between a linear and a
    square law in their width.
    """
    grid = formats.format(format_)
    if isinstance(grid, formats.IntegerFormat):
        return _integer_mac(grid.width)
    if isinstance(grid, formats.FloatFormat):
        return _float_mac(grid.name, grid.mantissa + 1)
    raise ValueError(
        f"a MAC does not multiply in {format_!r}: it is a format of blocks; give its element's"
    )


def _table() -> catalogue.Entry:
    return catalogue.entry("energy", "arithmetic-45nm")


def _integer_mac(width: int) -> Constant:
    square = (width / 8) ** 2
    reason = "multiply + add" if width == 8 else f"8-bit multiply x ({width} / 8)^2 + add"
    pairs = (("int8_multiply", "int32_add"), ("aladdin_int8_multiply", "aladdin_int32_add"))
    ends = [
        derive(
            f"int{width} MAC",
            lambda a, b: a * square + b,
            _table()[a],
            _table()[b],
            unit="J",
            reason=reason,
        )
        for a, b in pairs
    ]
    return between(f"int{width} MAC, 45 nm", *ends)


def _float_mac(name: str, significand: int) -> Constant:
    narrow, wide = _table()["fp16_add"], _table()["fp32_add"]
    if name in _PRINTED:
        multiply = _table()[f"{_PRINTED[name]}_multiply"]
    else:
        ratio, fp16 = significand / 11, _table()["fp16_multiply"].value
        ends = sorted((fp16 * ratio, fp16 * ratio**2))
        reason = f"none printed: FP16 multiply x ({significand} / 11) to the power 1 to 2"
        multiply = assumed(f"{name} multiply", fp16 * ratio**1.5, "J", reason, *ends)
    low = derive(
        f"{name} MAC",
        lambda a, b: a + b,
        multiply,
        narrow,
        unit="J",
        reason="multiply + add in FP16",
    )
    high = derive(
        f"{name} MAC", lambda a, b: a + b, multiply, wide, unit="J", reason="multiply + add in FP32"
    )
    return high.but(low=low.low)


def vector_op() -> Constant:
    """One elementary operation of the vector unit at 45 nm, from an int32 addition to a float32
    multiplication.
    """
    return between("vector operation, 45 nm", _table()["int32_add"], _table()["fp32_multiply"])


def between(name: str, low: Constant, high: Constant) -> Constant:
    """Two sources that disagree: the geometric mean, and both as the interval. In the unit of
    both.
    """
    mean = derive(
        name,
        lambda a, b: (a * b) ** 0.5,
        low,
        high,
        unit=low.unit,
        reason=f"geometric mean of {low.value:.3g} and {high.value:.3g} {low.unit}: two sources "
        "that disagree",
    )
    return mean.but(low=low.low, high=high.high)


_SLICE, _SMALL, _LARGE = 4 * 2**23, 8 * 2**13, 128 * 2**23
"""Bits of the memories with a printed energy: 4 MB, 8 kB and 128 MB."""


def _sram(access: str, node: float, voltage: float, sram: float) -> Constant:
    """An access to slices of 4 MB, or to the whole memory where it is smaller.

    Between printed sizes the logarithm of energy is interpolated in that of size, and the power law
    is continued below 8 kB and above 128 MB. Low: banks of 8 kB; high: one memory of `sram` bits.
    """
    table = catalogue.entry("energy", "memory")
    small = _from_45nm(table["cache_8kB_45nm"], node, voltage)
    medium, large = (
        _from_7nm(table[f"sram_{size}_{access}_7nm"], node, voltage) for size in ("4MB", "128MB")
    )
    nominal = _at_size(min(_SLICE, sram))
    return derive(
        f"SRAM {access}",
        nominal,
        small,
        medium,
        large,
        unit=medium.unit,
        reason="slices of 4 MB, or one smaller memory; low: banks of 8 kB; high: one memory",
    ).but(
        low=min(small.low, nominal(small.low, medium.low, large.low)),
        high=_at_size(max(_SMALL, sram))(small.high, medium.high, large.high),
    )


def _at_size(bits: float) -> Callable[[float, float, float], float]:
    """Energy of an access to a memory of `bits` from those to 8 kB, 4 MB and 128 MB."""

    def energy(small: float, medium: float, large: float) -> float:
        if bits <= _SLICE:
            slope = math.log(medium / small) / math.log(_SLICE / _SMALL)
        else:
            slope = math.log(large / medium) / math.log(_LARGE / _SLICE)
        return medium * (bits / _SLICE) ** slope

    return energy


def _psum(node: float, voltage: float, sram: float) -> Constant:
    small = _from_45nm(catalogue.entry("energy", "memory")["cache_8kB_45nm"], node, voltage)
    written = _sram("write", node, voltage, sram)
    return derive(
        "accumulator access, 8 kB banks",
        lambda s: s,
        small,
        unit=small.unit,
        reason="banks of 8 kB beside the array; high: in the slices of the SRAM",
    ).but(high=max(small.high, written.value))


def _from_45nm(constant: Constant, node: float, voltage: float) -> Constant:
    return scaled(constant, from_node=45, from_voltage=0.9, node=node * 1e9, voltage=voltage)


def _from_7nm(constant: Constant, node: float, voltage: float) -> Constant:
    return scaled(constant, from_node=7, from_voltage=0.7, node=node * 1e9, voltage=voltage)
