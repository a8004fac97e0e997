"""Is the plan of the integer programs the best of all, by trying all of them?"""

import itertools
import math
from types import SimpleNamespace

import pytest
from cluster_examples import EXPERTS, LINK, SMALL, Clock, cluster
from mixed_examples import WORK, Looker, racks

import pimlab as pim
from pimlab.cluster import Work
from pimlab.cluster.mixed import grids
from pimlab.cluster.mixed_search import TOLERANCE, Box, Chosen, Program, search
from pimlab.cluster.options import ROLES, Stages, options
from pimlab.cluster.steps import Pricer

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


class Called(Clock):
    """A clock whose driver takes a time of its own for each part of the batch."""

    call: float = 3e-6


@pytest.mark.parametrize("machine", [Clock(), Called(name="called")])
@pytest.mark.parametrize("given", [{"batch": 5}, {"batch": 3, "phase": "prefill"}])
@pytest.mark.parametrize("shape", [SMALL, EXPERTS])
def test_experts_calls_and_odd_batches_are_those_of_equal_chips(machine, given, shape):
    rack = cluster(4, machine=machine)
    plan = pim.parallelise(shape, rack, context=64, **given)
    queries = 64 if "phase" in given else 1
    work = Work(batch=given["batch"], context=64, queries=queries)
    best = search(grids(shape, rack, work), "latency", math.inf).best
    assert best.seconds <= plan.latency / (1 - TOLERANCE)
    assert best.seconds >= 0.9 * plan.latency  # parts of every size, not of powers of two alone
    assert best.on.passes == math.ceil(given["batch"] / best.on.part.batch)


def test_every_size_of_part_and_number_of_replicas_is_searched():
    """Ten sequences: parts of 10, 5, 4, 3, 2, 1 on one replica; 4, 2, 1 on three, of which the
    largest leaves one replica with half a part.
    """
    found = grids(SMALL, racks(3, 1), WORK.but(batch=10))
    sizes = {r: [on.part.batch for on in found if on.replicas == r] for r in (1, 2, 3)}
    assert sizes == {1: [1, 2, 3, 4, 5, 10], 2: [1, 2, 3, 5], 3: [1, 2, 4]}
    last = found[-1]
    assert (last.passes, last.microbatches) == (3, 1)


def test_a_batch_that_does_not_come_out_even_is_cut_all_the_same():
    """Three sequences, two chips, slow links: two replicas, the busier of which has two."""
    rack = cluster(2).but(link=LINK.but(delay="10 ms"))
    best, one = (
        search(grids(SMALL, rack, WORK.but(batch=n)), "latency", math.inf).best for n in (3, 1)
    )
    assert best.on.replicas == 2
    assert best.seconds == pytest.approx(2 * one.seconds)


def test_experts_are_dealt_out_where_sending_tokens_is_faster():
    """One expert a token: two all-to-alls carry less than the sum of all tokens."""
    shape, rack = EXPERTS.but(active=1), cluster(4).but(link=LINK.but(delay="0 s"))
    on = Stages(shape, rack, Work(batch=64, context=64), 1, 1, 1)
    found = [one for one in options(on) if one.tensor == 4]
    assert all(one.degrees.expert > 1 for one in found)
    pricer, cut = Pricer(shape, rack), found[0].degrees
    inside = pricer.within_layer(on.part, cut, 2.0)
    chip = pricer.chip(on.part, cut, shape.layers)
    assert found[0].layer.seconds == pytest.approx(chip.layer.seconds + inside[0])


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


def test_a_narrow_box_is_halved_until_its_sides_agree():
    """Down to a quarter of the tolerance, not to a ratio of two."""
    program = SimpleNamespace(on=SimpleNamespace(microbatches=2), objective="energy")
    one, two = Program.halves(program, Box((1.0, 1.5), (1.0, 1.0)))
    assert one.beat == (1.0, math.sqrt(1.5))
    assert two.beat == (math.sqrt(1.5), 1.5)
    narrow = 1 + TOLERANCE / 8
    assert not list(Program.halves(program, Box((1.0, narrow), (1.0, narrow))))
