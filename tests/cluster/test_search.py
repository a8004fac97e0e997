"""Is the plan the best of all, does more never make it worse, and is what cannot be refused by name?"""

import math

import pytest
from cluster_examples import LINK, SMALL, Clock, cluster

import pimlab as pim
from pimlab.cluster import Degrees, MixedPlan, Work
from pimlab.cluster.candidates import candidates
from pimlab.cluster.steps import Pricer

RNGD = pim.Cluster(chip=pim.target("rngd"), chips=8, link=pim.link("pcie5-x16"))


@pytest.mark.parametrize("objective", ["latency", "throughput", "energy", "cost"])
def test_no_other_plan_is_better(objective):
    rack = cluster(6, price=2.0)
    plan = pim.parallelise(SMALL, rack, objective, batch=6, context=64)
    pricer, work = Pricer(SMALL, rack), Work(batch=6, context=64)
    for degrees in candidates(SMALL, 6, work, {}):
        step = pricer.step(work, degrees)
        value = {
            "latency": step.seconds,
            "throughput": 6 / step.seconds,
            "energy": step.joules / 6,
            "cost": 2.0 * degrees.chips * step.seconds / 3600 / 6,
        }[objective]
        worse = plan.value >= value if objective == "throughput" else plan.value <= value
        assert worse or value == pytest.approx(plan.value)


@pytest.mark.parametrize("objective", ["latency", "throughput", "energy"])
def test_more_chips_and_more_memory_never_make_it_worse(objective):
    last = math.inf
    for chips in (1, 2, 4, 8):
        value = pim.parallelise(SMALL, cluster(chips), objective, batch=4, context=64).value
        value = -value if objective == "throughput" else value
        assert value <= last
        last = value
    small, large = (
        pim.parallelise(SMALL, cluster(8, machine=Clock(held=held)), objective, batch=4).value
        for held in (60_000, 600_000)
    )
    assert small <= large if objective == "throughput" else large <= small


def test_the_bound_is_a_bound_and_free_links_reach_it():
    plan = pim.parallelise(SMALL, cluster(8), batch=4, context=64)
    assert plan.bound <= plan.latency
    assert plan.gap == pytest.approx(plan.latency / plan.bound - 1)
    alone = pim.parallelise(SMALL, cluster(1), batch=4, context=64)
    assert alone.gap == 0
    assert alone.degrees == Degrees()


def test_llama_2_70b_is_planned_on_64_chips():
    rack = RNGD.but(chips=64)
    plan = pim.parallelise(pim.load_model("llama2-70b"), rack, batch=64, context=4096)
    assert plan.degrees.chips <= 64
    assert sum(plan.layers) == 80
    assert plan.alternatives.sizes["plan"] > 2000


def test_what_was_tried_is_told_and_why():
    plan = pim.parallelise(pim.load_model("llama2-70b"), RNGD, batch=16, context=4096)
    table = plan.alternatives
    fitting = table.latency[table.fits.astype(bool)]
    assert float(fitting[0]) == plan.latency
    assert (fitting.diff("plan") >= 0).all()
    assert table.latency.attrs["units"] == "s"
    assert "furiosa-rngd" in table.attrs["sources"]
    text = " ".join(plan.why)
    for word in ("best of", "bound", "collectives", "pipeline", "memory of rngd is"):
        assert word in text


def test_layers_lie_on_chips():
    plan = pim.parallelise(SMALL, cluster(8), tensor=2, pipeline=3, batch=4)
    assert plan.stages == (
        (range(0, 2), range(0, 2)),
        (range(2, 4), range(2, 4)),
        (range(4, 6), range(4, 6)),
    )


def test_a_latency_bound_is_kept():
    free = pim.parallelise(SMALL, cluster(8), "energy", batch=8, context=64)
    bound = 0.7 * free.latency
    quick = pim.parallelise(SMALL, cluster(8), "energy", batch=8, context=64, within=bound)
    assert quick.latency <= bound < free.latency
    assert quick.energy >= free.energy


