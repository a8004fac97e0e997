"""What does a macro take in time and energy for a read? Constants of one published macro, cited."""

from __future__ import annotations

from pimlab import catalogue
from pimlab.constants import Constant
from pimlab.cost import Price, Prices
from pimlab.values import Value, quantity

EVENTS = {
    "DAC conversion": "DAC",
    "ADC conversion": "ADC",
    "digital add": "accumulation",
    "digital scale": "scaling",
    "array read": "rest of the macro",
    "cell read": "cells",
}
"""Event -> component of the breakdown. "cell read" is counted in joules (V^2 G t), all others in events."""


class MacroCosts(Value):
    """Times and prices of one macro."""

    name: str
    read_voltage: float = quantity("V", above=0)
    """Full-scale read voltage across a cell."""
    integration_time: float = quantity("s", above=0)
    """How long the voltage stands across the cells in one read at full input."""
    read_time: float = quantity("s", above=0)
    """From one array read to the next, conversions included."""
    constants: tuple[tuple[str, Constant], ...]
    """Price of each event."""

    @property
    def prices(self) -> Prices:
        """Event -> Price."""
        return Prices({event: Price(constant=constant, component=EVENTS[event]) for event, constant in self.constants})


def macro(name: str) -> MacroCosts:
    """The macro of `catalogue/analog/<name>.toml`; ValueError with the nearest name when there is none."""
    entry = catalogue.entry("analog", name)
    keys = {event: "energy." + event.replace(" ", "_") for event in EVENTS}
    return MacroCosts(
        name=name,
        read_voltage=entry["read_voltage"].value,
        integration_time=entry["integration_time"].value,
        read_time=entry["read_time"].value,
        constants=tuple((event, entry[key]) for event, key in keys.items()),
    )
