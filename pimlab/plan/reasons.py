"""Why does an operator not run on another machine? The part of its time or energy that is the
largest there, in the words of roofs: bandwidth, reuse, padding, transfer, capacity.
"""

from __future__ import annotations

from collections.abc import Mapping

from pimlab.cost import price
from pimlab.machine.crossings import link_seconds, transferred
from pimlab.machine.links import Link
from pimlab.machine.protocol import MacOp, Target
from pimlab.plan.plan import Op

_MEMORY = {"memory", "fill", "DRAM", "DRAM columns", "DRAM interface", "I/O", "host transfer"}
"""Phases and components in which a machine waits for, or pays, bits on their way to its units."""
_BANKS = {"in-bank MAC", "bank columns", "DRAM rows", "row opening"}
"""Those in which banks read the weights again for each vector."""
PADDED = 1.5
"""Products done over products wanted, from which padding is a reason."""


def amounts(machine: Target, op: Op, between: Link | None, objective: str) -> dict[str, float]:
    """What an operator costs on a machine by phase [s] or component [J], its link among them."""
    if objective == "latency":
        parts = dict(machine.latency(op))
        link = 0.0 if between is None else link_seconds(op, between)
    else:
        parts = dict(price(machine.events(op), machine.prices).nominal)
        link = 0.0 if between is None else transferred(op, between) * between.bit.value
    return {**parts, "link": link} if link else parts


def padding(machine: Target, op: Op) -> float:
    """Products that a machine does over those an operator wants (unit 1); 1 where it does not say,
    or counts instructions instead.
    """
    if not isinstance(op, MacOp) or not op.macs:
        return 1.0
    events = machine.events(op)
    bits = getattr(getattr(machine, "organisation", None), "weight_bits", 0)
    if "bank bit" in events and bits:
        return events["bank bit"] / bits / op.macs
    done = [count for name, count in events.items() if name.startswith("mac.")]
    return max(sum(done) / op.macs, 1.0) if done else 1.0


def reason(machine: Target, op: Op, between: Link | None, objective: str) -> str:
    """Why `op` costs what it does on `machine`: one clause for a sentence."""
    parts = amounts(machine, op, between, objective)
    total = sum(parts.values())
    if not total:
        return "it costs nothing there"
    name, most = max(parts.items(), key=lambda part: part[1])
    share = f"{most / total:.0%} of it is {name!r}"
    if name == "link":
        return f"transfer: {share}"
    excess = padding(machine, op)
    if excess >= PADDED:
        return f"padding: it does {excess:.1f} times the products wanted; {share}"
    if name in _BANKS and isinstance(op, MacOp) and op.m > 1:
        return f"reuse: the banks read each weight again for {op.m} vectors; {share}"
    if name in _MEMORY:
        vectors = f"{op.m} vectors" if isinstance(op, MacOp) and op.m > 1 else "1 vector"
        uses = f", each weight serves {vectors}" if isinstance(op, MacOp) else ""
        return f"bandwidth: {share}{uses}"
    return share


def refused(machine: Target, op: Op) -> str | None:
    """Why a machine cannot take an operator for lack of memory; None where it can, or does not
    serve it anyway.
    """
    if not machine.serves(op) or machine.occupancy(op) <= 1:
        return None
    return f"capacity: {machine.name} would need {machine.occupancy(op):.2g} times its memory"


def reasons(
    operators: Mapping[str, Op],
    owners: Mapping[str, str],
    machines: Mapping[str, Target],
    links: Mapping[str, Link],
    objective: str,
) -> dict[str, dict[str, str]]:
    """Operator -> other machine -> why it costs what it does there, or why it does not hold it."""
    found: dict[str, dict[str, str]] = {}
    for name, op in operators.items():
        mine = {}
        for other, machine in machines.items():
            if other == owners[name] or not machine.serves(op):
                continue
            lacks = refused(machine, op)
            mine[other] = lacks or reason(machine, op, links.get(other), objective)
        found[name] = mine
    return found
