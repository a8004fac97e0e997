"""What can be bought? One card of a vendor: its machine, power, price, year, and how it divides.

Prices and powers are constants with low and high; most prices of the catalogue are assumed, and a
farm's answer says how much rests on them.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from pimlab import catalogue, units
from pimlab.arguments import named as by_name
from pimlab.constants import Constant, assumed, derive
from pimlab.cost import price
from pimlab.machine import presets
from pimlab.machine.protocol import Target
from pimlab.values import Value, integer, part, quantity

GIVEN = "given by the user, without a source"
HOME = "KR"
"""Country whose vendors count as domestic."""


def constant(owner: str, name: str, value: Any, unit: str) -> Constant:
    """`value` as a Constant in `unit`: a Constant of that unit, or a text or number, which counts
    as assumed. TypeError for nothing at all, ValueError for another unit or a negative number.
    """
    if value is None:
        raise TypeError(f"{owner} has no {name}; write for example {name}={_EXAMPLES[unit]!r}")
    found = (
        value
        if isinstance(value, Constant)
        else assumed(name, units.parse(value, unit, f"{owner} {name}"), unit, GIVEN)
    )
    if found.unit != unit:
        raise ValueError(f"{owner}: {name} is in {found.unit or '1'}; allowed: {unit or '1'}")
    if found.low < 0:
        raise ValueError(f"{owner}: {name}={found.low:g} {unit} is negative")
    return found


_EXAMPLES = {"W": "180 W", "won": "12 Mwon", "won/J": "170 won / kW h", "": "1.3"}


class Offer(Value):
    """One card of a vendor.

    target : the machine of one chip.  chips : chips on the card.  power : the most the card draws,
    W; price : won; idle : W drawn by the second whatever runs (the machine's static power, unless
    given); each a Constant, or text such as "180 W".  operations : peak operations a
    second, as farms are measured by.  memory : bits on the card.  year : first year it is sold,
    until : the last.  splits : into how many virtual functions the card divides.  cards : how many
    one server holds.  device_class : the class of the vendor's Kubernetes driver, machine_class
    that for virtual machines.
    TypeError for an offer without power or price; ValueError for a rule that is broken.
    """

    name: str
    vendor: str
    target: Target = part(Target)
    power: Any
    price: Any
    idle: Any = None
    operations: float = quantity("op/s", above=0)
    memory: float | None = quantity("bit", above=0, default=None)
    chips: int = integer(1, default=1)
    year: int = integer(1990, 2100)
    until: int = integer(1990, 2100, default=2100)
    cards: int = integer(1, default=8)
    splits: tuple[int, ...] = ()
    domestic: bool = True
    device_class: str = ""
    machine_class: str = ""
    sources: tuple[str, ...] = ()

    def check(self) -> None:
        """Power and price are there and positive; the years are in order; splits are 2 or more."""
        if self.idle is None:
            object.__setattr__(self, "idle", static_watts(self.name, self.target, self.chips))
        for name, unit in (("power", "W"), ("price", "won"), ("idle", "W")):
            found = constant(f"Offer {self.name!r}", name, getattr(self, name), unit)
            object.__setattr__(self, name, found)
        if not self.power.value > 0:
            raise ValueError(f"Offer {self.name!r}: power={self.power.value:g} W; allowed: above 0")
        if self.until < self.year:
            raise ValueError(f"Offer {self.name!r}: until={self.until} is before year={self.year}")
        wrong = [s for s in self.splits if not isinstance(s, int) or s < 2]
        if wrong:
            raise ValueError(f"Offer {self.name!r}: splits={self.splits}; allowed: 2 or more each")
        object.__setattr__(self, "splits", tuple(sorted(self.splits)))

    @property
    def stage(self) -> int:
        """Stage of the roadmap: 1 NPU, 2 DRAM-PIM, 3 analog (unit: stages)."""
        return self.target.stage

    @property
    def cited(self) -> tuple[str, ...]:
        """Keys of every source behind the machine, power and price."""
        own = (*self.power.sources, *self.price.sources, *self.sources)
        return tuple(sorted({*self.target.cited, *own}))

    def sold(self, start: int, end: int) -> bool:
        """Whether it is sold in some year from `start` to `end`."""
        return self.year <= end and start <= self.until


def static_watts(name: str, target: Target, chips: int) -> Constant:
    """W that a card draws by the second: its chips, and one of each of their hosts. Unit: W."""
    nominal = low = high = rests = 0.0
    count, machine = chips, target
    while True:
        drawn = price(machine.static, machine.prices)
        nominal += count * sum(drawn.nominal.values())
        low += count * sum(drawn.low.values())
        high += count * sum(drawn.high.values())
        rests += count * sum(drawn.assumed.values())
        if machine.host is None:
            break
        count, machine = 1, machine.host
    return Constant(
        name=f"{name}: static power", value=nominal, low=low, high=high, unit="W",
        printed=f"{nominal:.4g} W", status="assumed" if rests else "derived",
        reason="static power of the card's machines",
    )  # fmt: skip


@by_name
def offer(name: str) -> Offer:
    """The offer `name` of catalogue room `offers`, such as "rngd"; ValueError with the nearest
    name.

    >>> pim.offer("rngd").splits
    (2, 4, 8)
    """
    if not isinstance(name, str):
        raise TypeError(f"offer {name!r} is not a name; write for example pimlab.offer('rngd')")
    table = catalogue.entry("offers", name)
    with catalogue.naming(table.name):
        return _offer(name, table)


def offers() -> tuple[str, ...]:
    """Names that `offer` knows."""
    return catalogue.names("offers")


def _offer(name: str, table: catalogue.Entry) -> Offer:
    machine = _machine(table)
    board = _board(table)
    chips = round(table["chips"].value) if "chips" in table else 1
    more = {key: round(table[key].value) for key in ("until", "cards") if key in table}
    power = table["power"] if "power" in table else board.get("tdp")
    memory = board["dram_capacity"].value * chips if "dram_capacity" in board else None
    cited = {s for constant in (*table.values(), *board.values()) for s in constant.sources}
    return Offer(
        name=name,
        vendor=table.meta["vendor"],
        target=machine,
        power=power,
        price=_won(table["price"]),
        operations=_operations(table, board),
        memory=memory,
        chips=chips,
        year=round(table["year"].value),
        splits=_splits(table),
        domestic=table.meta["country"] == HOME,
        device_class=table.meta.get("device_class", ""),
        machine_class=table.meta.get("machine_class", ""),
        sources=tuple(sorted(cited)),
        **more,
    )


def _machine(table: catalogue.Entry) -> Target:
    found = presets.target(table.meta["target"])
    host = table.meta.get("host")
    return found if host is None else found.but(host=presets.target(host))


def _board(table: catalogue.Entry) -> catalogue.Entry | dict[str, Constant]:
    """The catalogue's NPU on the card: the machine itself, or its host."""
    named = table.meta.get("host", table.meta["target"])
    return catalogue.entry("npu", named) if named in catalogue.names("npu") else {}


def _operations(table: catalogue.Entry, board: Any) -> float:
    """Peak 8-bit operations a second of the board's NPU, as farms are counted."""
    if "operations" in table:
        return table["operations"].value
    peaks = {key: c.value for key, c in board.items() if key.startswith("peak.")}
    return peaks.get("peak.int8", max(peaks.values()))


def _splits(table: catalogue.Entry) -> tuple[int, ...]:
    return tuple(round(v) for v in table.row("splits")) if "splits.0" in table else ()


def _won(price: Constant) -> Constant:
    if price.unit != "USD":
        return price
    rate = catalogue.entry("farm", "operation")["exchange"]
    found = derive(
        price.name, lambda p, r: p * r, price, rate, unit="won", reason=f"{price.printed} at a rate"
    )
    return (
        dataclasses.replace(found, status=price.status, where=price.where)
        if (price.status == "published")
        else found
    )
