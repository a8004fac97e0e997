"""Which placement is the cheapest where neighbours matter: by links that edges cross, and by a DRAM
that changes hands?

What an operator pays for a link hangs on where its makers and readers run, and a shared DRAM
changes hands between an operator and the next one on it. Operators are placed one after another in
order of execution; two beginnings of a placement that leave the same behind (the machines of the
operators that later ones still read, what their outputs have paid, and who had the DRAM last) are
compared, and the cheaper one goes on. Memories are not looked at here.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from pimlab.machine.crossings import link_seconds, transferred
from pimlab.machine.links import Link
from pimlab.machine.protocol import Target
from pimlab.plan.plan import Op

WIDEST = 4096
"""Beginnings that are kept at once: exact while there are no more, else the cheapest of them."""
_State = tuple[tuple[tuple[int, bool], ...], int | None]
"""(machine, whether its output has crossed) of each operator still read, and the DRAM's last."""
_Owners = tuple[int, Any]
"""The machine of an operator, and the same of those before it; () before the first."""


@dataclasses.dataclass(frozen=True)
class Neighbours:
    """Operators in order of execution, what they read of each other, and what crossing costs.

    order : operator numbers.  makers, readers : of each operator, by number.
    there, back : float64, shape (operators, machines), what inputs and outputs cost that cross.
    given : float64, shape (machines,), what a change of hands to a machine costs; NaN where a
    machine is not shared. All in the unit of the objective.
    """

    order: Sequence[int]
    makers: Sequence[frozenset[int]]
    readers: Sequence[frozenset[int]]
    there: np.ndarray
    back: np.ndarray
    given: np.ndarray

    def cheapest(self, cost: np.ndarray) -> tuple[float, np.ndarray] | None:
        """The least sum of `cost` (float64, shape (operators, machines), infinite where not
        allowed), links and changes of hands, and the machine of each operator, int, shape
        (operators,). None where an operator has no machine.
        """
        if np.isinf(cost.min(axis=1)).any():
            return None
        shared = np.flatnonzero(np.isfinite(self.given))
        hands: list[int | None] = [int(j) for j in shared] if len(shared) else [None]
        ends = [self._from(cost, last) for last in hands]
        total, owners = min((one for one in ends if one is not None), key=lambda one: one[0])
        placed = np.empty(len(cost), int)
        for i in reversed(self.order):
            placed[i], owners = owners
        return total, placed

    def _from(self, cost: np.ndarray, last: int | None) -> tuple[float, Any] | None:
        """The least (sum, owners) with the DRAM in the hands of `last` before and after, since
        inferences follow each other; None where no placement ends so.
        """
        beginnings: dict[_State, tuple[float, Any]] = {((), last): (0.0, ())}
        alive: tuple[int, ...] = ()
        gone = self._gone()
        for i in self.order:
            after = tuple(k for k in (*alive, i) if k not in gone[i])
            grown: dict[_State, tuple[float, Any]] = {}
            for (held, hand), (spent, owners) in beginnings.items():
                for j in np.flatnonzero(np.isfinite(cost[i])):
                    added, state = self._placed(
                        i, int(j), dict(zip(alive, held, strict=True)), hand
                    )
                    key = (tuple(state[k] for k in after), self._hand(int(j), hand))
                    total = spent + cost[i, j] + added
                    if key not in grown or total < grown[key][0]:
                        grown[key] = (total, (int(j), owners))
            beginnings, alive = _narrowed(grown), after
        ends = [one for (_, hand), one in beginnings.items() if hand == last]
        return min(ends, key=lambda one: one[0], default=None)

    def _hand(self, machine: int, before: int | None) -> int | None:
        return machine if np.isfinite(self.given[machine]) else before

    def _placed(
        self, i: int, j: int, held: dict[int, tuple[int, bool]], hand: int | None
    ) -> tuple[float, dict[int, tuple[int, bool]]]:
        """What operator i on machine j adds beside its own cost, and what is held then."""
        added = self.given[j] if np.isfinite(self.given[j]) and hand != j else 0.0
        makers = self.makers[i]
        inside = bool(makers) and all(held[k][0] == j for k in makers)
        come = any(self.makers[k] == makers and owner == j for k, (owner, _) in held.items())
        if not makers or not (inside or come):
            added += self.there[i, j]
        for k in makers:
            owner, crossed = held[k]
            if owner != j and not crossed:
                added += self.back[k, owner]
                held[k] = owner, True
        unread = not self.readers[i]
        held[i] = j, unread
        return added + (self.back[i, j] if unread else 0.0), held

    def _gone(self) -> list[set[int]]:
        """Operator -> those that nobody asks for any more once it is placed: their readers are
        placed, and so are all that read the same as they do.
        """
        place = {i: at for at, i in enumerate(self.order)}
        alike: dict[frozenset[int], int] = {}
        for i in self.order:
            alike[self.makers[i]] = i
        until: list[set[int]] = [set() for _ in self.order]
        for i in self.order:
            same = alike[self.makers[i]] if self.makers[i] else i
            until[max((i, same, *self.readers[i]), key=lambda k: place[k])].add(i)
        return until


def _narrowed(beginnings: dict[_State, tuple[float, Any]]) -> dict[_State, tuple[float, Any]]:
    if len(beginnings) <= WIDEST:
        return beginnings
    return dict(sorted(beginnings.items(), key=lambda one: one[1][0])[:WIDEST])


def neighbours(
    model: Any,
    operators: Sequence[Op],
    machines: Sequence[Target],
    links: Mapping[str, Link],
    shared: Iterable[str],
    weights: tuple[float, float],
) -> Neighbours:
    """What crossing costs the `operators` of a model with a graph on `machines`, at `weights` of a
    joule and of a second (the energy counts seconds by the static power).
    """
    graph, number = model.graph, {op.name: i for i, op in enumerate(operators)}
    makers: list[set[int]] = [set() for _ in operators]
    readers: list[set[int]] = [set() for _ in operators]
    for edge in graph.edges:
        makers[number[edge.reader]].add(number[edge.maker])
        readers[number[edge.maker]].add(number[edge.reader])
    joule, second = weights
    there = np.zeros((len(operators), len(machines)))
    back, names = np.zeros_like(there), set(shared)
    for (i, op), (j, machine) in itertools.product(enumerate(operators), enumerate(machines)):
        between = links.get(machine.name)
        if between is not None:
            for side, over in ((there, (True, False)), (back, (False, True))):
                joules = transferred(op, between, over) * between.bit.value
                side[i, j] = joule * joules + second * link_seconds(op, between, over)
    return Neighbours(
        order=[number[name] for name in graph.order(number)],
        makers=[frozenset(one) for one in makers],
        readers=[frozenset(one) for one in readers],
        there=there,
        back=back,
        given=np.array([second * m.handover if m.name in names else np.nan for m in machines]),
    )
