"""Schedules: times by hand, the numbered invariants of the room, and the same answer as `run`."""

import math
import sys

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import pimlab as pim
from pimlab.reference.schedule import list_schedule
from pimlab.schedule.answer import pace
from pimlab.schedule.schedule import run
from pimlab.schedule.tasks import tasks
from tests.schedule.made import plan, plans

CHAIN = [("a", "b", True), ("b", "c", True)]
HOW = {"slices": st.integers(1, 4), "buffers": st.integers(1, 3)}


def _rows(busy):
    """(layer, inference) -> start and finish of an operator that is one task."""
    return {
        (str(name), int(i)): (float(a), float(b))
        for name, i, a, b in zip(
            busy.layer.values,
            busy.inference.values,
            busy.start.values,
            busy.finish.values,
            strict=True,
        )
    }


def test_a_chain_of_three_pipelines_by_hand():
    chain = plan({"a": {"x": 2.0}, "b": {"y": 3.0}, "c": {"x": 1.0}}, CHAIN)
    busy = pim.schedule(chain, inferences=3)
    # x serves the oldest inference first: c0 goes before a2
    assert _rows(busy) == {
        ("a", 0): (0, 2),
        ("b", 0): (2, 5),
        ("c", 0): (5, 6),
        ("a", 1): (2, 4),
        ("b", 1): (5, 8),
        ("c", 1): (8, 9),
        ("a", 2): (6, 8),
        ("b", 2): (8, 11),
        ("c", 2): (11, 12),
    }
    assert (float(busy.latency), float(busy.latency_bound)) == (6, 6)
    assert (float(busy.interval), float(busy.interval_bound)) == (3, 3)
    assert float(busy.throughput) == pytest.approx(1 / 3)
    assert dict(zip(busy.unit.values, busy.work.values, strict=True)) == {
        "bench: x": 3,
        "bench: y": 3,
    }
    np.testing.assert_allclose(busy.utilisation, 1.0)


def test_rows_stream_into_the_next_operator_by_hand():
    # b needs row r + 1 of a for its row r: it begins when two of a's four rows are there
    model_plan = plan({"a": {"x": 1.0}, "b": {"y": 1.0}}, [], {"a": 4, "b": 4})
    edge = pim.workload.Edge(maker="a", reader="b", whole=False, reach=1)
    model_plan.model.graph = pim.workload.Graph(edges=(edge,), rows={"a": 4, "b": 4})
    busy = pim.schedule(model_plan, inferences=1, slices=4)
    b = busy.where(busy.layer == "b", drop=True)
    assert b.start.values.tolist() == [2, 3, 4, 5]
    assert float(busy.latency) == 6
    assert float(pim.schedule(model_plan, inferences=1, slices=1).latency) == 8


def test_double_buffers_bound_how_far_a_producer_runs_ahead():
    fast = plan({"a": {"x": 1.0}, "b": {"y": 10.0}}, [("a", "b", True)])
    starts = {
        buffers: [
            _rows(pim.schedule(fast, inferences=5, buffers=buffers))["a", i][0] for i in range(5)
        ]
        for buffers in (1, 2)
    }
    assert starts == {1: [0, 11, 22, 33, 44], 2: [0, 1, 11, 21, 31]}


def test_energy_at_saturation_charges_static_power_for_the_interval():
    chain = plan({"a": {"x": 2.0}, "b": {"y": 3.0}, "c": {"x": 1.0}}, CHAIN)
    busy, alone = pim.schedule(chain, inferences=9), pim.run(chain.model, chain)
    static = alone.layer.str.startswith("static")
    assert float(alone.energy.sel(layer=static).sum()) == pytest.approx(3.0 * 6)
    assert float(busy.static_energy.sum()) == pytest.approx(3.0 * 3)
    assert float(busy.charged) == 3
    assert busy.static_energy.sum("machine").to_series().to_dict() == {
        "array": 0,
        "chip": pytest.approx(9),
        "host": 0,
        "memory": 0,
    }


