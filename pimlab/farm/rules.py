"""Which farms are allowed? Rules over vendors, clouds, size, power, money, spares, by period."""

from __future__ import annotations

import dataclasses
from typing import Any

from pimlab import catalogue
from pimlab.values import Value, choice, integer, number, part, quantity

SPARES = ("none", "card", "rack")


class Rules(Value):
    """What a farm must keep to; what is None is not limited.

    vendors, clouds : how many vendors, and operators of clouds, must each hold at least the share
    `least` of the farm's operations a second.  operations : at least, op/s.  power : at the meters
    of all clouds together, at most.  budget : money of the period, at most.  domestic : share of
    operations of domestic vendors.  spare : what may fail in every pool (cards of one offer in one
    cloud) without loss: "none", one "card" or one "rack".
    """

    vendors: int = integer(1, default=1)
    clouds: int = integer(1, default=1)
    least: float = number(low=0, high=1, default=0.1)
    operations: float | None = quantity("op/s", low=0, default=None)
    power: float | None = quantity("W", above=0, default=None)
    budget: float | None = quantity("won", low=0, default=None)
    domestic: float = number(low=0, high=1, default=0.0)
    spare: str = choice(*SPARES, default="card")

    def check(self) -> None:
        """The shares of so many vendors or clouds fit into one."""
        for name in ("vendors", "clouds"):
            count = getattr(self, name)
            if count * self.least > 1 + 1e-9:
                raise ValueError(
                    f"Rules {name}={count} with least={self.least:g} each are more than the whole; "
                    f"allowed: least up to {1 / count:.3g}"
                )


class Period(Value):
    """Years that are planned for together: demand is that of the last, cards are bought at the
    start and stay until they are retired; `money` of `rules` is for the whole period.
    """

    name: str
    start: int = integer(1990, 2100)
    end: int = integer(1990, 2100)
    rules: Rules = part(Rules, default=Rules())

    def check(self) -> None:
        """It starts before it ends."""
        if self.end < self.start:
            raise ValueError(f"Period {self.name!r}: end={self.end} is before start={self.start}")

    @property
    def years(self) -> int:
        """Years, both ends counted (unit: years)."""
        return self.end - self.start + 1


def k_cloud(**changes: Any) -> tuple[Period, ...]:
    """The three periods of K-Cloud with its published rules: two vendors, two clouds, petaflops,
    budget and domestic share (catalogue/farm/k-cloud.toml; what is not published is a range there).

    changes : fields of `Rules` that differ in every period.

    >>> [period.name for period in pim.farm.k_cloud()]
    ['2023-25', '2026-28', '2029-30']
    """
    table = catalogue.entry("farm", "k-cloud")
    known = {field.name for field in dataclasses.fields(Rules)}  # type: ignore[arg-type]
    Rules._refuse_unknown(set(changes) - known)
    stages = (("2023-25", 2023, 2025, "first"), ("2026-28", 2026, 2028, "second"),
              ("2029-30", 2029, 2030, "third"))  # fmt: skip
    found = []
    for name, start, end, stage in stages:
        published = {
            "vendors": round(table["rule.vendors"].value),
            "clouds": round(table["rule.clouds"].value),
            "budget": table[f"budget.{stage}_stage"].value,
            "domestic": table[f"share.{stage}_stage"].value,
            "operations": table["built"].value,
        }
        rules = Rules(**{**published, **changes})
        found.append(Period(name=name, start=start, end=end, rules=rules))
    return tuple(found)
