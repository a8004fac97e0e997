"""When do requests come, and how long are they? Poisson, gamma and on-off processes; fixed sets.

The gaps of a gamma process with coefficient of variation c are as far apart on average as those of
a Poisson process (c = 1), and burstier above 1. An on-off process sends at its rate while it is on,
and nothing while it is off; both times are exponential.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pimlab import units
from pimlab.arguments import typed
from pimlab.keys import Key, as_key
from pimlab.serving.requests import Requests
from pimlab.units import is_integer
from pimlab.values import Value, integer, number


class Lengths(Value):
    """Lognormal numbers of tokens of this `mean` and coefficient of variation `variation`, rounded,
    at least 1 and at most `most`.
    """

    mean: float = number(low=1)
    variation: float = number(low=0, default=1.0)
    most: int = integer(1, default=2**30)


Tokens = int | Sequence[int] | Lengths
LONGEST = 2**31 - 1
"""Most tokens of a prompt or an answer."""
MOST = 10**9
"""Most requests of a load: a mistake, not a load, lies beyond it (24 GB)."""

MOST_PERIODS = 10**7
"""Most periods of an on-off process: they are drawn one after another (10 s)."""


@typed
def poisson(
    *, rate: str | float, count: int, input: Tokens, output: Tokens, seed: int | Key = 0
) -> Requests:
    """`count` requests of a Poisson process of `rate` a second.

    input, output : tokens of a prompt and of an answer: a number, numbers to draw from, or
    `Lengths`.  Raises ValueError for a rate or a count that is not above 0. Arrivals in the unit s.

    >>> pim.poisson(rate="4 Hz", count=100, input=512, output=[64, 128]).count
    100
    """
    return gamma(rate=rate, variation=1.0, count=count, input=input, output=output, seed=seed)


@typed
def gamma(
    *,
    rate: str | float,
    variation: float,
    count: int,
    input: Tokens,
    output: Tokens,
    seed: int | Key = 0,
) -> Requests:
    """As `poisson`, with gaps of the coefficient of variation `variation` (0: even gaps). Arrivals
    in the unit s.
    """
    hertz, key = _rate(rate), as_key(seed)
    if not (variation >= 0 and math.isfinite(variation)):
        raise ValueError(f"gamma variation={variation!r}; allowed: 0 or more")
    gaps = np.full(_count(count), 1 / hertz)
    if variation > 0:
        shape = variation**-2.0
        if not 0 < shape < math.inf:
            raise ValueError(
                f"gamma variation={variation!r}; allowed: 0, or about 1e-150 to 1e150, whose "
                "square is a number"
            )
        gaps = _draws(key, "arrivals").gamma(shape, 1 / (hertz * shape), count)
    kind = "poisson" if variation == 1 else f"gamma {variation:g}"
    return _made(f"{kind} {hertz:g} Hz", np.cumsum(gaps), input, output, key, hertz)


@typed
def on_off(
    *,
    rate: str | float,
    on: str | float,
    off: str | float,
    count: int,
    input: Tokens,
    output: Tokens,
    seed: int | Key = 0,
) -> Requests:
    """As `poisson` with `rate` while the source is on; it is on for `on` s and off for `off` s on
    average (an interrupted Poisson process). Arrivals in the unit s.
    """
    hertz, key = _rate(rate), as_key(seed)
    up, down = units.parse(on, "s", "on_off on"), units.parse(off, "s", "on_off off")
    if not (0 < up < math.inf and 0 <= down < math.inf):
        raise ValueError(
            f"on_off on={on!r}, off={off!r}; allowed: on above 0 s, off from 0 s, both finite"
        )
    if _count(count) / hertz > MOST_PERIODS * up:
        raise ValueError(
            f"on_off on={on!r} asks for {count / hertz / up:.3g} periods; allowed: {MOST_PERIODS} "
            "at most, so a longer on, a higher rate or fewer requests"
        )
    busy = np.cumsum(_draws(key, "arrivals").exponential(1 / hertz, _count(count)))
    periods = _draws(key, "periods")
    ends, pauses = [0.0], [0.0]
    while ends[-1] < busy[-1]:
        ends.append(ends[-1] + periods.exponential(up))
        pauses.append(pauses[-1] + periods.exponential(down))
    off_before = np.array(pauses)[np.searchsorted(ends, busy, side="right") - 1]
    mean = hertz * up / (up + down)
    return _made(f"on-off {hertz:g} Hz", busy + off_before, input, output, key, mean)


@typed
def fixed(
    *,
    count: int,
    input: Tokens,
    output: Tokens,
    every: str | float = 0.0,
    seed: int | Key = 0,
    name: str = "fixed set",
) -> Requests:
    """`count` requests, one each `every` s (0: all at once), such as the lengths of a benchmark.
    Arrivals in the unit s.
    """
    gap = units.parse(every, "s", "fixed every")
    if gap < 0:
        raise ValueError(f"fixed every={every!r}; allowed: 0 s or more")
    return _made(name, gap * np.arange(_count(count)), input, output, as_key(seed), None)


@typed
def closed(
    *, users: int, count: int, input: Tokens, output: Tokens, seed: int | Key = 0
) -> Requests:
    """`count` requests of `users` who each send the next when the last is answered (closed loop),
    as benchmarks of a fixed concurrency do. A request arrives, in s, when it is sent.

    >>> times = pim.serving.single_shot({1: 1.0, 2: 1.5})
    >>> load = pim.serving.closed(users=2, count=6, input=1, output=1)
    >>> pim.serve(times, load).arrival.values.tolist()
    [0.0, 0.0, 1.5, 1.5, 3.0, 3.0]
    """
    made = fixed(count=count, input=input, output=output, seed=seed, name=f"{users} users")
    return made.but(users=users)


@typed
def single_shots(*, rate: str | float, count: int, seed: int | Key = 0) -> Requests:
    """`count` requests of one inference each (an image in, a class out), Poisson. Arrivals in the
    unit s.
    """
    return poisson(rate=rate, count=count, input=1, output=1, seed=seed)


def _made(
    name: str, arrival: np.ndarray, input: Tokens, output: Tokens, key: Key, rate: float | None
) -> Requests:
    size = arrival.size
    prompt, answer = _tokens("input", input, size, key), _tokens("output", output, size, key)
    return Requests(name=name, arrival=arrival, prompt=prompt, output=answer, rate=rate)


def _tokens(name: str, lengths: Any, size: int, key: Key) -> np.ndarray:
    """int32, shape (size,)."""
    rng = _draws(key, name)
    if isinstance(lengths, Lengths):
        spread = math.log1p(lengths.variation**2)
        middle = math.log(lengths.mean) - spread / 2
        drawn = np.exp(middle + math.sqrt(spread) * rng.standard_normal(size))
        return np.clip(np.rint(drawn), 1, lengths.most).astype(np.int32)
    given = np.asarray([lengths] if is_integer(lengths) else lengths)
    if given.ndim != 1 or not given.size or given.dtype.kind not in "iu":
        raise TypeError(
            f"{name}={lengths!r:.60}; allowed: an integer, a list of integers, or Lengths(mean=...)"
        )
    if given.max() > LONGEST:
        raise ValueError(f"{name}={lengths!r:.60}; allowed: {LONGEST} tokens at most")
    return given[rng.integers(0, given.size, size)].astype(np.int32)


def _draws(key: Key, what: str) -> np.random.Generator:
    return np.random.default_rng([int(word) for word in key.child("requests", what).words])


def _rate(rate: str | float) -> float:
    hertz = units.parse(rate, "Hz", "requests rate")
    if not (hertz > 0 and math.isfinite(hertz)):
        raise ValueError(f"requests rate={rate!r}; allowed: above 0 requests a second")
    return float(hertz)


def _count(count: Any) -> int:
    if not is_integer(count) or count < 1:
        raise ValueError(f"requests count={count!r}; allowed: an integer, 1 or more")
    if count > MOST:
        raise ValueError(f"requests count={count!r:.60}; allowed: {MOST} at most")
    return int(count)
