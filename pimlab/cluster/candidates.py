"""Which ways are there to cut a model over equal chips? Every combination of degrees."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from pimlab.cluster.shards import Work, expert_degrees, tensor_degrees
from pimlab.cluster.steps import Degrees
from pimlab.workload.language.shape import DecoderShape

DEGREES = ("tensor", "pipeline", "data", "microbatches", "expert")


def candidates(
    shape: DecoderShape, chips: int, work: Work, fixed: dict[str, int]
) -> Iterator[Degrees]:
    """Every combination of degrees on up to `chips` chips, those in `fixed` kept; tokens are cut
    over the chips of a stage as well where each gets one at least. Unit of `chips`: chips.
    """
    for tensor in [fixed["tensor"]] if "tensor" in fixed else tensor_degrees(shape, chips):
        stages = range(1, min(shape.layers, chips // tensor) + 1)
        for pipeline in [fixed["pipeline"]] if "pipeline" in fixed else stages:
            replicas = range(1, min(work.batch, chips // (tensor * pipeline)) + 1)
            for data in [fixed["data"]] if "data" in fixed else replicas:
                parts = _parts(-(-work.batch // data), pipeline)
                for m in [fixed["microbatches"]] if "microbatches" in fixed else parts:
                    one = Degrees(tensor=tensor, pipeline=pipeline, data=data, microbatches=m)
                    yield from _inside(shape, work, one, fixed)


def _inside(
    shape: DecoderShape, work: Work, one: Degrees, fixed: dict[str, int]
) -> Iterator[Degrees]:
    """How the chips of a stage share experts and tokens."""
    experts = (fixed["expert"],) if "expert" in fixed else expert_degrees(shape, one.tensor)
    cut = one.tensor > 1 and work.queries > 1
    for expert, sequence in itertools.product(experts, (False, True) if cut else (False,)):
        yield one.but(expert=expert, sequence=sequence) if expert > 1 or sequence else one


def _parts(batch: int, pipeline: int) -> list[int]:
    """Numbers of microbatches worth trying: powers of two up to the batch, and one a stage."""
    if pipeline == 1:
        return [1]
    powers = itertools.takewhile(lambda m: m <= batch, (1 << i for i in itertools.count()))
    return sorted({*powers, *([pipeline] if pipeline <= batch else [])})
