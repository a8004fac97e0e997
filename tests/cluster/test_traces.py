"""Does a replay of the traces, by an own small simulator, take the time of the step?"""

import json

import pytest
from cluster_examples import SMALL, cluster

import pimlab as pim
from pimlab.cluster import chakra


def seconds_of(node):
    return next(one.double_val for one in node.attr if one.name == "seconds")


def value_of(node, name):
    found = [one for one in node.attr if one.name == name]
    return getattr(found[0], found[0].WhichOneof("value")) if found else None


def replayed(paths):
    """When the last task of all chips ends: compute and collectives one after another on a chip,
    sends beside them one after another; a collective begins when all chips of its group are there.
    """
    nodes = [chakra.read(path)[1] for path in paths]
    ends = [{} for _ in paths]
    free = [{"chip": 0.0, "link": 0.0} for _ in paths]
    arrived, place = {}, [0] * len(paths)
    while any(place[i] < len(nodes[i]) for i in range(len(paths))):
        moved = False
        for i in range(len(paths)):
            while place[i] < len(nodes[i]):
                node = nodes[i][place[i]]
                ready = max([0.0, *(ends[i][n] for n in node.data_deps)])
                if node.type == chakra.RECEIVE:
                    key = value_of(node, "comm_src"), i, value_of(node, "comm_tag")
                    if key not in arrived:
                        break
                    ends[i][node.id] = max(ready, arrived[key])
                else:
                    where = "link" if node.type == chakra.SEND else "chip"
                    end = max(ready, free[i][where]) + seconds_of(node)
                    ends[i][node.id] = free[i][where] = end
                    if node.type == chakra.SEND:
                        arrived[i, value_of(node, "comm_dst"), value_of(node, "comm_tag")] = end
                place[i] += 1
                moved = True
        assert moved, "the trace waits for something that never comes"
    return max(max(one.values()) for one in ends)


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
