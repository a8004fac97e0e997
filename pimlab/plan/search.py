"""Which placement of a model's operators on several machines is the cheapest? An exact search.

Operators run one after another, so a placement costs the sum of its operators and of the transfers
over the links between them; a machine that is used also costs its call, and its static power all
the while. The
search is exact (the cheapest machine of each operator, for each set of machines), and placements on
one machine are among those searched: the answer is never worse. Weights that are computed with
where they lie occupy a machine's memory (`Target.occupancy`): no placement uses more than there is.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np

from pimlab.cost import price
from pimlab.machine.crossings import link_seconds, transferred
from pimlab.machine.links import Link
from pimlab.machine.protocol import Target
from pimlab.plan.plan import Op

ROUNDING = 1e-9
"""Share of a memory by which a sum of shares may miss 1."""
EXACT = 4096
"""Placements of the lossy operators (12 operators on two machines) that are all ordered by cost, to
be tried against an accuracy bound until one meets it; of more, operators move back one at a time.
Also those tried where a memory would overflow.
"""


def operator_costs(machine: Target, op: Op, between: Link | None) -> tuple[float, float]:
    """(J without static power, s) of one operator on `machine`, its link's transfers included.
    Units: J and s.
    """
    joules = sum(price(machine.events(op), machine.prices).nominal.values())
    joules *= machine.throttled(op)
    seconds = sum(machine.latency(op).values())
    if between is None:
        return joules, seconds
    joules += transferred(op, between) * between.bit.value
    return joules, seconds + link_seconds(op, between)


def watts(machine: Target) -> float:
    """Static power of a machine [W], at the nominal prices."""
    return sum(price(machine.static, machine.prices).nominal.values())


def tables(
    operators: Sequence[Op], machines: Sequence[Target], links: Mapping[str, Link]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Energy [J], latency [s] and share of the memory, each float64, shape (operators, machines);
    NaN where a machine does not serve or hold an operator.
    """
    energy = np.full((len(operators), len(machines)), np.nan)
    latency, occupancy = np.full_like(energy, np.nan), np.zeros_like(energy)
    for (i, op), (j, machine) in itertools.product(enumerate(operators), enumerate(machines)):
        if machine.serves(op) and machine.occupancy(op) <= 1:
            energy[i, j], latency[i, j] = operator_costs(machine, op, links.get(machine.name))
            occupancy[i, j] = machine.occupancy(op)
    return energy, latency, occupancy


def subsets(count: int) -> list[list[int]]:
    """Every set of one or more of `count` machines, by number."""
    sizes = range(1, count + 1)
    return [list(some) for n in sizes for some in itertools.combinations(range(count), n)]


class Search:
    """Placements by cost. With links charged by operator, operators are independent once the
    machines in use are chosen, and as long as no memory overflows.
    """

    def __init__(
        self,
        energy: np.ndarray,
        latency: np.ndarray,
        occupancy: np.ndarray,
        watts: np.ndarray,
        objective: str,
        calls: np.ndarray | None = None,
        willing: np.ndarray | None = None,
    ):
        """willing : bool, shape (operators, machines), what each machine takes when it works alone;
        None: all it serves. The others as `tables` and `watts` give them.
        """
        self.energy, self.latency, self.occupancy = energy, latency, occupancy
        self.watts, self.objective = watts, objective
        self.calls = np.zeros(len(watts)) if calls is None else calls
        self.willing = np.isfinite(energy) if willing is None else willing & np.isfinite(energy)

    def best(self, allowed: np.ndarray) -> np.ndarray | None:
        """int, shape (operators,), the machine of each, cheapest over every set of machines;
        `allowed` bool, shape (operators, machines). None where the memories do not hold what is
        allowed.
        """
        machines = range(self.energy.shape[1])
        found = [
            placed
            for some in subsets(len(machines))
            if (placed := self._within(allowed, some)) is not None
        ]
        alone = [
            placed
            for j in machines
            if allowed[np.arange(len(allowed)), placed := self.alone(j)].all() and self.fits(placed)
        ]
        return min([*found, *alone], key=self.total, default=None)

    def _within(self, allowed: np.ndarray, some: list[int]) -> np.ndarray | None:
        cost = (
            self.latency
            if self.objective == "latency"
            else self.energy + self.latency * self.watts[some].sum()
        )
        masked = np.where(allowed & np.isfinite(cost), cost, np.inf)[:, some]
        if np.isinf(masked.min(axis=1)).any():
            return None
        chosen = masked.argmin(axis=1)
        if not self.fits(np.array(some)[chosen]):
            chosen = _packed(masked, self.occupancy[:, some])
        return None if chosen is None else np.array(some)[chosen]

    def loads(self, placed: np.ndarray) -> np.ndarray:
        """Share of each machine's memory that a placement fills. Float64, shape (machines,), unit
        1.
        """
        return _loads(placed, self.occupancy)

    def fits(self, placed: np.ndarray) -> bool:
        """Whether no memory overflows."""
        return bool((self.loads(placed) <= 1 + ROUNDING).all())

    def cost(self, placed: np.ndarray) -> tuple[float, float]:
        """(J, s) of a placement, calls and static power of the machines in use included. Units: J
        and s.
        """
        rows = np.arange(len(placed))
        seconds = float(self.latency[rows, placed].sum() + self.calls[np.unique(placed)].sum())
        return float(self.energy[rows, placed].sum()) + seconds * float(
            self.watts[np.unique(placed)].sum()
        ), seconds

    def total(self, placed: np.ndarray) -> float:
        """The objective of a placement; infinite where a memory overflows. In the unit of the
        objective.
        """
        if not self.fits(placed):
            return math.inf
        joules, seconds = self.cost(placed)
        return joules if self.objective == "energy" else seconds

    def alone(self, machine: int) -> np.ndarray:
        """Everything that `machine` serves on it, the rest on the first machine that does.
        Integers, shape (operators,).
        """
        first = np.where(self.willing.any(axis=1, keepdims=True), self.willing, self.served)
        return np.where(self.willing[:, machine], machine, first.argmax(axis=1))

    @property
    def served(self) -> np.ndarray:
        """Whether a machine serves and holds an operator: bool, shape (operators, machines)."""
        return np.isfinite(self.energy)


