"""Which tasks does one inference consist of, and what do they wait for? A plan laid out over its
resources.

A task is a slice of the work that an operator does on one resource. Rows of a convolution or of a
sequence stream: a reader's slice waits for the last row of the maker that its own last row needs
(`workload.graph.Edge`). An operator may run as many inferences ahead of its readers as its output
has buffers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from pimlab.machine.crossings import sides
from pimlab.machine.protocol import MacOp
from pimlab.machine.work import DRAM, Work
from pimlab.plan import Op, Plan
from pimlab.units import is_integer
from pimlab.values import unknown
from pimlab.workload.graph import Edge

Row = tuple[int, int, str, float]
"""A task: its operator's number, its slice, its resource, and seconds."""
Wait = tuple[int, int, int]
"""A task, a task that waits for it, and how many inferences later that one is."""


class Tasks:
    """The tasks of one batch, numbered so that each comes after those it waits for.

    layers, resources : names.  layer, slice, resource : int64, shape (tasks,), indices.  seconds :
    float64, shape (tasks,), s.  places : int64, shape (resources,), tasks that a resource serves at
    once.  edges : int64, shape (edges, 3): task, a task that waits for it, and how many inferences
    later.
    """

    def __init__(
        self,
        layers: Sequence[str],
        rows: Sequence[Row],
        edges: Sequence[Wait],
        places: Mapping[str, int],
    ):
        self.layers = tuple(layers)
        self.resources = tuple(dict.fromkeys(resource for _, _, resource, _ in rows))
        _check_places(places, self.resources)
        index = {name: i for i, name in enumerate(self.resources)}
        self.layer = np.array([layer for layer, *_ in rows], np.int64)
        self.slice = np.array([part for _, part, *_ in rows], np.int64)
        self.resource = np.array([index[resource] for _, _, resource, _ in rows], np.int64)
        self.seconds = np.array([seconds for *_, seconds in rows])
        self.edges = np.array(edges, np.int64).reshape(-1, 3)
        self.places = np.array([places.get(name, 1) for name in self.resources], np.int64)

    @cached_property
    def work(self) -> np.ndarray:
        """float64, shape (resources,): seconds of work that one batch gives each resource."""
        return np.bincount(self.resource, self.seconds, len(self.resources))

    @property
    def interval_bound(self) -> float:
        """Seconds [s] between batches that no schedule goes below: the busiest resource's work."""
        return float((self.work / self.places).max(initial=0.0))

    @property
    def latency_bound(self) -> float:
        """Seconds [s] that no schedule answers sooner than: the longest chain of tasks that wait
        for each other, or the busiest resource's work.
        """
        ends = self.seconds.copy()
        for before, after, lag in self.edges[np.argsort(self.edges[:, 0], kind="stable")].tolist():
            if lag == 0:
                ends[after] = max(ends[after], ends[before] + self.seconds[after])
        return max(float(ends.max(initial=0.0)), self.interval_bound)


def _check_places(places: Mapping[str, Any], resources: Sequence[str]) -> None:
    if not isinstance(places, Mapping):
        raise TypeError(
            f"schedule places={places!r:.60} is no mapping of resource -> tasks at once"
        )
    for name, count in places.items():
        if name not in resources:
            raise ValueError(unknown("schedule places: resource", name, resources))
        if not is_integer(count) or count < 1:
            raise ValueError(f"schedule places[{name!r}]={count!r}; allowed: an integer, 1 or more")


class _Laid(NamedTuple):
    """Tasks of one operator: first and last of each slice, and the last row of each slice, of
    `rows` rows a sample.
    """

    begins: list[list[int]]
    ends: list[list[int]]
    last: list[int]
    rows: int


def tasks(
    plan: Plan,
    *,
    overlap: bool = True,
    slices: int = 16,
    buffers: int = 2,
    replicas: Mapping[str, int] | None = None,
    places: Mapping[str, int] | None = None,
) -> Tasks:
    """The tasks of one batch of `plan`.

    overlap : False: one task an operator, one after another in the order of `plan.operators`, as
    `run` adds them up.  slices : parts at most that an operator's rows come in.  buffers :
    inferences whose outputs an operator's buffer holds.  replicas : operator -> copies of its
    weights, which share its rows.  places : resource -> tasks it serves at once (1 unless given).
    ValueError where the operators wait for each other in a circle.
    """
    if not overlap:
        return _one_by_one(plan, places or {})
    operators = {op.name: op for op in plan.operators}
    order = plan.model.graph.order(operators)
    rows: list[Row] = []
    edges: list[Wait] = []
    laid: dict[str, _Laid] = {}
    into: dict[str, list[Edge]] = {name: [] for name in order}
    for edge in plan.model.graph.edges:
        into[edge.reader].append(edge)
    for number, name in enumerate(order):
        op = shared_out(operators[name], (replicas or {}).get(name, 1))
        here = laid[name] = _laid(plan, op, number, slices, rows, edges)
        for edge in into[name]:
            maker = laid[edge.maker]
            edges += _waits(maker, here, edge, plan.batch)
            edges += [(a, b, buffers) for a in here.ends[-1] for b in maker.begins[0]]
    return Tasks(order, rows, edges, places or {})


