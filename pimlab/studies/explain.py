"""Why is the accuracy what it is? Each non-ideality of a machine alone, taken away, and added one
after another.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from pimlab import units
from pimlab.keys import as_key
from pimlab.machine.protocol import Target
from pimlab.plan import Plan, planned, with_chips
from pimlab.plan.capacity import NEEDED
from pimlab.result import finished, variable
from pimlab.studies.execution import Execution
from pimlab.studies.run import attributes, calibrations, checked, score


def explain(
    model: Any,
    target: Target | Plan,
    data: Any,
    *,
    at: str | float = 0.0,
    seed: int = 0,
    rule: str = "minmax",
    chunk: int = 250,
) -> xr.Dataset:
    """Which non-ideality costs how much accuracy: `causes` of the machine or plan, one at a time.

    Arguments and errors as in `run`; every variant reads the same random numbers, so differences
    are paired.
    Variables (with the metric's name, say accuracy, and _low and _high, the 95 % interval over
    samples): accuracy (step): ideal, then the causes added one after another in the machine's order
    (a waterfall); accuracy_alone (cause): only that cause; accuracy_without (cause): all but that
    cause.

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
    plan = with_chips(planned(model, target), NEEDED)
    time, number = units.seconds(at), as_key(seed).seed
    ranges = calibrations(plan, data, rule)

    def with_only(causes: tuple[str, ...]) -> xr.Dataset:
        scored = score(Execution(plan.with_causes(causes), ranges, number), data, time, chunk)
        return scored.drop_dims("overrun").drop_vars("layer")

    names, known = plan.causes, {}
    wanted = (
        {names[:i] for i in range(len(names) + 1)}
        | {(n,) for n in names}
        | {tuple(m for m in names if m != n) for n in names}
    )
    known = {causes: with_only(causes) for causes in sorted(wanted, key=lambda c: (len(c), c))}
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
    answer = xr.merge(parts, combine_attrs="override").assign_coords(
        at=variable("at", (), time), target=plan.name, model=model.name, seed=number
    )
    return finished(answer.assign_attrs(attributes(plan, data, seed, rule)), plan.cited)


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
