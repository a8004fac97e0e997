"""Is every cell of the table of steps the step it names, and does a mixed step add up?"""

import numpy as np
import pytest
from cluster_examples import SMALL, cluster

import pimlab as pim
from pimlab.cluster import Degrees, Work, step_costs
from pimlab.cluster.steps import Pricer

DEGREES = Degrees(tensor=2, pipeline=3)


def table(**other):
    given = {"batch": [1, 4], "context": [16, 64], "queries": [1, 32], **other}
    return step_costs(SMALL, cluster(8), DEGREES, **given)


def test_a_cell_is_the_step_it_names():
    cell = table().sel(batch=4, context=64, queries=32)
    step = Pricer(SMALL, cluster(8)).step(Work(batch=4, context=64, queries=32), DEGREES)
    assert float(cell.latency) == step.seconds
    assert float(cell.energy) == pytest.approx(step.joules)
    assert 0 < float(cell.attention_latency) < step.seconds
    assert cell.energy_low <= cell.energy <= cell.energy_high
    assert np.isnan(table().latency.sel(context=16, queries=32)).all()


def test_what_is_no_attention_depends_on_the_tokens_alone():
    rest = (lambda t: t.latency - t.attention_latency)(
        step_costs(SMALL, cluster(1), Degrees(), batch=[1, 8], context=[16, 128], queries=[1, 8])
    )
    assert float(rest.sel(batch=8, context=16, queries=1)) == pytest.approx(
        float(rest.sel(batch=8, context=128, queries=1))
    )
    prompt, tokens = (
        rest.sel(batch=1, context=16, queries=8),
        rest.sel(batch=8, context=16, queries=1),
    )
    heads = 7 * 64 * 96 * 1e-9  # eight last tokens pass the head instead of one
    assert float(tokens - prompt) == pytest.approx(heads)


def test_a_plan_tells_its_own_steps():
    plan = pim.parallelise(SMALL, cluster(8), batch=6, context=64)
    costs = plan.step_costs()
    assert list(costs.batch) == [1, 2, 4, 6]
    assert int(costs.context[-1]) == SMALL.context
    assert float(costs.latency.sel(batch=6, context=64, queries=1)) == plan.latency


def test_fewer_sequences_than_parts_leave_chips_without_work():
    pricer, cut = Pricer(SMALL, cluster(8)), Degrees(data=4, microbatches=2)
    few, one = (pricer.step(Work(batch=n, context=64), cut) for n in (3, 1))
    assert few.dynamic == pytest.approx(3 * one.dynamic)
    assert few.static == pytest.approx(4 * few.seconds)


@pytest.mark.parametrize(
    ("given", "text"),
    [({"batch": []}, "batch=.* is empty"), ({"context": [129]}, "context=129 is outside 1..128")],
)
def test_bad_axes_are_refused_by_name(given, text):
    with pytest.raises(ValueError, match=text):
        table(**given)