def _one_by_one(plan: Plan, places: Mapping[str, int]) -> Tasks:
    rows = [
        (i, 0, f"{plan.machine(op).name}: everything", float(sum(plan.phases(op).values())))
        for i, op in enumerate(plan.operators)
    ]
    chain = [(i, i + 1, 0) for i in range(len(rows) - 1)]
    return Tasks([op.name for op in plan.operators], rows, [*chain, (len(rows) - 1, 0, 1)], places)


def shared_out(op: Op, copies: int) -> Op:
    """The share of an operator that the busiest of `copies` of its weights does. Unit of a size:
    values.
    """
    if copies == 1 or not isinstance(op, MacOp):
        return op
    rows = -(-op.m // copies)
    distinct = None if op.distinct is None else min(op.distinct, op.groups * rows * op.k)
    return op.but(m=rows, distinct=distinct)


def _laid(
    plan: Plan, op: Op, number: int, slices: int, rows: list[Row], edges: list[Wait]
) -> _Laid:
    """Append the tasks of one operator, and what they wait for among themselves."""
    work = _work(plan, op)
    each = plan.model.graph.rows.get(op.name, 1) if plan.machine(op).streams(op) else 1
    whole = each * plan.batch if each > 1 else 1
    parts = min(whole, slices)
    last = [(s + 1) * whole // parts - 1 for s in range(parts)]
    terminal = sorted(set(range(len(work))) - {i for one in work for i in one.after})
    laid = _Laid([], [], last, each)
    for s in range(parts):
        at, share = len(rows), (last[s] - (last[s - 1] if s else -1)) / whole
        rows += [(number, s, one.resource, one.seconds * share) for one in work]
        edges += [(at + i, at + j, 0) for j, one in enumerate(work) for i in one.after]
        if s:
            edges += [(at - len(work) + j, at + j, 0) for j in range(len(work))]
        laid.begins.append([at + j for j, one in enumerate(work) if not one.after])
        laid.ends.append([at + j for j in terminal])
    return laid


def _work(plan: Plan, op: Op) -> list[Work]:
    """What `op` keeps busy, by the names of the plan's resources, with the link's transfers before
    and after.
    """
    machine = plan.machine(op)
    chip = plan.spread[op.name][0]
    name = machine.name if plan.chips.get(machine.name, 1) == 1 else f"{machine.name} {chip}"
    shared = {DRAM: "shared"} if machine.name in plan.shared else {}
    work = [
        one._replace(resource=f"{shared.get(one.resource, name)}: {one.resource}")
        for one in machine.work(op) or (Work(op.name, 0.0),)
    ]
    call = plan.calls.get(op.name)
    before = [] if call is None else [Work(f"{name}: driver", call)]
    if op.name in plan.handovers:
        before.append(Work(f"shared: {DRAM}", machine.handover))
    return _linked(plan, _between_chips(plan, _around(before, work, []), op, name), op)


def _between_chips(plan: Plan, work: list[Work], op: Op, name: str) -> list[Work]:
    """`work` with what changes chips before and after it, on the links into and out of its first
    chip.
    """
    there, back = plan.moved(op)
    if plan.chip_link is None:
        return work
    seconds = plan.chip_link.seconds
    before = [Work(f"{name}: chip link in", seconds(there / 8))] if there else []
    after = [Work(f"{name}: chip link out", seconds(back / 8))] if back else []
    return _around(before, work, after)


def _linked(plan: Plan, work: list[Work], op: Op) -> list[Work]:
    """`work` between the transfers of its inputs and of its outputs, on the two directions of the
    link to its machine.
    """
    between = plan.links.get(plan.machine(op).name)
    if between is None:
        return work
    crosses, name = plan.crosses[op.name], between.name
    there, back = sides(op, between, crosses)
    before = [Work(f"{name}: in", between.seconds(there / 8))] if crosses[0] else []
    after = [Work(f"{name}: out", between.seconds(back / 8))] if crosses[1] else []
    return _around(before, work, after)


def _around(before: list[Work], work: list[Work], after: list[Work]) -> list[Work]:
    """`work` after what comes first and before what comes last, where there is such."""
    shift = len(before)
    inner = [
        one._replace(after=tuple(i + shift for i in one.after) or tuple(range(shift)))
        for one in work
    ]
    ends = {i + shift for i in range(len(work))} - {i for one in inner for i in one.after}
    return [*before, *inner, *[one._replace(after=tuple(sorted(ends))) for one in after]]


def _waits(maker: _Laid, reader: _Laid, edge: Edge, batch: int) -> list[Wait]:
    """Each slice of the reader waits for the slice of the maker with the last row that it needs."""
    found: list[Wait] = []
    met = -1
    for s, last in enumerate(reader.last):
        row = _row_needed(maker, reader, edge, last, batch)
        part = next(i for i, end in enumerate(maker.last) if end >= row)
        if part > met and row >= 0:
            found += [(a, b, 0) for a in maker.ends[part] for b in reader.begins[s]]
            met = part
    return found


def _row_needed(maker: _Laid, reader: _Laid, edge: Edge, last: int, batch: int) -> int:
    """The maker's last row that row `last` of the reader needs, samples of a batch one after
    another.
    """
    if len(maker.last) == 1 or len(reader.last) == 1:
        return maker.last[-1]
    sample, row = divmod(last, reader.rows)
    return sample * maker.rows + max(edge.needed(row, maker.rows), -1)
