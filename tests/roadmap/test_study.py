"""Does the roadmap study tell the three stages apart, go on where it stopped, and say what it found?"""

import numpy as np
import pytest

import pimlab as pim
from pimlab.roadmap import study

TINY = study.Size(
    samples=20, files=2, windows=1, seeds=2, explained=20, chips=2, times=("0 s", "1 year")
)


@pytest.fixture(scope="module")
def found():
    return study.compute(TINY, workloads=("digits-mlp", "llama2-7b"), progress=False)


def test_machines_that_draw_nothing_are_the_same_for_every_seed(found):
    accuracy = found.accuracy.sel(workload="digits-mlp", target=["warboy", "hbm-pim"])
    assert (accuracy == accuracy.isel(seed=0, at=0)).all()
    cells = found.energy.sel(workload="digits-mlp", target="pcm-hermes", component="cells")
    assert float(cells[0, 0]) != float(cells[1, 0])


def test_summary_has_a_row_a_time_only_where_time_matters(found):
    table = study.summary(found)
    rows = table.groupby(["workload", "target"]).size()
    assert rows["digits-mlp", "pcm-hermes"] == 3 * 2
    assert rows["digits-mlp", "warboy"] == rows["llama2-7b", "pcm-hermes"] == 3
    scored = table[table.metric == "accuracy"]
    assert (scored.accuracy_low <= scored.accuracy).all()
    assert (scored.accuracy <= scored.accuracy_high).all()
    assert table[table.workload == "llama2-7b"][["accuracy", "perplexity"]].isna().all(axis=None)
    assert (table.energy_low_J < table.energy_J).all()
    assert (table.energy_J < table.energy_high_J).all()
    assert (table.dynamic_J < table.energy_J).all()
    exact = study.exact_quality("digits-mlp", TINY.limit("digits-mlp"))
    assert set(scored.accuracy_exact) == {exact["accuracy"]}
    assert study.exact_quality("llama2-7b", 1) == {}


def test_no_stage_pays_for_a_driver():
    assert pim.target("warboy").call > 0
    assert [study.silicon(name).call for name in study.TARGETS] == [0, 0, 0]


def test_each_operating_point_is_that_of_the_machine(found):
    one = found.sel(workload="llama2-7b", target="hbm-pim").isel(seed=0)
    busy = pim.operating_points(pim.load_model("llama2-7b"), pim.target("hbm-pim"), chips="needed")
    np.testing.assert_allclose(one.energy.sum("component"), busy.energy.sum("component"))
    np.testing.assert_allclose(one.rate, busy.rate)
    assert int(one.chips) == 2
    assert "static waiting" in one.component
