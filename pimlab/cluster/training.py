"""How long does a training step take, and what must every chip hold for it?

A step of a batch of `sequences` in microbatches passes the stages forwards and backwards (one
forward, one backward; interleaved where a stage is `chunks` parts of the model). For one layer and
microbatch on one of `tensor` chips:

    forward   = products / efficiency + bytes / bandwidth + 2 all-reduces
    backward  = 2 products / efficiency + 2 bytes / bandwidth + 2 all-reduces
    recompute = forward again ("full"), or the attention products and softmax ("selective")

    stage = layers of a stage (forward + backward + recompute) + sends
    step  = (microbatches + (stages - 1) / chunks) stage + microbatches head
            + gradients over replicas + optimiser

Products take what the chip's own latency says; `efficiency` and `bandwidth` are the constants that
measurements fix. Bytes are counted: each norm, residual addition with dropout, GELU and softmax
with dropout reads its inputs and writes its outputs and masks once. Sequence parallelism splits
norms and additions, and gathers the inputs of both halves of a layer again on the way backwards,
since it keeps a share of them alone (reference 1, section 4.2.2, which overlaps this with products;
the measured steps are those of gathers that wait: `papers/megatron`).

1. V. Korthikanti, J. Casper, S. Lym, L. McAfee, M. Andersch, M. Shoeybi, B. Catanzaro, Reducing
   activation recomputation in large transformer models, arXiv 2205.05198 (2022): equations 1 to 6
   for memory, tables 3 and 5.
2. D. Narayanan et al., Efficient large-scale language model training on GPU clusters using
   Megatron-LM, SC 2021, section 2.2 for the interleaved schedule.
"""

from __future__ import annotations

from typing import NamedTuple

from pimlab.arguments import typed
from pimlab.cluster.cluster import Cluster, memory_bytes
from pimlab.cluster.costs import placed
from pimlab.cluster.memory import Held, stage_operators
from pimlab.cluster.shards import (
    Work,
    check_tensor,
    layer_macs,
    layer_weight_count,
    vocabulary_weight_count,
)
from pimlab.machine.protocol import MacOp
from pimlab.values import Value, choice, integer, number, quantity, truth
from pimlab.workload.language.shape import DecoderShape

WORD = 2
"""Bytes of a value that is computed with (FP16, BF16)."""
ATTENTION = ("scores", "values")


class Training(Value):
    """How a model is trained: the batch, the degrees, and what is kept or computed again.

    sequences : of one step, all replicas; tokens : of each.  microbatch : sequences that pass a
    stage at once.  chunks : parts of the model that each stage holds (interleaved schedule).
    recompute : activations computed again backwards.  sequence : norms and additions cut by tokens.
    efficiency : share of the chip's own speed that products reach.  bandwidth : of memory for all
    other operators.  state : bytes of gradients and optimiser of one weight beside its two (Adam:
    gradient, copy and two moments of four bytes).
    Raises ValueError where microbatches do not divide the batch.
    """

    sequences: int = integer(1)
    tokens: int = integer(1)
    microbatch: int = integer(1, default=1)
    tensor: int = integer(1, default=1)
    pipeline: int = integer(1, default=1)
    data: int = integer(1, default=1)
    chunks: int = integer(1, default=1)
    recompute: str = choice("none", "selective", "full", default="none")
    sequence: bool = False
    efficiency: float = number(above=0, high=1, default=1.0)
    bandwidth: float = quantity("bit/s", above=0)
    state: float = number(low=0, default=16.0)

    def check(self) -> None:
        """Every replica has the same number of microbatches, of the same size."""
        truth("Training: sequence", self.sequence)
        if self.sequences % (self.data * self.microbatch):
            raise ValueError(
                f"Training: data={self.data} x microbatch={self.microbatch} does not divide "
                f"sequences={self.sequences}"
            )

    @property
    def microbatches(self) -> int:
        """Microbatches of one replica (unit: microbatches)."""
        return self.sequences // (self.data * self.microbatch)

    @property
    def chips(self) -> int:
        """Chips of all replicas (unit: chips)."""
        return self.tensor * self.pipeline * self.data