def test_a_plan_answers_for_another_batch_and_context():
    plan = pim.parallelise(SMALL, cluster(8), batch=4, context=64)
    assert plan.at() == plan.step
    assert plan.at(context=128).seconds > plan.at(context=16).seconds
    prompt = pim.parallelise(SMALL, cluster(8), "throughput", batch=4, context=64, phase="prefill")
    assert prompt.tokens == 256
    assert prompt.at(context=32).compute < prompt.step.compute


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: pim.parallelise(SMALL, cluster(8), "latnecy"), "did you mean 'latency'"),
        (lambda: pim.parallelise(SMALL, cluster(8), phase="prefil"), "did you mean 'prefill'"),
        (lambda: pim.parallelise(SMALL.but(window=8), cluster(8)), "window=8 tokens alone"),
        (lambda: pim.parallelise(SMALL, cluster(8), "cost"), "needs the price of a chip"),
        (lambda: pim.parallelise(SMALL, cluster(8), tensor=3), "tensor=3 does not divide 8 heads"),
        (
            lambda: pim.parallelise(SMALL, cluster(8), pipeline=4),
            "pipeline=4 does not divide 6 layers; allowed: 1, 2, 3, 6",
        ),
        (lambda: pim.parallelise(SMALL, cluster(8), tensor=8, data=2, batch=2), "needs 16 chips"),
        (lambda: pim.parallelise(SMALL, cluster(8), data=4, batch=2), "is more than batch=2"),
        (lambda: pim.parallelise(SMALL, cluster(8), context=129), "context=129 is outside 1..128"),
        (lambda: pim.parallelise(SMALL, cluster(8), batch=0), "Work batch=0 is outside"),
        (lambda: pim.parallelise(SMALL, cluster(8), within="1 ns"), "the fastest takes"),
    ],
)
def test_bad_input_is_refused_by_name(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_bad_types_are_refused_by_name():
    with pytest.raises(TypeError, match="model='digits-mlp' has no decoder shape"):
        pim.parallelise(pim.load_model("digits-mlp"), cluster(2))
    with pytest.raises(TypeError, match="is not a Cluster"):
        pim.parallelise(SMALL, pim.target("rngd"))
    with pytest.raises(TypeError, match="did you mean 'tensor'"):
        pim.parallelise(SMALL, cluster(2), tensors=2)


def test_a_cluster_that_cannot_hold_the_model_says_by_how_much():
    big = pim.load_model("llama2-70b")
    with pytest.raises(
        ValueError, match=r"at best 79.7 GB on a chip of 48 GB, 66% too much; 2 chips"
    ):
        pim.parallelise(big, RNGD.but(chips=1), batch=16)
    with pytest.raises(ValueError, match="the cache allows batch=40 at most"):
        pim.parallelise(big, RNGD.but(chips=2), batch=128)
    with pytest.raises(ValueError, match="chips would hold it"):
        pim.parallelise(SMALL, pim.Cluster(chip=Clock(held=20_000), chips=2, link=LINK))


def test_racks_of_other_chips_are_planned_with_the_others():
    other = pim.Cluster(chip=pim.target("h100"), chips=2, link=pim.link("nvlink4"))
    mixed = cluster(2).but(beside=[other], between=pim.link("pcie5-x16"))
    plan = pim.parallelise(SMALL, mixed, batch=4, context=64)
    assert isinstance(plan, MixedPlan)
    assert set(plan.chips) == {"clock", "h100"}
    with pytest.raises(TypeError, match="tensor cannot be kept where racks"):
        pim.parallelise(SMALL, mixed, batch=4, tensor=2)
    with pytest.raises(ValueError, match="did you mean 'latency'"):
        pim.parallelise(SMALL, mixed, "latnecy", batch=4)
