"""What is the best placement, and how far can it be from the best there is? Bound and search.

The bound comes first. Walks over neighbourhoods then give a placement at once, even where most
machines are not joined: the largest flow with a walk is found by bisection. What is better is
looked for from the bound downwards: chains of stages that carry the flow as far as rates go, and
machines assigned to their places so that links carry it. One flow that is not reached says nothing
of the next lower one (the assignment is a local search), so the search goes down in steps, and
again in smaller ones, until the gap or the time is used up.
"""

from __future__ import annotations

import itertools
import time

import numpy as np

from pimlab.arguments import typed
from pimlab.cluster.placement.assignment import assigned
from pimlab.cluster.placement.bound import upper_bound
from pimlab.cluster.placement.chains import chains, groups
from pimlab.cluster.placement.problem import LayerPlacement, Placed
from pimlab.cluster.placement.walks import walk

PROVED = 1e-5
"""Gap below which a placement counts as proved optimal."""
FIRST = 0.02
"""Step by which the wanted flow falls at first, relative; a quarter of it whenever it has met the
best placement known.
"""
LEAST = 1e-3
"""Share of the bound below which no placement is looked for."""
CHAINS = 12
"""Chains that are tried for one flow."""
WALKS = 16
"""Flows for which a walk over neighbourhoods is looked for at most."""


@typed
def solve(
    problem: LayerPlacement, *, seed: int = 0, gap: float = PROVED, limit: float = 100.0
) -> Placed:
    """The best placement found, with a proved bound.

    gap : relative gap at which the search stops.  limit : seconds [s] after which it stops.
    Raises ValueError where the machines cannot hold all layers at all.
    """
    start, rng = time.perf_counter(), np.random.default_rng(seed)
    most = sum(max(held) for held in problem.rates.values())
    for name, value in (("gap", gap), ("limit", limit)):
        if not value >= 0:
            raise ValueError(f"solve {name}={value!r}; allowed: a number, 0 or more")
    if most < problem.layers:
        raise ValueError(
            f"the machines hold {most} layers at most, the model has {problem.layers}: "
            f"{problem.layers - most} too few"
        )
    bound = upper_bound(problem)
    best, step = _walked(problem, bound, gap, rng), FIRST
    wanted = bound * (1 - 1e-7)
    while best.gap > gap and time.perf_counter() - start < limit:
        best = max(best, _tried(problem, wanted, best, rng, start + limit), key=_value)
        wanted *= 1 - step
        if wanted < max(best.value, bound * LEAST):
            if not best.value or step < gap:
                break
            step, wanted = step / 4, bound * (1 - 1e-7)
            wanted = min(wanted, best.value * (1 + 8 * step))
    return best._replace(seconds=time.perf_counter() - start)


def _walked(problem: LayerPlacement, bound: float, gap: float, rng: np.random.Generator) -> Placed:
    """The best placement that a walk over neighbourhoods gives, by bisection between 0 and the
    bound.
    """
    best, high = Placed(0.0, bound, {}, {}, 0.0), bound
    wanted = bound * (1 - 1e-7)
    for _ in range(WALKS):
        found = walk(problem, wanted)
        if found is None:
            high = wanted
        else:
            value, runs, links = assigned(problem, *found, wanted, rng)
            best = max(best, Placed(value, bound, runs, links, 0.0), key=_value)
        if high <= best.value * (1 + max(gap, LEAST)):
            break
        wanted = (best.value + high) / 2
    return best


def _value(placed: Placed) -> float:
    return placed.value


def _tried(
    problem: LayerPlacement, flow: float, known: Placed, rng: np.random.Generator, until: float
) -> Placed:
    """The best placement among the chains that should carry `flow`, or `known` if it is better."""
    parts, best = groups(problem, flow), known
    for chain in itertools.islice(chains(problem, flow), CHAINS):
        value, runs, links = assigned(problem, chain, parts, flow, rng)
        if value > best.value:
            best = Placed(value, known.bound, runs, links, 0.0)
        if value >= flow * (1 - 1e-9) or time.perf_counter() > until:
            break
    return best
