"""What does every chip of a plan do in a step, in which order, waiting for whom? Tasks for a trace.

A chip computes the two halves of each layer, each with its all-reduce, receives what the stage
before hands on and sends on what the next one waits for; the last stage computes the head. A part
of the batch enters the first stage when its last step has come back from the last one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pimlab.cluster import chakra
from pimlab.cluster.chakra import COLLECTIVE, COMPUTE, KINDS, RECEIVE, SEND, Task
from pimlab.cluster.cluster import Cluster
from pimlab.cluster.costs import cost, placed
from pimlab.cluster.memory import stage_operators
from pimlab.cluster.shards import Op, Work, first_ops, last_ops, layer_macs, layer_vectors
from pimlab.cluster.steps import ATTENTION, Degrees, Pricer, part_of, routed_bytes
from pimlab.machine.protocol import MacOp, Target
from pimlab.units import is_integer
from pimlab.workload.language.shape import DecoderShape

MOST_STEPS = 10**5
"""Most steps of a trace: each repeats the tasks of the first, and all of a chip's are in memory."""
NORMS = ("attention_norm", "q_norm", "k_norm", "attention_post_norm")
FIRST_HALF = frozenset([*"qkvo", *ATTENTION, *NORMS, "rotaryembedding", "attention_add"])


class Piece(NamedTuple):
    """What one chip computes in one go."""

    name: str
    seconds: float
    operations: int
    bytes: int


class Worker(NamedTuple):
    """One of the chips that share layers by `cut`: what it does with one part of the batch, on the
    placed machines `where`.

    word : bytes of an activation that it hands on.  group : the number of the chips that share.
    """

    pricer: Pricer
    part: Work
    cut: Degrees
    where: tuple[Target, ...]
    word: float
    group: str

    @property
    def message(self) -> float:
        """Bytes of the activations of one part of the batch (unit: bytes)."""
        return self.part.tokens * self.pricer.shape.width * self.word

    def call(self, seconds: float) -> list[Task]:
        """What the driver takes [s], where it takes time."""
        return [_task(Piece("call", seconds, 0, 0))] if seconds else []

    def embedding(self) -> Task:
        """The tokens are looked up."""
        return self.piece("embedding", first_ops(self.pricer.shape, self.part))

    def layer(self, number: int) -> list[Task]:
        """Both halves of a layer, each with what chips exchange after it."""
        name = f"layer{number}"
        first = [self.piece(f"{name}.attention", self.half(True))]
        first += self.after_attention(number)
        return [*first, *self.feed_forward(number)]

    def after_attention(self, number: int) -> list[Task]:
        """The sum over chips after attention, and what dealing out whole sequences exchanges."""
        name, shape = f"layer{number}.attention", self.pricer.shape
        if self.cut.tensor == 1:
            return []
        found = [self._collective(name, "all-reduce", self.message)]
        if self.cut.attention == "sequences":
            for heads in (shape.heads + 2 * shape.kv_heads, shape.heads):
                message = self.part.tokens * heads * shape.head_width * self.word
                found.append(self._collective(name, "all-gather", message))
        return found

    def feed_forward(self, number: int) -> list[Task]:
        """The second half of a layer, with its sum over chips or tokens sent to their experts."""
        name = f"layer{number}.feed_forward"
        found = [self.piece(name, self.half(False))]
        if self.cut.tensor == 1:
            return found
        if self.pricer.routed(self.part, self.cut, self.word) is None:
            return [*found, self._collective(name, "all-reduce", self.message)]
        message = routed_bytes(self.pricer.shape, self.part, self.cut, self.word)
        sent = self._collective(name, "all-to-all", message)
        return [sent, *found, sent]

    def head(self) -> list[Task]:
        """The head of the model, whose logits are gathered."""
        shape, tensor = self.pricer.shape, self.cut.tensor
        found = [self.piece("head", last_ops(shape, self.part, tensor))]
        if tensor > 1:
            logits = self.part.batch * shape.vocabulary * 2.0
            found.append(self._collective("head", "all-gather", logits))
        return found

    def half(self, first: bool) -> tuple[Op, ...]:
        """The operators of the first or the second half of a layer."""
        cut = self.cut.tensor, self.cut.sequence, self.cut.attention, self.cut.expert
        macs = layer_macs(self.pricer.shape, self.part, cut[0], *cut[2:])
        ops: tuple[Op, ...] = (*macs, *layer_vectors(self.pricer.shape, self.part, *cut))
        return tuple(op for op in ops if (op.name in FIRST_HALF) == first)

    def piece(self, name: str, ops: tuple[Op, ...]) -> Task:
        """The task of computing `ops`."""
        chip = self.pricer.rack.chip
        macs = [op for op in ops if isinstance(op, MacOp)]
        bits = sum(op.k * op.n * op.groups * _bits(chip, op) for op in macs)
        seconds = cost(chip, self.where, ops).seconds
        return _task(Piece(name, seconds, 2 * sum(op.macs for op in macs), round(bits / 8)))

    def _collective(self, name: str, operation: str, message: float) -> Task:
        seconds = self.pricer.exchange(operation, message, self.cut.tensor)[0]
        numbers = {"comm_type": KINDS[operation], "comm_size": round(message)}
        attributes = (*numbers.items(), ("pg_name", self.group))
        return Task(f"{name} {operation}", COLLECTIVE, seconds, (), attributes)


