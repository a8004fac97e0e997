"""How long does a collective of many chips take? Rounds of messages, each a delay and a transfer.

An algorithm is a list of rounds. In a round workers send a share of the message to workers some
ranks away, and wait for what they receive:

    T = launch + sum over rounds of  hops delay + crowding share 8 message / (efficiency bandwidth)

the alpha-beta model of Thakur, Rabenseifner and Gropp (2005), with the hops and the messages that
share one link counted on the topology. Shares are exact fractions: a test can add them up by hand.

1. R. Thakur, R. Rabenseifner, W. Gropp, Optimization of collective communication operations in
   MPICH, Int. J. High Performance Computing Applications 19:49 (2005), sections 4.1 to 4.5.
2. R. W. Hockney, The communication challenge for MPP, Parallel Computing 20:389 (1994).
"""

from __future__ import annotations

from fractions import Fraction

from pimlab.arguments import typed
from pimlab.units import is_integer
from pimlab.values import Value, choice, integer, part, unknown

OPERATIONS = ("all-reduce", "reduce-scatter", "all-gather", "all-to-all", "send")
ALGORITHMS = ("ring", "tree", "halving", "switch")
"""In neighbours' steps; by a binomial tree; by recursive halving and doubling; reduced in the
switch.
"""

MOST_WORKERS = 2**20
"""Most chips of a collective, as of a `Cluster`: a ring has as many rounds."""


class Round(Value):
    """One message: `share` of the whole message to a worker `distance` ranks away.

    pattern : "shift" (every worker to the one that many ranks on), "exchange" (pairs whose ranks
    differ in that one bit), "tree" (every second one of those that are left to its parent).
    """

    distance: int = integer(1)
    share: Fraction = part(Fraction)
    pattern: str = choice("shift", "exchange", "tree", default="shift")

    def senders(self, workers: int) -> list[tuple[int, int]]:
        """(sender, receiver) of every message of the round."""
        d = self.distance
        if self.pattern == "shift":
            return [(i, (i + d) % workers) for i in range(workers)]
        if self.pattern == "exchange":
            return [(i, i ^ d) for i in range(workers) if i ^ d < workers]
        return [(i, i - d) for i in range(d, workers, 2 * d)]


@typed
def rounds(operation: str, algorithm: str, workers: int) -> tuple[Round, ...]:
    """The rounds of `operation` among `workers` chips; none where one chip is alone.

    The message is the whole vector: every worker holds it before an all-reduce and after an
    all-gather. Raises ValueError for an unknown operation or algorithm, a count outside 1..2^20,
    and an operation that the algorithm does not do (trees and switches do not exchange all to all).

    >>> sum(r.share for r in pim.cluster.rounds("all-reduce", "ring", 8))
    Fraction(7, 4)
    """
    if operation not in OPERATIONS:
        raise ValueError(unknown("collective", operation, OPERATIONS))
    if algorithm not in ALGORITHMS:
        raise ValueError(unknown("algorithm", algorithm, ALGORITHMS))
    if not is_integer(workers) or not 1 <= workers <= MOST_WORKERS:
        raise ValueError(
            f"{operation}: workers={workers!r:.60}; allowed: an integer, 1 to {MOST_WORKERS}"
        )
    if workers == 1:
        return ()
    if operation == "send":
        return (Round(distance=1, share=Fraction(1)),)
    if operation == "all-to-all":
        return _all_to_all(algorithm, workers)
    scatter, gather = _scatter(algorithm, workers), _gather(algorithm, workers)
    if operation == "all-reduce":
        return _all_reduce(algorithm, workers, scatter, gather)
    return scatter if operation == "reduce-scatter" else gather


def _all_reduce(
    algorithm: str, workers: int, scatter: tuple[Round, ...], gather: tuple[Round, ...]
) -> tuple[Round, ...]:
    if algorithm == "tree":
        up = _branches(workers)
        return (*up, *reversed(up))
    if algorithm == "switch":  # the sums come down while the rest still goes up
        return (Round(distance=1, share=Fraction(1)), Round(distance=1, share=Fraction(0)))
    return (*scatter, *gather)


def _scatter(algorithm: str, workers: int) -> tuple[Round, ...]:
    """A reduce-scatter is an all-gather run backwards (Thakur, section 4.2)."""
    return tuple(reversed(_gather(algorithm, workers)))


def _gather(algorithm: str, workers: int) -> tuple[Round, ...]:
    """Rounds of an all-gather; of a number that is no power of two, halving passes the rest on in
    one more round.
    """
    if algorithm == "ring":
        return (Round(distance=1, share=Fraction(1, workers)),) * (workers - 1)
    if algorithm == "switch":  # every chip receives all of it
        return (Round(distance=1, share=Fraction(1)),)
    if algorithm == "tree":  # to the root, and from it to all
        last = Fraction(workers - 1, workers)
        return (Round(distance=1, share=last), *reversed(_branches(workers)))
    even = 1 << (workers.bit_length() - 1)
    doubling = tuple(
        Round(distance=1 << i, share=Fraction(1 << i, even), pattern="exchange")
        for i in range(even.bit_length() - 1)
    )
    extra = Round(distance=even, share=Fraction(1), pattern="exchange")
    return doubling if even == workers else (*doubling, extra)


def _all_to_all(algorithm: str, workers: int) -> tuple[Round, ...]:
    """Pairwise exchange: in round i every worker sends its part to the i-th next one."""
    if algorithm != "ring":
        raise ValueError(f"all-to-all by {algorithm!r} is not offered; allowed: 'ring' (pairwise)")
    return tuple(Round(distance=i, share=Fraction(1, workers)) for i in range(1, workers))


def _branches(workers: int) -> tuple[Round, ...]:
    """The rounds of a binomial tree from the leaves to the root: distances 1, 2, 4, ..."""
    distances = (1 << i for i in range((workers - 1).bit_length()))
    return tuple(Round(distance=d, share=Fraction(1), pattern="tree") for d in distances)
