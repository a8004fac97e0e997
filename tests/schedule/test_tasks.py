"""Do a plan's tasks carry all its work, wait only for earlier ones, and bound every schedule from below?"""

import numpy as np
import pytest

import pimlab as pim
from pimlab.machine.protocol import MacOp, VectorOp
from pimlab.plan import planned
from pimlab.schedule.tasks import Tasks, shared_out, tasks

MODEL = pim.load_model("fashion-cnn")
CHAIN = Tasks(
    ("a", "b"), [(0, 0, "u", 2.0), (0, 1, "u", 1.0), (1, 0, "v", 5.0)], [(0, 2, 0), (1, 2, 0), (2, 0, 1)], {"v": 2}
)  # fmt: skip


def test_work_and_bounds_by_hand():
    assert CHAIN.resources == ("u", "v")
    np.testing.assert_array_equal(CHAIN.work, [3, 5])
    assert CHAIN.interval_bound == 3, "the second resource serves two at once"
    assert CHAIN.latency_bound == 7, "the longest chain: 2 + 5"


@pytest.mark.parametrize("name", ["warboy", "hbm-pim", "pcm-hermes"])
def test_without_overlap_one_task_an_operator_holds_all_its_time(name):
    plan = planned(MODEL, pim.target(name))
    laid = tasks(plan, overlap=False)
    wanted = [sum(plan.phases(op).values()) for op in plan.operators]
    np.testing.assert_allclose(laid.seconds, wanted)


@pytest.mark.parametrize("name", ["warboy", "hbm-pim", "pcm-hermes"])
@pytest.mark.parametrize("slices", [1, 4, 16])
def test_tasks_of_an_inference_wait_for_earlier_ones_alone(name, slices):
    laid = tasks(planned(MODEL, pim.target(name)), slices=slices)
    before, after, lag = laid.edges.T
    assert (before[lag == 0] < after[lag == 0]).all()
    assert (lag >= 0).all()
    assert laid.slice.max() < slices
    assert laid.latency_bound >= laid.interval_bound > 0


def test_slices_share_the_work_of_a_resource():
    plan = planned(MODEL, pim.target("pcm-hermes"))
    whole, parts = tasks(plan, slices=1), tasks(plan, slices=8)
    assert len(parts.seconds) > len(whole.seconds)
    for name, one in zip(whole.resources, whole.work, strict=True):
        assert parts.work[parts.resources.index(name)] == pytest.approx(one, rel=0.05)


def test_copies_share_the_rows_of_a_product():
    op = MacOp(name="c", m=10, k=4, n=3, distinct=36)
    assert (shared_out(op, 3).m, shared_out(op, 3).distinct) == (4, 16)
    assert shared_out(op, 1) is op
    relu = VectorOp(name="v", kind="relu", elements=4)
    assert shared_out(relu, 3) is relu


def test_places_name_a_resource_that_is_there():
    plan = planned(MODEL, pim.target("warboy"))
    with pytest.raises(ValueError, match="resource"):
        tasks(plan, places={"nothing": 2})
    with pytest.raises(ValueError, match="1 or more"):
        tasks(plan, places={tasks(plan).resources[0]: 0})
