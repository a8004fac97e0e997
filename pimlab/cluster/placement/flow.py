"""How many tokens a second does a placement let through? The maximum flow of its network."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pimlab.arguments import typed
from pimlab.cluster.placement.problem import LayerPlacement, Run

SOURCE, SINK = "source", "sink"


def edges(problem: LayerPlacement, runs: Mapping[str, Run]) -> dict[tuple[str, str], float]:
    """The links that tokens may take under a placement, with their capacity; ValueError for a run
    that the machine cannot hold or that leaves the model. Unit: tokens a second.
    """
    for name, (start, count) in runs.items():
        if count not in problem.rates[name] or not 0 <= start <= problem.layers - count:
            raise ValueError(
                f"machine {name!r} cannot hold {count} layers from layer {start} of "
                f"{problem.layers}"
            )
    found = {
        (SOURCE, name): capacity
        for name, capacity in problem.source.items()
        if name in runs and runs[name][0] == 0
    }
    found |= {
        (name, SINK): capacity
        for name, capacity in problem.sink.items()
        if name in runs and sum(runs[name]) == problem.layers
    }
    for (giver, taker), capacity in problem.links.items():
        if giver in runs and taker in runs and problem.follows(runs[giver], runs[taker]):
            found[giver, taker] = capacity
    return found


@typed
def maximum_flow(
    problem: LayerPlacement, runs: Mapping[str, Run]
) -> tuple[float, dict[tuple[str, str], float]]:
    """(tokens a second, flow of every link) of a placement: a linear programme, solved by HiGHS.
    Flows in the unit tokens a second.
    """
    from scipy.optimize import linprog

    links = edges(problem, runs)
    names = [*runs]
    places = {name: i for i, name in enumerate(names)}
    balance = np.zeros((len(names), len(links)))
    inflow = np.zeros_like(balance)
    for column, (start, end) in enumerate(links):
        if start != SOURCE:
            balance[places[start], column] -= 1
        if end != SINK:
            balance[places[end], column] += 1
            inflow[places[end], column] = 1
    if not links:
        return 0.0, {}
    answer = linprog(
        [-1.0 if start == SOURCE else 0.0 for start, _ in links],
        A_ub=inflow,
        b_ub=[problem.rates[name][runs[name][1]] for name in names],
        A_eq=balance,
        b_eq=np.zeros(len(names)),
        bounds=[(0, capacity) for capacity in links.values()],
        method="highs",
    )
    flow = {pair: float(x) for pair, x in zip(links, answer.x, strict=True) if x > 1e-9}
    return float(-answer.fun), flow
