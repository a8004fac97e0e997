"""What does every chip of a plan do in a step, in which order, waiting for whom? Tasks for a trace.

A chip computes the two halves of each layer, each with its all-reduce, receives what the stage
before hands on and sends on what the next one waits for; the last stage computes the head. A part
of the batch enters the first stage when its last step has come back from the last one.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pimlab.cluster import chakra
from pimlab.cluster.chakra import COLLECTIVE, COMPUTE, KINDS, RECEIVE, SEND, Task
from pimlab.cluster.cluster import Cluster
from pimlab.cluster.costs import cost, placed
from pimlab.cluster.memory import stage_operators
from pimlab.cluster.shards import Op, Work, first_ops, last_ops, layer_macs, layer_vectors
from pimlab.cluster.steps import ATTENTION, Degrees, Pricer, part_of
from pimlab.machine.protocol import MacOp, Target
from pimlab.workload.language.shape import DecoderShape

NORMS = ("attention_norm", "q_norm", "k_norm", "attention_post_norm")
FIRST_HALF = frozenset([*"qkvo", *ATTENTION, *NORMS, "rotaryembedding", "attention_add"])


class Piece(NamedTuple):
    """What one chip computes in one go."""

    name: str
    seconds: float
    operations: int
    bytes: int


class Trace:
    """The tasks of every chip in `steps` steps of a plan."""

    def __init__(self, pricer: Pricer, work: Work, degrees: Degrees, steps: int = 1):
        if isinstance(steps, bool) or not hasattr(steps, "__index__") or steps < 1:
            raise ValueError(f"steps={steps!r}; allowed: an integer, 1 or more")
        self.pricer, self.degrees, self.steps = pricer, degrees, steps
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
        size = {"comm_src": start, "comm_dst": end, "comm_size": round(message), "comm_tag": tag}
        name = f"{'send' if kind == SEND else 'receive'} {start} to {end}, part {tag}"
        return Task(name, kind, seconds, after, tuple(size.items()))

    def _computed(self, stage: int, group: str) -> list[Task]:
        """What a chip of a stage does with one part of the batch, each task after the one before
        it.
        """
        tensor, shape = self.degrees.tensor, self.pricer.shape
        start, end = stage == 0, stage == self.degrees.pipeline - 1
        found = [_task(self._piece("embedding", first_ops(shape, self.part)))] if start else []
        for layer in range(sum(self.layers[:stage]), sum(self.layers[: stage + 1])):
            for half in (True, False):
                name = f"layer{layer}.{'attention' if half else 'feed_forward'}"
                found.append(_task(self._piece(name, self._half(half))))
                found += self._exchanged(name, group, half)
        if end:
            found.append(_task(self._piece("head", last_ops(shape, self.part, tensor))))
            if tensor > 1:
                logits = self.part.batch * shape.vocabulary * 2.0
                found.append(self._collective("head", "all-gather", logits, group))
        return found

    def _exchanged(self, name: str, group: str, half: bool) -> list[Task]:
        if self.degrees.tensor == 1:
            return []
        shape, tokens = self.pricer.shape, self.part.tokens
        found = [self._collective(name, "all-reduce", tokens * shape.width * self.word, group)]
        if half and self.degrees.attention == "sequences":
            for heads in (shape.heads + 2 * shape.kv_heads, shape.heads):
                message = tokens * heads * shape.head_width * self.word
                found.append(self._collective(name, "all-gather", message, group))
        return found

    def _collective(self, name: str, operation: str, message: float, group: str) -> Task:
        seconds = self.pricer.exchange(operation, message, self.degrees.tensor)[0]
        numbers = {"comm_type": KINDS[operation], "comm_size": round(message), "pg_name": group}
        return Task(f"{name} {operation}", COLLECTIVE, seconds, (), tuple(numbers.items()))

    def _half(self, first: bool) -> tuple[Op, ...]:
        one = self.degrees
        cut = one.tensor, one.sequence, one.attention, one.expert
        macs = layer_macs(self.pricer.shape, self.part, cut[0], *cut[2:])
        ops: tuple[Op, ...] = (*macs, *layer_vectors(self.pricer.shape, self.part, *cut))
        return tuple(op for op in ops if (op.name in FIRST_HALF) == first)

    def _piece(self, name: str, ops: tuple[Op, ...]) -> Piece:
        chip, shape = self.pricer.rack.chip, self.pricer.shape
        layers = -(-shape.layers // self.degrees.pipeline)
        cut = self.degrees.tensor, layers, True, True, self.degrees.attention, self.degrees.expert
        where = placed(chip, stage_operators(shape, self.part, *cut))
        macs = [op for op in ops if isinstance(op, MacOp)]
        bits = sum(op.k * op.n * op.groups * _bits(chip, op) for op in macs)
        return Piece(
            name, cost(chip, where, ops).seconds, 2 * sum(op.macs for op in macs), round(bits / 8)
        )


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
    start = Path(prefix)
    start.parent.mkdir(parents=True, exist_ok=True)
    paths = [start.with_name(f"{start.name}.{chip}.et") for chip in range(degrees.chips)]
    for chip, path in enumerate(paths):
        chakra.write(path, trace.of(chip))
    if trace.groups:
        chakra.write_groups(start.with_name(f"{start.name}.groups.json"), trace.groups)
    return paths
