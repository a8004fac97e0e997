"""Where do cards stand? In servers, in racks, in the halls of a cloud."""

from __future__ import annotations

import math
from typing import Any

from pimlab import catalogue
from pimlab.farm.offers import Offer, constant
from pimlab.values import Value, integer, part, quantity


def operation(name: str) -> Any:
    """The Constant `name` of catalogue/farm/operation.toml, such as "pue"."""
    return catalogue.entry("farm", "operation")[name]


_RACK = {
    "power": ("rack.power", "W"),
    "server_power": ("server.power", "W"),
    "server_price": ("server.price", "won"),
}
"""Field of a Rack -> where the catalogue has it, and its unit."""


class Rack(Value):
    """One rack: the power it may draw, the servers it has place for, and what a server costs
    without its cards; what is not given is the catalogue's.
    """

    power: Any = None
    servers: int | None = integer(1, default=None)
    server_power: Any = None
    server_price: Any = None

    def check(self) -> None:
        """Powers and prices become constants."""
        for name, (key, unit) in _RACK.items():
            value = getattr(self, name)
            value = operation(key) if value is None else value
            object.__setattr__(self, name, constant("Rack", name, value, unit))
        if self.servers is None:
            object.__setattr__(self, "servers", round(operation("rack.servers").value))

    def cards(self, offer: Offer) -> int:
        """Cards of `offer` that the rack holds, by height and by power (unit: cards); ValueError
        where not even one server of one card fits.
        """
        server = offer.cards * offer.power.value + self.server_power.value
        full = min(self.servers or 0, math.floor(self.power.value / server))
        left = self.power.value - full * server - self.server_power.value
        part = math.floor(left / offer.power.value) if full < (self.servers or 0) else 0
        found = full * offer.cards + min(max(part, 0), offer.cards)
        if found < 1:
            raise ValueError(
                f"Rack power={self.power.value:g} W holds no server with one {offer.name!r} "
                f"({offer.power.value:g} W and {self.server_power.value:g} W)"
            )
        return found


class Cloud(Value):
    """One site: `power` [W] at the meter, cooling included; `racks`, each a `rack`; power usage
    effectiveness `pue`; `electricity` in won/J, or text such as "170 won / kW h".

    delay : of a request to the site and back, s.  uplink : bit/s, None where no link limits.
    """

    name: str
    operator: str = ""
    power: float = quantity("W", above=0)
    racks: int = integer(1)
    rack: Any = part(Rack, default=None)
    pue: Any = None
    electricity: Any = None
    delay: float = quantity("s", low=0, default=0.0)
    uplink: float | None = quantity("bit/s", above=0, default=None)

    def check(self) -> None:
        """PUE is 1 or more."""
        if self.rack is None:
            object.__setattr__(self, "rack", Rack())
        for name, unit in (("pue", ""), ("electricity", "won/J")):
            value = getattr(self, name)
            value = operation(name).but(unit=unit) if value is None else value
            object.__setattr__(self, name, constant(f"Cloud {self.name!r}", name, value, unit))
        if self.pue.low < 1:
            raise ValueError(f"Cloud {self.name!r}: pue={self.pue.low:g}; allowed: 1 or more")
        if not self.operator:
            object.__setattr__(self, "operator", self.name)

    @property
    def cited(self) -> tuple[str, ...]:
        """Keys of the sources behind its constants."""
        found = (self.pue, self.electricity, self.rack.power, self.rack.server_power)
        return tuple(sorted({key for one in found for key in one.sources}))

    def watts(self, offer: Offer) -> float:
        """W at the meter of one card at its most, with its share of a server [W]."""
        share = self.rack.server_power.value / offer.cards
        return float((offer.power.value + share) * self.pue.value)

    def most(self, offer: Offer) -> int:
        """Cards of `offer` that the site holds alone, by racks and by power (unit: cards)."""
        return min(self.racks * self.rack.cards(offer), math.floor(self.power / self.watts(offer)))
