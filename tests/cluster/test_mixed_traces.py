"""Does a replay of the traces of a plan over unequal racks take the time of its step?"""

import json

import pytest
from chakra_replay import replayed, value_of
from cluster_examples import EXPERTS, LINK, SMALL, Clock
from mixed_examples import Looker, racks

import pimlab as pim
from pimlab.cluster import chakra
from pimlab.cluster.mixed_traces import _messages


def plan(cluster, shape=SMALL, **given):
    return pim.parallelise(shape, cluster, **{"batch": 4, "context": 64, **given})


def crossing_racks():
    """Two racks neither of which holds the model."""
    return racks(2, 2, held=100_000, other=Clock(name="slow", held=100_000))


def attention_aside():
    far = racks(4, 4, other=Looker(name="looker", each=1e-6))
    return far.but(between=pim.link("nvlink4"))


@pytest.mark.parametrize("shape", [SMALL, EXPERTS])
def test_one_part_takes_the_time_of_its_loop_over_two_racks(shape, tmp_path):
    wide = racks(2, 2, held=400_000, other=Clock(name="slow", held=400_000))
    one = plan(wide if shape is EXPERTS else crossing_racks(), shape, batch=1)
    assert len({stage.chip for stage in one.stages}) == 2
    assert one.microbatches == one.replicas == 1
    paths = one.write_chakra(tmp_path / "step")
    assert len(paths) == sum(one.chips.values())
    assert replayed(paths) == pytest.approx(one.latency, rel=1e-12)


def test_attention_aside_crosses_and_comes_back_in_every_layer(tmp_path):
    one = plan(attention_aside(), context=128)
    stage = one.stages[0]
    assert stage.aside == "looker"
    assert replayed(one.write_chakra(tmp_path / "step")) == pytest.approx(one.latency, rel=1e-12)
    paths = sorted(tmp_path.glob("*.et"))
    _, nodes = chakra.read(paths[stage.tensor])  # the first chip that holds a cache
    kinds = [node.type for node in nodes]
    links = max(1, stage.tensor // stage.aside_chips)
    assert kinds.count(chakra.COMPUTE) == len(stage.layers)
    assert kinds.count(chakra.RECEIVE) == links * len(stage.layers)
    numbers = [value_of(node, "num_ops") for node in nodes if node.type == chakra.COMPUTE]
    assert all(numbers)


def test_steps_of_many_parts_follow_each_other_at_the_pace_of_the_plan(tmp_path):
    one = plan(crossing_racks(), batch=6, objective="throughput")
    few, more = (replayed(one.write_chakra(tmp_path / f"{n}", steps=n)) for n in (3, 7))
    assert (more - few) / 4 == pytest.approx(one.latency, rel=1e-9)


def test_what_a_driver_takes_is_in_the_trace(tmp_path):
    class Called(Clock):
        call: float = 5e-6

    cluster = racks(1, 1, other=Called(name="called")).but(
        chip=Called(name="quick", call=1e-6, held=100_000), link=LINK
    )
    one = plan(cluster, batch=1)
    assert replayed(one.write_chakra(tmp_path / "step")) == pytest.approx(one.latency, rel=1e-12)


def test_groups_are_the_chips_that_share_layers(tmp_path):
    one = plan(racks(4, 2), batch=1)
    one.write_chakra(tmp_path / "plan")
    shared = [stage for stage in one.stages if stage.tensor > 1]
    groups = json.loads((tmp_path / "plan.groups.json").read_text())
    assert [len(chips) for chips in groups.values()] == [stage.tensor for stage in shared]


def test_every_chip_of_the_larger_side_has_a_message():
    made = _messages(chakra.SEND, ((0, 2), (2, 3)), 7, 600.0, lambda turns: 1.0 / turns)
    assert [(giver, taker) for giver, taker, _ in made] == [(0, 0), (1, 1), (0, 2)]
    assert [task.seconds for *_, task in made] == [0.5, 1.0, 0.5]
    assert [dict(task.attributes)["comm_size"] for *_, task in made] == [200, 200, 200]
