"""Which machine should run which operator of a model? The cheapest plan on several machines, and
why.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any

import numpy as np
import xarray as xr

from pimlab.arguments import typed
from pimlab.keys import as_key
from pimlab.machine.links import Link
from pimlab.machine.protocol import MacOp, Target
from pimlab.machine.together import together
from pimlab.plan import Op, Plan, search, with_chips
from pimlab.plan.capacity import NEEDED
from pimlab.plan.costs import costs
from pimlab.plan.neighbours import neighbours
from pimlab.plan.plan import behind_pins, checked_link, checked_machines, own_links
from pimlab.plan.reasons import reasons
from pimlab.plan.search import Search, watts
from pimlab.result import finished, variable
from pimlab.studies.interrupted import going_on
from pimlab.studies.run import run
from pimlab.units import is_integer
from pimlab.values import unknown

OBJECTIVES = ("energy", "latency")


class Placement(Plan):
    """The plan that was found, what it costs, and why: `run`, `explain` and `sweep` take it as it
    is.

    energy [J] an inference, latency in s of one batch, operators one after another; static power
    of the machines in use included.
    interval : seconds between batches that follow each other through the machines: machines work at
    the same time, but those that share a DRAM take turns, because it is blocked while it computes.
    table : Dataset over operator and machine, energy and latency of each, NaN where a machine does
    not serve an operator.  accuracy : of the placement where it was asked, else None.
    """

    objective: str
    energy: float
    latency: float
    interval: float
    table: Any
    alone: Mapping[str, float]
    """Machine -> the objective with everything it serves on it, the rest on the first machine;
    infinite where that does not fit.
    """
    accuracy: float | None = None
    reasons: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Operator -> other machine -> why it costs what it does there: bandwidth, reuse, padding,
    transfer, capacity.
    """

    @property
    def why(self) -> list[str]:
        """One sentence an operator that had a choice, with the reason of each machine that it does
        not run on, and one a machine whose memory the placement fills.
        """
        lines = [line for op in self.table.operator.values if (line := self._against(str(op)))]
        return lines + [
            f"the memory of {name} is {share:.1%} full"
            for name, share in self.occupancy.items()
            if share
        ]

    def _against(self, op: str) -> str:
        """What `op` costs on its machine and on each other, and why; "" where it had no choice."""
        unit, best = ("J", "energy") if self.objective == "energy" else ("s", "latency")
        owner, reasons = self.owners[op], self.reasons.get(op, {})
        costs = {
            str(m): float(self.table[best].sel(operator=op, machine=m))
            for m in self.table.machine.values
        }
        others = []
        for name, cost in costs.items():
            if name == owner or not (np.isfinite(cost) or name in reasons):
                continue
            reason = reasons.get(name, "")
            if not np.isfinite(cost):
                others.append(reason)
                continue
            if cost < costs[owner]:
                reason = "cheaper by itself, not with static power, calls and memory of the whole"
            others.append(f"{cost:.3g} {unit} on {name}" + (f" ({reason})" if reason else ""))
        if not others:
            return ""
        return f"{op} on {owner}: {costs[owner]:.3g} {unit}, against {'; '.join(others)}"


