"""Does the figure of energy against rate show each machine up to its saturation, and the crossings?"""

import numpy as np
import pytest

import pimlab as pim
from pimlab.plot.rates import energy_against_rate
from tests.schedule.made import plan

RATES = np.geomspace(0.01, 200, 40)


@pytest.fixture(scope="module")
def machines():
    made = {"frugal": (3.0, 0.05), "fast": (6.0, 0.01)}
    return {
        name: pim.schedule(plan({"a": {"x": seconds}}, watts=watts), inferences=4)
        for name, (watts, seconds) in made.items()
    }


def test_each_machine_is_a_line_up_to_its_saturation(machines):
    fig = energy_against_rate({name: pim.energy_at(one, RATES) for name, one in machines.items()})
    (ax,) = fig.axes
    lines = {line.get_label(): line for line in ax.lines if not line.get_label().startswith("_")}
    assert lines["frugal"].get_xdata().max() <= 20 < RATES[-1]
    assert lines["fast"].get_xdata().max() <= 100
    assert np.isfinite(lines["fast"].get_ydata()).all()
    assert ax.get_xscale() == ax.get_yscale() == "log"
    assert ax.yaxis.get_major_formatter()(1e-6) == "1 µJ"
    assert "how often" in ax.get_title()


def test_crossings_are_circled_where_the_lines_meet(machines):
    found = pim.crossings(machines)
    swept = {name: pim.energy_at(one, RATES) for name, one in machines.items()}
    (ax,) = energy_against_rate(swept, found).axes
    circles = [line for line in ax.lines if line.get_markerfacecolor() == "none"]
    assert len(circles) == found.sizes["crossing"] >= 1
    rate = float(circles[0].get_xdata()[0])
    both = [float(pim.energy_at(one, rate).energy) for one in machines.values()]
    np.testing.assert_allclose(circles[0].get_ydata()[0], both, rtol=0.05)
    assert f"{found.below[0].item()} costs less below" in ax.get_title()


def test_no_crossing_and_no_answer_are_said(machines):
    none = pim.crossings(machines).isel(crossing=slice(0, 0))
    swept = {name: pim.energy_at(one, RATES) for name, one in machines.items()}
    title = energy_against_rate(swept, none).axes[0].get_title()
    assert title == "One machine costs least at every rate"
    with pytest.raises(TypeError, match="what pimlab.energy_at returns"):
        energy_against_rate({"a": 3})