class Trace:
    """The tasks of every chip in `steps` steps of a plan."""

    def __init__(self, pricer: Pricer, work: Work, degrees: Degrees, steps: int = 1):
        self.pricer, self.degrees, self.steps = pricer, degrees, checked_steps(steps)
        self.part = part_of(work, degrees)
        self.layers = pricer.step(work, degrees).layers
        passes = -(-work.batch // self.part.batch)
        self.turns = -(-passes // degrees.data)
        self.word = max(pricer.rack.chip.activation_bits / 8, 2.0)

    @property
    def groups(self) -> dict[str, list[int]]:
        """Number of a stage -> its chips; none where every chip is a stage of its own."""
        t, stages = self.degrees.tensor, self.degrees.pipeline * self.degrees.data
        return {str(s + 1): list(range(s * t, (s + 1) * t)) for s in range(stages)} if t > 1 else {}

    def of(self, chip: int) -> list[Task]:
        """The tasks of one chip, in order."""
        pipeline, tensor = self.degrees.pipeline, self.degrees.tensor
        stage = chip // tensor % pipeline
        ahead = chip + tensor * (1 if stage < pipeline - 1 else 1 - pipeline)
        behind = chip - tensor * (1 if stage else 1 - pipeline)
        computed = self._computed(stage, str(chip // tensor + 1))
        tasks: list[Task] = []
        compute: tuple[int, ...] = ()
        for tag in range(self.steps * self.turns):
            after = compute
            if pipeline > 1 and (stage or tag >= self.turns):
                came = tag if stage else tag - self.turns
                tasks.append(self._crossing(RECEIVE, behind, chip, came, 0.0, ()))
                after = (*after, len(tasks) - 1)
            for task in computed:
                tasks.append(task._replace(after=after))
                after = (len(tasks) - 1,)
            compute = after
            if pipeline > 1:
                message = self.part.tokens * self.pricer.shape.width * self.word
                seconds = self.pricer.send(message, self.degrees)[0]
                tasks.append(self._crossing(SEND, chip, ahead, tag, seconds, after))
        return tasks

    def _crossing(
        self, kind: int, start: int, end: int, tag: int, seconds: float, after: tuple[int, ...]
    ) -> Task:
        message = self.part.tokens * self.pricer.shape.width * self.word / self.degrees.tensor
        return handed(kind, (start, end), tag, message, seconds, after)

    def _computed(self, stage: int, group: str) -> list[Task]:
        """What a chip of a stage does with one part of the batch, each task after the one before
        it.
        """
        worker = self._worker(group)
        start, end = stage == 0, stage == self.degrees.pipeline - 1
        layers = -(-self.pricer.shape.layers // self.degrees.pipeline)
        found = worker.call(self.pricer.chip(self.part, self.degrees, layers).call)
        found += [worker.embedding()] if start else []
        for layer in range(sum(self.layers[:stage]), sum(self.layers[: stage + 1])):
            found += worker.layer(layer)
        return [*found, *(worker.head() if end else [])]

    def _worker(self, group: str) -> Worker:
        cut, shape = self.degrees, self.pricer.shape
        layers = -(-shape.layers // cut.pipeline)
        how = cut.tensor, layers, True, True, cut.attention, cut.expert
        where = placed(self.pricer.rack.chip, stage_operators(shape, self.part, *how))
        return Worker(self.pricer, self.part, cut, where, self.word, group)


def checked_steps(steps: int) -> int:
    """`steps` where it is an integer 1..MOST_STEPS; ValueError otherwise. Unit: steps."""
    if not is_integer(steps) or not 1 <= steps <= MOST_STEPS:
        raise ValueError(
            f"steps={steps!r:.60}; allowed: an integer, 1 to {MOST_STEPS} (the tasks of all steps "
            "of a chip are in memory at once)"
        )
    return steps


def handed(
    kind: int,
    pair: tuple[int, int],
    tag: int,
    message: float,
    seconds: float,
    after: tuple[int, ...],
) -> Task:
    """A send or a receive of `message` bytes from one chip of a pair to the other. Units: bytes and
    s.
    """
    start, end = pair
    size = {"comm_src": start, "comm_dst": end, "comm_size": round(message), "comm_tag": tag}
    name = f"{'send' if kind == SEND else 'receive'} {start} to {end}, part {tag}"
    return Task(name, kind, seconds, after, tuple(size.items()))


def _bits(chip: Target, op: MacOp) -> float:
    return chip.weight_bits if op.kind == "weights" else chip.activation_bits


def _task(piece: Piece) -> Task:
    numbers = {"num_ops": piece.operations, "tensor_size": piece.bytes}
    return Task(piece.name, COMPUTE, piece.seconds, (), tuple(numbers.items()))


def write_chakra(
    prefix: str | Path,
    shape: DecoderShape,
    cluster: Cluster,
    work: Work,
    degrees: Degrees,
    steps: int = 1,
) -> list[Path]:
    """The files `<prefix>.<chip>.et` of every chip, and `<prefix>.groups.json` where chips share a
    layer.

    Raises ValueError for a number of steps below 1.
    """
    trace = Trace(Pricer(shape, cluster), work, degrees, steps)
    return written(prefix, [trace.of(chip) for chip in range(degrees.chips)], trace.groups)


def written(
    prefix: str | Path, tasks: Sequence[list[Task]], groups: dict[str, list[int]]
) -> list[Path]:
    """The files `<prefix>.<chip>.et` of the tasks of every chip, and `<prefix>.groups.json` where
    there are groups.
    """
    if not isinstance(prefix, str | os.PathLike) or not Path(prefix).name or "\0" in str(prefix):
        raise ValueError(f"write_chakra prefix={prefix!r:.60}; allowed: a path with a name")
    start = Path(prefix)
    start.parent.mkdir(parents=True, exist_ok=True)
    paths = [start.with_name(f"{start.name}.{chip}.et") for chip in range(len(tasks))]
    for path, mine in zip(paths, tasks, strict=True):
        chakra.write(path, mine)
    if groups:
        chakra.write_groups(start.with_name(f"{start.name}.groups.json"), groups)
    return paths
