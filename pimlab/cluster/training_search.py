"""How is a model best trained on equal chips? Every combination of degrees and recomputation."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

from pimlab import result, units
from pimlab.arguments import typed
from pimlab.cluster.cluster import Cluster
from pimlab.cluster.memory_table import Row, memory_table
from pimlab.cluster.shards import tensor_degrees
from pimlab.cluster.training import Training, TrainingStep, stage_memory, training_step
from pimlab.values import Value
from pimlab.workload.language.shape import DecoderShape

RECOMPUTE = ("none", "selective", "full")


class TrainingPlan(Value):
    """The fastest training step of a model on a cluster, and what else was tried.

    training : degrees, microbatch and recomputation.  step : its time and memory.  bound : seconds
    [s] of the fastest step if links took no time; gap : how far the plan is from it.
    alternatives : Dataset over every combination, the fastest first; NaN where it does not fit.
    """

    shape: DecoderShape
    cluster: Cluster
    training: Training
    step: TrainingStep
    bound: float
    alternatives: Any = dataclasses.field(compare=False, repr=False)

    @property
    def latency(self) -> float:
        """Seconds [s] of one step."""
        return self.step.seconds

    @property
    def throughput(self) -> float:
        """Tokens a second (unit: 1/s)."""
        return self.training.sequences * self.training.tokens / self.step.seconds

    @property
    def gap(self) -> float:
        """How far the step is from its bound, relative to the bound (unit 1)."""
        return self.step.seconds / self.bound - 1

    @property
    def memory_table(self) -> Any:
        """Dataset of what every chip holds: see `pimlab.cluster.memory_table`. Early stages wait
        for more microbatches to come back, so they hold more activations than late ones.
        """
        stages, each = self.training.pipeline, self.shape.layers // self.training.pipeline
        rows = []
        for replica in range(self.training.data):
            for stage in range(stages):
                memory = (stage_memory(self.shape, self.cluster, self.training, stage),)
                run = range(stage * each, (stage + 1) * each)
                at = "training", replica, stage, run, "whole", self.cluster
                rows.append(Row(*at, memory, (0.0,), self.training.tensor))
        return memory_table(rows, self.cluster.cited)

    @property
    def why(self) -> list[str]:
        """Sentences: what was chosen, where the time goes, what fills the memory."""
        one, step = self.training, self.step
        fitting = int(self.alternatives.latency.notnull().sum())
        return [
            f"tensor {one.tensor} x pipeline {one.pipeline} x data {one.data}, microbatches of "
            f"{one.microbatch}, recompute {one.recompute}: {units.si(step.seconds, 's')}, the best "
            f"of {self.alternatives.sizes['plan']} combinations, of which {fitting} fit; "
            f"{self.gap:.1%} from the bound {units.si(self.bound, 's')} of links without time",
            f"{step.layers / step.seconds:.0%} layers, {step.idle / step.seconds:.0%} waiting for "
            f"the pipeline, {step.gradients / step.seconds:.0%} gradients between replicas",
            f"a chip holds {units.si(step.total, 'B')}: weights {units.si(step.weights, 'B')}, "
            f"gradients and optimiser {units.si(step.states, 'B')}, activations "
            f"{units.si(step.activations, 'B')}",
        ]


@typed
def best_training(shape: DecoderShape, cluster: Cluster, template: Training) -> TrainingPlan:
    """The fastest training of `template`'s batch on all or some chips of `cluster`; its degrees,
    microbatch and recomputation are searched, everything else stays.

    Raises ValueError where nothing fits, with the reason of the smallest.
    """
    tried: list[tuple[Training, TrainingStep | None, str]] = []
    for training in combinations(shape, cluster.chips, template):
        try:
            tried.append((training, training_step(shape, cluster, training), ""))
        except ValueError as error:
            tried.append((training, None, str(error)))
    fitting = [(training, step) for training, step, _ in tried if step is not None]
    if not fitting:
        raise ValueError(f"no training of this model fits on {cluster.chips} chips: {tried[-1][2]}")
    training, step = min(fitting, key=lambda pair: (pair[1].seconds, pair[0].chips))
    bound = min(training_step(shape, _free(cluster), one).seconds for one, _ in fitting)
    return TrainingPlan(
        shape=shape,
        cluster=cluster,
        training=training,
        step=step,
        bound=bound,
        alternatives=_table(cluster, tried),
    )


def combinations(shape: DecoderShape, chips: int, template: Training) -> Iterator[Training]:
    """Tensor degrees, pipelines that divide the layers, replicas and microbatches that divide the
    batch, and what is computed again.
    """
    for tensor in tensor_degrees(shape, chips):
        for pipeline in range(1, chips // tensor + 1):
            if shape.layers % (pipeline * template.chunks):
                continue
            for data, size in itertools.product(
                range(1, chips // (tensor * pipeline) + 1), (1, 2, 4, 8)
            ):
                if template.sequences % (data * size):
                    continue
                for again in RECOMPUTE:
                    yield template.but(
                        tensor=tensor,
                        pipeline=pipeline,
                        data=data,
                        microbatch=size,
                        recompute=again,
                        sequence=template.sequence and tensor > 1,
                    )


def _free(cluster: Cluster) -> Cluster:
    if cluster.count == 1:
        return cluster
    return cluster.but(link=cluster.inner.link.but(bandwidth=1e30, delay=0.0), between=None)


def _table(cluster: Cluster, tried: list[tuple[Training, TrainingStep | None, str]]) -> Any:
    import xarray as xr

    ordered = sorted(tried, key=lambda one: one[1].seconds if one[1] else float("inf"))
    seconds = [step.seconds if step else float("nan") for _, step, _ in ordered]
    held = [step.total if step else float("nan") for _, step, _ in ordered]
    values = {
        "latency": result.variable("latency", "plan", seconds, meaning="time of one training step"),
        "memory": ("plan", held, {"units": "B", "long_name": "bytes of the fullest chip"}),
    }
    names = ("tensor", "pipeline", "data", "microbatch", "recompute")
    degrees = {name: ("plan", [getattr(one, name) for one, *_ in ordered]) for name in names}
    return result.finished(xr.Dataset(values, coords=degrees), cluster.cited)
