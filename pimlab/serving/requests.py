"""Which requests does a service get? Arrivals, lengths and shared prefixes, as one value."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pimlab import units
from pimlab.values import Value, digest, integer, number


class Requests(Value):
    """Requests in the order they arrive.

    arrival : float64, shape (n,), s, not falling.  prompt, output : int32, shape (n,), tokens, 1 or
    more; a single-shot service (an image in, a class out) has one of each.
    first, blocks : int64, shape (n + 1,) and int32; blocks[first[i]:first[i + 1]] name the whole
    blocks of `block` tokens that prompt i begins with: equal numbers for equal prefixes (none:
    nothing is shared).
    rate : requests a second, where they keep coming like that; None for a fixed set.
    users : how many of them are under way at most (closed loop): a request whose time has come
    waits until another is done, and arrives then; None for no bound.
    Raises ValueError that names the first request out of order, or with no tokens.

    >>> from pimlab.serving import Requests
    >>> Requests(name="two", arrival=[0.0, 0.5], prompt=[100, 7], output=[20, 3]).count
    2
    """

    name: str
    arrival: Any
    prompt: Any
    output: Any
    first: Any = None
    blocks: Any = ()
    block: int = integer(1, default=16)
    rate: float | None = number(above=0, default=None)
    users: int | None = integer(
        1, default=None, hint="for requests without a bound write users=None"
    )
    source: str = ""

    def __eq__(self, other: object) -> bool:
        """Whether every number is the same."""
        return type(self) is type(other) and digest(self) == digest(other)

    def __hash__(self) -> int:
        return hash(digest(self))

    def check(self) -> None:
        """Arrays of one length; times in order; a token in and out at least."""
        arrival = self._array("arrival", np.float64)
        size = arrival.size
        if not size:
            raise ValueError(f"Requests {self.name!r} has no requests; allowed: 1 or more")
        prompt, output = self._array("prompt", np.int32), self._array("output", np.int32)
        for name, one in (("prompt", prompt), ("output", output)):
            if one.size != size:
                raise ValueError(f"Requests {name} has {one.size} entries, arrival {size}")
            self._refuse(name, one, one < 1, "allowed: 1 token or more")
        falls = np.diff(arrival, prepend=-np.inf) < 0
        self._refuse("arrival", arrival, falls, "it comes before the request in front of it; sort")
        self._refuse("arrival", arrival, ~np.isfinite(arrival) | (arrival < 0), "allowed: from 0 s")
        self._check_blocks(size)

    def _array(self, name: str, kind: type) -> np.ndarray:
        given = getattr(self, name)
        try:
            found = np.ascontiguousarray(given)
        except (TypeError, ValueError):  # rows of several lengths, a Dataset
            raise TypeError(f"Requests {name}={given!r:.60} is no array of numbers") from None
        if found.dtype.kind not in "iuf" or found.ndim != 1:
            raise TypeError(
                f"Requests {name} holds {found.dtype} of shape {found.shape}; allowed: numbers of "
                "shape (requests,)"
            )
        if kind is np.int32 and found.dtype.kind not in "iu" and found.size:
            raise TypeError(f"Requests {name} holds {found.dtype}; allowed: integers")
        if kind is np.int32 and found.size and found.max() > np.iinfo(kind).max:
            raise ValueError(
                f"Requests {self.name!r}: {name} holds {found.max()}; allowed: "
                f"{np.iinfo(kind).max} at most"
            )
        found = found.astype(kind, copy=found is given)
        found.flags.writeable = False
        object.__setattr__(self, name, found)
        return found

    def _refuse(self, name: str, values: np.ndarray, wrong: np.ndarray, allowed: str) -> None:
        if wrong.any():
            i = int(wrong.argmax())
            raise ValueError(f"Requests {self.name!r}: {name}[{i}]={values[i]}; {allowed}")

    def _check_blocks(self, size: int) -> None:
        if self.first is None:
            object.__setattr__(self, "first", np.zeros(size + 1, np.int64))
        first, blocks = self._array("first", np.int64), self._array("blocks", np.int32)
        counts = np.diff(first)
        if first.size != size + 1 or first[0] or first[-1] != blocks.size or (counts < 0).any():
            raise ValueError(
                f"Requests {self.name!r}: first must rise from 0 to {blocks.size} in {size + 1} "
                "steps"
            )
        over = counts * self.block > self.prompt
        self._refuse("prompt", self.prompt, over, f"too short for its blocks of {self.block}")

    @property
    def count(self) -> int:
        """How many (unit: requests)."""
        return int(self.arrival.size)

    @property
    def span(self) -> float:
        """Seconds [s] from the first arrival to the last."""
        return float(self.arrival[-1] - self.arrival[0])

    @property
    def longest(self) -> int:
        """Tokens of the longest prompt with its output (unit: tokens)."""
        return int((self.prompt.astype(np.int64) + self.output).max())

    def head(self, limit: int) -> Requests:
        """The first `limit` of them."""
        if limit >= self.count:
            return self
        first = self.first[: limit + 1]
        return self.but(
            arrival=self.arrival[:limit],
            prompt=self.prompt[:limit],
            output=self.output[:limit],
            first=first,
            blocks=self.blocks[: first[-1]],
        )

    def within(self, tokens: int) -> Requests:
        """Those of at most `tokens` tokens, prompt and output together; ValueError for none."""
        kept = self.prompt.astype(np.int64) + self.output <= tokens
        counts = np.diff(self.first)
        first = np.concatenate([[0], np.cumsum(counts[kept])])
        rate = None if self.rate is None else self.rate * float(kept.mean()) or None
        return self.but(
            arrival=self.arrival[kept],
            prompt=self.prompt[kept],
            output=self.output[kept],
            first=first,
            blocks=self.blocks[np.repeat(kept, counts)],
            rate=rate,
        )

    def at_rate(self, rate: str | float) -> Requests:
        """The same requests, faster or slower: `rate` requests a second on average.

        Raises ValueError for a rate not above 0, and for requests that all come at once. Arrivals
        in the unit s.
        """
        wanted = units.parse(rate, "Hz", "at_rate rate")
        if not (wanted > 0 and math.isfinite(wanted)):
            raise ValueError(f"at_rate rate={rate!r}; allowed: above 0 requests a second")
        if self.span == 0:
            raise ValueError(f"requests {self.name!r} all come at once and have no rate")
        factor = (self.count - 1) / self.span / wanted
        return self.but(arrival=(self.arrival - self.arrival[0]) * factor, rate=wanted)

    def __repr__(self) -> str:
        rate = f", {self.rate:.3g} requests/s" if self.rate else ""
        return (
            f"Requests({self.name!r}: {self.count} in {units.si(self.span, 's')}{rate}, "
            f"{self.prompt.mean():.0f} tokens in, {self.output.mean():.0f} out on average)"
        )