@given(plans(), *HOW.values(), st.integers(1, 4))
@settings(deadline=None, max_examples=60)
def test_s1_no_task_starts_before_what_it_needs(made, slices, buffers, inferences):
    laid = tasks(made, slices=slices, buffers=buffers)
    start, finish = run(laid, np.zeros(inferences))
    for before, after, lag in laid.edges.tolist():
        for i in range(inferences - lag):
            assert start[i + lag, after] >= finish[i, before]
    np.testing.assert_array_equal(finish, start + laid.seconds)
    assert (start >= 0).all()


@given(plans(), *HOW.values(), st.integers(1, 4), st.integers(1, 3))
@settings(deadline=None, max_examples=60)
def test_s2_no_resource_serves_more_than_it_has_places(made, slices, buffers, inferences, places):
    first = tasks(made).resources[0]
    laid = tasks(made, slices=slices, buffers=buffers, places={first: places})
    start, finish = run(laid, np.zeros(inferences))
    for index, limit in enumerate(laid.places):
        mine = laid.resource == index
        began, ended = start[:, mine].ravel(), finish[:, mine].ravel()
        for moment in began[ended > began]:
            assert np.count_nonzero((began <= moment) & (ended > moment)) <= limit


@given(plans(), *HOW.values(), st.integers(1, 3), st.integers(1, 2), st.booleans())
@settings(deadline=None, max_examples=40)
def test_random_graphs_run_as_the_plain_scheduler_says(
    made, slices, buffers, inferences, places, apart
):
    """The kernel keeps heaps of events; its twin looks at every task at each moment."""
    first = tasks(made).resources[0]
    laid = tasks(made, slices=slices, buffers=buffers, places={first: places})
    arrival = np.arange(inferences) * (0.75 if apart else 0.0)
    fast = run(laid, arrival)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules[run.__module__], "list_schedule", list_schedule)
        plain = run(laid, arrival)
    np.testing.assert_array_equal(fast, plain)


@given(plans(), *HOW.values())
@settings(deadline=None, max_examples=30)
def test_s3_energy_of_the_parts_is_energy_of_the_whole(made, slices, buffers):
    busy = pim.schedule(made, inferences=4, slices=slices, buffers=buffers)
    static = [str(name).startswith("static") for name in busy.operator.values]
    for end in ("", "_low", "_high"):
        energy = busy["energy" + end]
        assert float(energy.isel(operator=static).sum()) == pytest.approx(
            float(busy["static_energy" + end].sum()), rel=1e-12
        )
    np.testing.assert_allclose(busy.static_energy, busy.static_power * busy.charged)
    dynamic = pim.run(made.model, made).energy
    mine = busy.energy.isel(operator=[not one for one in static]).rename(operator="layer")
    xr.testing.assert_equal(
        mine.drop_vars(mine.coords), dynamic.sel(layer=mine.layer).drop_vars(dynamic.coords)
    )


@pytest.mark.parametrize("name", ["warboy", "hbm-pim", "gddr6-aim", "pcm-hermes"])
@pytest.mark.parametrize("model", ["fashion-cnn", "digits-mlp", "small-lm"])
def test_s4_one_inference_without_overlap_is_run_to_the_bit(name, model):
    model, machine = pim.load_model(model), pim.target(name)
    busy = pim.schedule(model, machine, inferences=1, overlap=False)
    alone = pim.run(model, machine)
    assert float(busy.latency) == float(alone.latency.sum())
    assert float(busy.interval) == float(busy.latency)
    for end in ("", "_low", "_high"):
        np.testing.assert_array_equal(busy["energy" + end].values, alone["energy" + end].values)
        assert float(busy["energy" + end].sum()) == float(alone["energy" + end].sum())
    assert busy.operator.values.tolist() == alone.layer.values.tolist()
    assert float(busy.finish[-1]) == pytest.approx(float(busy.latency), rel=1e-12)
    assert (busy.attrs["machine"], busy.attrs["sources"]) == (
        alone.attrs["machine"],
        alone.attrs["sources"],
    )