class TrainingStep(NamedTuple):
    """Seconds [s] of one step and of its parts, and bytes of the fullest chip.

    layers : forward, backward and recomputation of all microbatches on one stage; idle : stages
    that wait for the first or after the last microbatch (the bubble); head, gradients, optimiser :
    once a step.
    """

    seconds: float
    layers: float
    idle: float
    head: float
    gradients: float
    optimiser: float
    weights: float
    states: float
    activations: float

    @property
    def total(self) -> float:
        """Bytes of the fullest chip (unit: bytes)."""
        return self.weights + self.states + self.activations


def moved_bytes(shape: DecoderShape, training: Training) -> tuple[float, float]:
    """(bytes of softmax and its dropout, bytes of all other operators that are no product) that one
    microbatch moves forwards in one layer on one chip. Unit: bytes.
    """
    tokens, width = training.microbatch * training.tokens, shape.width
    scores = training.microbatch * shape.heads / training.tensor * training.tokens**2
    softmax = scores * (4 * WORD + 1)  # read, write, read, write and the mask
    cut = training.tensor if training.sequence else 1
    norms = 2 * tokens * width * 2 * WORD / cut
    additions = 2 * tokens * width * (3 * WORD + 1) / cut
    gelu = tokens * shape.hidden / training.tensor * 2 * WORD
    return softmax, norms + additions + gelu


def activation_bytes(shape: DecoderShape, training: Training) -> float:
    """Bytes of one layer and microbatch that wait for the backward pass on one chip (Korthikanti et
    al. 2022, equations 1, 2, 4 and 6; two bytes a value). Unit: bytes.
    """
    whole = training.microbatch * training.tokens * shape.width
    cut = training.tensor
    if training.recompute == "full":
        return 2.0 * whole
    attention = 5 * shape.heads * training.tokens / (shape.width * cut)
    linear = 34 / cut if training.sequence else 10 + 24 / cut
    return whole * (linear + (0.0 if training.recompute == "selective" else attention))


@typed
def training_step(shape: DecoderShape, rack: Cluster, training: Training) -> TrainingStep:
    """One step of `shape` on the equal chips of `rack`.

    Raises ValueError where degrees do not divide heads or layers, need more chips than there are,
    or where a chip cannot hold its part (by how much). Units: s and J.
    """
    _check(shape, rack, training)
    each, send, head = _parts(shape, rack, training)
    layers = shape.layers // training.pipeline
    stage = layers * each + 2 * training.chunks * send
    weights = layers * layer_weight_count(shape, training.tensor)
    ends = vocabulary_weight_count(shape, training.tensor)
    own = weights + ends
    stride = training.tensor * training.pipeline
    gradients = rack.seconds("all-reduce", own * WORD, training.data, stride)
    optimiser = own * 2 * (WORD + training.state) * 8 / training.bandwidth
    idle = (training.pipeline - 1) / training.chunks * stage
    parts = (
        training.microbatches * stage,
        idle,
        training.microbatches * head,
        gradients,
        optimiser,
    )
    step = TrainingStep(
        sum(parts),
        *parts,
        weights=own * WORD,
        states=own * training.state,
        activations=layers * waiting(training) * activation_bytes(shape, training),
    )
    _fit(rack, step)
    return step


def stage_memory(shape: DecoderShape, rack: Cluster, training: Training, stage: int) -> Held:
    """What a chip of stage number `stage` holds; the last one holds the head, the first the
    embedding (one stage alone holds them once: they are the same weights). Unit: bytes.
    """
    layers, ends = shape.layers // training.pipeline, stage in (0, training.pipeline - 1)
    own = layers * layer_weight_count(shape, training.tensor)
    own += vocabulary_weight_count(shape, training.tensor) if ends else 0
    found = Held(
        machine=rack.chip.name,
        weights=own * WORD,
        activations=layers * waiting(training, stage) * activation_bytes(shape, training),
        optimiser=own * training.state,
    )
    size = memory_bytes(rack)
    return found._replace(share=found.total / size) if size else found


