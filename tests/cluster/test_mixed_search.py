"""Is the plan of the integer programs the best of all, by trying all of them?"""

import itertools
import math

import pytest
from cluster_examples import SMALL, cluster
from mixed_examples import WORK, Looker, racks

import pimlab as pim
from pimlab.cluster.mixed import grids
from pimlab.cluster.mixed_search import TOLERANCE, Chosen, Program, search
from pimlab.cluster.options import ROLES, options

SHORT = SMALL.but(layers=3)


def every_plan(on):
    """All ways to cut the layers into stages and to give each a kind that the chips allow."""
    kinds = list(options(on))
    layers = on.shape.layers
    for count in range(1, layers + 1):
        for cuts in itertools.combinations(range(1, layers), count - 1):
            sizes = [b - a for a, b in itertools.pairwise((0, *cuts, layers))]
            for chosen in itertools.product(kinds, repeat=count):
                roles = [ROLES.index((i == 0, i == count - 1)) for i in range(count)]
                if any(n > o.most[r] for n, o, r in zip(sizes, chosen, roles, strict=True)):
                    continue
                one = Chosen(on, tuple(zip(chosen, roles, sizes, strict=True)))
                if all(one.chips(i) <= rack.chips for i, rack in enumerate(on.cluster.racks)):
                    yield one


@pytest.mark.parametrize("objective", ["latency", "energy", "cost"])
@pytest.mark.parametrize("queries", [1, 64])
def test_no_other_plan_is_better(objective, queries):
    mixed = racks(2, 1, held=40_000)
    work = WORK.but(queries=queries)
    answer = search(grids(SHORT, mixed, work), objective, math.inf)
    least = min(one.value(objective) for on in grids(SHORT, mixed, work) for one in every_plan(on))
    assert answer.bound <= least * (1 + 1e-9)
    assert answer.best.value(objective) <= least / (1 - TOLERANCE)


def test_a_bound_on_time_is_kept_and_costs():
    mixed = racks(2, 2)
    free = search(grids(SMALL, mixed, WORK), "energy", math.inf)
    limit = 0.7 * free.best.seconds
    quick = search(grids(SMALL, mixed, WORK), "energy", limit)
    assert quick.best.seconds <= limit
    assert quick.best.energy.nominal >= free.best.energy.nominal
    assert search(grids(SMALL, mixed, WORK), "latency", 1e-9) is None


def test_one_rack_alone_is_the_plan_of_equal_chips():
    rack = cluster(4)
    for given in (WORK, WORK.but(queries=64)):
        phase = "prefill" if given.queries > 1 else "decode"
        plan = pim.parallelise(SMALL, rack, batch=4, context=64, phase=phase)
        best = search(grids(SMALL, rack, given), "latency", math.inf).best
        assert best.seconds == pytest.approx(plan.latency, rel=2 * TOLERANCE)


def test_memory_that_computes_takes_the_attention():
    """Weights are slow there, the cache is quick: the other way round than in the clocks."""
    mixed = racks(4, 4, other=Looker(name="looker", each=1e-6))
    far = mixed.but(between=pim.link("nvlink4"))
    best = search(grids(SMALL, far, WORK.but(context=128)), "latency", math.inf).best
    assert {option.aside for option, *_ in best.stages} == {1}
    assert best.chips(1) > 0


def test_halves_cover_the_box():
    program = Program(grids(SMALL, racks(2, 2), WORK)[1], "energy")
    box = program.box(1.0)
    one, two = program.halves(box)
    assert one.beat[0] == box.beat[0]
    assert {one.seconds[1], two.seconds[1]} <= {box.seconds[1], one.seconds[1]}
    assert two.beat[1] == box.beat[1]
    assert two.seconds[1] == box.seconds[1]