@typed
def place(
    model: Any,
    targets: Sequence[Target],
    objective: str = "energy",
    accuracy_drop: float | None = None,
    *,
    data: Any = None,
    links: Mapping[str, Link] | None = None,
    shared: Sequence[str] = (),
    chips: int | Mapping[str, int] | str | None = None,
    seed: int = 0,
) -> Placement:
    """The cheapest placement of a model's operators on several machines.

    targets : the machines; the first also runs what no other serves.  objective : "energy" [J] or
    "latency" (s), of one inference.
    accuracy_drop : largest loss of the data's metric against the first machine alone (needs
    `data`); None: accuracy is not looked at.
    links : machine name -> Link between it and the first machine, crossed by what operators read
    and give beyond their machine; a card brings its own unless one is given here.
    shared : names of machines on one DRAM (an NPU and the PIM that is its memory): they block each
    other, and each change of hands takes a handover.
    Edges that cross and changes of hands are charged while placements are compared: exact for
    models with a graph of which no more than a dozen operators wait for a reader at once, as long
    as no memory overflows and no accuracy is asked; else the best of those charged by operator.
    chips : how many of a machine hold the model, as `run` takes it: a number, a mapping by machine,
    "needed" (as many as the placement found needs; while it is searched, each machine draws the
    static power of as many as would hold all it serves), or None for one each.
    A bound on the vectors of a product that stands for a host which computes in no time (the
    `widest` of DRAM-PIM presets) is lifted: the machines that are here are compared.
    The weights placed on a machine that computes where they lie fit in it together: exact up
    to 12 such operators, exchanged one by one beyond. A cache is taken to hold, and transfers to
    hide, what they would if their machine ran all the operators it serves. Exact without an
    accuracy bound; with one, exact up to 12 operators with a choice of two machines (7 of three),
    greedy beyond; never worse than a machine alone that meets the bound. Each placement
    that is tried costs one run of `data`; Ctrl-C keeps them, and the same call goes on from there.
    ValueError for an unknown objective, machine or operator that nobody serves or holds; TypeError
    without data where it is needed.
    """
    _checked(model, targets, objective, accuracy_drop, data, shared, seed)
    links, operators = own_links(targets) | dict(links or {}), (*model.mac_ops, *model.vector_ops)
    names = [t.name for t in targets]
    _checked_links(links, names)
    offered = behind_pins([t.searched() for t in targets], shared)
    counts = _counts(model, offered, chips)
    several = [together(t, counts[t.name]) for t in offered]
    whole = [t.placed(tuple(op for op in model.mac_ops if t.serves(op))) for t in several]
    found = _search(operators, whole, targets, links, objective)
    _all_served(operators, found.energy, targets)

    plans: dict[tuple[int, ...], tuple[Plan, xr.Dataset]] = {}

    def plan(placed: np.ndarray) -> Plan:
        return priced(placed)[0]

    def priced(placed: np.ndarray) -> tuple[Plan, xr.Dataset]:
        key = tuple(int(j) for j in placed)
        if key not in plans:
            made = planned(placed)
            plans[key] = (made, costs(made))
        return plans[key]

    def value(placed: np.ndarray) -> float:
        """The objective; infinite where a memory overflows."""
        return float(priced(placed)[1][objective].sum()) if found.fits(placed) else math.inf

    def planned(placed: np.ndarray) -> Plan:
        one = Plan(
            model=model,
            machines=_used(targets, offered, operators, placed),
            owners={op.name: names[j] for op, j in zip(operators, placed, strict=True)},
            links={name: one for name, one in links.items() if names.index(name) in placed},
            shared=[name for name in shared if names.index(name) in placed],
        )
        return _on_chips(one, chips, counts) if found.fits(placed) else one

    alone = {t.name: found.alone(j) for j, t in enumerate(targets)}
    values = {name: value(one) for name, one in alone.items()}
    best, accuracy = _fitting(found, targets, counts), None
    if accuracy_drop is None:
        free = _search(operators, whole, targets, {}, objective) if links else found
        others = [_fitting(free, targets, counts), *alone.values()]
        best = min([best, *others, *_joined(model, free, whole, links, shared)], key=value)
    else:
        asked = (_same(model), _same(data), tuple(targets), seed)
        best, accuracy = _accurate(plan, data, operators, found, accuracy_drop, asked)
    held = {t.name: t for t in whole}
    return _answer(priced(best), best, found, targets, shared, values, accuracy, held, links)


def _search(
    operators: Sequence[Op],
    whole: Sequence[Target],
    targets: Sequence[Target],
    links: Mapping[str, Link],
    objective: str,
) -> Search:
    """The costs of every operator on every machine, its inputs and outputs charged to `links`."""
    return Search(
        *search.tables(operators, whole, links),
        np.array([watts(t) for t in whole]),
        objective,
        np.array([t.call for t in whole]),
        np.array([[t.serves(op) for t in targets] for op in operators]),
    )