def test_s4_holds_with_data_and_its_quality_travels_along():
    model, machine = pim.load_model("digits-mlp"), pim.target("pcm-hermes")
    data = pim.load_data("digits", limit=20)
    alone = pim.run(model, machine, data)
    busy = pim.schedule(model, machine, inferences=1, overlap=False, answer=alone)
    np.testing.assert_array_equal(busy.energy.values, alone.energy.values)
    assert float(busy.accuracy) == float(alone.accuracy)
    assert float(busy.accuracy_low) == float(alone.accuracy_low)


@given(plans(), *HOW.values(), st.integers(2, 5))
@settings(deadline=None, max_examples=60)
def test_s5_bounds_are_never_above_the_answer(made, slices, buffers, inferences):
    laid = tasks(made, slices=slices, buffers=buffers)
    _, finish = run(laid, np.zeros(inferences))
    latency, interval = pace(finish, laid.interval_bound)
    assert laid.latency_bound <= latency * (1 + 1e-12)
    assert laid.interval_bound <= interval
    # and the whole schedule takes at least the busiest resource's work
    assert finish.max() >= inferences * laid.interval_bound * (1 - 1e-12)
    assert latency <= finish.max()


def test_s6_the_same_input_gives_the_same_bytes():
    model, machine = pim.load_model("fashion-cnn"), pim.target("hbm-pim")
    one, two = (pim.schedule(model, machine, inferences=5) for _ in range(2))
    assert all(
        one[name].values.tobytes() == two[name].values.tobytes() for name in ("start", "finish")
    )
    assert one.identical(two)


@given(plans(streaming=False))
@settings(deadline=None, max_examples=30)
def test_s7_a_load_near_zero_gives_the_answer_of_one_inference(made):
    laid = tasks(made)
    apart = np.arange(3) * 1000.0
    _, finish = run(laid, apart)
    alone = run(laid, np.zeros(1))
    np.testing.assert_allclose(finish - apart[:, None], np.repeat(alone[1], 3, 0), atol=1e-9)


def test_overlap_is_never_slower_than_one_after_another():
    for model in ("fashion-cnn", "small-lm"):
        for name in ("warboy", "hbm-pim", "pcm-hermes"):
            one = pim.schedule(pim.load_model(model), pim.target(name), inferences=1)
            none = pim.schedule(
                pim.load_model(model), pim.target(name), inferences=1, overlap=False
            )
            assert float(one.latency) <= float(none.latency) * (1 + 1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inferences": 0}, "inferences=0; allowed: an integer, 1 or more"),
        ({"slices": -1}, "slices=-1"),
        ({"buffers": 1.5}, "buffers=1.5"),
        ({"overlap": "no"}, "overlap='no'"),
        ({"replicas": "balance"}, "did you mean 'balanced'"),
        ({"replicas": {"b": 0}}, "no operator 'b' stands on arrays"),
        ({"places": {"bench: x": 0}}, r"places\['bench: x'\]=0"),
        ({"places": {"bench: z": 1}}, "bench: z"),
        ({"places": {"bench: x": -2}}, r"places\['bench: x'\]=-2; allowed: an integer, 1 or more"),
        ({"places": {"bench: x": 1.5}}, r"places\['bench: x'\]=1.5"),
        ({"places": {"bench: x"}}, "places={'bench: x'} is no mapping"),
        ({"chips": 0}, "chips=0; allowed: an integer, 1 or more"),
        ({"answer": 3}, "answer=int"),
        ({"inferences": 10**8}, "allowed: 50000000"),
        ({"inferencs": 4}, "schedule has no argument 'inferencs'; did you mean 'inferences'"),
    ],
)
def test_bad_arguments_are_refused_by_name(change, message):
    made = plan({"a": {"x": 1.0}, "b": {"y": 1.0}}, [("a", "b", True)])
    with pytest.raises((ValueError, TypeError), match=message):
        pim.schedule(made, **change)


