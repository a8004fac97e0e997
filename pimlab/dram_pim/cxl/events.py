"""What does a program on AiM channels and near-memory units cost? Its events, and their prices.

A table gives powers while something happens (a row cycles, a column is read, a buffer is accessed)
and how long that takes; an event costs their product.
"""

from __future__ import annotations

from pimlab.catalogue import Entry
from pimlab.constants import Constant, derive
from pimlab.cost import Price, Prices
from pimlab.dram_pim.aim import AimPim
from pimlab.dram_pim.cxl.instructions import Program
from pimlab.dram_pim.timing import AimTiming

_TIMED = {
    "row activation": ("power.activate", "time.row", "DRAM rows"),
    "column read": ("power.read", "time.column", "DRAM columns"),
    "column write": ("power.write", "time.column", "DRAM columns"),
    "controller request": ("power.controller", "time.request", "controllers"),
    "controller command": ("power.interface", "time.request", "controllers"),
    "global buffer read": ("power.global_read", "time.clock", "buffers"),
    "global buffer write": ("power.global_write", "time.clock", "buffers"),
    "shared buffer read": ("power.shared_read", "time.clock", "buffers"),
    "shared buffer write": ("power.shared_write", "time.clock", "buffers"),
    "instruction": ("power.instruction", "time.clock", "sequencer"),
    "core cycle": ("power.core", "time.clock", "near-memory units"),
    "reduction": ("power.reduction", "time.clock", "near-memory units"),
    "exponential": ("power.exponential", "time.clock", "near-memory units"),
    "vector addition": ("power.addition", "time.clock", "near-memory units"),
}
"""Event -> power while it happens, how long, component."""
_HELD = {
    "open standby second": ("power.open", "static DRAM"),
    "closed standby second": ("power.closed", "static DRAM"),
    "device second": ("power.device", "static controller"),
}
_BITS = {"I/O bit": ("energy.io_bit", "I/O"), "link bit": ("energy.link_bit", "switch")}


def _product(event: str, power: Constant, seconds: Constant) -> Constant:
    return derive(event, lambda p, s: p * s, power, seconds, unit="J", reason="power x time")


def prices(table: Entry) -> Prices:
    """Prices of a system of catalogue room `systems` (unit: J an event)."""
    found = {
        event: Price(constant=_product(event, table[power], table[time]), component=component)
        for event, (power, time, component) in _TIMED.items()
    }
    mac = derive(
        "all-bank MAC",
        lambda times, power, seconds: times * power * seconds,
        table["mac_over_read"],
        table["power.read"],
        table["time.mac"],
        unit="J",
        reason="times the power of a read x time between two all-bank products",
    )
    found["all-bank MAC"] = Price(constant=mac, component="MAC")
    for event, (power, component) in _HELD.items():
        found[event] = Price(constant=table[power].but(unit="J"), component=component)
    for event, (bit, component) in _BITS.items():
        found[event] = Price(constant=table[bit].but(unit="J"), component=component)
    return Prices(found)


def counted(program: Program, device: AimPim, t: AimTiming, standby: int) -> dict[str, float]:
    """Events of one device that runs a program, with the standby of `standby` channels (unit:
    events, or seconds).
    """
    n, banks = program.counts, device.banks
    seconds, opened = program.cycles * t.tCK, program.open_cycles * t.tCK
    pins = sum(n[x] for x in ("RD", "WR", "WRGB", "RDMAC16", "RDAF16", "WRMAC16", "WRA16"))
    requests = pins + sum(n[x] for x in ("MAC16", "AF16", "EWMUL16", "RDCP", "WRCP"))
    rows = sum(n[x] for x in ("ACT", "ACT16", "PRE", "PREA", "TMOD"))
    reads = n["RD"] + n["RDCP"] + n["RDMAC16"] + n["RDAF16"] + banks * n["AF16"]
    return {
        "row activation": n["ACT"] + banks * n["ACT16"],
        "column read": reads,
        "column write": n["WR"] + n["WRCP"] + n["WRMAC16"] + banks * n["WRA16"],
        "all-bank MAC": n["MAC16"] + n["EWMUL16"] * device.bank_groups / banks,
        "I/O bit": pins * device.access_bits,
        "controller request": requests,
        "controller command": requests + rows,
        "global buffer read": n["WRCP"],
        "global buffer write": n["WRGB"] + n["RDCP"],
        "instruction": program.instructions,
        "open standby second": opened * standby,
        "closed standby second": (seconds - opened) * standby,
        "device second": seconds,
    }


def added(*several: dict[str, float]) -> dict[str, float]:
    """Events of several together (unit: events)."""
    return {name: sum(one.get(name, 0.0) for one in several) for one in several for name in one}


def times(counts: dict[str, float], factor: float) -> dict[str, float]:
    """Events of `factor` such (unit: events)."""
    return {name: count * factor for name, count in counts.items()}
