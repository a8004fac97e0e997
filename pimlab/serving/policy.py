"""How does a service batch, route and refuse, and what must its users see? Policy and SLO."""

from __future__ import annotations

from pimlab.machine.links import Link
from pimlab.serving.speculation import Speculation
from pimlab.values import Value, choice, integer, number, part, quantity, truth

ROUTERS = ("round robin", "least work", "prefix aware")


class Policy(Value):
    """batch : sequences of a step at most.  tokens : new tokens of a step at most.
    mixed : prompts in parts beside decoding sequences (chunked prefill); False: whole prompts
    first, in steps of their own.  page : tokens of a page of the cache.
    prefixes : whether caches of shared prefixes are kept while there is room.
    swap : the link over which the cache of a sequence that gives way goes to the memory of the host
    and comes back (None: it is computed again).
    router : "round robin", "least work" (fewest prompt tokens of unfinished requests) or "prefix
    aware" (the same, with what of the prompt is not in the replica's cache).
    queue : requests that may wait at a replica; more are refused (None: all wait).
    speculation : a small model that guesses tokens ahead (None: one token a step).
    """

    batch: int = integer(1, 2**16, default=256)
    tokens: int = integer(1, 2**20, default=2048)
    mixed: bool = True
    page: int = integer(1, 2**16, default=16)
    prefixes: bool = True
    swap: Link | None = part(Link, default=None)
    router: str = choice(*ROUTERS, default="least work")
    queue: int | None = integer(1, default=None, hint="for a queue without end write queue=None")
    speculation: Speculation | None = part(Speculation, default=None)

    def check(self) -> None:
        """A step has a token for every sequence of the batch."""
        truth("Policy: mixed", self.mixed)
        truth("Policy: prefixes", self.prefixes)
        if self.tokens < self.batch * self.queries:
            each = "a token" if self.queries == 1 else f"{self.queries} tokens"
            raise ValueError(
                f"Policy tokens={self.tokens} is below batch={self.batch}: each sequence needs "
                f"{each} of a step; allowed: {self.batch * self.queries} or more"
            )

    @property
    def ahead(self) -> int:
        """Tokens that a draft guesses in a round, 0 without one (unit: tokens)."""
        return self.speculation.ahead if self.speculation else 0

    @property
    def queries(self) -> int:
        """Tokens of a decoding sequence in a step, guesses included (unit: tokens)."""
        return 1 + self.ahead


class Slo(Value):
    """Bounds that a request must keep to count as good: `ttft` until its first token, `tpot` a
    further token on average, `latency` until its last (None: no bound).

    share : of the requests that must be good for a rate to be served.

    >>> pim.Slo(ttft="500 ms", tpot="50 ms").tpot
    0.05
    """

    ttft: float | None = quantity("s", above=0, default=None)
    tpot: float | None = quantity("s", above=0, default=None)
    latency: float | None = quantity("s", above=0, default=None)
    share: float = number(above=0, high=1, default=0.9)

    @property
    def bounds(self) -> dict[str, float]:
        """Variable of an answer -> its bound [s], of those that are set."""
        named = {"ttft": self.ttft, "tpot": self.tpot, "latency": self.latency}
        return {name: bound for name, bound in named.items() if bound is not None}
