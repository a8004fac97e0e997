"""Which machine runs which operator of a model? One value says it for accuracy, energy and time.

A plan is what `run`, `explain`, `place` and every search share: the machines, with their data where
they live when each runs its own operators; the operators of one batch; and the links between the
first machine and the others. A machine alone is the trivial plan: it runs what it serves, and its
hosts run the rest.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Self

from pimlab.arguments import named, typed
from pimlab.cost import Prices
from pimlab.cost.prices import Price
from pimlab.machine import presets
from pimlab.machine.crossings import link_seconds, transferred
from pimlab.machine.links import LINK_BIT, Link
from pimlab.machine.protocol import MacOp, Target, VectorOp
from pimlab.machine.together import together
from pimlab.machine.work import BANKS
from pimlab.units import is_integer
from pimlab.values import Value, canonical, integer, nearest, part, unknown

Op = MacOp | VectorOp
CHIP_LINK_BIT = "chip link bit"
"""The event of one bit that crosses from one chip of a machine to another."""
CHIP_ROUNDING = 1e-9
"""Share of a chip by which a sum of shares may miss a whole number."""


class Plan(Value):
    """Which machine runs which operator of `model`, in batches of `batch` inferences.

    machines : one or more, each with its own name; the first is the one that links lead to;
    `placed` are the same machines with their data where they live.
    owners : operator -> name of the machine that runs it; operators that are not named run on the
    first machine that serves them.  links : machine -> what lies between it and the first machine,
    crossed by what its operators read of others and give to others (of a model without a graph: by
    all that they read and give); no link costs nothing.  shared : names of machines on one DRAM
    (an NPU and the PIM that is its memory): one computes while the other waits, the NPU reads
    through the PIM's pins, and each change of hands takes a "handover".
    chips : machine -> how many of it hold the model together (1 unless given), each with its static
    power; chip_link : what joins them, crossed where an operator's inputs or outputs change chips
    (None: nothing is charged).
    name : what results call the plan; else the names of its machines, joined by " + ".
    Raises ValueError for machines of one name, owners that are not there or do not serve their
    operator, operators that nobody serves; TypeError for what is no model or no machine.

    >>> model = pim.load_model("digits-mlp")
    >>> npu, banks = pim.target("warboy"), pim.target("gddr6-aim")
    >>> plan = pim.Plan(model=model, machines=[npu, banks], owners={"fc2": "gddr6-aim"})
    >>> {op.name: plan.machine(op).name for op in model.mac_ops}
    {'fc1': 'warboy', 'fc2': 'gddr6-aim'}
    """

    model: Any
    machines: Sequence[Target]
    owners: Mapping[str, str] = dataclasses.field(default_factory=dict)
    batch: int = integer(1, default=1)
    links: Mapping[str, Link] = dataclasses.field(default_factory=dict)
    shared: Sequence[str] = ()
    chips: Mapping[str, int] = dataclasses.field(default_factory=dict)
    chip_link: Link | None = part(Link, default=None)
    name: str = ""
    explained: str | None = None
    """The machine whose non-idealities `causes` names; None: those of all machines."""

    def check(self) -> None:
        """Every operator has one machine, which serves it; every machine holds its own data."""
        if not all(hasattr(self.model, word) for word in ("mac_ops", "vector_ops")):
            raise TypeError(
                f"model={self.model!r:.80} is no model; write for example "
                "pimlab.load_model('fashion-cnn')"
            )
        checked_machines("machines", self.machines)
        names = [machine.name for machine in self.machines]
        for place in (*self.links, *self.shared, *self.chips, *self.owners.values()):
            if place not in names:
                raise ValueError(unknown("plan: machine", place, names))
        for name, between in self.links.items():
            checked_link(name, between)
        for name, count in self.chips.items():
            if not is_integer(count) or count < 1:
                raise ValueError(f"plan: chips[{name!r}]={count!r}; allowed: an integer, 1 or more")
        known = [op.name for op in (*self.model.mac_ops, *self.model.vector_ops)]
        for op in self.owners:
            if op not in known:
                raise ValueError(f"plan: {op!r} is no operator of the model{nearest(op, known)}")
        owners = {op.name: self._owner(op) for op in self.operators}
        object.__setattr__(self, "owners", owners)
        object.__setattr__(self, "machines", tuple(self.machines))
        object.__setattr__(self, "name", self.name or " + ".join(names))

    def _owner(self, op: Op) -> str:
        wanted = self.owners.get(op.name)
        for machine in self.machines:
            if machine.name == wanted or (wanted is None and machine.serves(op)):
                if not machine.serves(op):
                    raise ValueError(f"plan: {machine.name} does not execute {op.name!r} ({op})")
                return machine.name
        names = " and ".join(machine.name for machine in self.machines)
        raise ValueError(f"{names} do not execute {op.name!r} ({op}); add a machine that does")

    @cached_property
    def operators(self) -> tuple[Op, ...]:
        """Operators of one batch: MAC operators in order of execution, then the others."""
        return tuple(
            op.batched(self.batch) if self.batch > 1 else op
            for op in (*self.model.mac_ops, *self.model.vector_ops)
        )

    @cached_property
    def placed(self) -> dict[str, Target]:
        """Name -> machine with its data where they live when it runs all its operators in turn."""
        mine: dict[str, list[MacOp]] = {machine.name: [] for machine in self.machines}
        for op in self.operators:
            if isinstance(op, MacOp):
                mine[self.owners[op.name]].append(op)
        behind = behind_pins(self.machines, self.shared)
        held = {m.name: together(m, self.chips.get(m.name, 1)) for m in behind}
        return {name: m.placed(tuple(mine[name])) for name, m in held.items()}

    def machine(self, op: Op | str) -> Target:
        """The machine that runs the operator (or the operator of that name); KeyError for one that
        the model does not have.
        """
        name = op if isinstance(op, str) else op.name
        if name not in self.owners:
            raise KeyError(
                f"plan: {name!r} is no operator of the model{nearest(name, self.owners)}"
            )
        return self.placed[self.owners[name]]

    @property
    def stage(self) -> int:
        """The latest roadmap stage among the machines that multiply and accumulate (unit:
        stages).
        """
        macs = [self.machine(op).stage for op in self.model.mac_ops]
        return max([self.machines[0].stage, *macs])

    def counts(self, op: Op) -> dict[str, int]:
        """Counts of one batch of `op`, one of `operators`; bits over its machine's link among
        them. Unit: events.
        """
        machine = self.machine(op)
        between = self.links.get(machine.name)
        bits = transferred(op, between, self.crosses[op.name]) if between else 0
        crossing = {LINK_BIT: bits} if bits else {}
        moved = self.moved(op)
        chips = {CHIP_LINK_BIT: sum(moved)} if self.chip_link and any(moved) else {}
        return {**machine.events(op), **crossing, **chips}

    def phases(self, op: Op) -> dict[str, float]:
        """Seconds [s] of one batch of `op` by phase, the link's transfers among them; the first
        operator on a machine has the "call" that a batch costs there once.
        """
        machine = self.machine(op)
        between = self.links.get(machine.name)
        seconds = link_seconds(op, between, self.crosses[op.name]) if between else 0.0
        crossing = {"link": seconds} if seconds else {}
        times = [
            self.chip_link.seconds(bits / 8) for bits in self.moved(op) if bits and self.chip_link
        ]
        chips = {"chip link": sum(times)} if times else {}
        call = self.calls.get(op.name)
        before = {} if call is None else {"call": call}
        if op.name in self.handovers:
            before["handover"] = machine.handover
        return {**before, **machine.latency(op), **crossing, **chips}

    @cached_property
    def crosses(self) -> dict[str, tuple[bool, bool]]:
        """Operator -> whether its inputs, and whether its outputs, cross the link of its machine.

        Inputs that an operator before it on that machine reads too (the same makers) have come
        already; outputs that only its own machine reads stay.
        """
        graph = getattr(self.model, "graph", None)
        if graph is None:
            return dict.fromkeys(self.owners, (True, True))
        makers: dict[str, set[str]] = {name: set() for name in self.owners}
        readers: dict[str, set[str]] = {name: set() for name in self.owners}
        for edge in graph.edges:
            makers[edge.reader].add(edge.maker)
            readers[edge.maker].add(edge.reader)
        found, come = {}, set()
        for op in self.operators:
            here = self.owners[op.name]
            read = (here, frozenset(makers[op.name]))
            inside = makers[op.name] and all(self.owners[m] == here for m in makers[op.name])
            there = not makers[op.name] or (not inside and read not in come)
            come.add(read)
            back = not readers[op.name] or any(self.owners[r] != here for r in readers[op.name])
            found[op.name] = (there, back)
        return found

    @cached_property
    def handovers(self) -> tuple[str, ...]:
        """Operators before which a shared DRAM changes hands: those of a machine in `shared` whose
        memory it is, where another one of them read it last. Inferences follow each other.
        """
        graph = getattr(self.model, "graph", None)
        names = self.owners if graph is None else graph.order(self.owners)
        mine = [name for name in names if self.owners[name] in self.shared]
        before = [self.owners[name] for name in (*mine[-1:], *mine[:-1])]
        return tuple(
            name
            for name, last in zip(mine, before, strict=True)
            if self.owners[name] != last and self.placed[self.owners[name]].handover > 0
        )

    @property
    def unblocked(self) -> dict[str, float]:
        """Machine in `shared` -> seconds [s] of a batch in which its banks compute and leave the
        pins to others, less those of its handovers.
        """
        found = dict.fromkeys(self.shared, 0.0)
        for op in self.operators:
            name, machine = self.owners[op.name], self.machine(op)
            if name in found:
                unit = machine.resources(op)
                inside = (s for phase, s in machine.latency(op).items() if unit[phase] == BANKS)
                found[name] += sum(inside) - machine.handover * (op.name in self.handovers)
        return found

    @cached_property
    def calls(self) -> dict[str, float]:
        """The first operator on each machine that a batch has to call -> s that the call takes
        [s].
        """
        first: dict[str, str] = {}
        for op in self.operators:
            first.setdefault(self.owners[op.name], op.name)
        return {op: s for name, op in first.items() if (s := self.placed[name].call) > 0}

    @cached_property
    def spread(self) -> dict[str, tuple[int, int]]:
        """Operator -> the first and the last chip of its machine that hold its weights or cache,
        which lie one after another; (0, 0) for operators that hold nothing. Unit: chips, counted
        from 0.
        """
        used = dict.fromkeys(self.placed, 0.0)
        found = {}
        for op in self.operators:
            name, count = self.owners[op.name], self.chips.get(self.owners[op.name], 1)
            before = used[name]
            used[name] += self.machine(op).occupancy(op) * count
            last = min(count - 1, math.ceil(used[name] - CHIP_ROUNDING) - 1)
            first = min(math.floor(before + CHIP_ROUNDING), last)
            found[op.name] = (first, last) if used[name] > before else (0, 0)
        return found

    def moved(self, op: Op) -> tuple[int, int]:
        """Bits of the inputs and of the outputs of a batch of `op` that change chips: inputs go to
        each chip but the one where the operator before stands, and each chip but one sends its
        share of the outputs (unit: bits).
        """
        if not isinstance(op, MacOp) or self.chips.get(self.owners[op.name], 1) == 1:
            return 0, 0
        first, last = self.spread[op.name]
        word = 16 if self.chip_link is None else self.chip_link.word
        there = last - first + (first != self._chip_before(op))
        return (
            there * op.groups * op.m * op.k * word,
            (last - first) * op.groups * op.m * op.n * word,
        )

    def _chip_before(self, op: MacOp) -> int:
        """The last chip of the operator before `op` on its machine; 0 for the first."""
        before = self._before.get(op.name)
        return 0 if before is None else self.spread[before][1]

    @cached_property
    def _before(self) -> dict[str, str]:
        """MAC operator -> the one before it on its machine."""
        latest: dict[str, str] = {}
        found = {}
        for op in self.model.mac_ops:
            owner = self.owners[op.name]
            if owner in latest:
                found[op.name] = latest[owner]
            latest[owner] = op.name
        return found

    def prices(self, machine: str) -> Prices:
        """Prices of the machine of that name, and of its link. Unit: J an event."""
        own, between = self.placed[machine].prices, self.links.get(machine)
        added = {} if between is None else {LINK_BIT: Price(constant=between.bit, component="link")}
        if self.chip_link is not None and self.chips.get(machine, 1) > 1:
            added[CHIP_LINK_BIT] = Price(constant=self.chip_link.bit, component="chip link")
        return Prices({**own, **added}) if added else own

    @property
    def occupancy(self) -> dict[str, float]:
        """Machine -> share of its memory that its operators take up for good (unit 1); above 1 the
        model needs as many such machines.
        """
        total = dict.fromkeys(self.placed, 0.0)
        for op in self.operators:
            total[self.owners[op.name]] += self.machine(op).occupancy(op)
        return total

    @property
    def cited(self) -> tuple[str, ...]:
        """Keys in `sources.bib` of every publication behind machines and links, sorted."""
        found = {key for machine in self.machines for key in machine.cited}
        joined = (self.chip_link,) if self.chip_link is not None and self.chips else ()
        for between in (*self.links.values(), *joined):
            found.update((*between.sources, *between.bit.sources))
        return tuple(sorted(found))

    @property
    def varies(self) -> bool:
        """Whether values depend on the key or on the time after programming."""
        return any(machine.varies for machine in self.machines)

    @property
    def causes(self) -> tuple[str, ...]:
        """Names of the non-idealities, in the order a waterfall shows them."""
        shown = [m for m in self.machines if self.explained in (None, m.name)]
        return tuple(dict.fromkeys(cause for machine in shown for cause in machine.causes))

    def with_causes(self, causes: tuple[str, ...]) -> Self:
        """This plan with only the named non-idealities, of the machines that `causes` speaks of."""
        for cause in causes:
            if cause not in self.causes:
                raise ValueError(unknown(f"{self.name}: non-ideality", cause, self.causes))
        kept = [
            m.with_causes(tuple(c for c in m.causes if c in causes))
            if self.explained in (None, m.name)
            else m
            for m in self.machines
        ]
        return self.but(machines=kept)


def checked_machines(what: str, machines: Any) -> None:
    """TypeError or ValueError unless `machines` are one or more machines, each with its own
    name.
    """
    listed = isinstance(machines, Sequence) and not isinstance(machines, str)
    if not listed or not all(isinstance(m, Target) for m in machines):
        raise TypeError(
            f"{what}={machines!r:.80}; allowed: a list of machines, such as "
            "[pimlab.target('warboy'), pimlab.target('hbm-pim')]"
        )
    names = [machine.name for machine in machines]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"{what}={names}: allowed: one machine or more, each with its own name")


def checked_link(name: str, between: Any) -> None:
    """TypeError unless `between`, what leads to the machine `name`, is a Link."""
    if not isinstance(between, Link):
        raise TypeError(
            f"links[{name!r}]={between!r:.80} is not a Link, such as pimlab.link('cxl')"
        )


@named
def planned(model: Any, target: Plan | Target, batch: int = 1) -> Plan:
    """`target` as the plan of `model`: a plan stays (in batches of `batch`, if that is not 1), a
    machine runs what it serves and its hosts the rest.

    A machine without a host that lacks an operator of the model gets the preset "warboy" as host;
    one that stands alone needs none where it executes every operator. Raises TypeError for what is
    neither, ValueError for the plan of another model.
    """
    if isinstance(target, Plan):
        if target.model is not model:
            raise ValueError(
                f"plan {target.name!r} is for the model {getattr(target.model, 'name', '?')!r}, "
                f"not for {getattr(model, 'name', '?')!r}; write plan.model as the model"
            )
        return target if batch == 1 else target.but(batch=batch)
    if not isinstance(target, Target):
        raise TypeError(
            f"target={target!r:.80} is neither a Target nor a Plan; write for example "
            "pimlab.target('warboy')"
        )
    if not hasattr(model, "mac_ops"):
        raise TypeError(
            f"model={model!r:.80} is no model; write for example pimlab.load_model('fashion-cnn')"
        )
    chain = [target]
    while chain[-1].host is not None:
        chain.append(chain[-1].host.as_host())
    alone = all(target.serves(op) for op in (*model.mac_ops, *model.vector_ops))
    if alone and target.stands_alone:
        chain = [target]
    elif len(chain) == 1 and not alone:
        chain.append(presets.target(presets.HOST).as_host())
    machines = [_own_name(machine, chain[:i]) for i, machine in enumerate(chain)]
    return Plan(
        model=model,
        machines=machines,
        batch=batch,
        links=own_links(machines),
        name=target.name,
        explained=target.name,
    )


def behind_pins(machines: Sequence[Target], shared: Sequence[str]) -> list[Target]:
    """The machines, those of `shared` that have no DRAM of their own behind the pins of the one
    whose memory it is.
    """
    pins = [m.pins for m in machines if m.name in shared and m.pins is not None]
    if not pins:
        return list(machines)
    return [m.behind(min(pins)) if m.name in shared and m.pins is None else m for m in machines]


def own_links(machines: Sequence[Target]) -> dict[str, Link]:
    """Machine -> the link between it and the first one that the machines bring themselves: its own,
    or that of the first.
    """
    first, *others = machines
    found = {machine.name: machine.link or first.link for machine in others}
    return {name: between for name, between in found.items() if between is not None}


def _own_name(machine: Target, before: Sequence[Target]) -> Target:
    """The machine, called "<name> (host)" where a machine before it has its name."""
    taken = {other.name for other in before}
    name = machine.name
    while name in taken:
        name += " (host)"
    return machine if name == machine.name else machine.but(name=name)


@typed
def machine_text(plan: Plan) -> str:
    """What the attribute `machine` of a result says: the canonical form of the machine it was asked
    for, or of the plan (all of it but the model, which the attribute `model_sha256` names).
    """
    if planned(plan.model, plan.machines[0], plan.batch) == plan:
        return canonical(plan.machines[0])
    return canonical({name: getattr(plan, name) for name in Plan.fields() if name != "model"})
