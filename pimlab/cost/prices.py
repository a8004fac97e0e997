"""What does one event cost, and what do many? Joules a count, with the interval of the cited price.

Intervals add linearly (low with low, high with high): the prices of one machine err together, so
the band is the widest one the sources admit, not a standard deviation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pimlab.arguments import typed
from pimlab.constants import Constant
from pimlab.units import is_number
from pimlab.values import Value, digest, unknown


class Price(Value):
    """Energy of one event (J a count, or J per SI unit of a physical integral) and the component it
    belongs to.
    """

    constant: Constant
    component: str
    """What a reader sees in the breakdown: "MAC", "SRAM", "DRAM", "ADC", "cells", "vector",
    "leakage", ...
    """


class Energy(Value):
    """Joules [J] by component: nominal, low and high; and how much of the nominal rests on assumed
    prices.
    """

    nominal: dict[str, float]
    low: dict[str, float]
    high: dict[str, float]
    assumed: dict[str, float]
    """Joules of the nominal energy, by component, whose price has the status "assumed"."""


class Prices(Mapping[str, Price]):
    """Event name -> Price. Immutable."""

    def __init__(self, prices: Mapping[str, Price]):
        self._prices = dict(prices)

    def __getitem__(self, event: str) -> Price:
        if event not in self._prices:
            raise KeyError(unknown("event", event, self._prices))
        return self._prices[event]

    def __contains__(self, event: object) -> bool:
        return event in self._prices

    def __iter__(self) -> Iterator[str]:
        return iter(self._prices)

    def __len__(self) -> int:
        return len(self._prices)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Prices) and self._prices == other._prices

    def __hash__(self) -> int:
        return hash(tuple(self._prices.items()))

    def __repr__(self) -> str:
        return f"<Prices of {len(self)} events, {digest(self)[:12]}>"

    def canonical_fields(self) -> dict[str, dict[str, Price]]:
        """What `Prices` is built of, for its canonical form."""
        return {"prices": self._prices}

    def with_price(self, event: str, constant: Constant) -> Prices:
        """A copy in which `event` costs `constant` (a user's own number:
        `pimlab.constants.assumed`). In the unit J an event.
        """
        return Prices({**self._prices, event: self[event].but(constant=constant)})

    @property
    def sources(self) -> tuple[str, ...]:
        """Keys of `sources.bib` behind these prices."""
        return tuple(sorted({s for price in self._prices.values() for s in price.constant.sources}))


@typed
def price(counts: Mapping[str, float], prices: Prices) -> Energy:
    """Energy of `counts` (event -> count, or SI amount of an integral) at `prices`, by component,
    in joules [J].

    ValueError for a negative or non-finite count; KeyError for an event without a price.
    """
    parts: dict[str, dict[str, float]] = {"nominal": {}, "low": {}, "high": {}, "assumed": {}}
    for event, count in counts.items():
        if not is_number(count) or not 0 <= count < float("inf"):
            raise ValueError(f"count of {event!r} is {count!r:.60}; allowed: finite, 0 or more")
        one = prices[event]
        amounts = {
            "nominal": one.constant.value,
            "low": one.constant.low,
            "high": one.constant.high,
            "assumed": one.constant.value if one.constant.status == "assumed" else 0.0,
        }
        for part, joules in amounts.items():
            parts[part][one.component] = parts[part].get(one.component, 0.0) + joules * count
    return Energy(**parts)
