"""How is a model best cut over equal chips? Every combination of degrees is priced, the best kept.

The search is exhaustive over tensor degrees that divide the query heads, pipelines up to the number
of layers, replicas and microbatches, as far as the chips go; the layers of a pipeline are dealt out
exactly. What does not fit into the memory of a chip stays in the table as such.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from pimlab import result, units
from pimlab.arguments import named
from pimlab.cluster.candidates import DEGREES, candidates
from pimlab.cluster.capacity import fits, fullest, too_small
from pimlab.cluster.cluster import Cluster
from pimlab.cluster.memory import Held
from pimlab.cluster.mixed import MixedPlan, plan_mixed
from pimlab.cluster.phases import ARRANGEMENTS, Requests
from pimlab.cluster.plans import (
    OBJECTIVES,
    PHASES,
    STEP,
    ParallelPlan,
    objectives,
    price_a_token,
)
from pimlab.cluster.requests import RequestPlan, free, plan_requests
from pimlab.cluster.shards import Work, check_expert, check_tensor
from pimlab.cluster.steps import Degrees, Pricer, Step, part_of
from pimlab.cluster.training import Training
from pimlab.cluster.training_search import TrainingPlan, best_training
from pimlab.units import is_integer
from pimlab.values import unknown
from pimlab.workload.language.shape import DecoderShape


@named
def parallelise(
    model: Any,
    cluster: Cluster,
    objective: str = "latency",
    *,
    batch: int = 1,
    context: int | None = None,
    phase: str = "decode",
    within: str | float | None = None,
    training: Training | None = None,
    attention: str = "heads",
    output: int | None = None,
    arrangement: str | None = None,
    **degrees: int,
) -> ParallelPlan | TrainingPlan | RequestPlan | MixedPlan:
    """The plan of `model` on `cluster` that is best by `objective`, and why.

    model : what `load_model` gives for a language model, or its DecoderShape.  objective :
    "latency" (s of a step), "throughput" (tokens/s), "energy" (J a token) or "cost" (price of a
    token; needs `Cluster(price=...)`).  batch : sequences at once; context : tokens of each, new
    ones included (the model's longest unless given).  phase : "decode" (one token a sequence) or
    "prefill" (all tokens of the prompts).  within : no step may take longer.  degrees : `tensor`,
    `pipeline`, `data`, `microbatches`, `expert` that are to be kept.  attention : dealt out over
    the chips of a stage by "heads", or by whole "sequences".
    A cluster with racks beside it gives a MixedPlan, whose stages are proved the best to 1 % by
    integer programs; attention may run on another rack than the products with weights.
    phase "both" gives a RequestPlan: requests of `context` tokens, the last `output` of which are
    decoded, on the chips of any rack; arrangement : "together", "apart", or the better one (None).
    phase "training" (a step of `training`, whose degrees are searched) gives a TrainingPlan; batch
    and context are those of `training`, and the objective is the time of a step.

    Raises ValueError where the cluster cannot hold the model (by how much, and how many chips
    could), a degree does not divide the heads or the layers, no plan meets `within`, or an
    objective or phase is not known.

    >>> rack = pim.Cluster(chip=pim.target("rngd"), chips=8, link=pim.link("pcie5-x16"))
    >>> plan = pim.parallelise(pim.load_model("llama2-70b"), rack, batch=16, context=4096)
    >>> plan.degrees.tensor
    8
    """
    shape, name = _shape(model)
    if phase == "training":
        return _trained(shape, cluster, objective, training)
    if phase == "both":
        _check_both(cluster, objective, arrangement, degrees)
        requests = _requests(shape, batch, context, output)
        bound = math.inf if within is None else units.seconds(within, "within")
        return plan_requests(name, shape, cluster, objective, requests, bound, arrangement)
    if output is not None or arrangement is not None:
        raise ValueError("output= and arrangement= belong to phase='both'")
    work = _work(shape, batch, context, phase)
    if isinstance(cluster, Cluster) and cluster.beside:
        _check_mixed(cluster, objective, attention, degrees)
        limit = math.inf if within is None else units.seconds(within, "within")
        return plan_mixed(name, shape, cluster, objective, phase, work, limit)
    _check(shape, cluster, work, objective, degrees)
    pricer = Pricer(shape, cluster)
    options = candidates(shape, cluster.chips, work, degrees)
    tried = _tried(pricer, work, (one.but(attention=attention) for one in options))
    fitting = [one for one in tried if one[2]]
    if not fitting:
        raise ValueError(too_small(name, shape, cluster, work))
    limit = math.inf if within is None else units.seconds(within, "within")
    inside = [one for one in fitting if one[1].seconds <= limit]
    if not inside:
        fastest = min(step.seconds for _, step, *_ in fitting)
        raise ValueError(
            f"within={within!r}: no plan takes a step of {name} in {units.si(limit, 's')}; the "
            f"fastest takes {units.si(fastest, 's')}"
        )
    best = min(inside, key=lambda one: _order(cluster, objective, work, *one[:2]))
    chosen, step, _, memory = best
    return ParallelPlan(
        name=name,
        shape=shape,
        cluster=cluster,
        objective=objective,
        phase=phase,
        work=work,
        degrees=chosen,
        step=step,
        memory=memory,
        bound=_bound(pricer, work, objective, [one[0] for one in inside]),
        alternatives=_table(cluster, objective, work, tried),
    )


def _trained(
    shape: DecoderShape, cluster: Cluster, objective: str, training: Training | None
) -> TrainingPlan:
    if training is None:
        raise TypeError(
            "phase='training' needs training=, such as pimlab.cluster.Training(sequences=64, "
            "tokens=2048, bandwidth='1.3 TB/s')"
        )
    if objective not in ("latency", "throughput"):
        raise ValueError(
            f"objective={objective!r} of phase='training' is not offered; allowed: 'latency', "
            "'throughput' (the fastest step has both)"
        )
    return best_training(shape, cluster, training)


def _check_mixed(cluster: Cluster, objective: str, attention: str, degrees: dict[str, int]) -> None:
    _check_cluster(cluster, objective)
    if degrees or attention != "heads":
        words = ", ".join([*degrees, *(["attention"] if attention != "heads" else [])])
        raise TypeError(
            f"parallelise: {words} cannot be kept where racks have different machines; write a "
            "Cluster without beside="
        )


def _check_both(
    cluster: Cluster, objective: str, arrangement: str | None, degrees: dict[str, int]
) -> None:
    _check_cluster(cluster, objective)
    if arrangement is not None and arrangement not in ARRANGEMENTS:
        raise ValueError(unknown("arrangement", arrangement, ARRANGEMENTS))
    if degrees:
        raise TypeError(
            f"parallelise: {', '.join(degrees)} cannot be kept with phase='both'; plan 'prefill' "
            "and 'decode' each with its own degrees"
        )


def _requests(shape: DecoderShape, batch: int, context: int | None, output: int | None) -> Requests:
    if output is None:
        raise TypeError("phase='both' needs output=, the tokens that each request wants decoded")
    length = _work(shape, batch, context, "decode").context
    if not is_integer(output) or not 1 <= output < length:
        raise ValueError(
            f"output={output!r} is outside 1..{length - 1}; the rest of context={length} is prompt"
        )
    return Requests(batch, length - output, output)


Tried = tuple[Degrees, Step, bool, tuple[Held, ...]]


def _shape(model: Any) -> tuple[DecoderShape, str]:
    shape = model if isinstance(model, DecoderShape) else getattr(model, "shape", None)
    if not isinstance(shape, DecoderShape):
        raise TypeError(
            f"parallelise: model={getattr(model, 'name', model)!r:.60} has no decoder shape; write "
            "for example pimlab.load_model('llama2-70b')"
        )
    if shape.window is not None:
        raise ValueError(
            f"parallelise: layers that look at the last window={shape.window} tokens alone are not "
            "cut over chips; allowed: models whose layers are equal"
        )
    return shape, getattr(model, "name", "the model")


def _work(shape: DecoderShape, batch: int, context: int | None, phase: str) -> Work:
    if phase not in PHASES:
        raise ValueError(unknown("phase", phase, (*PHASES, "both", "training")))
    length = shape.context if context is None else context
    if isinstance(length, int) and length > shape.context:
        raise ValueError(
            f"context={length} is outside 1..{shape.context}, what the model was trained for"
        )
    work = Work(batch=batch, context=length)
    return work.but(queries=work.context) if phase == "prefill" else work


def _check_cluster(cluster: Cluster, objective: str) -> None:
    if not isinstance(cluster, Cluster):
        raise TypeError(
            f"parallelise: cluster={cluster!r:.60} is not a Cluster; write for example "
            "pimlab.Cluster(chip=pimlab.target('rngd'), chips=8, link=pimlab.link('pcie5-x16'))"
        )
    if objective not in OBJECTIVES:
        raise ValueError(unknown("objective", objective, OBJECTIVES))
    if objective == "cost" and any(rack.price is None for rack in cluster.racks):
        raise ValueError("objective='cost' needs the price of a chip: Cluster(price=...) an hour")


def _check(
    shape: DecoderShape, cluster: Cluster, work: Work, objective: str, degrees: dict[str, int]
) -> None:
    _check_cluster(cluster, objective)
    for name in degrees:
        if name not in DEGREES:
            raise TypeError(unknown("parallelise: degree", name, DEGREES))
    given = Degrees().but(**{name: n for name, n in degrees.items() if name != "expert"})
    check_tensor(shape, given.tensor)
    if "expert" in degrees:
        check_expert(shape, given.tensor, degrees["expert"])
    if shape.layers % given.pipeline:
        allowed = [p for p in range(1, shape.layers + 1) if shape.layers % p == 0]
        raise ValueError(
            f"pipeline={given.pipeline} does not divide {shape.layers} layers; allowed: "
            f"{', '.join(map(str, allowed))}"
        )
    if given.chips > cluster.chips:
        raise ValueError(f"{given} needs {given.chips} chips; the cluster has {cluster.chips}")
    if given.data * given.microbatches > work.batch:
        raise ValueError(
            f"data={given.data} x microbatches={given.microbatches} is more than batch={work.batch}"
        )


def _tried(pricer: Pricer, work: Work, degrees: Iterator[Degrees]) -> list[Tried]:
    found: list[Tried] = []
    sizes: dict[tuple[object, ...], tuple[Held, ...]] = {}
    for one in degrees:
        part = part_of(work, one)
        step = pricer.step(work, one)
        key = part, one.tensor, max(step.layers), one.microbatches, one.pipeline == 1
        if key not in sizes:
            sizes[key] = fullest(pricer.shape, pricer.rack, part, one, max(step.layers))
        memory = sizes[key]
        found.append((one, step, fits(memory), memory))
    return found


def _value(cluster: Cluster, objective: str, work: Work, degrees: Degrees, step: Step) -> float:
    if objective == "latency":
        return step.seconds
    if objective == "throughput":
        return work.tokens / step.seconds
    if objective == "energy":
        return step.joules / work.tokens
    return price_a_token(cluster, degrees, step, work.tokens)


def _order(
    cluster: Cluster, objective: str, work: Work, degrees: Degrees, step: Step
) -> tuple[float, ...]:
    """What the best plan is the least of; of equal ones that with the fewest chips."""
    value = _value(cluster, objective, work, degrees, step)
    sign = -1 if objective == "throughput" else 1
    return (sign * value, degrees.chips, degrees.tensor, degrees.pipeline, degrees.microbatches)


def _bound(pricer: Pricer, work: Work, objective: str, degrees: list[Degrees]) -> float:
    """The best objective of the same plans if links took neither time nor energy."""
    rack = free(pricer.rack)
    ideal = Pricer(pricer.shape, rack, like=pricer)
    steps = [(one, ideal.step(work, one)) for one in degrees]
    best = min(steps, key=lambda pair: _order(rack, objective, work, *pair))
    return _value(rack, objective, work, *best)


def _table(cluster: Cluster, objective: str, work: Work, tried: list[Tried]) -> Any:
    import xarray as xr

    ordered = sorted(
        tried, key=lambda one: (not one[2], _order(cluster, objective, work, one[0], one[1]))
    )
    rows = [[_value(cluster, name, work, d, s) for name in STEP] for d, s, *_ in ordered]
    values = objectives("plan", rows, STEP)
    shares = [max(np.nan_to_num(m.share) for m in memory) for *_, memory in ordered]
    values["occupancy"] = result.variable(
        "occupancy", "plan", shares, meaning="share of the fullest memory of a chip that is taken"
    )
    values["fits"] = ("plan", [fitting for _, _, fitting, _ in ordered], {"units": "1"})
    degrees = {name: ("plan", [getattr(d, name) for d, *_ in ordered]) for name in DEGREES}
    return result.finished(xr.Dataset(values, coords=degrees), cluster.cited)
