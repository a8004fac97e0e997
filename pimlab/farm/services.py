"""What is asked of a farm? One service: its model, how good and how fast its answers must be, and
how many come at which hour and in which year.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pimlab.values import Value, choice, integer, number, quantity

ISOLATION = ("card", "machine", "container")
"""What a service shares: no card with others; a card by virtual functions in virtual machines; a
card by time, container beside container."""
DAY = (
    0.45, 0.35, 0.30, 0.28, 0.28, 0.32, 0.42, 0.58, 0.78, 0.92, 1.00, 0.99,
    0.94, 0.97, 0.99, 0.98, 0.94, 0.86, 0.78, 0.74, 0.72, 0.68, 0.60, 0.52,
)  # fmt: skip
"""An assumed day of requests by the hour, relative to the peak: an office day with an evening."""


class Service(Value):
    """One service.

    model : a name for `load_model`, or a model.  rate : requests a second at the peak of the day in
    the year `since`, which grow by `growth` a year (0.3: 30 % more).  day : rates of equal parts of
    the day relative to the peak.
    metric, floor : the least (or, for a metric of which less is better, the most) that the model
    may score on a machine, as `compare` scores it. latency : an inference may take so long at the
    99th percentile.  A language model has instead `input` and `output` tokens a request, `ttft`
    (time to the first token) and `tpot` (time of each further token). isolation : "card", "machine"
    or "container".  cloud_loss : share of the peak that must still be served when any one cloud is
    lost.  clouds : names of those that may hold its data; () is all. bits : of a request and its
    answer, over the clouds' uplinks.
    """

    name: str
    model: Any
    field: str = ""
    rate: float = quantity("Hz", above=0)
    since: int = integer(1990, 2100, default=2025)
    growth: float = number(low=-0.9, default=0.0)
    day: tuple[float, ...] = (1.0,)
    metric: str = ""
    floor: float | None = number(default=None)
    latency: float | None = quantity("s", above=0, default=None)
    input: int = integer(1, default=1)
    output: int = integer(1, default=1)
    ttft: float | None = quantity("s", above=0, default=None)
    tpot: float | None = quantity("s", above=0, default=None)
    isolation: str = choice(*ISOLATION, default="machine")
    cloud_loss: float = number(low=0, high=1, default=0.0)
    clouds: tuple[str, ...] = ()
    bits: float = quantity("bit", low=0, default=0.0)

    def check(self) -> None:
        """One bound on time; a day of shares up to 1 with a peak of 1; a floor has a metric."""
        tokens = self.ttft is not None or self.tpot is not None
        if tokens == (self.latency is not None) or (self.ttft is None) != (self.tpot is None):
            raise ValueError(
                f"Service {self.name!r}: latency={self.latency}, ttft={self.ttft}, "
                f"tpot={self.tpot}; allowed: latency alone, or ttft and tpot of a language model"
            )
        day = np.asarray(self.day, float)
        if day.ndim != 1 or not day.size or day.min() < 0 or not np.isclose(day.max(), 1.0):
            raise ValueError(
                f"Service {self.name!r}: day={self.day!r:.60}; allowed: shares from 0 to 1, the "
                "highest 1"
            )
        if self.floor is not None and not self.metric:
            raise ValueError(f"Service {self.name!r}: floor={self.floor} of which metric?")
        object.__setattr__(self, "day", tuple(float(v) for v in day))
        object.__setattr__(self, "clouds", tuple(self.clouds))

    @property
    def decodes(self) -> bool:
        """Whether a request is answered by tokens, one after another."""
        return self.tpot is not None

    @property
    def tokens(self) -> int:
        """Answers of a request: output tokens, or 1 inference (unit: tokens)."""
        return self.output if self.decodes else 1

    @property
    def mean(self) -> float:
        """Mean rate of the day, relative to the peak (unit 1)."""
        return float(np.mean(self.day))

    def peak(self, year: float) -> float:
        """Requests a second at the peak of the day in `year` (unit: 1/s)."""
        return float(self.rate * (1 + self.growth) ** (year - self.since))
