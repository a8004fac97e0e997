"""Is the time of a step the sum of its parts, by hand and against the plan of one machine?"""

import itertools

import pytest
from cluster_examples import LINK, SMALL, cluster
from hypothesis import given
from hypothesis import strategies as st

import pimlab as pim
from pimlab.cluster import Degrees, Work
from pimlab.cluster.shards import layer_macs
from pimlab.cluster.steps import Pricer, balanced, part_of
from pimlab.plan import planned
from pimlab.workload.language.experts import ExpertShape

WORK = Work(batch=8, context=64)
RACK = cluster(16)


def layer_seconds(part, tensor):
    return 1e-9 * sum(op.macs for op in layer_macs(SMALL, part, tensor))


def test_tensor_and_pipeline_by_hand():
    """2 chips a stage, 3 stages of 2 layers: all-reduces of 8 x 64 values twice a layer, sends of half of that."""
    step = Pricer(SMALL, RACK).step(WORK, Degrees(tensor=2, pipeline=3))
    reduce = RACK.inner.seconds("all-reduce", 8 * 64 * 2, 2)
    gather = RACK.inner.seconds("all-gather", 8 * 96 * 2, 2)
    send = LINK.seconds(8 * 64 * 2 / 2)
    layer, head = layer_seconds(WORK, 2), 1e-9 * 8 * 64 * 48
    assert step.layers == (2, 2, 2)
    assert step.compute == pytest.approx(6 * layer + head)
    assert step.exchange == pytest.approx(12 * reduce + gather)
    assert step.send == pytest.approx(3 * send)
    assert step.loop == pytest.approx(step.compute + step.exchange + step.send)
    assert step.seconds == step.loop
    assert step.beat == pytest.approx(2 * (layer + 2 * reduce) + head + gather)


def test_energy_of_the_parts_is_the_whole():
    degrees = Degrees(tensor=2, pipeline=3, data=2, microbatches=2)
    step = Pricer(SMALL, RACK).step(WORK, degrees)
    whole = 6 * sum(op.macs for op in layer_macs(SMALL, WORK)) + 8 * 64 * 96
    assert step.dynamic == pytest.approx(1e-3 * whole)
    assert step.static == pytest.approx(12 * step.seconds)
    bits = 8 * 2 * 64 * 2  # one message of a part of 2 sequences
    reduce, gather, send = 12 * 2 * bits, 2 * 8 * 2 * 96 * 2 / 2, 3 * bits
    assert step.link == pytest.approx(4 * (reduce + gather + send) * LINK.bit.value)
    assert step.joules == step.dynamic + step.static + step.link


def test_microbatches_fill_the_pipeline():
    pricer = Pricer(SMALL, RACK)
    one, six = (
        pricer.step(Work(batch=48, context=64), Degrees(pipeline=6, microbatches=m)) for m in (1, 6)
    )
    assert six.seconds < one.seconds / 3
    assert six.seconds == max(six.loop, 6 * six.beat)
    assert part_of(WORK, Degrees(data=3, microbatches=2)).batch == 2


@pytest.mark.parametrize(("name", "model"), [("rngd", "llama2-7b"), ("hbm-pim", "llama2-13b")])
def test_one_chip_takes_what_its_plan_takes(name, model):
    language = pim.load_model(model).at(batch=2, context=512)
    plan = planned(language, pim.target(name))
    step = Pricer(language.shape, pim.Cluster(chip=pim.target(name))).step(
        Work(batch=2, context=512), Degrees()
    )
    seconds = sum(sum(plan.phases(op).values()) for op in plan.operators)
    assert step.seconds == pytest.approx(seconds, rel=1e-12)
    assert step.exchange == step.send == step.link == 0


@given(
    layers=st.integers(1, 9),
    stages=st.integers(1, 4),
    first=st.floats(0, 5),
    last=st.floats(0, 5),
)
def test_layers_are_dealt_out_as_well_as_can_be(layers, stages, first, last):
    if stages > layers:
        return

    def slowest(counts):
        times = [float(c) for c in counts]
        times[0] += first
        times[-1] += last
        return max(times)

    ours = balanced(layers, stages, 1.0, first, last)
    assert sum(ours) == layers
    every = (c for c in itertools.product(range(1, layers + 1), repeat=stages) if sum(c) == layers)
    assert slowest(ours) == pytest.approx(min(map(slowest, every)))


def test_attention_by_sequences_gathers_what_it_reads():
    work = Work(batch=1, context=64)
    pricer = Pricer(SMALL, RACK)
    cut, whole = (
        pricer.step(work, Degrees(tensor=4, attention=how)) for how in ("heads", "sequences")
    )
    gathered = sum(RACK.seconds("all-gather", heads * 8 * 2, 4) for heads in (8 + 2 * 4, 8))
    assert whole.exchange == pytest.approx(cut.exchange + 6 * gathered)
    attention = 2 * 8 * 8 * 64 * 1e-9
    assert whole.compute == pytest.approx(cut.compute + 6 * attention * 3 / 4)


def test_experts_send_tokens_where_that_is_faster():
    """Two all-to-alls of two passes a token against an all-reduce of every token."""
    shape = ExpertShape(
        vocabulary=96, width=64, layers=6, heads=8, kv_heads=4, head_width=8, hidden=96,
        context=128, experts=8, active=1,
    )  # fmt: skip
    work, pricer = Work(batch=64, context=64), Pricer(shape, RACK)
    cut, dealt = (pricer.step(work, Degrees(tensor=4, expert=e)) for e in (1, 4))
    reduce = RACK.seconds("all-reduce", 64 * 64 * 2, 4)
    routed = 2 * RACK.seconds("all-to-all", 16 * 64 * 2, 4)
    assert cut.exchange == pytest.approx(12 * reduce + RACK.seconds("all-gather", 64 * 96 * 2, 4))
    assert cut.exchange - dealt.exchange == pytest.approx(6 * max(0.0, reduce - routed))
    assert dealt.compute == pytest.approx(cut.compute)


def test_experts_go_over_chips_of_a_stage():
    with pytest.raises(ValueError, match="expert=3 does not divide tensor=4"):
        Degrees(tensor=4, expert=3)