def waiting(training: Training, stage: int = 0) -> float:
    """Microbatches whose activations a stage, the first by default, holds at once (unit:
    microbatches); interleaving adds a share. A stage is one microbatch nearer to the end than the
    one before it.
    """
    stages, chunks = training.pipeline, training.chunks
    if stage:
        early = 2 * stage / chunks  # chunks that come back before the next one enters
        return (
            waiting(training) - early if chunks > 1 else min(stages - stage, training.microbatches)
        )
    most = stages * (1 + (stages - 1) / (stages * chunks)) if chunks > 1 else stages
    return min(most, training.microbatches) if chunks == 1 else most


def _parts(shape: DecoderShape, rack: Cluster, training: Training) -> tuple[float, float, float]:
    """Seconds [s] of one layer and microbatch, of a send between stages, of the head of the
    model.
    """
    work = Work(batch=training.microbatch, queries=training.tokens, context=training.tokens)
    chip, tensor = rack.chip, training.tensor
    layers = shape.layers // training.pipeline
    machine = placed(chip, stage_operators(shape, work, tensor, layers, True, True))[0]
    products = {
        op.name: sum(machine.latency(_square(op, work)).values()) / training.efficiency
        for op in layer_macs(shape, work, tensor)
    }
    softmax, others = (8 * x / training.bandwidth for x in moved_bytes(shape, training))
    message = work.tokens * shape.width * WORD
    reduce = rack.seconds("all-reduce", message, tensor)
    forward = sum(products.values()) + softmax + others + 2 * reduce
    backward = 2 * (sum(products.values()) + softmax + others) + 2 * reduce
    if training.sequence:
        backward += 2 * rack.seconds("all-gather", message, tensor)
    again = {
        "none": 0.0,
        "selective": sum(products[name] for name in ATTENTION) + softmax,
        "full": forward,
    }[training.recompute]
    send = rack.seconds("send", message / tensor, 2, tensor) if training.pipeline > 1 else 0.0
    logits = (
        products["q"]
        * vocabulary_weight_count(shape, tensor)
        / (shape.width * (shape.heads // tensor) * shape.head_width)
    )
    return forward + backward + again, send, 3 * logits


def _square(op: MacOp, work: Work) -> MacOp:
    """Attention over the whole square: training kernels of 2022 did not leave the mask out."""
    if op.name == "scores":
        return op.but(n=work.context)
    return op.but(k=work.context) if op.name == "values" else op


def _check(shape: DecoderShape, rack: Cluster, training: Training) -> None:
    if shape.expert_count:
        raise ValueError("training of a model with experts is not offered; allowed: its inference")
    check_tensor(shape, training.tensor)
    stages = training.pipeline * training.chunks
    if shape.layers % stages:
        raise ValueError(
            f"pipeline={training.pipeline} x chunks={training.chunks} does not divide "
            f"{shape.layers} layers"
        )
    if training.chips > rack.chips:
        raise ValueError(f"Training needs {training.chips} chips; the cluster has {rack.chips}")
    if training.tokens > shape.context:
        raise ValueError(f"tokens={training.tokens} is outside 1..{shape.context}, the context")


def _fit(rack: Cluster, step: TrainingStep) -> None:
    size = memory_bytes(rack)
    if size is not None and step.total > size:
        raise ValueError(
            f"a chip {rack.chip.name} would hold {step.total / 1e9:.3g} GB of {size / 1e9:.3g} GB "
            f"({step.total / size - 1:.0%} too much): weights {step.weights / 1e9:.3g}, gradients "
            f"and optimiser {step.states / 1e9:.3g}, activations {step.activations / 1e9:.3g}"
        )
