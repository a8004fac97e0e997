"""How many tokens a second can no placement exceed? A bound from what covers each layer.

Suppose that F tokens a second flow. Then at every layer the machines that hold it take F together,
and none counts for more than F. Let a pattern be a set of machines, each by its kind t and the
number l of layers it holds, whose rates clipped at F add up to F at least. With z_p layers that
show pattern p and n_tl machines of kind t that hold l layers:

    sum_p z_p >= layers,   sum_p count_p(t, l) z_p <= l n_tl,   sum_l n_tl <= machines of kind t

Machines of one kind are interchangeable and layers have no order, so nothing is left of the
symmetry that a search over runs gets lost in. If the linear programme (columns are generated: a
covering knapsack prices them) covers fewer layers than the model has, F is out of reach. Links that
are slower than F cut the machines into islands: if no island can serve every layer with one machine
at a time, some layer is served by two machines or more, and at least one z_p of such patterns is 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pimlab.cluster.placement.problem import LayerPlacement

Pattern = dict[int, int]
"""Configuration -> machines of it that serve one layer together."""
ROUNDING = 1e-7
"""Layers by which a sum may miss a whole number."""


class Configuration(NamedTuple):
    """Machines of kind `kind` that hold `layers` each take `rate` tokens a second, F at most."""

    kind: int
    layers: int
    rate: float


def configurations(kinds: Sequence[dict[int, float]], flow: float) -> list[Configuration]:
    """What a machine of each kind may hold that nothing dominates: the longest run at the full
    flow, and longer ones that no longer and faster one replaces.
    """
    found = []
    for kind, held in enumerate(kinds):
        full = max((count for count, rate in held.items() if rate >= flow), default=0)
        if full:
            found.append(Configuration(kind, full, flow))
        slow = {count: rate for count, rate in held.items() if rate < flow and count > full}
        for count, rate in slow.items():
            if not any(other > count and slow[other] >= rate for other in slow):
                found.append(Configuration(kind, count, rate))
    return found


def cheapest(costs: np.ndarray, rates: np.ndarray, flow: float, below: float) -> Pattern | None:
    """The pattern of least cost whose rates add up to `flow`; None where none costs less than
    `below`. Depth first, cut where even the best ratio of what is left costs too much. Rates in the
    unit tokens a second.
    """
    order = np.argsort(costs / rates, kind="stable")
    ratios = (costs / rates)[order]
    best: tuple[float, Pattern | None] = (below, None)

    def descend(position: int, needed: float, spent: float, chosen: Pattern) -> None:
        nonlocal best
        if needed <= 0:
            if spent < best[0] - 1e-12:
                best = spent, dict(chosen)
            return
        if position == len(order) or spent + needed * ratios[position] >= best[0] - 1e-12:
            return
        i = int(order[position])
        for count in range(math.ceil(needed / rates[i]), -1, -1):
            more = {**chosen, i: count} if count else chosen
            descend(position + 1, needed - count * rates[i], spent + count * costs[i], more)

    descend(0, flow, 0.0, {})
    return best[1]


class _Cover:
    """The linear programme of one flow: most layers that the machines cover."""

    def __init__(
        self, kinds: Sequence[dict[int, float]], counts: Sequence[int], flow: float, shared: bool
    ):
        self.flow, self.counts, self.shared = flow, counts, shared
        self.configurations = configurations(kinds, flow)
        self.rates = np.array([one.rate for one in self.configurations])
        self.patterns: list[Pattern] = []
        for i, rate in enumerate(self.rates):
            self.patterns.append({i: math.ceil(flow / rate)})
            if shared:
                self.patterns.append({i: max(2, math.ceil(flow / rate))})

    def solve(self) -> float:
        """Layers covered; -inf where the machines cannot serve one layer by two of them."""
        while True:
            answer = self._programme()
            if answer.status != 0:
                return -math.inf
            duals = -answer.ineqlin.marginals
            if not self._priced(duals):
                return float(-answer.fun)

    def _programme(self):  # type: ignore[no-untyped-def]
        from scipy.optimize import linprog

        shapes, patterns, kinds = len(self.configurations), len(self.patterns), len(self.counts)
        rows = np.zeros((shapes + kinds + self.shared, patterns + shapes))
        right = np.zeros(len(rows))
        for column, pattern in enumerate(self.patterns):
            for i, count in pattern.items():
                rows[i, column] = count
            if self.shared and sum(pattern.values()) > 1:
                rows[-1, column] = -1
        for i, one in enumerate(self.configurations):
            rows[i, patterns + i] = -one.layers
            rows[shapes + one.kind, patterns + i] = 1
        right[shapes : shapes + kinds] = self.counts
        if self.shared:
            right[-1] = -1
        gain = np.r_[-np.ones(patterns), np.zeros(shapes)]
        return linprog(gain, A_ub=rows, b_ub=right, method="highs")

    def _priced(self, duals: np.ndarray) -> bool:
        """Whether a pattern was found that covers a layer for less than it is worth."""
        costs = np.maximum(duals[: len(self.configurations)], 0.0)
        found = [cheapest(costs, self.rates, self.flow, 1 - 1e-9)]
        if self.shared:
            found.append(self._shared(costs, 1 + duals[-1] - 1e-9))
        new = [pattern for pattern in found if pattern and pattern not in self.patterns]
        self.patterns += new
        return bool(new)

    def _shared(self, costs: np.ndarray, below: float) -> Pattern | None:
        """The cheapest pattern of two machines or more."""
        best = None
        for i, rate in enumerate(self.rates):
            rest = cheapest(costs, self.rates, max(self.flow - rate, 1e-12), below - costs[i])
            if rest is not None:
                best = {**rest, i: rest.get(i, 0) + 1}
                below = sum(costs[k] * count for k, count in best.items())
        return best


def covered(problem: LayerPlacement, flow: float) -> float:
    """Layers that the machines can cover at `flow` tokens a second, by the linear programme (unit:
    layers).
    """
    kinds = [dict(kind) for kind in problem.kinds]
    counts = [len(names) for names in problem.kinds.values()]
    return _Cover(kinds, counts, flow, _apart(problem, flow)).solve()


def _apart(problem: LayerPlacement, flow: float) -> bool:
    """Whether no island of links that carry `flow` can serve every layer, one machine at a time."""
    for names in islands(problem, flow):
        longest = (
            max((count for count, rate in problem.rates[n].items() if rate >= flow), default=0)
            for n in names
        )
        if sum(longest) >= problem.layers:
            return False
    return True


def islands(problem: LayerPlacement, flow: float) -> list[tuple[str, ...]]:
    """Machines that links of `flow` tokens a second and more join, in either direction."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    names = [*problem.rates]
    places = {name: i for i, name in enumerate(names)}
    fast = [(places[a], places[b]) for (a, b), rate in problem.links.items() if rate >= flow]
    rows, columns = zip(*fast, strict=True) if fast else ((), ())
    graph = coo_matrix((np.ones(len(fast)), (rows, columns)), shape=(len(names),) * 2)
    count, label = connected_components(graph, directed=False)
    return [
        tuple(n for n, where in zip(names, label, strict=True) if where == i) for i in range(count)
    ]


def upper_bound(problem: LayerPlacement, known: float = 0.0, precision: float = 1e-7) -> float:
    """Tokens a second that no placement exceeds, to a relative `precision`; `known` is the flow of
    a placement at hand. Unit of `known`: tokens a second.
    """
    high = sum(max(held.values()) for held in problem.rates.values())
    high = min(high, sum(problem.source.values()), sum(problem.sink.values()))
    if known > 0 and not _reachable(problem, known * (1 + precision)):
        return known * (1 + precision)
    low = max(known, high * 1e-9)
    while high > low * (1 + precision):
        middle = math.sqrt(low * high) if high > 4 * low else (low + high) / 2
        if _reachable(problem, middle):
            low = middle
        else:
            high = middle
    return high


def _reachable(problem: LayerPlacement, flow: float) -> bool:
    return covered(problem, flow) >= problem.layers - ROUNDING
