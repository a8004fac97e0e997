"""Which machine should run which operator of a model? The cheapest placement on several machines,
and why.

Operators run one after another, so a placement costs the sum of its operators and of the transfers
over the links between them; a machine that is used also costs its static power all the while. The
search is exact (the cheapest machine of each operator, for each set of machines), and placements on
one machine are among those searched: the answer is never worse. Weights that are computed with
where they lie fill a machine's memory (`Target.occupancy`): no placement fills it more than once.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import xarray as xr

from pimlab.cost import Prices, price
from pimlab.cost.prices import Price
from pimlab.keys import Key
from pimlab.machine.links import Link
from pimlab.machine.protocol import Calibration, MacOp, Programmed, Target, VectorOp
from pimlab.values import Value, part, unknown

Op = MacOp | VectorOp
OBJECTIVES = ("energy", "latency")
LINK_BIT = "link bit"
ROUNDING = 1e-9
"""Share of a memory by which a sum of shares may miss 1."""
EXACT = 4096
"""Placements of the lossy operators (12 operators on two machines) that are all ordered by cost, to
be tried against an accuracy bound until one meets it; of more, operators move back one at a time.
Also those tried where a memory would overflow.
"""


class Share(Target):
    """A machine that runs only the operators named; the rest go to `host`."""

    stage: ClassVar[int] = 2
    machine: Any = part(Target)
    operators: frozenset[str] = frozenset()
    link: Link | None = part(Link, default=None)

    def serves(self, op: Op) -> bool:
        """The operators of this share, as far as the machine serves them."""
        return op.name in self.operators and self.machine.serves(op)

    def occupancy(self, op: Op) -> float:
        """As the machine, the operators of this share."""
        return self.machine.occupancy(op) if op.name in self.operators else 0.0

    def program(
        self,
        w: np.ndarray,
        key: int | Key = 0,
        *,
        bias: np.ndarray | None = None,
        calibration: Calibration | None = None,
    ) -> Programmed:
        """As the machine."""
        return self.machine.program(w, key, bias=bias, calibration=calibration)

    def product(self, x: np.ndarray, w: np.ndarray, key: int | Key = 0) -> np.ndarray:
        """As the machine."""
        return self.machine.product(x, w, key)

    def counted_product(
        self, x: np.ndarray, w: np.ndarray, key: int | Key = 0
    ) -> tuple[np.ndarray, Mapping[str, int]]:
        """As the machine."""
        return self.machine.counted_product(x, w, key)

    def events(self, op: Op) -> Mapping[str, int]:
        """As the machine, and the bits over its link (each operator's, both ways)."""
        crossing = {LINK_BIT: transferred(op, self.link)} if self.link else {}
        return {**self.machine.events(op), **crossing}

    def latency(self, op: Op) -> Mapping[str, float]:
        """As the machine, and the link's time."""
        return {
            **self.machine.latency(op),
            **({"link": link_seconds(op, self.link)} if self.link else {}),
        }

    @property
    def prices(self) -> Prices:
        """As the machine, and the link's."""
        if self.link is None:
            return self.machine.prices
        return Prices(
            {**self.machine.prices, LINK_BIT: Price(constant=self.link.bit, component="link")}
        )

    @property
    def static(self) -> Mapping[str, float]:
        """As the machine, if it has anything to do."""
        return self.machine.static if self.operators else {}

    @property
    def varies(self) -> bool:
        """As the machine."""
        return self.machine.varies

    @property
    def causes(self) -> tuple[str, ...]:
        """As the machine."""
        return self.machine.causes

    def with_causes(self, causes: tuple[str, ...]) -> Self:
        """As the machine."""
        return self.but(machine=self.machine.with_causes(causes))


def transferred(op: Op, link: Link) -> int:
    """Bits of an operator's activations, in and out."""
    if isinstance(op, VectorOp):
        return 2 * op.elements * link.word
    return op.groups * op.m * (op.k + op.n) * link.word


def link_seconds(op: Op, link: Link) -> float:
    """Time of an operator's two transfers over the link."""
    return 2 * link.delay + transferred(op, link) / link.bandwidth


class Placement(Value):
    """Who runs what, what it costs, and why.

    owners : operator -> name of the machine.  energy in J, latency in s of one inference, operators
    one after another.
    interval : seconds between inferences that follow each other through the machines: machines work
    at the same time, but those that share a DRAM take turns, because it is blocked while it
    computes.
    target : a Target for `run`, `explain` and `sweep`.  table : Dataset over operator and machine,
    energy and latency of each, NaN where a machine does not serve an operator.  accuracy : of the
    placement where it was asked, else None.
    """

    owners: Mapping[str, str]
    objective: str
    energy: float
    latency: float
    interval: float
    target: Any
    table: Any
    alone: Mapping[str, float]
    """Machine -> the objective with everything it serves on it, the rest on the first machine;
    infinite where that does not fit.
    """
    occupancy: Mapping[str, float]
    """Machine -> share of its memory that the operators placed on it take up for good."""
    accuracy: float | None = None

    @property
    def why(self) -> list[str]:
        """One sentence an operator that had a choice, and one a machine whose memory the placement
        fills.
        """
        unit, best = ("J", "energy") if self.objective == "energy" else ("s", "latency")
        lines = []
        for op in self.table.operator.values:
            costs = {
                str(m): float(self.table[best].sel(operator=op, machine=m))
                for m in self.table.machine.values
            }
            others = ", ".join(
                f"{cost:.3g} {unit} on {m}"
                for m, cost in costs.items()
                if m != self.owners[op] and np.isfinite(cost)
            )
            if others:
                lines.append(
                    f"{op} on {self.owners[op]}: {costs[self.owners[op]]:.3g} {unit}, against "
                    f"{others}"
                )
        return lines + [
            f"the memory of {name} is {share:.1%} full"
            for name, share in self.occupancy.items()
            if share
        ]


def _costs(machine: Share, op: Op) -> tuple[float, float]:
    """(J without static power, s) of one operator."""
    share = machine.but(operators=frozenset([op.name]))
    return sum(price(share.events(op), share.prices).nominal.values()), sum(
        share.latency(op).values()
    )


def _watts(machine: Target) -> float:
    return sum(price(machine.static, machine.prices).nominal.values())


def _tables(
    operators: Sequence[Op], shares: Sequence[Share]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Energy, latency and share of the memory, (operators, machines); NaN where a machine does not
    serve or hold an operator.
    """
    energy = np.full((len(operators), len(shares)), np.nan)
    latency, occupancy = np.full_like(energy, np.nan), np.zeros_like(energy)
    for (i, op), (j, share) in itertools.product(enumerate(operators), enumerate(shares)):
        if share.machine.serves(op) and share.machine.occupancy(op) <= 1:
            energy[i, j], latency[i, j] = _costs(share, op)
            occupancy[i, j] = share.machine.occupancy(op)
    return energy, latency, occupancy


class _Search:
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
    ):
        self.energy, self.latency, self.occupancy, self.watts, self.objective = (
            energy,
            latency,
            occupancy,
            watts,
            objective,
        )

    def best(self, allowed: np.ndarray) -> np.ndarray | None:
        """int (operators,), the machine of each, cheapest over every set of machines; `allowed`
        bool (operators, machines). None where the memories do not hold what is allowed.
        """
        machines = range(self.energy.shape[1])
        sets = itertools.chain.from_iterable(
            itertools.combinations(machines, n) for n in range(1, len(machines) + 1)
        )
        found = [
            placed for some in sets if (placed := self._within(allowed, list(some))) is not None
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
        """Share of each machine's memory that a placement fills."""
        return _loads(placed, self.occupancy)

    def fits(self, placed: np.ndarray) -> bool:
        """Whether no memory overflows."""
        return bool((self.loads(placed) <= 1 + ROUNDING).all())

    def cost(self, placed: np.ndarray) -> tuple[float, float]:
        """(J, s) of a placement, static power of the machines in use included."""
        rows = np.arange(len(placed))
        seconds = float(self.latency[rows, placed].sum())
        return float(self.energy[rows, placed].sum()) + seconds * float(
            self.watts[np.unique(placed)].sum()
        ), seconds

    def total(self, placed: np.ndarray) -> float:
        """The objective of a placement; infinite where a memory overflows."""
        if not self.fits(placed):
            return math.inf
        joules, seconds = self.cost(placed)
        return joules if self.objective == "energy" else seconds

    def alone(self, machine: int) -> np.ndarray:
        """Everything that `machine` serves on it, the rest on the first machine that does."""
        served = np.isfinite(self.energy)
        return np.where(served[:, machine], machine, served.argmax(axis=1))


def _loads(placed: np.ndarray, occupancy: np.ndarray) -> np.ndarray:
    return np.bincount(
        placed, weights=occupancy[np.arange(len(placed)), placed], minlength=occupancy.shape[1]
    )


def _packed(cost: np.ndarray, occupancy: np.ndarray) -> np.ndarray | None:
    """int (operators,): the cheapest machines whose memories hold everything; exact for few
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
    """As `_packed`: from the cheapest machines, what loses least for the room it makes moves out of
    the fullest memory, until nothing overflows; then what gains most moves back while there is
    room.
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


def place(
    model: Any,
    targets: Sequence[Target],
    objective: str = "energy",
    accuracy_drop: float | None = None,
    *,
    data: Any = None,
    links: Mapping[str, Link] | None = None,
    shared: Sequence[str] = (),
    seed: int = 0,
) -> Placement:
    """The cheapest placement of a model's operators on several machines.

    targets : the machines; the first also runs what no other serves.  objective : "energy" (J) or
    "latency" (s), of one inference.
    accuracy_drop : largest loss of the data's metric against the first machine alone (needs
    `data`); None: accuracy is not looked at.
    links : machine name -> Link between it and the first machine, crossed by each operator that it
    runs.
    shared : names of machines on one DRAM (an NPU and the PIM that is its memory): they block each
    other. The weights placed on a machine that computes where they lie fit in it together: exact up
    to 12 such operators, exchanged one by one beyond. A cache is taken to hold what it would if its
    machine ran all the operators it serves. Exact without an accuracy bound; with one, exact up to
    12 operators with a choice of two machines (7 of three), greedy beyond; never worse than a
    machine alone that meets the bound. Each placement that is tried costs one run of `data`.
    ValueError for an unknown objective, machine or operator that nobody serves or holds; TypeError
    without data where it is needed.
    """
    if isinstance(shared, str):
        raise TypeError(
            f"shared={shared!r}; allowed: a list of machine names, such as [{shared!r}, ...]"
        )
    if not hasattr(model, "mac_ops"):
        raise TypeError(
            f"model={model!r:.80} is no model; write for example pimlab.load_model('fashion-cnn')"
        )
    for name, given in (links or {}).items():
        if not isinstance(given, Link):
            raise TypeError(
                f"links[{name!r}]={given!r:.80} is not a Link, such as pimlab.link('cxl')"
            )
    _checked(targets, objective, accuracy_drop, data, (*(links or {}), *shared))
    operators = (*model.mac_ops, *model.vector_ops)
    targets = [t.placed(tuple(op for op in model.mac_ops if t.serves(op))) for t in targets]
    shares = [Share(name=t.name, machine=t, link=(links or {}).get(t.name)) for t in targets]
    energy, latency, occupancy = _tables(operators, shares)
    homeless = [
        op.name for op, row in zip(operators, energy, strict=True) if not np.isfinite(row).any()
    ]
    if homeless:
        raise ValueError(
            f"operators {homeless[:3]} are served by none of {[t.name for t in targets]}, or "
            "exceed their memories"
        )
    search = _Search(energy, latency, occupancy, np.array([_watts(t) for t in targets]), objective)
    allowed, accuracy = np.ones(energy.shape, bool), None
    placed = search.best(allowed)
    if placed is None:
        needed = {
            t.name: round(float(share), 2)
            for t, share in zip(targets, occupancy.sum(axis=0), strict=True)
            if share
        }
        raise ValueError(
            f"the weights do not fit: all of them fill {needed} memories; allowed: at most 1 of "
            "each, what is over elsewhere"
        )
    if accuracy_drop is not None:
        placed, accuracy = _accurate(model, data, shares, operators, search, accuracy_drop, seed)
    joules, seconds = search.cost(placed)
    return Placement(
        owners={op.name: targets[j].name for op, j in zip(operators, placed, strict=True)},
        objective=objective,
        energy=joules,
        latency=seconds,
        interval=_interval(latency, placed, targets, shared),
        target=_joined(shares, operators, placed),
        table=_labelled(energy, latency, operators, targets),
        alone={t.name: search.total(search.alone(j)) for j, t in enumerate(targets)},
        accuracy=accuracy,
        occupancy={
            t.name: float(share) for t, share in zip(targets, search.loads(placed), strict=True)
        },
    )


def _checked(
    targets: Sequence[Target], objective: str, drop: float | None, data: Any, named: Sequence[str]
) -> None:
    if objective not in OBJECTIVES:
        raise ValueError(unknown("objective", objective, OBJECTIVES))
    if isinstance(targets, Target) or not all(isinstance(t, Target) for t in targets):
        raise TypeError(
            f"targets={targets!r:.80}; allowed: a list of machines, such as "
            "[pimlab.target('warboy'), pimlab.target('hbm-pim')]"
        )
    names = [t.name for t in targets]
    if not names or len(set(names)) != len(names):
        raise ValueError(f"targets={names}: allowed: one machine or more, each with its own name")
    for name in named:
        if name not in names:
            raise ValueError(unknown("links, shared: machine", name, names))
    if drop is not None and not 0 <= drop < np.inf:
        raise ValueError(
            f"accuracy_drop={drop} is not 0 or more (and finite); for no bound write "
            "accuracy_drop=None"
        )
    if drop is not None and data is None:
        raise TypeError(
            "place: accuracy_drop needs data=, such as pimlab.load_data('fashion-mnist', limit=500)"
        )


def _interval(
    latency: np.ndarray, placed: np.ndarray, targets: Sequence[Target], shared: Sequence[str]
) -> float:
    """The longest time that one machine, or those that share a DRAM together, work on one
    inference.
    """
    busy = {
        t.name: float(latency[np.flatnonzero(placed == j), j].sum()) for j, t in enumerate(targets)
    }
    return max(sum(busy[name] for name in shared), *busy.values())


def _joined(shares: Sequence[Share], operators: Sequence[Op], placed: np.ndarray) -> Target:
    """A chain of shares, the first machine last: each runs its own operators and hands the rest
    on.
    """
    target: Target | None = None
    for j, share in enumerate(shares):
        mine = frozenset(op.name for op, owner in zip(operators, placed, strict=True) if owner == j)
        if mine:
            target = share.but(operators=mine, host=target)
    assert target is not None
    return target


def _labelled(
    energy: np.ndarray, latency: np.ndarray, operators: Sequence[Op], targets: Sequence[Target]
) -> xr.Dataset:
    text = "of one inference of the operator, without static power"
    return xr.Dataset(
        {
            "energy": (
                ("operator", "machine"),
                energy,
                {"units": "J", "long_name": f"energy {text}"},
            ),
            "latency": (
                ("operator", "machine"),
                latency,
                {"units": "s", "long_name": "time of one inference of the operator"},
            ),
        },
        coords={"operator": [op.name for op in operators], "machine": [t.name for t in targets]},
    )


def _accurate(
    model: Any,
    data: Any,
    shares: Sequence[Share],
    operators: Sequence[Op],
    search: _Search,
    drop: float,
    seed: int,
) -> tuple[np.ndarray, float]:
    """The cheapest placement found whose metric is within `drop` of the first machine alone."""
    from pimlab.studies.run import run

    known: dict[tuple[int, ...], float] = {}
    sign = 1 if data.metric.better == "higher" else -1

    def score(placed: np.ndarray) -> float:
        if tuple(placed) not in known:
            value = float(
                run(model, _joined(shares, operators, placed), data, seed=seed)[data.metric.name]
            )
            known[tuple(placed)] = sign * value
        return known[tuple(placed)]

    first = search.alone(0)
    least = score(first) - drop
    choices = [
        i
        for i, op in enumerate(operators)
        if isinstance(op, MacOp) and np.isfinite(search.energy[i]).sum() > 1
    ]
    placements = math.prod(int(np.isfinite(search.energy[i]).sum()) for i in choices)
    candidates = _ordered(search, choices) if placements <= EXACT else _retreating(search, choices)
    for placed in candidates:
        if score(placed) >= least:
            return placed, sign * score(placed)
    return first, sign * score(first)


def _ordered(search: _Search, choices: list[int]) -> list[np.ndarray]:
    """Every placement of the operators that have a choice, the others cheapest, in order of the
    objective.
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


def _fitting(search: _Search, found: list[np.ndarray | None]) -> list[np.ndarray]:
    """The placements that there are and that fit, in order of the objective."""
    return sorted(
        (placed for placed in found if placed is not None and search.fits(placed)), key=search.total
    )


def _retreating(search: _Search, choices: list[int]) -> list[np.ndarray]:
    """The cheapest placement, operators moved back to the first machine one at a time, the least
    saving first, and each machine alone, in order of the objective.
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
