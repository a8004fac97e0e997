"""Do the costs of a plan add up to what its machines say of each operator?"""

import numpy as np
import pytest

import pimlab as pim
from pimlab.cost import price
from pimlab.plan import planned
from pimlab.plan.costs import costs, static

MODEL = pim.load_model("digits-mlp")


@pytest.mark.parametrize("name", ["warboy", "gddr6-aim", "pcm-hermes"])
def test_events_and_seconds_are_those_of_the_owner(name):
    plan = planned(MODEL, pim.target(name))
    answer = costs(plan)
    for op in plan.operators:
        machine = plan.machine(op)
        row = answer.sel(layer=op.name)
        counted = {k: v for k, v in row.events.to_series().items() if v}
        assert counted == {k: v for k, v in plan.counts(op).items() if v}
        assert float(row.latency) == pytest.approx(sum(plan.phases(op).values()))
        assert str(row.executor.item()) == machine.name


def test_static_layers_charge_the_whole_time_of_every_machine():
    plan = planned(MODEL, pim.target("pcm-hermes"))
    answer = costs(plan, seconds=0.5)
    for machine in plan.placed.values():
        row = answer.energy.sel(layer=f"static {machine.name}").sum("component")
        assert float(row) == pytest.approx(sum(static(machine, 0.5).nominal.values()))
        per_second = price(machine.static, machine.prices).nominal
        assert float(row) == pytest.approx(0.5 * sum(per_second.values()))


def test_a_batch_shares_its_joules_and_not_its_events():
    one, four = (costs(planned(MODEL, pim.target("warboy"), batch)) for batch in (1, 4))
    mac = [name for name in one.event.values if name.startswith("mac")]
    assert mac
    np.testing.assert_array_equal(
        4 * one.events.sel(event=mac).sum("layer"), four.events.sel(event=mac).sum("layer")
    )
    assert float(four.energy.sum()) < float(one.energy.sum()), "weights are read once a batch"
    assert int(four.macs.sum()) == int(one.macs.sum()) == MODEL.macs


def test_what_depends_on_values_is_added_to_the_counts():
    plan = planned(MODEL, pim.target("pcm-hermes"))
    first = MODEL.mac_ops[0].name
    event = next(
        iter(
            plan.machine(first)
            .program(MODEL.weights[first][0])
            .integrals(np.ones((1, 64), np.float32))
        )
    )
    more = costs(plan, {first: {event: 1e-3}}).energy.sel(layer=first).sum()
    price_of = plan.prices(plan.owners[first])[event].constant.value
    assert float(more - costs(plan).energy.sel(layer=first).sum()) == pytest.approx(1e-3 * price_of)
