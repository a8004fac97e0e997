"""Why is the accuracy what it is? Each non-ideality of a machine alone, taken away, and added one
after another.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from pimlab import units
from pimlab.arguments import named
from pimlab.keys import as_key
from pimlab.machine.protocol import Target
from pimlab.plan import Plan, planned, with_chips
from pimlab.plan.capacity import NEEDED
from pimlab.result import finished, variable
from pimlab.studies.execution import Execution
from pimlab.studies.interrupted import going_on
from pimlab.studies.run import attributes, calibrations, checked, score
from pimlab.values import truth


@named
def explain(
    model: Any,
    target: Target | Plan,
    data: Any,
    *,
    at: str | float = 0.0,
    seed: int = 0,
    rule: str = "minmax",
    chunk: int = 250,
    shapley: bool = False,
) -> xr.Dataset:
    """Which non-ideality costs how much accuracy: `causes` of the machine or plan, one at a time.

    Arguments and errors as in `run`; every variant reads the same random numbers, so differences
    are paired.
    Variables (with the metric's name, say accuracy, and _low and _high, the 95 % interval over
    samples): accuracy (step): ideal, then the causes added one after another in the machine's order
    (a waterfall); accuracy_alone (cause): only that cause; accuracy_without (cause): all but that
    cause.
    A waterfall depends on the order of its steps. With `shapley`, three answers that do not are
    added, changes of the metric (unit: that of the metric), for at most eight causes:
    accuracy_first (cause), what the cause changes where it is the first; accuracy_last (cause),
    where it is the last; accuracy_shapley (cause), its mean change over all orders (Shapley 1953),
    whose sum is the change by all causes together. Sweep over `seed` for intervals:
    `pim.plot.causes` draws them. Ctrl-C keeps the variants that are finished: the same call goes on
    from there.

    >>> model, data = pim.load_model("digits-mlp"), pim.load_data("digits", limit=50)
    >>> story = pim.explain(model, pim.target("pcm-hermes"), data)
    >>> story.step.values.tolist()
    ['ideal', '+ dac', '+ programming', '+ drift', '+ read noise', '+ adc']
    """
    if data is None:
        raise TypeError(
            "data=None is no data; write for example pimlab.load_data('digits', split='test')"
        )
    checked(model, target, data, chunk)
    shapley = truth("explain shapley", shapley)
    plan = with_chips(planned(model, target), NEEDED)
    time, number = units.seconds(at), as_key(seed).seed
    ranges = calibrations(plan, data, rule)

    def with_only(causes: tuple[str, ...]) -> xr.Dataset:
        scored = score(Execution(plan.with_causes(causes), ranges, number), data, time, chunk)
        return scored.drop_dims("overrun").drop_vars("layer")

    names = plan.causes
    wanted = (
        {names[:i] for i in range(len(names) + 1)}
        | {(n,) for n in names}
        | {tuple(m for m in names if m != n) for n in names}
        | (set(_subsets(names)) if shapley else set())
    )
    about, what = attributes(plan, data, seed, rule), f"explain {model.name} on {plan.name}"
    with going_on((about, time), what, len(wanted), "variant") as (known, bar):
        for causes in sorted(wanted - set(known), key=lambda c: (len(c), c)):
            known[causes] = with_only(causes)
            bar.step()
    steps = _stack(
        [known[names[:i]] for i in range(len(names) + 1)],
        "step",
        ("ideal", *(f"+ {name}" for name in names)),
    )
    parts = [steps]
    if names:
        parts += [
            _stack([known[(name,)] for name in names], "cause", names, "_alone"),
            _stack(
                [known[tuple(m for m in names if m != name)] for name in names],
                "cause",
                names,
                "_without",
            ),
        ]
    if names and shapley:
        parts.append(_changes(known, names, data.metric.name))
    answer = xr.merge(parts, combine_attrs="override").assign_coords(
        at=variable("at", (), time), target=plan.name, model=model.name, seed=number
    )
    return finished(answer.assign_attrs(about), plan.cited)


MOST_CAUSES = 8
"""Causes whose subsets are all computed: 256 runs."""


def _subsets(names: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Every subset of the causes, in the machine's order."""
    if len(names) > MOST_CAUSES:
        raise ValueError(
            f"shapley=True with {len(names)} causes takes {2 ** len(names)} runs; allowed: up to "
            f"{MOST_CAUSES} causes, such as target.with_causes({names[:3]})"
        )
    every = range(len(names) + 1)
    return [subset for size in every for subset in itertools.combinations(names, size)]


def _changes(
    known: Mapping[tuple[str, ...], xr.Dataset], names: tuple[str, ...], metric: str
) -> xr.Dataset:
    """What each cause changes as the first, as the last, and in the mean over all orders."""
    value = {causes: float(scored[metric]) for causes, scored in known.items()}
    found: dict[str, list[float]] = {"first": [], "last": [], "shapley": []}
    for name in names:
        others = [subset for subset in _subsets(names) if name not in subset]
        gains = {
            subset: value[tuple(n for n in names if n in subset or n == name)] - value[subset]
            for subset in others
        }
        found["first"].append(gains[()])
        found["last"].append(gains[tuple(n for n in names if n != name)])
        count = len(names)
        found["shapley"].append(
            sum(gain / (count * math.comb(count - 1, len(s))) for s, gain in gains.items())
        )
    meaning = {"first": "as the first", "last": "as the last", "shapley": "mean over all orders"}
    return xr.Dataset(
        {
            f"{metric}_{kind}": (
                "cause",
                values,
                {"units": "1", "long_name": f"change of {metric} by the cause, {meaning[kind]}"},
            )
            for kind, values in found.items()
        },
        coords={"cause": np.array(names, dtype=object)},
    )


def _stack(
    rows: list[xr.Dataset], dim: str, labels: tuple[str, ...], suffix: str = ""
) -> xr.Dataset:
    stacked = xr.concat(rows, dim).assign_coords({dim: (dim, np.array(labels, dtype=object))})
    return stacked.rename({name: _with(suffix, str(name)) for name in stacked.data_vars})


def _with(suffix: str, name: str) -> str:
    for end in ("_low", "_high"):
        if name.endswith(end):
            return name.removesuffix(end) + suffix + end
    return name + suffix
