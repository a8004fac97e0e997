"""Does a schedule's trace hold what the Trace Event Format asks for, and every task where it ran?"""

import itertools
import json

import numpy as np
import pytest

import pimlab as pim
from tests.schedule.made import plan

CHAIN = {"a": {"x": 2.0}, "b": {"y": 3.0}, "c": {"x": 1.0}}
EDGES = [("a", "b", True), ("b", "c", True)]


def _written(busy, tmp_path):
    path = pim.write_trace(busy, tmp_path / "busy.json")
    trace = json.loads(path.read_text())
    events = trace["traceEvents"]
    named = [event for event in events if event["ph"] == "M"]
    return trace, named, [event for event in events if event["ph"] == "X"]


def test_every_task_is_a_complete_event_on_its_resource(tmp_path):
    busy = pim.schedule(plan(CHAIN, EDGES), inferences=3)
    trace, named, tasks = _written(busy, tmp_path)
    assert len(tasks) + len(named) == len(trace["traceEvents"])
    threads = {
        (event["pid"], event["tid"]): event["args"]["name"]
        for event in named
        if event["name"] == "thread_name"
    }
    assert threads == {(1, 1): "x", (1, 2): "y"}
    assert [e["args"]["name"] for e in named if e["name"] == "process_name"] == ["bench"]
    # seconds by hand, as in test_schedule: c0 runs on x from 5 s to 6 s
    found = {
        (event["name"], event["args"]["inference"]): (
            event["ts"] / 1e6,
            event["dur"] / 1e6,
            threads[event["pid"], event["tid"]],
        )
        for event in tasks
    }
    assert len(found) == 9
    assert found["c", 0] == (5, 1, "x")
    assert found["b", 2] == (8, 3, "y")
    assert [event["ts"] for event in tasks] == sorted(event["ts"] for event in tasks)
    assert trace["otherData"]["interval_s"] == repr(float(busy.interval))


def test_events_of_one_thread_never_overlap(tmp_path):
    wide = plan({"a": {"x": 5.0}, "b": {"x": 1.0}}, [("a", "b", True)])
    busy = pim.schedule(wide, inferences=6, places={"bench: x": 3})
    _, named, tasks = _written(busy, tmp_path)
    names = {e["args"]["name"] for e in named if e["name"] == "thread_name"}
    assert names == {"x (1)", "x (2)", "x (3)"}
    for thread in {event["tid"] for event in tasks}:
        mine = [(e["ts"], e["ts"] + e["dur"]) for e in tasks if e["tid"] == thread]
        assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(mine))
    assert len(tasks) == busy.sizes["task"]


def test_machines_are_processes(tmp_path):
    bare = pim.target("pcm-hermes").but(digital=None)  # so that ReLU is the host's
    busy = pim.schedule(pim.load_model("digits-mlp"), bare, inferences=2)
    _, named, tasks = _written(busy, tmp_path)
    processes = {e["pid"]: e["args"]["name"] for e in named if e["name"] == "process_name"}
    assert set(processes.values()) == {"pcm-hermes", "warboy"}
    worked = sum(event["dur"] for event in tasks) / 1e6
    np.testing.assert_allclose(worked, 2 * float(busy.work.sum()), rtol=1e-9)


def test_what_is_no_schedule_is_refused(tmp_path):
    with pytest.raises(TypeError, match="write_trace busy=. is not a Dataset"):
        pim.write_trace(3, tmp_path / "busy.json")
    answer = pim.run(pim.load_model("digits-mlp"), pim.target("warboy"))
    with pytest.raises(TypeError, match="Dataset is no schedule"):
        pim.write_trace(answer, tmp_path / "busy.json")
