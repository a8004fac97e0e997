"""Is a placement with links by edges and a shared DRAM the cheapest of all placements?"""

import itertools

import numpy as np
import pytest

import pimlab as pim
from pimlab.machine.links import link
from pimlab.plan import Plan
from pimlab.plan.costs import costs
from pimlab.plan.neighbours import Neighbours
from pimlab.studies.place import place

RNG = np.random.default_rng(11)


def drawn(operators=6, machines=2, shared=(0, 1)):
    """A random graph of operators in order, with random costs of everything."""
    makers = [
        frozenset(int(k) for k in RNG.choice(i, RNG.integers(0, min(i, 3) + 1), replace=False))
        for i in range(operators)
    ]
    makers[-1] = makers[-2]  # two that read the same
    readers = [frozenset(r for r in range(operators) if i in makers[r]) for i in range(operators)]
    given = np.full(machines, np.nan)
    for j in shared:
        given[j] = RNG.random() * j
    return RNG.random((operators, machines)), Neighbours(
        order=range(operators),
        makers=makers,
        readers=readers,
        there=RNG.random((operators, machines)) * [0, *[1] * (machines - 1)],
        back=RNG.random((operators, machines)) * [0, *[1] * (machines - 1)],
        given=given,
    )


def written_out(cost, near, placed):
    """The sums of a placement, as a plan charges them."""
    total, come = 0.0, set()
    for i, j in enumerate(placed):
        total += cost[i, j]
        makers, readers = near.makers[i], near.readers[i]
        inside = makers and all(placed[k] == j for k in makers)
        if not makers or (not inside and (j, makers) not in come):
            total += near.there[i, j]
        come.add((j, makers))
        if not readers or any(placed[r] != j for r in readers):
            total += near.back[i, j]
    mine = [j for j in placed if np.isfinite(near.given[j])]
    for last, j in zip([*mine[-1:], *mine[:-1]], mine, strict=True):
        total += near.given[j] * (last != j)
    return total


@pytest.mark.parametrize("turn", range(20))
@pytest.mark.parametrize(("machines", "shared"), [(2, (0, 1)), (2, ()), (3, (0, 2))])
def test_nothing_is_cheaper_than_what_is_found(turn, machines, shared):
    cost, near = drawn(machines=machines, shared=shared)
    total, placed = near.cheapest(cost)
    every = itertools.product(range(machines), repeat=len(cost))
    assert total == pytest.approx(min(written_out(cost, near, one) for one in every))
    assert written_out(cost, near, placed) == pytest.approx(total)


def test_an_operator_without_a_machine_has_no_placement():
    cost, near = drawn()
    cost[2] = np.inf
    assert near.cheapest(cost) is None


@pytest.mark.parametrize("objective", ["energy", "latency"])
@pytest.mark.parametrize("shared", [(), ("warboy", "gddr6-aim")])
def test_a_placement_is_the_cheapest_plan_of_all(objective, shared):
    model, npu = pim.load_model("digits-mlp"), pim.target("warboy")
    banks = pim.target("gddr6-aim")
    links = {} if shared else {"gddr6-aim": link("cxl")}
    found = place(model, [npu, banks], objective, links=links, shared=shared)
    operators = (*model.mac_ops, *model.vector_ops)
    least = np.inf
    for owners in itertools.product((npu, banks), repeat=len(operators)):
        pairs = list(zip(operators, owners, strict=True))
        if not all(machine.serves(op) for op, machine in pairs):
            continue
        used = [m for m in (npu, banks) if m in owners]
        names = [m.name for m in used]
        plan = Plan(
            model=model,
            machines=used,
            owners={op.name: m.name for op, m in pairs},
            links={name: one for name, one in links.items() if name in names},
            shared=[name for name in shared if name in names],
        )
        least = min(least, float(costs(plan)[objective].sum()))
    assert getattr(found, objective) <= least * (1 + 1e-9)
