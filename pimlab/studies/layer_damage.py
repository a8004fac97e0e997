"""Which layers of a model suffer most on a coarse machine, and which of them should its host
multiply instead?
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np

from pimlab.machine.protocol import MacOp
from pimlab.plan import Plan
from pimlab.plan.costs import costs
from pimlab.studies.execution import Execution
from pimlab.studies.run import calibrations
from pimlab.workload.transform.outliers import OutlierAware

PROBED = 4
"""Samples on which the damage of a layer is measured: each costs an execution of the model a
layer, and damages of the recogniser `ocr` span four orders of magnitude."""


def movable(plan: Plan) -> list[str]:
    """Operators with constant weights that do not run on the last machine of `plan`, its host,
    although it serves them.
    """
    host = plan.machines[-1]
    return [
        op.name
        for op in plan.model.mac_ops
        if op.kind == "weights" and plan.owners[op.name] != host.name and host.serves(op)
    ]


def hosted(plan: Plan, names: Any) -> Plan:
    """`plan` with the operators of those names on its last machine."""
    return plan.but(owners={**plan.owners, **dict.fromkeys(names, plan.machines[-1].name)})


def damages(plan: Plan, data: Any, at: float, seed: int) -> dict[str, float]:
    """Operator -> squared change of the model's outputs, over their square, with this operator
    alone on its machine and all others exact (unit 1). Times in seconds [s].

    The cells are those of `seed`; another set of cells can damage a layer several times as much or
    as little (45 times in one layer of `ocr`).
    """
    model = _unfinished(plan.model)
    samples = data.inputs[: min(PROBED, len(data))]
    execution = Execution(plan, calibrations(plan, data, "minmax"), seed)
    exact = np.asarray(model.execute(samples, model.exact), np.float64)
    power = float(np.mean(np.square(exact))) or 1.0

    def change(name: str) -> float:
        def multiply(op: MacOp, x: np.ndarray, w: np.ndarray | None, row: int) -> np.ndarray:
            if op.name != name:
                return model.exact(op, x, w, row)
            return execution.product(op, x, w, row, at)

        return float(np.mean(np.square(model.execute(samples, multiply) - exact))) / power

    return {name: change(name) for name in movable(plan)}


def by_worth(plan: Plan, damage: Mapping[str, float]) -> list[str]:
    """Operators of `damage`, those first that the host should multiply first: where that saves
    energy, the most damaged; then by damage taken away for each joule added.
    """
    added = _added(plan, list(damage))
    free = sorted((name for name in damage if added[name] <= 0), key=lambda name: -damage[name])
    paid = sorted(
        (name for name in damage if added[name] > 0), key=lambda name: -damage[name] / added[name]
    )
    return [*free, *paid]


def _added(plan: Plan, names: list[str]) -> dict[str, float]:
    """Joules [J] an inference that the plan takes more with each operator alone on the host, static
    power over the time that changes included.
    """
    before = float(costs(plan).energy.sum())
    return {name: float(costs(hosted(plan, [name])).energy.sum()) - before for name in names}


def _unfinished(model: Any) -> Any:
    """The model with its outputs as they leave the graph: scores, not the characters chosen by
    them, which small changes leave alone.
    """
    bare = copy.copy(model)
    if getattr(bare, "finish", None) is not None:
        bare.finish = None
    if isinstance(bare, OutlierAware):
        bare.model = _unfinished(bare.model)
    return bare
