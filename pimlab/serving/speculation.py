"""How does a small model speed up the decoding of a large one, and what does it take? Speculative
decoding: the draft model, how far ahead it guesses, and how many guesses hold.

A decoding sequence takes a round at a time. The draft model guesses `ahead` tokens one after
another; the model then checks all of them in one step and gives one token of its own behind those
that hold. The guesses behind the first wrong one are lost. Where each guess holds with the same
probability a, and independently, a round gives on average

    1 + a + a^2 + ... + a^ahead = (1 - a^(ahead + 1)) / (1 - a)    tokens

(Leviathan, Kalman, Matias, Fast inference from transformers via speculative decoding, ICML 2023,
equation 1; the text was not at hand, equation and number come from public implementations that
cite them, and the sum proves itself).
"""

from __future__ import annotations

from pimlab.cluster.plans import ParallelPlan
from pimlab.serving.step_times import StepTimes
from pimlab.values import Value, integer, number, part


class Speculation(Value):
    """Speculative decoding. draft : step times or a plan of the small model, which runs on the same
    chips, one after the other with the large one; its static power is theirs.
    ahead : tokens it guesses in a round.  acceptance : probability that a guess holds, given that
    those before it did.  seed : of which guesses hold. The guesses of a request do not depend on
    when or beside whom it runs.

    The draft reads every prompt as well, and keeps a cache of its own in the same memory. The cost
    of its step over the last guess, where all held, is left out.

    >>> from pimlab.serving import single_shot, Speculation
    >>> draft = single_shot({1: 1e-4})
    >>> round(Speculation(draft=draft, ahead=4, acceptance=0.8).expected, 3)
    3.362
    """

    draft: StepTimes | ParallelPlan = part(StepTimes, ParallelPlan)
    ahead: int = integer(1, 64, default=4)
    acceptance: float = number(low=0, high=1)
    seed: int = integer(0, 2**63 - 1, default=0)

    @property
    def expected(self) -> float:
        """Tokens that a round gives on average, away from the end of a request (unit: tokens).

        Leviathan et al., ICML 2023, equation 1.
        """
        return sum(self.acceptance**k for k in range(self.ahead + 1))

    def __str__(self) -> str:
        name = self.draft.name
        return f"{self.ahead} tokens ahead by {name}, each holds with probability {self.acceptance}"


def beside(times: StepTimes, draft: StepTimes) -> StepTimes:
    """`times` with room for the cache of `draft` and for its weights: fewer tokens fit.

    Of a plan, `of_plan` knows this itself; here `times` are somebody's tables. Bytes are added up
    over all chips of a replica. Where no cache has a size (no `token_bytes`), the room stays.
    Raises ValueError where nothing is left. Unit of the room: tokens.
    """
    each = times.token_bytes + draft.token_bytes
    if not times.token_bytes:
        return times
    room = int((times.held * times.token_bytes - draft.weight_bytes) // each)
    if room < 1:
        raise ValueError(
            f"Speculation draft={draft.name!r} leaves no room for a cache beside {times.name!r}"
        )
    return times.but(held=room)