def _loads(placed: np.ndarray, occupancy: np.ndarray) -> np.ndarray:
    return np.bincount(
        placed, weights=occupancy[np.arange(len(placed)), placed], minlength=occupancy.shape[1]
    )


def _packed(cost: np.ndarray, occupancy: np.ndarray) -> np.ndarray | None:
    """int, shape (operators,): the cheapest machines whose memories hold everything; exact for few
    placements, else by exchange.

    cost : (operators, machines), infinite where not allowed. Only operators that take up memory and
    have a choice compete for it.
    """
    rivals = np.flatnonzero((occupancy > 0).any(axis=1) & (np.isfinite(cost).sum(axis=1) > 1))
    options = [np.flatnonzero(np.isfinite(cost[i])) for i in rivals]
    if math.prod(len(machines) for machines in options) > EXACT:
        return _exchanged(cost, occupancy)
    best, least = None, math.inf
    for owners in itertools.product(*options):
        placed = cost.argmin(axis=1)
        placed[rivals] = owners
        total = cost[np.arange(len(placed)), placed].sum()
        if total < least and (_loads(placed, occupancy) <= 1 + ROUNDING).all():
            best, least = placed, total
    return best


def _exchanged(cost: np.ndarray, occupancy: np.ndarray) -> np.ndarray | None:
    """As `_packed`, by a heuristic: every operator starts on its cheapest machine. While a memory
    overflows, the operator with the least extra cost for each share of that memory moves to another
    machine. Then operators move back to their cheapest machine, those that gain most first, while
    there is room.
    """
    placed, rows = cost.argmin(axis=1), np.arange(len(cost))
    while (loads := _loads(placed, occupancy)).max() > 1 + ROUNDING:
        full = int(loads.argmax())
        movable = (
            (placed == full)[:, None]
            & (occupancy[:, [full]] > 0)
            & (loads + occupancy <= 1 + ROUNDING)
            & (np.arange(len(loads)) != full)
        )
        lost = np.where(movable, cost, np.inf) - cost[rows, placed][:, None]
        loss = lost / np.maximum(occupancy[:, [full]], ROUNDING)
        i, j = np.unravel_index(loss.argmin(), loss.shape)
        if np.isinf(loss[i, j]):
            return None
        placed[i] = j
    for i in np.argsort(cost.min(axis=1) - cost[rows, placed], kind="stable"):
        wish = int(cost[i].argmin())
        if (
            wish != placed[i]
            and _loads(placed, occupancy)[wish] + occupancy[i, wish] <= 1 + ROUNDING
        ):
            placed[i] = wish
    return placed


def interval(
    found: Search, placed: np.ndarray, targets: Sequence[Target], unblocked: Mapping[str, float]
) -> float:
    """The longest time that one machine, or those that share a DRAM together, work on one
    inference [s]; `unblocked` holds the seconds in which each of these leaves the DRAM to others.
    """
    busy = {
        t.name: float(found.latency[mine, j].sum() + found.calls[j] * bool(len(mine)))
        for j, t in enumerate(targets)
        for mine in (np.flatnonzero(placed == j),)
    }
    return max(sum(busy[name] - free for name, free in unblocked.items()), *busy.values())


def ordered(search: Search, choices: list[int]) -> list[np.ndarray]:
    """Every placement of the operators that have a choice, the others cheapest, in order of the
    objective. Each is integers, shape (operators,).
    """
    found = []
    for owners in itertools.product(
        *[np.flatnonzero(np.isfinite(search.energy[i])) for i in choices]
    ):
        allowed = np.ones(search.energy.shape, bool)
        for i, owner in zip(choices, owners, strict=True):
            allowed[i] = np.arange(search.energy.shape[1]) == owner
        found.append(search.best(allowed))
    return _fitting(search, found)


def _fitting(search: Search, found: list[np.ndarray | None]) -> list[np.ndarray]:
    """The placements that there are and that fit, in order of the objective."""
    return sorted(
        (placed for placed in found if placed is not None and search.fits(placed)), key=search.total
    )


def retreating(search: Search, choices: list[int]) -> list[np.ndarray]:
    """The cheapest placement, operators moved back to the first machine one at a time, the least
    saving first, and each machine alone, in order of the objective. Each is integers,
    shape (operators,).
    """
    allowed = np.ones(search.energy.shape, bool)
    found = [search.best(allowed)]
    gain = np.nan_to_num(
        search.energy[:, 0] if search.objective == "energy" else search.latency[:, 0], nan=np.inf
    )
    cost = search.energy if search.objective == "energy" else search.latency
    saved = {i: gain[i] - np.nanmin(cost[i]) for i in choices}
    for i in sorted(choices, key=lambda i: saved[i]):
        if np.isfinite(search.energy[i, 0]):
            allowed[i] = np.arange(search.energy.shape[1]) == 0
            found.append(search.best(allowed))
    found += [search.alone(j) for j in range(search.energy.shape[1])]
    return _fitting(search, found)
