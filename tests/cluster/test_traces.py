"""Does a replay of the traces, by an own small simulator, take the time of the step?"""

import json

import pytest
from chakra_replay import replayed, value_of
from cluster_examples import EXPERTS, SMALL, Clock, cluster

import pimlab as pim
from pimlab.cluster import chakra


@pytest.mark.parametrize(
    "degrees",
    [{}, {"tensor": 4}, {"tensor": 2, "pipeline": 3}, {"pipeline": 2, "data": 2}],
)
@pytest.mark.parametrize("attention", ["heads", "sequences"])
def test_one_step_takes_the_time_of_the_step(degrees, attention, tmp_path):
    plan = pim.parallelise(
        SMALL, cluster(8), batch=4, context=64, attention=attention, microbatches=1, **degrees
    )
    paths = plan.write_chakra(tmp_path / "step")
    assert len(paths) == plan.degrees.chips
    assert replayed(paths) == pytest.approx(plan.latency, rel=1e-12)


def test_experts_and_calls_of_the_driver_are_in_the_trace(tmp_path):
    class Called(Clock):
        call: float = 5e-6

    rack = cluster(4, machine=Called(name="called"))
    for expert in (1, 4):
        plan = pim.parallelise(EXPERTS, rack, batch=4, context=64, tensor=4, expert=expert)
        paths = plan.write_chakra(tmp_path / f"{expert}")
        assert replayed(paths) == pytest.approx(plan.latency, rel=1e-12)


def test_many_steps_take_their_time_each(tmp_path):
    fixed = {"tensor": 2, "pipeline": 3, "data": 1}
    for parts in (2, 3, 6):
        plan = pim.parallelise(SMALL, cluster(8), batch=6, context=64, microbatches=parts, **fixed)
        few, more = (
            replayed(plan.write_chakra(tmp_path / f"{parts}-{n}", steps=n)) for n in (4, 9)
        )
        assert (more - few) / 5 == pytest.approx(plan.latency, rel=1e-9)


def test_prompts_pass_a_pipeline_once(tmp_path):
    """The first prompt goes all the way, every other one follows at the pace of the slowest stage."""
    for parts in (2, 3, 6):
        plan = pim.parallelise(
            SMALL, cluster(8), batch=6, context=64, phase="prefill",
            microbatches=parts, tensor=2, pipeline=3, data=1,
        )  # fmt: skip
        step = plan.step
        assert replayed(plan.write_chakra(tmp_path / f"{parts}")) == pytest.approx(step.seconds)
        assert step.seconds == pytest.approx(step.loop + (parts - 1) * step.beat)


def test_groups_are_the_chips_of_a_stage(tmp_path):
    plan = pim.parallelise(SMALL, cluster(8), tensor=2, pipeline=2, data=2, batch=4)
    paths = plan.write_chakra(tmp_path / "deep" / "plan")
    groups = json.loads((tmp_path / "deep" / "plan.groups.json").read_text())
    assert groups == {"1": [0, 1], "2": [2, 3], "3": [4, 5], "4": [6, 7]}
    used = {value_of(node, "pg_name") for node in chakra.read(paths[5])[1]} - {None}
    assert used == {"3"}


def test_operations_are_those_of_the_model(tmp_path):
    plan = pim.parallelise(SMALL, cluster(2), tensor=2, pipeline=1, data=1, batch=4, context=64)
    paths = plan.write_chakra(tmp_path / "plan")
    nodes = [node for path in paths for node in chakra.read(path)[1]]
    operations = sum(value_of(node, "num_ops") or 0 for node in nodes)
    assert operations == 2 * SMALL.macs(64, 4)


def test_no_steps_are_refused(tmp_path):
    plan = pim.parallelise(SMALL, cluster(2), batch=4, context=64)
    with pytest.raises(ValueError, match="steps=0"):
        plan.write_chakra(tmp_path / "plan", steps=0)


def test_steps_that_no_memory_holds_are_refused(tmp_path):
    plan = pim.parallelise(SMALL, cluster(2), batch=4, context=64)
    with pytest.raises(ValueError, match="steps=10+; allowed: an integer, 1 to 100000"):
        plan.write_chakra(tmp_path / "plan", steps=10**40)


@pytest.mark.parametrize("prefix", [None, "", "a\0"])
def test_files_need_a_name(prefix):
    plan = pim.parallelise(SMALL, cluster(2), batch=4, context=64)
    with pytest.raises(ValueError, match="allowed: a path with a name"):
        plan.write_chakra(prefix)
