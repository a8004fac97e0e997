"""How busy may a machine be so that hardly anyone waits too long? The M/D/1 queue.

Requests come at random (Poisson) to a machine that takes the same time for each. Several machines
behind a router that sends each request to one of them at random are such queues each; a router that
knows who is free does better, so the rates found here are on the safe side.

The wait is below x services with the probability (Crommelin 1932, r the utilisation)

    P(W <= x) = (1 - r) sum over k = 0 .. floor(x) of (r (k - x))**k / k! exp(r (x - k)),

whose terms alternate; from 10 services on the Cramer-Lundberg law is taken instead,

    P(W > x) = (1 - r) / (r exp(t) - 1) exp(-t x),    r (exp(t) - 1) = t > 0,

which has by then the same digits.
"""

from __future__ import annotations

import math

from scipy.optimize import brentq

LONG = 10
"""Services from which on the exponential law is taken."""


def exceeds(wait: float, utilisation: float) -> float:
    """P(W > wait), wait in services, not negative; utilisation 0 or more, below 1. A probability,
    unit 1.
    """
    if utilisation <= 0:
        return 0.0
    r = utilisation
    if wait < LONG:
        terms = (
            (r * (k - wait)) ** k / math.factorial(k) * math.exp(r * (wait - k))
            for k in range(math.floor(wait) + 1)
        )
        return min(max(1 - (1 - r) * math.fsum(terms), 0.0), 1.0)
    decay = _decay(r)
    scale = (1 - r) / (r + decay - 1)  # r exp(t) = r + t
    return scale * math.exp(-decay * wait)


def _decay(utilisation: float) -> float:
    """The t > 0 with r (exp(t) - 1) = t; it lies above -ln r."""
    low = high = -math.log(utilisation)
    while utilisation * math.expm1(high) <= high:
        high = 2 * high + 1e-9
    return float(brentq(lambda t: utilisation * math.expm1(t) - t, low, high, xtol=1e-15))


def most_utilisation(wait: float, share: float = 0.99, most: float = 0.999) -> float:
    """The highest utilisation up to `most`, below 1, at which the share `share` of requests waits
    no longer than `wait`, in services; 0 where an idle machine is too slow (wait below 0). Unit 1.
    """
    if wait < 0:
        return 0.0
    late = 1 - share
    if exceeds(wait, most) <= late:
        return most
    return float(brentq(lambda r: exceeds(wait, r) - late, 0.0, most, xtol=1e-12))
