"""What does each DRAM and PIM event cost? Cited energies of one memory, as prices with low and
high.
"""

from __future__ import annotations

from pimlab.catalogue import Entry
from pimlab.constants import Constant
from pimlab.cost import Price, Prices
from pimlab.dram_pim import currents

(
    ACTIVATE,
    BANK_BIT,
    MAC,
    REGISTER_BIT,
    ARRAY_BIT,
    ARRAY_WRITE_BIT,
    IO_BIT,
    HOST_ADD,
    REFRESH,
    BACKGROUND,
    CONTROLLER,
) = (
    "row activation",
    "bank bit",
    "in-bank MAC",
    "register bit",
    "array bit",
    "array write bit",
    "I/O bit",
    "host addition",
    "refresh",
    "background second",
    "controller second",
)
"""Rows opened (one bank each); bits between a bank and its unit; multiply-accumulates; bits written
to unit registers; bits read, and bits written, between a bank and the periphery; bits over the
package's pins; additions on the host; all-bank refreshes of one channel and rank; seconds of
standby of one channel; seconds of the controller of its own that a machine has.
"""


def _per_bit(constant: Constant) -> Constant:
    """A price of one event: joules a bit, or watts for one second, as joules."""
    return constant.but(unit="J")


_PARTS = {
    ACTIVATE: ("energy.activate", "DRAM rows"),
    BANK_BIT: ("energy.bank_bit", "bank columns"),
    MAC: ("energy.unit_mac", "MAC"),
    REGISTER_BIT: ("energy.register_bit", "PIM registers"),
    ARRAY_BIT: ("energy.array_bit", "DRAM columns"),
    ARRAY_WRITE_BIT: ("energy.array_write_bit", "DRAM columns"),
    IO_BIT: ("energy.io_bit", "I/O"),
    HOST_ADD: ("energy.host_add", "host"),
}


_HELD = {
    REFRESH: "energy.refresh",
    BACKGROUND: "power.channel",
    CONTROLLER: "power.controller",
}
_BY_CURRENTS = {
    ACTIVATE: currents.ACTIVATE,
    ARRAY_BIT: currents.READ_BIT,
    ARRAY_WRITE_BIT: currents.WRITE_BIT,
    IO_BIT: currents.PIN_READ_BIT,
    REFRESH: currents.REFRESH,
    BACKGROUND: currents.STANDBY,
}
"""Events whose price follows from currents of the catalogue, where a file names some."""


def channel_limit(table: Entry) -> Constant | None:
    """Power [W] that one channel's share of its package may dissipate; None where its file has no
    such number.
    """
    return table.get("power.channel_limit")


def prices(table: Entry) -> Prices:
    """Prices of a memory of catalogue room `pim`: those events that it has. Unit: J an event.

    What a file does not price itself follows from the currents it names in its text `currents`.
    """
    by_currents = (
        currents.command_energies(table.meta["currents"]) if "currents" in table.meta else {}
    )
    components = {event: part for event, (_, part) in _PARTS.items()}
    components |= {REFRESH: "refresh", BACKGROUND: "background", CONTROLLER: "controller"}
    found = {
        event: by_currents[name] for event, name in _BY_CURRENTS.items() if name in by_currents
    }
    found |= {event: table[key] for event, (key, _) in _PARTS.items() if key in table}
    found |= {event: table[key] for event, key in _HELD.items() if key in table}
    return Prices(
        {
            event: Price(constant=_per_bit(found[event]), component=part)
            for event, part in components.items()
            if event in found
        }
    )
