"""What does a step of a plan cost for any batch, context and number of new tokens? A table to serve
from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pimlab import result
from pimlab.arguments import typed
from pimlab.cluster.capacity import fits, fullest
from pimlab.cluster.cluster import Cluster
from pimlab.cluster.shards import Work
from pimlab.cluster.steps import Degrees, Pricer, part_of
from pimlab.workload.language.shape import DecoderShape

MEANINGS = {
    "latency": "time of one step of the batch",
    "attention_latency": "time of a step in products with the cache and their softmax",
    "energy": "energy of one step, static power of every chip included",
    "energy_low": "energy of one step",
    "energy_high": "energy of one step",
    "attention_energy": "energy of a step in products with the cache, without static power",
    "assumed_share": "share of the energy of a step that rests on assumed prices",
    "occupancy": "share of the fullest memory of a chip that is taken",
}
_UNITS = {"attention_latency": "s", "attention_energy": "J"}


@typed
def step_costs(
    shape: DecoderShape,
    cluster: Cluster,
    degrees: Degrees,
    *,
    batch: Sequence[int],
    context: Sequence[int],
    queries: Sequence[int] = (1,),
) -> Any:
    """Dataset over (batch, context, queries) of one step in which each of `batch` sequences brings
    `queries` new tokens (1: it decodes) and looks back on `context` tokens, the new ones included.

    latency, attention_latency : s.  energy with _low and _high, attention_energy : J a step.
    assumed_share, occupancy : shares.  fits : whether every memory holds it.  Where queries is more
    than context all is NaN. What is not attention depends on batch x queries alone, so a step that
    mixes prompts with decoding costs the rest of all its tokens and the attention of each part.

    Raises ValueError for an empty list, a count below 1, a context beyond the model's. Units: s and
    J.
    """
    import xarray as xr

    axes = {"batch": batch, "context": context, "queries": queries}
    for name, values in axes.items():
        if len(values) == 0:
            raise ValueError(f"step_costs {name}={values!r} is empty; allowed: one number or more")
    if max(context) > shape.context:
        raise ValueError(
            f"context={max(context)} is outside 1..{shape.context}, what the model was trained for"
        )
    pricer, sizes = Pricer(shape, cluster), tuple(len(values) for values in axes.values())
    cells = np.full((len(MEANINGS), *sizes), np.nan)
    fitting = np.zeros(sizes, dtype=bool)
    for place in np.ndindex(*sizes):
        sequences, length, new = (values[i] for values, i in zip(axes.values(), place, strict=True))
        if new <= length:
            work = Work(batch=sequences, context=length, queries=new)
            cells[(slice(None), *place)], fitting[place] = _cell(pricer, work, degrees)
    dims = tuple(axes)
    table: dict[str, Any] = {
        name: (dims, cells[i], result.attrs(name, meaning=text, unit=_UNITS.get(name)))
        for i, (name, text) in enumerate(MEANINGS.items())
    }
    table["fits"] = (dims, fitting, {"units": "1", "long_name": "whether every memory holds it"})
    answer = xr.Dataset(table, coords={name: list(values) for name, values in axes.items()})
    return result.finished(answer, cluster.cited)


def _cell(pricer: Pricer, work: Work, degrees: Degrees) -> tuple[list[float], bool]:
    step, part = pricer.step(work, degrees), part_of(work, degrees)
    memory = fullest(pricer.shape, pricer.rack, part, degrees, max(step.layers))
    energy = step.energy
    share = energy.assumed / energy.nominal if energy.nominal else 0.0
    taken = max(float(np.nan_to_num(one.share)) for one in memory)
    numbers = [step.seconds, step.attention, energy.nominal, energy.low, energy.high]
    return [*numbers, step.attention_joules, share, taken], fits(memory)
