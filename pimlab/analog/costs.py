"""What does a macro take in time and energy for a read? Either a published chip as a whole, or
published parts put together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from pimlab import catalogue
from pimlab.analog.digital import DIGITAL_OP
from pimlab.analog.energy import adc_price
from pimlab.analog.physics import count
from pimlab.analog.supply import Supply, scaled_price
from pimlab.arguments import named
from pimlab.catalogue import Entry
from pimlab.constants import Constant
from pimlab.cost import Price, Prices
from pimlab.values import Value, choice, integer, part, quantity, unknown

COMPONENTS = {
    "DAC conversion": "DAC",
    "ADC conversion": "ADC",
    "sample": "sample and hold",
    "digital add": "accumulation",
    "digital scale": "scaling",
    "array read": "rest of the macro",
    "array slot": "rest of the macro",
    "row slot": "DAC",
    "word line slot": "word lines",
    "cell row slot": "cells",
    "column slot": "ADC",
    "ADC step": "ADC",
    "integration": "integrator",
    "cell slot": "cells",
    "active read": "bit lines",
    "discharge": "bit lines",
    "cell read": "cells",
    "wire read": "wires",
    "buffer bit": "buffer",
    "network bit": "network",
    "cell write": "programming",
    DIGITAL_OP: "digital units",
    "static array": "static",
    "static chip": "static",
}
"""Event -> component of the breakdown. "cell read" and "wire read" are counted in joules (V^2 G t),
"static array" and "static chip" in seconds, all others in events.
"""
STEPS = ("slot", "integration", "ADC step", "step")
"""What the time of a read may be counted in, where it is not one number: slots of the input,
integrations and bits of the ADC on one column, and steps of the input.
"""
AREAS = ("cells", "DAC", "ADC", "shift_add", "array", "chip")
"""Parts whose area a macro may state: a cell, a driver (one a row), an ADC, its shift-add, what
else an array has, what else the chip has.
"""

_TIMES = ("read_voltage", "integration_time", "read_time", "node")
_HOLD_THE_ADC = {"ADC conversion", "ADC step", "column slot", "array read", "array slot"}
"""Events whose price holds the ADC's, so that the survey adds none."""
_NOT_OF_THE_SUPPLY = ("cell read", "wire read", "cell write")


def _keys(table: str, names: Iterable[str]) -> dict[str, str]:
    """Name -> key of its constant in a file."""
    return {name: f"{table}.{name.replace(' ', '_')}" for name in names}


COST_TABLES = (
    *_TIMES,
    "phases",
    *_keys("supply", ("voltage", "threshold", "time_exponent")).values(),
    *_keys("energy", COMPONENTS).values(),
    *_keys("time", STEPS).values(),
)
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
    phases: int = integer(
        1, 64, default=1, doc="reads one after another for one product, such as one for each sign"
    )
    idle: str = choice(
        "off", "on", default="off", doc="what drivers and columns without weights do in a read"
    )
    supply: Supply | None = part(Supply, default=None, doc="None: one supply is published")
    step_times: tuple[tuple[str, Constant], ...] = ()
    """Seconds of each of `STEPS`, where they make up the time of a read; () where it is
    `read_time`.
    """
    areas: tuple[tuple[str, Constant], ...] = ()
    """Square metres of each of `AREAS` that is known."""
    constants: tuple[tuple[str, Constant], ...] = ()
    """Price of each event; events without one cost nothing apart from what others hold."""
    cited: tuple[str, ...] = ()
    """Keys in `sources.bib` behind the times and the voltage."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Keys in `sources.bib` behind the times, the voltage and the prices."""
        constants = (*self.constants, *self.step_times)
        return tuple(sorted({*self.cited, *(s for _, c in constants for s in c.sources)}))

    @property
    def holds_the_adc(self) -> bool:
        """Whether conversions are priced, by themselves or within what else this macro states."""
        return bool(dict(self.constants).keys() & _HOLD_THE_ADC)

    def at_supply(self, voltage: str | float) -> MacroCosts:
        """These costs at another supply (V or text): energies and times follow `supply`.

        Cells that conduct are read at `read_voltage`, whatever the supply, so their price stays.
        ValueError for a macro of which one supply is known, and outside the measured range.
        """
        if self.supply is None:
            raise ValueError(f"{self.name}: only one supply is known; allowed: none other")
        volts = self.supply.checked(voltage)
        energy, time = self.supply.energy_ratio(volts), self.supply.time_ratio(volts)
        return self.but(
            supply=self.supply.but(voltage=volts),
            integration_time=time * self.integration_time,
            read_time=time * self.read_time,
            step_times=tuple((n, scaled_price(c, time, volts)) for n, c in self.step_times),
            constants=tuple(
                (n, c if n in _NOT_OF_THE_SUPPLY else scaled_price(c, energy, volts))
                for n, c in self.constants
            ),
        )

    def steps_time(self, counts: Mapping[str, int]) -> float | None:
        """Seconds [s] of `counts` of `STEPS`; None for a macro that states one time a read."""
        if not self.step_times:
            return None
        return sum(counts[name] * constant.value for name, constant in self.step_times)

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

    def prices(self, enob: float | None, conversion: Constant | None = None) -> Prices:
        """Event -> Price [J]; conversions that no constant prices cost `conversion` [J], or come
        from the ADC survey at `enob` (None: no ADC), unless a price of the whole macro holds them.
        """
        priced = {
            event: Price(constant=constant, component=COMPONENTS[event])
            for event, constant in self.constants
        }
        if "cell read" in priced:
            priced["wire read"] = priced["cell read"].but(component=COMPONENTS["wire read"])
        if enob is not None and not priced.keys() & _HOLD_THE_ADC:
            constant = conversion or adc_price(enob, self.adc_rate, self.node)
            priced["ADC conversion"] = Price(constant=constant, component="ADC")
        return Prices(priced)


@lru_cache(maxsize=32)
def macro(name: str) -> MacroCosts:
    """The macro of `catalogue/analog/<name>.toml`; ValueError with the nearest name when there is
    none.
    """
    return macro_costs(name, catalogue.entry("analog", name))


def macro_costs(name: str, entry: Entry) -> MacroCosts:
    """The costs that the file of a macro or of a whole machine holds."""
    rest: dict[str, Any] = {"node": entry["node"].value} if "node" in entry else {}
    if "phases" in entry:
        rest["phases"] = int(entry["phases"].value)
    return MacroCosts(
        name=name,
        read_voltage=entry["read_voltage"].value,
        integration_time=entry["integration_time"].value,
        read_time=entry["read_time"].value,
        constants=_held(entry, "energy", COMPONENTS),
        step_times=_held(entry, "time", STEPS),
        areas=_held(entry, "area", AREAS),
        supply=_supply(entry),
        cited=tuple(sorted({s for key in _TIMES if key in entry for s in entry[key].sources})),
        **rest,
    )


def _supply(entry: Entry) -> Supply | None:
    if "supply.voltage" not in entry:
        return None
    volts = entry["supply.voltage"]
    rest = {
        name: entry[f"supply.{name}"].value
        for name in ("threshold", "time_exponent")
        if f"supply.{name}" in entry
    }
    return Supply(voltage=volts.value, lowest=volts.low, highest=volts.high, **rest)


def _held(entry: Entry, table: str, names: Iterable[str]) -> tuple[tuple[str, Constant], ...]:
    """(name, constant) of those of `names` that a table of the file holds."""
    return tuple((name, entry[key]) for name, key in _keys(table, names).items() if key in entry)


@named
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
