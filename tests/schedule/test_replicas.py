"""Replicas: the shortest interval under a machine's arrays, against every allocation there is."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pimlab as pim
from pimlab.plan import Plan
from pimlab.schedule.answer import pace
from pimlab.schedule.replicas import balanced, seconds
from pimlab.schedule.schedule import run
from pimlab.schedule.tasks import tasks
from tests.schedule.made import Bench, Network, layer, plan

SIZES = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 3)), min_size=1, max_size=3)


def _standing(sizes, arrays):
    """Operators of (rows, arrays a copy), each with a resource of its own."""
    ops = [layer(f"op{i}", rows, held) for i, (rows, held) in enumerate(sizes)]
    times = {op.name: {f"arrays of {op.name}": 1.0} for op in ops}
    return Plan(model=Network(ops), machines=[Bench(name="bench", times=times, arrays=arrays)])


def _slowest(made, copies):
    return max(seconds(made, op, copies[op.name]) for op in made.operators)


@given(SIZES, st.integers(0, 8))
@settings(deadline=None, max_examples=80)
def test_no_allocation_has_a_shorter_interval(sizes, spare):
    arrays = sum(held for _, held in sizes) + spare
    made = _standing(sizes, arrays)
    best = min(
        _slowest(made, {f"op{i}": n for i, n in enumerate(counts)})
        for counts in itertools.product(*[range(1, spare + 2) for _ in sizes])
        if sum(n * held for n, (_, held) in zip(counts, sizes, strict=True)) <= arrays
    )
    found = balanced(made)
    assert _slowest(made, found) == best
    assert sum(found[f"op{i}"] * held for i, (_, held) in enumerate(sizes)) <= arrays


@given(SIZES, st.integers(0, 6))
@settings(deadline=None, max_examples=40)
def test_s8_more_arrays_are_never_worse(sizes, spare):
    arrays = sum(held for _, held in sizes) + spare
    found = []
    for count in (arrays, arrays + 1):
        made = _standing(sizes, count)
        laid = tasks(made, replicas=balanced(made))
        found.append((laid.interval_bound, pace(run(laid, np.zeros(4))[1], laid.interval_bound)[1]))
    assert found[1][0] <= found[0][0]
    assert found[1][1] <= found[0][1] * (1 + 1e-12)


def test_copies_stop_where_another_resource_is_the_slowest():
    ops = [layer("a", 12), layer("b", 1)]
    times = {"a": {"arrays of a": 1.0}, "b": {"vector": 5.0}}
    made = Plan(model=Network(ops), machines=[Bench(name="bench", times=times, arrays=50)])
    busy = pim.schedule(made, inferences=3)
    assert busy.replicas.sel(operator="a") == 3, "four rows a copy take 4 s, less than b's 5 s"


def test_a_cnn_on_the_chip_of_64_cores():
    """Copies keep the chip's arrays 40 times as busy, until its host's fixed costs are the slowest."""
    real = pim.target("pcm-hermes").but(capacity=64, digital=None)
    chip = real.but(host=real.host.but(efficiency=None))
    model = pim.load_model("fashion-cnn")
    once = pim.schedule(model, chip, replicas=None)
    busy = pim.schedule(model, chip)
    assert int(busy.arrays.sum()) <= 64
    assert float(once.interval / busy.interval) > 40
    assert float(busy.energy.sum()) < float(once.energy.sum()) / 15
    slowed = pim.schedule(model, real)
    assert (
        str(slowed.unit[int(np.argmax(slowed.utilisation.values))].item()) == "warboy: vector unit"
    )
    assert float(slowed.interval) > 2.84e-6 * len(model.vector_ops)


def test_replicas_can_be_said():
    chip = pim.target("pcm-hermes").but(capacity=64)
    model = pim.load_model("fashion-cnn")
    busy = pim.schedule(model, chip, replicas={"conv1": 4})
    assert busy.replicas.sel(operator=["conv1", "conv2"]).values.tolist() == [4, 1]
    with pytest.raises(ValueError, match=r"replicas take \d+ arrays of pcm-hermes; allowed: 64"):
        pim.schedule(model, chip, replicas={"conv1": 60})
    with pytest.raises(ValueError, match=r"replicas\['conv1'\]=0"):
        pim.schedule(model, chip, replicas={"conv1": 0})


def test_machines_without_arrays_have_no_copies():
    assert balanced(plan({"a": {"x": 1.0}})) == {}