def _joined(
    model: Any,
    free: Search,
    whole: Sequence[Target],
    links: Mapping[str, Link],
    shared: Sequence[str],
) -> list[np.ndarray]:
    """The cheapest placement with links charged by edges and changes of hands, where they count.

    free : costs of the operators without links.
    """
    handed = len(shared) > 1 and any(t.handover for t in whole if t.name in shared)
    if getattr(model, "graph", None) is None or not (links or handed):
        return []
    operators, found = (*model.mac_ops, *model.vector_ops), []
    for some in search.subsets(len(whole)):
        weights = (0.0, 1.0) if free.objective == "latency" else (1.0, free.watts[some].sum())
        cost = weights[0] * free.energy + weights[1] * free.latency
        allowed = np.isin(np.arange(len(whole)), some) & np.isfinite(cost)
        near = neighbours(model, operators, whole, links, shared, weights)
        if (one := near.cheapest(np.where(allowed, cost, np.inf))) is not None:
            found.append((one[0] + weights[1] * float(free.calls[some].sum()), one[1]))
    fitting = [one for one in found if free.fits(one[1])]
    return [min(fitting, key=lambda one: one[0])[1]] if fitting else []


def _checked_links(links: Mapping[str, Link], names: Sequence[str]) -> None:
    for name, between in links.items():
        if name not in names:
            raise ValueError(unknown("links: machine", name, names))
        checked_link(name, between)


def _used(
    targets: Sequence[Target],
    offered: Sequence[Target],
    operators: Sequence[Op],
    placed: np.ndarray,
) -> list[Target]:
    """The machines of a placement: as they were given, or without the bound that one of their
    operators is beyond.
    """
    used = [j for j in range(len(targets)) if j in placed]
    mine = [[op for op, k in zip(operators, placed, strict=True) if k == j] for j in used]
    return [
        targets[j] if all(targets[j].serves(op) for op in ops) else offered[j]
        for j, ops in zip(used, mine, strict=True)
    ]


def _counts(
    model: Any, targets: Sequence[Target], chips: int | Mapping[str, int] | str | None
) -> dict[str, int]:
    """Machine -> chips of it that the search may fill: as asked, or as many as hold all that it
    serves (unit: chips).
    """
    if isinstance(chips, Mapping):
        for name in chips:
            if name not in [t.name for t in targets]:
                raise ValueError(unknown("chips: machine", name, [t.name for t in targets]))
        return {t.name: chips.get(t.name, 1) for t in targets}
    if chips is None:
        return {t.name: 1 for t in targets}
    if isinstance(chips, str):
        if chips != NEEDED:
            raise ValueError(unknown("chips", chips, (NEEDED, "a number", "a mapping")))
        return {t.name: _needed(model, t) for t in targets}
    if not is_integer(chips) or chips < 1:
        raise ValueError(f"chips={chips!r}; allowed: an integer, 1 or more")
    return {t.name: min(int(chips), _needed(model, t)) for t in targets}


def _needed(model: Any, target: Target) -> int:
    mine = tuple(op for op in model.mac_ops if target.serves(op))
    held = target.placed(mine)
    return max(1, math.ceil(sum(held.occupancy(op) for op in mine) - search.ROUNDING))


def _on_chips(
    plan: Plan, chips: int | Mapping[str, int] | str | None, counts: Mapping[str, int]
) -> Plan:
    """The plan on the chips that were asked for, and that its machines have in the search."""
    if isinstance(chips, str):
        return with_chips(plan, NEEDED)
    used = {t.name: counts[t.name] for t in plan.machines if counts[t.name] > 1}
    return with_chips(plan, used) if used else plan


def _answer(
    priced: tuple[Plan, xr.Dataset],
    placed: np.ndarray,
    found: Search,
    targets: Sequence[Target],
    shared: Sequence[str],
    alone: Mapping[str, float],
    accuracy: float | None,
    whole: Mapping[str, Target],
    links: Mapping[str, Link],
) -> Placement:
    plan, cost = priced
    return Placement(
        **{name: getattr(plan, name) for name in Plan.fields()},
        objective=found.objective,
        energy=float(cost.energy.sum()),
        latency=float(cost.latency.sum()),
        interval=search.interval(found, placed, targets, plan.unblocked),
        table=_labelled(plan, found, targets),
        alone=alone,
        accuracy=accuracy,
        reasons=reasons(
            {op.name: op for op in plan.operators}, plan.owners, whole, links, found.objective
        ),
    )


def _all_served(operators: Sequence[Op], energy: np.ndarray, targets: Sequence[Target]) -> None:
    rows = zip(operators, energy, strict=True)
    homeless = [op.name for op, row in rows if not np.isfinite(row).any()]
    if homeless:
        raise ValueError(
            f"operators {homeless[:3]} are served by none of {[t.name for t in targets]}, or "
            "exceed their memories"
        )


