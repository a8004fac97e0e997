"""What does each DRAM and PIM event cost? Cited energies of one memory, as prices with low and
high.
"""

from __future__ import annotations

from pimlab.catalogue import Entry
from pimlab.constants import Constant, derive
from pimlab.cost import Price, Prices

ACTIVATE, BANK_BIT, MAC, REGISTER_BIT, ARRAY_BIT, IO_BIT, HOST_ADD, REFRESH, BACKGROUND = (
    "row activation",
    "bank bit",
    "in-bank MAC",
    "register bit",
    "array bit",
    "I/O bit",
    "host addition",
    "refresh",
    "background second",
)
"""Rows opened (one bank each); bits between a bank and its unit; multiply-accumulates; bits written
to unit registers; bits between a bank and the periphery; bits over the package's pins; additions on
the host; all-bank refreshes of one channel and rank; seconds of standby of one channel.
"""


def _per_bit(constant: Constant) -> Constant:
    return constant.but(unit="J")


def refresh_energy(table: Entry, rows: int, banks: int) -> Constant:
    """Energy of one all-bank refresh: the rows it restores in every bank, each an activation
    [J].
    """
    return derive(
        "refresh",
        lambda activate, commands: max(rows / commands, 1.0) * banks * activate,
        table["energy.activate"],
        table["refresh_commands"],
        unit="J",
        reason="every row is activated once in a retention period: rows / refresh commands x banks "
        "x activation energy",
    )


_PARTS = {
    ACTIVATE: ("energy.activate", "DRAM rows"),
    BANK_BIT: ("energy.bank_bit", "bank columns"),
    MAC: ("energy.unit_mac", "MAC"),
    REGISTER_BIT: ("energy.register_bit", "PIM registers"),
    ARRAY_BIT: ("energy.array_bit", "DRAM columns"),
    IO_BIT: ("energy.io_bit", "I/O"),
    HOST_ADD: ("energy.host_add", "host"),
}


def package_limit(table: Entry) -> Constant | None:
    """Power [W] that the packages of a memory may dissipate; None where its file has no such
    number.
    """
    return table.get("power.package")


def prices(table: Entry) -> Prices:
    """Prices of a memory of catalogue room `pim`: those events that it has. Unit: J an event."""
    by_event = {
        event: Price(constant=_per_bit(table[key]), component=part)
        for event, (key, part) in _PARTS.items()
        if key in table
    }
    channels = table["channels"].value
    background = derive(
        "background",
        lambda watt: watt / channels,
        table["power.background"],
        unit="J",
        reason="power x 1 s / channels",
    )
    by_event[BACKGROUND] = Price(constant=background, component="background")
    if "refresh_commands" in table:
        refresh = refresh_energy(table, int(table["rows"].value), int(table["banks"].value))
        by_event[REFRESH] = Price(constant=refresh, component="refresh")
    return Prices(by_event)