def test_what_is_no_model_or_plan_is_refused():
    with pytest.raises(TypeError, match=r"target=None and model='warboy' is no Plan"):
        pim.schedule("warboy")


def test_operators_in_a_circle_are_refused_by_name():
    circle = plan({"a": {"x": 1.0}, "b": {"y": 1.0}}, [("a", "b", True), ("b", "a", True)])
    with pytest.raises(ValueError, match=r"circle \(a -> b -> a\)|circle \(b -> a -> b\)"):
        pim.schedule(circle)


@pytest.mark.parametrize(
    ("machine", "part", "message"),
    [
        ("pcm-hermes", {"capacity": 0}, "Crossbar capacity=0 is outside 1.."),
        ("warboy", {"memory": {"bandwidth": 0}}, "Memory bandwidth=0 is outside above 0"),
        ("warboy", {"memory": {"capacity": -1}}, "Memory capacity=-1 is outside above 0"),
    ],
)
def test_resources_of_no_size_are_refused_by_name(machine, part, message):
    target = pim.target(machine)
    with pytest.raises(ValueError, match=message):
        target.but(
            **{
                name: getattr(target, name).but(**value) if isinstance(value, dict) else value
                for name, value in part.items()
            }
        )


def test_the_answer_of_another_machine_is_refused():
    model = pim.load_model("digits-mlp")
    other = pim.run(model, pim.target("warboy"))
    with pytest.raises(ValueError, match="answer is of 'digits-mlp' on 'warboy'"):
        pim.schedule(model, pim.target("hbm-pim"), answer=other)


def test_machines_on_one_dram_take_turns():
    model = pim.load_model("digits-mlp")
    npu, banks = pim.target("warboy"), pim.target("hbm-pim").but(host=None)
    npu = npu.but(memory=npu.memory.but(weights_in="dram"))
    apart = pim.Plan(model=model, machines=[npu, banks], owners={"fc1": "hbm-pim"})
    together = apart.but(shared=["warboy", "hbm-pim"])
    rows = pim.schedule(together, inferences=4)
    assert "shared: DRAM channel" in rows.unit.values
    assert {"warboy: DRAM channel", "hbm-pim: DRAM channel"} <= set(
        pim.schedule(apart, inferences=4).unit.values
    )
    assert rows.interval >= pim.schedule(apart, inferences=4).interval
    alone = pim.schedule(together, inferences=1)
    assert float(alone.latency) == pytest.approx(linked_alone(together), rel=1e-9)


def test_a_link_is_a_resource_in_each_direction():
    model = pim.load_model("digits-mlp")
    machines = [pim.target("warboy"), pim.target("hbm-pim").but(host=None)]
    linked = pim.Plan(
        model=model,
        machines=machines,
        owners={"fc1": "hbm-pim"},
        links={"hbm-pim": pim.link("cxl")},
    )
    busy = pim.schedule(linked, inferences=1)
    between, op = linked.links["hbm-pim"], model.mac_ops[0]
    work = dict(zip(busy.unit.values, busy.work.values, strict=True))
    assert work["cxl: in"] == pytest.approx(between.seconds(op.k * between.word / 8))
    assert work["cxl: out"] == pytest.approx(between.seconds(op.n * between.word / 8))
    assert math.isclose(busy.latency, linked_alone(linked), rel_tol=1e-9)


def linked_alone(linked):
    return float(pim.run(linked.model, linked).latency.sum())


def test_the_room_answers_as_its_verb_whoever_imports_it_first():
    import importlib

    room = importlib.import_module("pimlab.schedule")
    made = plan({"a": {"x": 1.0}})
    assert float(room(made, inferences=2).interval) == float(
        pim.schedule(made, inferences=2).interval
    )
