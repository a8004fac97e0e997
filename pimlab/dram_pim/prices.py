"""What does each DRAM and PIM event cost? Cited energies of one memory, as prices with low and high."""

from __future__ import annotations

from pimlab.catalogue import Entry, entry
from pimlab.constants import Constant, derive
from pimlab.cost import Price, Prices

ACTIVATE, BANK_BIT, MAC, REGISTER_BIT, ARRAY_BIT, IO_BIT, HOST_ADD, REFRESH, BACKGROUND = (
    "row activation", "bank bit", "in-bank MAC", "register bit", "array bit", "I/O bit", "host addition", "refresh", "background second",
)  # fmt: skip
"""Rows opened (one bank each); bits between a bank and its unit; multiply-accumulates; bits written to unit registers;
bits between a bank and the periphery; bits over the package's pins; additions on the host; all-bank refreshes of one
channel and rank; seconds of standby."""


def _per_bit(constant: Constant) -> Constant:
    return constant.but(unit="J")


def refresh_energy(table: Entry, rows: int, banks: int) -> Constant:
    """Energy of one all-bank refresh: the rows it restores in every bank, each an activation."""
    return derive(
        "refresh",
        lambda activate, commands: max(rows / commands, 1.0) * banks * activate,
        table["energy.activate"],
        table["refresh_commands"],
        unit="J",
        reason="every row is activated once in a retention period: rows / refresh commands x banks x activation energy",
    )


def prices(name: str) -> Prices:
    """Prices of the memory `name` of catalogue room `pim`; ValueError with the nearest name."""
    table = entry("pim", name)
    rows, banks = int(table["rows"].value), int(table["banks"].value)
    background = derive("background", lambda watt: watt, table["power.background"], unit="J", reason="power x 1 s")
    return Prices({
        ACTIVATE: Price(constant=table["energy.activate"], component="DRAM rows"),
        BANK_BIT: Price(constant=_per_bit(table["energy.bank_bit"]), component="bank columns"),
        MAC: Price(constant=table["energy.unit_mac"], component="MAC"),
        REGISTER_BIT: Price(constant=_per_bit(table["energy.register_bit"]), component="PIM registers"),
        ARRAY_BIT: Price(constant=_per_bit(table["energy.array_bit"]), component="DRAM columns"),
        IO_BIT: Price(constant=_per_bit(table["energy.io_bit"]), component="I/O"),
        HOST_ADD: Price(constant=table["energy.host_add"], component="host"),
        REFRESH: Price(constant=refresh_energy(table, rows, banks), component="refresh"),
        BACKGROUND: Price(constant=background, component="background"),
    })  # fmt: skip
