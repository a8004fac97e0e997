"""Three operating points of one machine: their sums by hand, their ends, and their order."""

import numpy as np
import pytest

import pimlab as pim
from pimlab.result import sources_of
from pimlab.studies.operating import FULL, ONE, RARE, TRAFFIC, WAITING, points_of

ENDS = ("", "_low", "_high")


def _both(model, machine, data=None, **how):
    answer = pim.run(model, machine, data, **how)
    busy = pim.schedule(model, machine, answer=answer if data is not None else None)
    return answer, busy, points_of(answer, busy)


@pytest.mark.parametrize("name", ["warboy", "hbm-pim", "pcm-hermes"])
def test_each_point_is_what_run_energy_at_and_schedule_say(name):
    model, machine = pim.load_model("fashion-cnn"), pim.target(name)
    answer, busy, found = _both(model, machine)
    rare = pim.energy_at(busy, float(busy.throughput) / 100)
    for end in ENDS:
        total = found["energy" + end].sum("component")
        assert float(total.sel(traffic=ONE)) == pytest.approx(float(answer["energy" + end].sum()))
        assert float(total.sel(traffic=RARE)) == pytest.approx(float(rare["energy" + end]))
        assert float(total.sel(traffic=FULL)) == pytest.approx(float(busy["energy" + end].sum()))
    assert found.latency.values.tolist() == [
        float(answer.latency.sum()),
        float(rare.latency),
        float(busy.latency),
    ]
    assert float(found.rate[0]) == pytest.approx(1 / float(answer.latency.sum()))
    np.testing.assert_allclose(found.rate[2], 100 * found.rate[1])
    assert float(found.rate[2]) == float(busy.throughput)


def test_static_and_dynamic_are_apart_and_add_up():
    found = pim.operating_points(pim.load_model("fashion-cnn"), pim.target("pcm-hermes"))
    assert found.traffic.values.tolist() == list(TRAFFIC)
    static = [str(name).startswith("static ") for name in found.component.values]
    dynamic = found.energy.isel(component=[not one for one in static]).sum("component")
    np.testing.assert_allclose(dynamic, found.dynamic_energy)
    assert (dynamic == dynamic[0]).all(), "an inference does the same work at every load"
    waiting = found.energy.sel(component=WAITING)
    assert (float(waiting[0]), float(waiting[2])) == (0, 0)
    assert float(waiting[1]) > 0
    # the digital host of this chip and its arrays draw all of it, each in proportion to the time
    assert not found.energy.sel(component="static chip").any()
    for owner in ("static host", "static array"):
        drawn = found.energy.sel(component=owner).values
        assert (drawn > 0).all()
        watts = drawn[0] / float(found.charged[0])
        np.testing.assert_allclose(drawn, watts * found.charged, err_msg=owner)


def test_quality_and_cell_energy_of_data_travel_along():
    model, machine = pim.load_model("digits-mlp"), pim.target("pcm-hermes")
    data = pim.load_data("digits", limit=20)
    found = pim.operating_points(model, machine, data, at=["0 s", "1 year"], seed=1)
    answer = pim.run(model, machine, data, at=["0 s", "1 year"], seed=1)
    np.testing.assert_array_equal(found.accuracy, answer.accuracy)
    cells = found.energy.sel(component="cells")
    np.testing.assert_allclose(cells, float(answer.energy.sel(component="cells").sum()))
    assert found.attrs["model"] == "digits-mlp"
    assert set(sources_of(answer)) <= set(sources_of(found))


def test_capacity_and_batches_are_those_of_run():
    shape = pim.load_model("llama2-7b")
    with pytest.raises(ValueError, match=r"write chips=2 \(or chips='needed'\)"):
        pim.operating_points(shape, pim.target("hbm-pim"))
    found = pim.operating_points(shape, pim.target("hbm-pim"), chips="needed", inferences=8)
    assert int(found.chips) == 2
    once = pim.operating_points(pim.load_model("digits-mlp"), pim.target("warboy"))
    four = pim.operating_points(pim.load_model("digits-mlp"), pim.target("warboy"), batch=4)
    assert float(four.charged[0]) < float(once.charged[0])
    assert float(four.rate[2]) > float(once.rate[2])
