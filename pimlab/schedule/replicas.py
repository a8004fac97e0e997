"""How often should the weights of each operator stand on a machine's arrays? So often that the
slowest operator is as fast as the free arrays allow.

Copies of the weights share an operator's rows. The interval between inferences is that of the
slowest operator, so the search gives the slowest one more copies, again and again, until no array
is left for it. That is optimal: every better answer has at least as many copies of each operator
that was slowest on the way, and there were no arrays for them.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import Any

from pimlab.machine.protocol import MacOp
from pimlab.plan import Op, Plan
from pimlab.schedule.tasks import shared_out
from pimlab.units import is_integer
from pimlab.values import nearest


def balanced(plan: Plan, floor: float = 0.0) -> dict[str, int]:
    """Operator -> copies of its weights, for the shortest interval under the arrays of each
    machine (unit: copies).

    floor : s, of a batch on resources that copies do not help; the search stops there. Operators
    whose weights do not stand on arrays, or on machines with as many as are needed, are left out.
    """
    copies: dict[str, int] = {}
    for machine in plan.placed.values():
        free = machine.array_count
        mine = [op for op in plan.operators if _holds(plan, op, machine.name)]
        if free is not None:
            free -= sum(machine.arrays_of(op) for op in mine)
            copies |= _shared(plan, mine, free, floor)
    return copies


def _holds(plan: Plan, op: Op, machine: str) -> bool:
    return plan.owners[op.name] == machine and plan.machine(op).arrays_of(op) > 0


def _shared(plan: Plan, ops: list[Op], free: int, floor: float) -> dict[str, int]:
    copies = {op.name: 1 for op in ops}
    slowest = [(-seconds(plan, op, 1), i) for i, op in enumerate(ops)]
    heapq.heapify(slowest)
    while slowest and -slowest[0][0] > floor:
        _, i = slowest[0]
        op = ops[i]
        more = _next(op, copies[op.name])
        taken = (more - copies[op.name]) * plan.machine(op).arrays_of(op)
        if more == copies[op.name] or taken > free:
            break
        copies[op.name], free = more, free - taken
        heapq.heapreplace(slowest, (-seconds(plan, op, more), i))
    return copies


def _next(op: Op, copies: int) -> int:
    """The fewest copies with which the busiest one has fewer rows; `copies` where it has one."""
    assert isinstance(op, MacOp)
    rows = -(-op.m // copies)
    return copies if rows == 1 else -(-op.m // (rows - 1))


def seconds(plan: Plan, op: Op, copies: int) -> float:
    """Time of a batch on the busiest resource of an operator with `copies` of its weights [s]."""
    busy: dict[str, float] = {}
    for one in plan.machine(op).work(shared_out(op, copies)):
        busy[one.resource] = busy.get(one.resource, 0.0) + one.seconds
    return max(busy.values(), default=0.0)


def checked(plan: Plan, copies: Mapping[str, Any]) -> dict[str, int]:
    """`copies` as given by a user (unit: copies); ValueError for an unknown operator, one whose
    weights stand nowhere, a number below 1, and for more arrays than a machine has.
    """
    names = [op.name for op in plan.operators if plan.machine(op).arrays_of(op) > 0]
    for name, count in copies.items():
        if name not in names:
            raise ValueError(
                f"replicas: no operator {name!r} stands on arrays{nearest(str(name), names)}"
            )
        if not is_integer(count) or count < 1:
            raise ValueError(f"replicas[{name!r}]={count!r}; allowed: an integer, 1 or more")
    taken: dict[str, int] = {}
    for op in plan.operators:
        machine = plan.machine(op)
        held = machine.arrays_of(op) * copies.get(op.name, 1)
        taken[machine.name] = taken.get(machine.name, 0) + held
    for name, count in taken.items():
        there = plan.placed[name].array_count
        if there is not None and count > there:
            raise ValueError(f"replicas take {count} arrays of {name}; allowed: {there}")
    return {name: int(count) for name, count in copies.items()}
