"""What does every chip of a plan over unequal racks do in a step, waiting for whom? Tasks for a
trace.

Chips are numbered replica by replica and stage by stage, those that hold a cache aside behind those
that hold the weights. Where two stages, or the two sides of one, have different numbers of chips,
every chip of the larger side has one message; a chip that sends several takes turns. A message that
changes racks has the time of the way to the rack's link as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from pimlab.cluster.chakra import RECEIVE, SEND, Task
from pimlab.cluster.costs import calls
from pimlab.cluster.options import (
    Stages,
    crossing,
    messages_of_attention,
    operators,
    send_price,
    where_placed,
    word_of,
)
from pimlab.cluster.shards import Op
from pimlab.cluster.steps import Degrees, Pricer
from pimlab.cluster.traces import Worker, checked_steps, handed, written

BEHIND_ATTENTION = ("o", "attention_post_norm", "attention_add")
"""Operators of the first half of a layer that wait for what attention gives."""


class Where(NamedTuple):
    """A stage of a trace: the numbers of its racks, how its chips share a layer, its layers, and
    the first of its chips in the first replica.
    """

    rack: int
    degrees: Degrees
    layers: range
    aside: int | None
    aside_chips: int
    first: int

    @property
    def chips(self) -> int:
        """Chips of the stage, those aside included (unit: chips)."""
        return self.degrees.tensor + self.aside_chips


class _Line:
    """Tasks of one chip in the order in which they were added; each of its own waits for the one
    before it.
    """

    def __init__(self) -> None:
        self.tasks: list[Task] = []
        self.last: tuple[int, ...] = ()

    def compute(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            self.tasks.append(task._replace(after=self.last))
            self.last = (len(self.tasks) - 1,)

    def receive(self, task: Task) -> None:
        self.tasks.append(task)
        self.last = (*self.last, len(self.tasks) - 1)

    def send(self, task: Task) -> None:
        self.tasks.append(task._replace(after=self.last))


class MixedTrace:
    """The tasks of every chip in `steps` steps of a plan over `stages`."""

    def __init__(self, on: Stages, stages: Sequence[Where], steps: int = 1):
        self.on, self.stages, self.steps = on, tuple(stages), checked_steps(steps)
        self.each = sum(stage.chips for stage in stages)
        self.turns = self.steps * on.microbatches

    @property
    def groups(self) -> dict[str, list[int]]:
        """Number of a group of chips that share layers -> its chips."""
        found: dict[str, list[int]] = {}
        for replica in range(self.on.replicas):
            for stage in self.stages:
                first, tensor = replica * self.each + stage.first, stage.degrees.tensor
                if tensor > 1:
                    found[str(first + 1)] = list(range(first, first + tensor))
        return found

    def every(self) -> list[list[Task]]:
        """The tasks of every chip, in order."""
        found = []
        for replica in range(self.on.replicas):
            for number, stage in enumerate(self.stages):
                base = replica * self.each
                found += [self._weights(base, number, i) for i in range(stage.degrees.tensor)]
                found += [self._aside(base, stage, i) for i in range(stage.aside_chips)]
        return found

    def _weights(self, base: int, number: int, rank: int) -> list[Task]:
        """What a chip that holds weights does."""
        stage, line, count = self.stages[number], _Line(), len(self.stages)
        worker, parts = self._worker(stage, base), self.on.microbatches
        ahead, behind = (number + 1) % count, (number - 1) % count
        for tag in range(self.turns):
            if count > 1 and (number or tag >= parts):
                came = tag if number else tag - parts
                for task in self._handed(RECEIVE, base, (behind, number), came):
                    if task[1] == rank:
                        line.receive(task[2])
            self._part(line, worker, base, stage, rank, tag)
            if count > 1:
                for task in self._handed(SEND, base, (number, ahead), tag):
                    if task[0] == rank:
                        line.send(task[2])
        return line.tasks

    def _part(
        self, line: _Line, worker: Worker, base: int, stage: Where, rank: int, tag: int
    ) -> None:
        """One part of the batch through the layers of a stage."""
        chip = worker.pricer.rack.chip
        shape, part, cut = self.on.shape, self.on.part, stage.degrees
        mine: tuple[Op, ...] = operators(shape, part, cut, False)
        if stage.aside is None:
            mine += operators(shape, part, cut, True)
        line.compute(worker.call(calls(chip, mine)))
        line.compute([worker.embedding()] if stage.layers.start == 0 else [])
        for layer in stage.layers:
            if stage.aside is None:
                line.compute(worker.layer(layer))
                continue
            first = [op for op in worker.half(True) if op in mine]
            front = tuple(op for op in first if op.name not in BEHIND_ATTENTION)
            back = tuple(op for op in first if op.name in BEHIND_ATTENTION)
            line.compute([worker.piece(f"layer{layer}.query_key_value", front)])
            for task in self._to_cache(SEND, base, stage, layer, tag):
                if task[0] == rank:
                    line.send(task[2])
            for task in self._from_cache(RECEIVE, base, stage, layer, tag):
                if task[1] == rank:
                    line.receive(task[2])
            line.compute([worker.piece(f"layer{layer}.output", back)])
            line.compute(worker.after_attention(layer))
            line.compute(worker.feed_forward(layer))
        line.compute(worker.head() if stage.layers.stop == shape.layers else [])

    def _aside(self, base: int, stage: Where, rank: int) -> list[Task]:
        """What a chip that holds a cache does."""
        assert stage.aside is not None
        rack, cut = self.on.cluster.racks[stage.aside], Degrees(tensor=stage.aside_chips)
        where = where_placed(self.on.shape, rack, self.on.part, cut, "cache")
        pricer, line = Pricer(self.on.shape, rack), _Line()
        worker = Worker(pricer, self.on.part, cut, where, word_of(rack), "")
        ops = operators(self.on.shape, self.on.part, cut, True)
        for tag in range(self.turns):
            for layer in stage.layers:
                for task in self._to_cache(RECEIVE, base, stage, layer, tag):
                    if task[1] == rank:
                        line.receive(task[2])
                if layer == stage.layers.start:
                    line.compute(worker.call(calls(rack.chip, ops)))
                line.compute([worker.piece(f"layer{layer}.cache", ops)])
                for task in self._from_cache(SEND, base, stage, layer, tag):
                    if task[0] == rank:
                        line.send(task[2])
        return line.tasks

    def _worker(self, stage: Where, base: int) -> Worker:
        rack, cut = self.on.cluster.racks[stage.rack], stage.degrees
        side = "whole" if stage.aside is None else "weights"
        where = where_placed(self.on.shape, rack, self.on.part, cut, side)
        group = str(base + stage.first + 1)
        return Worker(Pricer(self.on.shape, rack), self.on.part, cut, where, word_of(rack), group)

    def _handed(
        self, kind: int, base: int, pair: tuple[int, int], tag: int
    ) -> list[tuple[int, int, Task]]:
        """Messages from one stage to another: (rank that sends, rank that receives, task)."""
        one, two = (self.stages[i] for i in pair)
        rack = self.on.cluster.racks[one.rack]
        send = send_price(Pricer(self.on.shape, rack), self.on.part, one.degrees.tensor).seconds
        if one.rack != two.rack:
            send += crossing(self.on).seconds
        size = self.on.part.tokens * self.on.shape.width * word_of(rack)
        sides = (base + one.first, one.degrees.tensor), (base + two.first, two.degrees.tensor)
        return _messages(kind, sides, tag, size, lambda turns: send / turns)

    def _to_cache(
        self, kind: int, base: int, stage: Where, layer: int, tag: int
    ) -> list[tuple[int, int, Task]]:
        return self._attention(kind, base, stage, layer, tag, back=False)

    def _from_cache(
        self, kind: int, base: int, stage: Where, layer: int, tag: int
    ) -> list[tuple[int, int, Task]]:
        return self._attention(kind, base, stage, layer, tag, back=True)

    def _attention(
        self, kind: int, base: int, stage: Where, layer: int, tag: int, *, back: bool
    ) -> list[tuple[int, int, Task]]:
        """Messages between both sides of a stage: (rank that sends, rank that receives, task)."""
        tensor = stage.degrees.tensor
        links = min(tensor, stage.aside_chips)
        size, price = messages_of_attention(self.on, stage.rack, links)[back]
        here = (base + stage.first, tensor), (base + stage.first + tensor, stage.aside_chips)
        sides = (here[1], here[0]) if back else here
        number = tag * self.on.shape.layers + layer
        return _messages(kind, sides, number, size, lambda turns: price.seconds / turns)


def _messages(
    kind: int,
    sides: tuple[tuple[int, int], tuple[int, int]],
    tag: int,
    size: float,
    seconds: Callable[[int], float],
) -> list[tuple[int, int, Task]]:
    """One message for every chip of the larger side: (rank that sends, rank that receives, task).

    sides : (first chip, chips) of those that send and of those that receive.  size : bytes of all
    messages.  seconds : of each [s] where a chip sends so many.
    """
    (start, giving), (end, taking) = sides
    count, found = max(giving, taking), []
    for message in range(count):
        giver, taker = message % giving, message % taking
        turns = len(range(giver, count, giving))
        pair = start + giver, end + taker
        time = seconds(turns) if kind == SEND else 0.0
        found.append((giver, taker, handed(kind, pair, tag, size / count, time, ())))
    return found


def write_mixed_chakra(
    prefix: str | Path, on: Stages, stages: Sequence[Where], steps: int = 1
) -> list[Path]:
    """The files `<prefix>.<chip>.et` of every chip of a plan over unequal racks, and
    `<prefix>.groups.json` where chips share a layer.

    Raises ValueError for a number of steps below 1.
    """
    trace = MixedTrace(on, stages, steps)
    return written(prefix, trace.every(), trace.groups)
