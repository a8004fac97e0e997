"""Do figures of served requests show the requests, the power and the rates that were computed?"""

import numpy as np
import pytest
import xarray as xr
from serving_examples import times

import pimlab as pim
from pimlab.plot import cost_against_slo, goodput_against_rate, latencies, service_over_time
from pimlab.serving import against_slo, most_rate, serve

LOAD = pim.poisson(rate="0.2 Hz", count=60, input=[5, 30], output=[1, 6])
SLO = pim.Slo(ttft="10 s", tpot="4 s")


@pytest.fixture(scope="module")
def answer():
    return serve(times(), LOAD, slo=SLO)


def test_distributions_are_those_of_the_requests(answer):
    fig = latencies(answer)
    assert len(fig.axes) == 3
    x, y = fig.axes[0].lines[0].get_data()
    np.testing.assert_array_equal(x, np.sort(answer.ttft.values))
    assert y[-1] == 1
    assert fig.axes[0].lines[1].get_xdata()[0] == float(answer.ttft_percentile[-1])


def test_power_and_queue_over_time_are_drawn(answer):
    top, bottom = service_over_time(answer).axes
    np.testing.assert_array_equal(top.lines[0].get_ydata(), answer.power.values)
    np.testing.assert_array_equal(bottom.lines[1].get_ydata(), answer.queue.values)


def test_goodput_ends_where_the_slo_breaks():
    found = {f"{n} replicas": most_rate(times(), LOAD, SLO, replicas=n) for n in (1, 2)}
    (ax,) = goodput_against_rate(found).axes
    assert ax.get_title().startswith("2 replicas carries most")
    assert max(ax.lines[0].get_xdata()) == float(found["1 replicas"].tried_rate.max())


def test_looser_bounds_cost_less():
    slos = [pim.Slo(ttft="10 s", tpot=tpot) for tpot in ("1.5 s", "6 s")]
    curve = against_slo(times(), LOAD, slos)
    assert curve.rate[1] > curve.rate[0]
    assert curve.token_energy[1] < curve.token_energy[0]
    (ax,) = cost_against_slo(curve).axes
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), curve.token_energy.values)


def test_what_cannot_be_drawn_is_told_what_could():
    for draw in (latencies, service_over_time, cost_against_slo):
        with pytest.raises(TypeError, match="allowed: what pimlab.serv"):
            draw(xr.Dataset())
    with pytest.raises(ValueError, match=r"slos=\[\]; allowed"):
        against_slo(times(), LOAD, [])
