"""What is a published number? A value with its interval, its unit, its source and how it was come
by.

`status` is one of
published: read in the source named; digitised: read off a figure, by the source named; derived:
computed from other constants by the rule in `reason`; assumed: nobody published it, and `reason`
says why this value. Everything in memory is SI. `low` and `high` equal `value` where the source
gives no interval.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Literal

from pimlab.values import Value

Status = Literal["published", "digitised", "derived", "assumed"]
STATUSES: tuple[str, ...] = ("published", "digitised", "derived", "assumed")


class Constant(Value):
    """One number of the catalogue (or computed from some), in SI."""

    name: str
    value: float
    low: float
    high: float
    unit: str
    """SI unit, such as "J" or "S"."""
    printed: str
    """The value as the source prints it."""
    status: Status
    sources: tuple[str, ...] = ()
    """Keys in `sources.bib`."""
    where: str = ""
    """Table, figure, equation or page of the source."""
    reason: str = ""

    def check(self) -> None:
        """low <= value <= high, all finite."""
        if (
            not all(math.isfinite(v) for v in (self.low, self.value, self.high))
            or not self.low <= self.value <= self.high
        ):
            raise ValueError(
                f"{self.name}: low={self.low} value={self.value} high={self.high}; allowed: "
                "finite, low <= value <= high"
            )

    def __float__(self) -> float:
        return self.value


def assumed(
    name: str,
    value: float,
    unit: str,
    reason: str,
    low: float | None = None,
    high: float | None = None,
) -> Constant:
    """A number a user chooses (SI): it counts as assumed in every report, with `reason` beside it.

    >>> pim.assumed("supply", 0.8, "V", "the foundry's nominal; ours is not measured yet").status
    'assumed'
    """
    if not reason:
        raise ValueError(f"{name}={value}: an assumed number needs a reason")
    return Constant(
        name=name,
        value=value,
        low=value if low is None else low,
        high=value if high is None else high,
        unit=unit,
        printed=f"{value:g} {unit}",
        status="assumed",
        reason=reason,
    )


def derive(
    name: str, rule: Callable[..., float], *constants: Constant, unit: str, reason: str
) -> Constant:
    """`rule(*values)` with the interval over all corners of the constants' intervals.

    The corners bound the result where `rule` is monotone in each argument (sums, products,
    quotients, powers). It counts as assumed as soon as one ingredient is.
    """
    corners = [
        rule(*pick) for pick in itertools.product(*[sorted({c.low, c.high}) for c in constants])
    ]
    nominal = rule(*[c.value for c in constants])
    weak = any(c.status == "assumed" for c in constants)
    because = "; ".join(
        dict.fromkeys(c.reason for c in constants if c.status == "assumed" and c.reason)
    )
    return Constant(
        name=name,
        value=nominal,
        low=min(nominal, *corners),
        high=max(nominal, *corners),
        unit=unit,
        printed=f"{nominal:.6g} {unit}",
        status="assumed" if weak else "derived",
        sources=tuple(dict.fromkeys(s for c in constants for s in c.sources)),
        where="; ".join(dict.fromkeys(c.where for c in constants if c.where)),
        reason=reason + (f" (rests on: {because})" if weak and because else ""),
    )
