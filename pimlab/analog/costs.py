"""What does a macro take in time and energy for a read? Either a published chip as a whole, or
published parts put together.
"""

from __future__ import annotations

from functools import lru_cache

from pimlab import catalogue
from pimlab.analog.energy import adc_price
from pimlab.analog.physics import count
from pimlab.catalogue import Entry
from pimlab.constants import Constant
from pimlab.cost import Price, Prices
from pimlab.values import Value, quantity, unknown

COMPONENTS = {
    "DAC conversion": "DAC",
    "ADC conversion": "ADC",
    "sample": "sample and hold",
    "digital add": "accumulation",
    "digital scale": "scaling",
    "array read": "rest of the macro",
    "cell read": "cells",
    "wire read": "wires",
    "buffer bit": "buffer",
    "network bit": "network",
    "cell write": "programming",
}
"""Event -> component of the breakdown. "cell read" and "wire read" are counted in joules (V^2 G t),
all others in events.
"""

_TIMES = ("read_voltage", "integration_time", "read_time", "node")
COST_TABLES = (*_TIMES, *("energy." + event.replace(" ", "_") for event in COMPONENTS))
"""Tables of a macro's file that hold its costs."""


class MacroCosts(Value):
    """Times and prices of a macro."""

    name: str
    read_voltage: float = quantity("V", above=0)
    """Full-scale read voltage across a cell."""
    integration_time: float = quantity("s", above=0)
    """How long the voltage stands across the cells in one read at full input."""
    read_time: float = quantity("s", above=0)
    """From one array read to the next, conversions included unless the ADC has a clock of its
    own.
    """
    adc_rate: float = quantity("Hz", above=0, default=1e8)
    """Conversions a second of one ADC, where its energy comes from the survey."""
    node: float = quantity("m", above=0, default=22e-9)
    constants: tuple[tuple[str, Constant], ...] = ()
    """Price of each event; events without one cost nothing apart from what others hold."""
    cited: tuple[str, ...] = ()
    """Keys in `sources.bib` behind the times and the voltage."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Keys in `sources.bib` behind the times, the voltage and the prices."""
        return tuple(sorted({*self.cited, *(s for _, c in self.constants for s in c.sources)}))

    def with_price(self, event: str, constant: Constant) -> MacroCosts:
        """A copy in which `event` costs `constant` (a user's own number: `pim.assumed`) [J];
        KeyError with the nearest event.
        """
        if event not in COMPONENTS:
            raise KeyError(unknown("event", event, COMPONENTS))
        return self.but(
            constants=(
                *((name, price) for name, price in self.constants if name != event),
                (event, constant),
            )
        )

    def prices(self, enob: float | None) -> Prices:
        """Event -> Price [J]; conversions that no constant prices come from the ADC survey at
        `enob` (None: no ADC).
        """
        priced = {
            event: Price(constant=constant, component=COMPONENTS[event])
            for event, constant in self.constants
        }
        if "cell read" in priced:
            priced["wire read"] = priced["cell read"].but(component=COMPONENTS["wire read"])
        if enob is not None and "ADC conversion" not in priced:
            priced["ADC conversion"] = Price(
                constant=adc_price(enob, self.adc_rate, self.node), component="ADC"
            )
        return Prices(priced)


@lru_cache(maxsize=32)
def macro(name: str) -> MacroCosts:
    """The macro of `catalogue/analog/<name>.toml`; ValueError with the nearest name when there is
    none.
    """
    return macro_costs(name, catalogue.entry("analog", name))


def macro_costs(name: str, entry: Entry) -> MacroCosts:
    """The costs that the file of a macro or of a whole machine holds."""
    return MacroCosts(
        name=name,
        read_voltage=entry["read_voltage"].value,
        integration_time=entry["integration_time"].value,
        read_time=entry["read_time"].value,
        constants=_constants(entry),
        cited=tuple(sorted({s for key in _TIMES if key in entry for s in entry[key].sources})),
        **({"node": entry["node"].value} if "node" in entry else {}),
    )


def _constants(entry: Entry) -> tuple[tuple[str, Constant], ...]:
    keys = {event: "energy." + event.replace(" ", "_") for event in COMPONENTS}
    return tuple((event, entry[key]) for event, key in keys.items() if key in entry)


def array_area(name: str, rows: int, cols: int, columns_an_adc: int = 1) -> dict[str, Constant]:
    """Square metres of one array of the macro `name` by part: cells, DAC (one a row), ADC,
    shift-add (one an ADC).

    KeyError where the macro publishes no areas. Unit: m^2.
    """
    entry = catalogue.entry("analog", name)
    rows, cols, columns_an_adc = (
        count(rows, "rows"),
        count(cols, "cols"),
        count(columns_an_adc, "columns_an_adc"),
    )
    counts = {
        "cells": rows * cols,
        "DAC": rows,
        "ADC": -(-cols // columns_an_adc),
        "shift-add": -(-cols // columns_an_adc),
    }
    return {
        part: _times(entry[f"area.{part.replace('-', '_')}"], number)
        for part, number in counts.items()
    }


def _times(constant: Constant, count: int) -> Constant:
    return constant.but(
        value=constant.value * count, low=constant.low * count, high=constant.high * count
    )
