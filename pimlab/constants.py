"""What is a published number? A value with its interval, its unit, its source and how it was come
by.

`status` is one of
published: read in the source named; digitised: read off a figure, by the source named; measured:
by the user, and `where` says on what; derived: computed from other constants by the rule in
`reason`; assumed: nobody published it, and `reason` says why this value. Everything in memory is
SI. `low` and `high` equal `value` where the source gives no interval.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Literal

from pimlab import units
from pimlab.values import Value, nearest

Status = Literal["published", "digitised", "measured", "derived", "assumed"]
STATUSES: tuple[str, ...] = ("published", "digitised", "measured", "derived", "assumed")


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
        """The unit is one of SI, the status one of `STATUSES`, low <= value <= high, all finite."""
        for word in ("name", "unit", "printed", "where", "reason"):
            if not isinstance(getattr(self, word), str):
                raise TypeError(f"Constant {word}={getattr(self, word)!r:.60} is not a text")
        if self.status not in STATUSES:
            raise ValueError(
                f"{self.name}: status={self.status!r:.60} is not one of {', '.join(STATUSES)}"
                f"{nearest(str(self.status), STATUSES)}"
            )
        if isinstance(self.sources, str) or not all(isinstance(s, str) for s in self.sources):
            raise TypeError(f"{self.name}: sources={self.sources!r:.60}; allowed: a tuple of keys")
        if not self.unit_is_si(self.unit):
            raise ValueError(
                f"{self.name}: unit={self.unit!r} is no unit of SI; allowed: such as 'J', 'S', "
                "'bit/s', or '' for a plain number"
            )
        for word in ("low", "value", "high"):
            number = units.parse(getattr(self, word), self.unit, f"{self.name}: {word}")
            object.__setattr__(self, word, number)
        if (
            not all(math.isfinite(v) for v in (self.low, self.value, self.high))
            or not self.low <= self.value <= self.high
        ):
            raise ValueError(
                f"{self.name}: low={self.low} value={self.value} high={self.high}; allowed: "
                "finite, low <= value <= high"
            )

    def _text(self, name: str) -> str:
        """As every value, with the constant's own unit."""
        numeric = name in ("low", "value", "high") and self.unit
        return (
            repr(units.written(getattr(self, name), self.unit)) if numeric else super()._text(name)
        )

    @staticmethod
    def unit_is_si(unit: str) -> bool:
        """Whether a text is a unit without a factor, such as "J" or "bit/s"."""
        try:
            return units.unit(unit)[0] == 1
        except ValueError:
            return False

    def __float__(self) -> float:
        return self.value


def assumed(
    name: str,
    value: float | str,
    unit: str,
    reason: str,
    low: float | str | None = None,
    high: float | str | None = None,
) -> Constant:
    """A number a user chooses (SI, or text such as "0.8 V"): it counts as assumed in every report,
    with `reason` beside it. TypeError or ValueError names what is no number, unit or reason.

    >>> pim.assumed("supply", 0.8, "V", "the foundry's nominal; ours is not measured yet").status
    'assumed'
    """
    if not reason:
        raise ValueError(f"{name}={value}: an assumed number needs a reason")
    return Constant(
        name=name,
        value=value,  # type: ignore[arg-type]  # text becomes a float
        low=value if low is None else low,  # type: ignore[arg-type]
        high=value if high is None else high,  # type: ignore[arg-type]
        unit=unit,
        printed=value if isinstance(value, str) else f"{value} {unit}".strip(),
        status="assumed",
        reason=reason,
    )


def derive(
    name: str, rule: Callable[..., float], *constants: Constant, unit: str, reason: str
) -> Constant:
    """`rule(*values)` with the interval over all corners of the constants' intervals.

    The corners bound the result where `rule` is monotone in each argument (sums, products,
    quotients, powers). It counts as assumed as soon as one ingredient is. In `unit`.
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
