"""Which stages on which racks are best? A small integer program, and a search that proves it.

Chips of a rack are equal, so are the layers of a model: a plan is how many stages of each kind
there are (`n`) and how many layers they hold together (`y`). With stages no slower than a beat B

    n <= y <= n most(B)         most: layers that memory holds and that take at most B
    sum y = layers, one first stage and one last (or one that is both), chips of each rack kept
    loop = sum (y layer + n (extra + send)) + crossings between racks

all linear. What is not (the beat, watts x seconds) is boxed: within beats [B1, B2] and seconds
[T1, T2] the program has a lower bound, its solution a true value; the box with the lowest bound is
halved until value and bound are `TOLERANCE` apart. HiGHS solves the programs.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from pimlab.cluster.costs import Cost, Joules, static_power
from pimlab.cluster.options import ROLES, Option, Stages, crossing, options

TOLERANCE = 0.01
SCALE = 1e3
"""What the largest coefficient becomes: the solver stops at absolute differences of 1e-6."""
MOST_PROGRAMS = 400
"""Programs that one search solves; the gap says what was left open."""


class Column(NamedTuple):
    """A kind of stage in one of ROLES."""

    option: Option
    role: int

    @property
    def extra(self) -> Cost:
        """What a stage does besides its layers, handing on included (a lone one hands on to
        nobody). Units: s and J.
        """
        one = self.option.extra(ROLES[self.role])
        return one if self.role == 3 else one.plus(self.option.send)


class Chosen(NamedTuple):
    """Stages of a plan: (kind, role, layers) of each, on `on.replicas` replicas."""

    on: Stages
    stages: tuple[tuple[Option, int, int], ...]

    @property
    def crossings(self) -> int:
        """Times that a part of the batch changes racks (unit: crossings)."""
        used = len({option.rack for option, *_ in self.stages})
        return used if used > 1 else 0

    def stage_seconds(self) -> list[float]:
        """Seconds [s] of each stage for one part of the batch, without sends."""
        return [n * o.layer.seconds + o.extra(ROLES[role]).seconds for o, role, n in self.stages]

    def sends(self) -> list[Cost]:
        """What is handed on, by stage and between racks. Units: s and J."""
        inside = [o.send for o, role, _ in self.stages if role != 3]
        return inside + [crossing(self.on)] * self.crossings

    @property
    def loop(self) -> float:
        """Seconds [s] of one part of the batch, once through."""
        return sum(self.stage_seconds()) + sum(one.seconds for one in self.sends())

    @property
    def beat(self) -> float:
        """Seconds [s] of the slowest stage or send."""
        return max(*self.stage_seconds(), *(one.seconds for one in self.sends()), 0.0)

    @property
    def seconds(self) -> float:
        """Seconds [s] of the step."""
        # a prompt's parts follow one another; the next token of decode waits for its own last one,
        # so that a part can start again only when its loop is over
        if self.on.part.queries > 1:
            return self.loop + (self.on.microbatches - 1) * self.beat
        return max(self.loop, self.on.microbatches * self.beat)

    def chips(self, rack: int) -> int:
        """Chips of a rack that all replicas take (unit: chips)."""
        return self.on.replicas * sum(option.chips(rack) for option, *_ in self.stages)

    @property
    def watts(self) -> Joules:
        """What the chips draw a second [W]."""
        total = Joules()
        for number, rack in enumerate(self.on.cluster.racks):
            total = total.plus(static_power(rack.chip).times(self.chips(number)))
        return total

    @property
    def dynamic(self) -> Joules:
        """Energy of the step without static power [J]."""
        total = Joules()
        for option, role, layers in self.stages:
            total = total.plus(option.layer.times(layers).energy)
            total = total.plus(option.extra(ROLES[role]).energy)
        for one in self.sends():
            total = total.plus(one.energy)
        return total.times(self.on.passes)

    @property
    def energy(self) -> Joules:
        """Energy of the step [J]."""
        return self.dynamic.plus(self.watts.times(self.seconds))

    @property
    def price(self) -> float:
        """Price of the chips' time for the step; NaN where a rack has none. Unit: the currency of
        the racks' prices.
        """
        each = [
            (math.nan if rack.price is None else rack.price) * self.chips(i)
            for i, rack in enumerate(self.on.cluster.racks)
            if self.chips(i)
        ]
        return sum(each) * self.seconds / 3600

    def value(self, objective: str) -> float:
        """What is minimised: seconds, joules [J] or price of the step."""
        if objective == "energy":
            return self.energy.nominal
        return self.price if objective == "cost" else self.seconds


class Box(NamedTuple):
    """Beats and seconds [s] of a step that a part of the search is confined to."""

    beat: tuple[float, float]
    seconds: tuple[float, float]


class Program:
    """The integer programs of one part size and number of replicas."""

    def __init__(self, on: Stages, objective: str):
        self.on, self.objective = on, objective
        self.columns = [
            Column(option, role)
            for option in options(on)
            for role in range(len(ROLES))
            if option.most[role]
        ]
        self.cross = crossing(on)
        self.racks = range(len(on.cluster.racks))

    @property
    def least(self) -> float:
        """What no plan of these columns is below, from the cheapest layer alone. In the unit of
        `objective`.
        """
        layers = self.on.shape.layers
        chips = sum(rack.chips // self.on.replicas for rack in self.on.cluster.racks)
        each = min(column.option.layer.seconds for column in self.columns)
        # the slowest of the stages holds at least this many layers: there are no more stages than
        # layers, and no more than chips
        beat = each * -(-layers // min(layers, chips))
        seconds = max(layers * each, self.on.microbatches * beat)
        if self.on.part.queries > 1:
            seconds = layers * each + (self.on.microbatches - 1) * beat
        if self.objective == "energy":
            joules = min(column.option.layer.joules for column in self.columns)
            return self.on.passes * layers * joules
        prices = [rack.price or 0.0 for rack in self.on.cluster.racks]
        return seconds * (1.0 if self.objective == "latency" else min(prices) / 3600)

    def box(self, within: float) -> Box:
        """The box of every plan."""
        layers, one = self.on.shape.layers, [c.option.layer.seconds for c in self.columns]
        ends = max(c.extra.seconds for c in self.columns)
        longest = layers * (max(one) + ends) + len(self.racks) * self.cross.seconds
        return Box((min(one), longest), (min(one), min(within, self.on.microbatches * longest)))

    def solve(self, box: Box) -> tuple[float, Chosen] | None:
        """(lower bound of the objective in the box, the plan that has it); None where there is
        none. In the unit of `objective`.
        """
        from scipy.optimize import Bounds, LinearConstraint, milp

        columns, caps = self._capped(box)
        if not columns:
            return None
        size, racks = 2 * len(columns), len(self.racks)
        rows, low, high = self._rows(columns, caps, box)
        gain = self._gain(columns, box)
        scale = SCALE / gain.max() if gain.max() > 0 else 1.0
        if not rows:
            return None
        upper = np.concatenate([np.full(size, float(self.on.shape.layers)), np.ones(racks + 1)])
        answer = milp(
            scale * gain,
            constraints=LinearConstraint(np.array(rows), np.array(low), np.array(high)),
            integrality=np.ones(size + racks + 1),
            bounds=Bounds(0, upper),
            options={"mip_rel_gap": TOLERANCE / 10},
        )
        if answer.x is None:
            return None
        bound = answer.mip_dual_bound if answer.mip_dual_bound is not None else answer.fun
        return self._lower(float(bound) / scale, box), self._chosen(
            columns, np.rint(answer.x).astype(int)
        )

    def _capped(self, box: Box) -> tuple[list[Column], list[int]]:
        """The columns whose stages keep the beat, and the layers that they may hold."""
        beat = box.beat[1]
        if self.on.part.queries == 1:
            beat = min(beat, box.seconds[1] / self.on.microbatches)
        columns, caps = [], []
        for column in self.columns:
            option = column.option
            send = 0.0 if column.role == 3 else option.send.seconds
            left = beat - option.extra(ROLES[column.role]).seconds
            # 1e-9: a quotient that is whole but for rounding counts as whole
            fit = math.floor(left / option.layer.seconds + 1e-9)
            cap = min(option.most[column.role], fit)
            if cap >= 1 and send <= beat:
                columns.append(column)
                caps.append(cap)
        return columns, caps

    def _rows(
        self, columns: list[Column], caps: list[int], box: Box
    ) -> tuple[list[np.ndarray], list[float], list[float]]:
        """Rows, lower and upper ends of the constraints over (n, y) of the columns, the racks used,
        and whether only one is.
        """
        count, racks = len(columns), len(self.racks)
        inf = math.inf
        rows: list[np.ndarray] = []
        low: list[float] = []
        high: list[float] = []

        def add(n: Any, y: Any, used: Any, alone: float, least: float, most: float) -> None:
            row = np.zeros(2 * count + racks + 1)
            row[:count] = n
            row[count : 2 * count] = y
            row[2 * count : -1] = used
            row[-1] = alone
            rows.append(row)
            low.append(least)
            high.append(most)

        unit = np.eye(count)
        for i, cap in enumerate(caps):
            # a stage holds one layer or more, and no more than its cap
            add(unit[i], -unit[i], 0, 0, -inf, 0)
            add(-cap * unit[i], unit[i], 0, 0, -inf, 0)
        roles = np.array([column.role for column in columns])
        layers = self.on.shape.layers
        add(0, 1, 0, 0, layers, layers)
        # one first and one last stage; a lone one is both, and leaves no stage in the middle
        add(np.isin(roles, (1, 3)), 0, 0, 0, 1, 1)
        add(np.isin(roles, (2, 3)), 0, 0, 0, 1, 1)
        add((roles == 0) + layers * (roles == 3.0), 0, 0, 0, -inf, layers)
        for rack in self.racks:
            chips = [column.option.chips(rack) for column in columns]
            most = self.on.cluster.racks[rack].chips // self.on.replicas
            add(chips, 0, 0, 0, -inf, most)
            here = np.array([column.option.rack == rack for column in columns])
            one = np.eye(racks)[rack]
            # a rack is used exactly where a stage stands on it
            add(here, 0, -layers * one, 0, -inf, 0)
            add(here, 0, -one, 0, 0, inf)
        # `alone` may be 1 only where one rack is used: it takes back the crossing charged for it
        add(0, 0, np.ones(racks), racks - 1, -inf, racks)
        n, y, each = self._weights(columns, "seconds")
        # the loop must be over in what the beats of the other parts leave of the time
        share = self.on.microbatches - 1 if self.on.part.queries > 1 else 0
        left = box.seconds[1] - share * box.beat[0]
        if left <= 0:
            return [], [], []
        add(n / left, y / left, each / left, -each / left, -inf, 1)
        return rows, low, high

    def _weights(self, columns: list[Column], of: str) -> tuple[np.ndarray, np.ndarray, float]:
        """What a stage, a layer and a crossing add to the loop in "seconds" or "joules"."""
        n = np.array([getattr(column.extra, of) for column in columns])
        y = np.array([getattr(column.option.layer, of) for column in columns])
        return n, y, getattr(self.cross, of)

    def _gain(self, columns: list[Column], box: Box) -> np.ndarray:
        """What is minimised: the loop, or energy or price at the least seconds [s] of the box."""
        racks = len(self.racks)
        if self.objective == "latency":
            n, y, each = self._weights(columns, "seconds")
            return np.concatenate([n, y, np.full(racks, each), [-each]])
        seconds = self._least(box) * self.on.replicas
        chips = np.array([[c.option.chips(r) for r in self.racks] for c in columns], float)
        if self.objective == "cost":
            prices = [rack.price or 0.0 for rack in self.on.cluster.racks]
            n = chips @ np.array(prices) / 3600 * seconds
            return np.concatenate([n, np.zeros(len(columns) + racks + 1)])
        watts = [static_power(rack.chip).nominal for rack in self.on.cluster.racks]
        n, y, each = self._weights(columns, "joules")
        passes = self.on.passes
        parts = [n * passes + chips @ np.array(watts) * seconds, y * passes]
        return np.concatenate([*parts, np.full(racks, each * passes), [-each * passes]])

    def _least(self, box: Box) -> float:
        """Seconds [s] that no step of the box is shorter than."""
        return max(box.seconds[0], self.on.microbatches * box.beat[0])

    def _lower(self, bound: float, box: Box) -> float:
        if self.objective != "latency":
            return bound
        if self.on.part.queries > 1:
            return bound + (self.on.microbatches - 1) * box.beat[0]
        return max(bound, self._least(box))

    def _chosen(self, columns: list[Column], found: np.ndarray) -> Chosen:
        """The stages of a solution: layers of a kind dealt out evenly; the rack of the first stage
        first, that of the last one last.
        """
        stages = []
        for i, column in enumerate(columns):
            n, y = found[i], found[len(columns) + i]
            for k in range(n):
                stages.append((column.option, column.role, int(y // n + (k < y % n))))
        # stages of a rack stand together, so that the batch changes racks as seldom as it can
        start = next(o.rack for o, role, _ in stages if ROLES[role][0])
        end = next(o.rack for o, role, _ in stages if ROLES[role][1])

        def place(stage: tuple[Option, int, int]) -> tuple[object, ...]:
            option, role, _ = stage
            first, last = ROLES[role]
            return not first, last, option.rack != start, option.rack == end, option.rack

        return Chosen(self.on, tuple(sorted(stages, key=place)))

    def halves(self, box: Box) -> Iterator[Box]:
        """The box in two, across its longer side (a ratio)."""
        (b1, b2), (t1, t2) = box
        beats = self.on.microbatches > 1 and b2 / b1 > 1 + TOLERANCE / 4
        seconds = self.objective != "latency" and t2 / t1 > 1 + TOLERANCE / 4
        if beats and (not seconds or b2 / b1 > t2 / t1):
            # the geometric mean: what counts is the ratio of the ends
            middle = math.sqrt(b1 * b2)
            yield Box((b1, middle), (t1, t2))
            yield Box((middle, b2), (t1, t2))
        elif seconds:
            middle = math.sqrt(t1 * t2)
            yield Box((b1, b2), (t1, middle))
            yield Box((b1, b2), (middle, t2))


Open = tuple[float, int, Program, Box | None]
"""What no plan of a box is below, a number that no other has, the program, and its box; None where
it has not been solved at all.
"""


class Searched(NamedTuple):
    """The best plan, what no plan beats, and the best one of every part size and replicas."""

    best: Chosen
    bound: float
    others: tuple[Chosen, ...]


def search(grids: list[Stages], objective: str, within: float) -> Searched | None:
    """The plan that is best by `objective` ("latency", "energy", "cost") and takes at most `within`
    [s]; None where none fits.
    """
    ticket = itertools.count()
    found: list[Chosen] = []
    programs = [one for one in (Program(on, objective) for on in grids) if one.columns]
    heap: list[Open] = [(one.least, next(ticket), one, None) for one in programs]
    heapq.heapify(heap)
    best, solved = math.inf, 0

    def push(program: Program, box: Box) -> None:
        answer = program.solve(box)
        if answer is not None:
            bound, chosen = answer
            if chosen.seconds <= within:
                found.append(chosen)
            heapq.heappush(heap, (bound, next(ticket), program, box))

    # the lowest bound of all boxes bounds every plan, so the search may stop as soon as it is near
    while heap and heap[0][0] < best * (1 - TOLERANCE) and solved < MOST_PROGRAMS:
        _, _, program, box = heapq.heappop(heap)
        boxes = [program.box(within)] if box is None else [*program.halves(box)]
        for part in boxes:
            push(program, part)
        solved += len(boxes)
        best = min((one.value(objective) for one in found), default=math.inf)
    if not found:
        return None
    bound = min(best, heap[0][0]) if heap else best
    kinds: dict[tuple[int, int], Chosen] = {}
    for one in sorted(found, key=lambda chosen: chosen.value(objective)):
        kinds.setdefault((one.on.replicas, one.on.microbatches), one)
    ordered = tuple(kinds.values())
    return Searched(ordered[0], bound, ordered)