def _fitting(found: Search, targets: Sequence[Target], counts: Mapping[str, int]) -> np.ndarray:
    """The cheapest placement; ValueError where the memories do not hold the weights."""
    placed = found.best(np.ones(found.energy.shape, bool))
    if placed is not None:
        return placed
    shares = zip(targets, found.occupancy.sum(axis=0), strict=True)
    needed = {t.name: round(float(share) * counts[t.name], 2) for t, share in shares if share}
    there = {name: counts[name] for name in needed}
    raise ValueError(
        f"the weights and caches do not fit: all that a machine serves fills {needed} memories, of "
        f"{there} there; allowed: what is over elsewhere, or chips={NEEDED!r}"
    )


def _checked(
    model: Any,
    targets: Sequence[Target],
    objective: str,
    drop: float | None,
    data: Any,
    shared: Sequence[str],
    seed: int,
) -> None:
    as_key(seed)
    if isinstance(shared, str):
        raise TypeError(
            f"shared={shared!r}; allowed: a list of machine names, such as [{shared!r}, ...]"
        )
    if not hasattr(model, "mac_ops"):
        raise TypeError(
            f"model={model!r:.80} is no model; write for example pimlab.load_model('fashion-cnn')"
        )
    if objective not in OBJECTIVES:
        raise ValueError(unknown("objective", objective, OBJECTIVES))
    checked_machines("targets", targets)
    for name in shared:
        if name not in [t.name for t in targets]:
            raise ValueError(unknown("shared: machine", name, [t.name for t in targets]))
    if drop is not None and not 0 <= drop < np.inf:
        raise ValueError(
            f"accuracy_drop={drop} is not 0 or more (and finite); for no bound write "
            "accuracy_drop=None"
        )
    if data is not None and not hasattr(data, "metric"):
        raise TypeError(f"data={data!r:.80} is no data; write for example pimlab.load_data(...)")
    if drop is not None and data is None:
        raise TypeError(
            "place: accuracy_drop needs data=, such as pimlab.load_data('fashion-mnist', limit=500)"
        )


def _labelled(plan: Plan, found: Search, targets: Sequence[Target]) -> xr.Dataset:
    names = [op.name for op in plan.operators]
    dims = ("operator", "machine")
    table = xr.Dataset(
        {
            "energy": variable(
                "energy",
                dims,
                found.energy,
                meaning="energy of one inference, no static power",
            ),
            "latency": variable("latency", dims, found.latency),
        },
        coords={"operator": names, "machine": [t.name for t in targets]},
    )
    return finished(table, {key for t in targets for key in t.cited} | set(plan.cited))


def _accurate(
    plan: Callable[[np.ndarray], Plan],
    data: Any,
    operators: Sequence[Op],
    found: Search,
    drop: float,
    asked: tuple[Any, ...],
) -> tuple[np.ndarray, float]:
    """The cheapest placement whose metric is within `drop` of the first machine alone.

    asked : what the metric of a placement depends on, the seed last.
    """
    sign = 1 if data.metric.better == "higher" else -1
    first = found.alone(0)
    choices = [
        i
        for i, op in enumerate(operators)
        if isinstance(op, MacOp) and np.isfinite(found.energy[i]).sum() > 1
    ]
    placements = math.prod(int(np.isfinite(found.energy[i]).sum()) for i in choices)
    few = placements <= search.EXACT
    tried = placements if few else len(choices) + 1
    with going_on(asked, "place", tried, "placement") as (known, bar):

        def score(placed: np.ndarray) -> float:
            key = tuple(int(j) for j in placed)
            if key not in known:
                one = plan(placed)
                answer = run(one.model, one, data, seed=asked[-1])
                known[key] = sign * float(answer[data.metric.name])
                bar.step()
            return known[key]

        least = score(first) - drop
        for placed in search.ordered(found, choices) if few else search.retreating(found, choices):
            if score(placed) >= least:
                return placed, sign * score(placed)
        return first, sign * score(first)


def _same(thing: Any) -> tuple[Any, ...]:
    """What tells a model, or data, from another: its hash, split and size."""
    size = len(thing) if hasattr(thing, "__len__") else 0
    return getattr(thing, "sha256", id(thing)), getattr(thing, "split", ""), size
