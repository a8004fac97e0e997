"""Is the highest rate one at which the SLO holds, and which a little more breaks?"""

import pytest
from serving_examples import times

import pimlab as pim
from pimlab.serving import most_rate, serve

LOAD = pim.poisson(rate="1 Hz", count=200, input=[5, 30], output=[1, 6])
SLO = pim.Slo(ttft="10 s", tpot="4 s", share=0.9)


def test_the_rate_holds_and_a_higher_one_does_not():
    found = most_rate(times(), LOAD, SLO)
    rate = float(found.rate)
    assert 0 < rate < float(found.rate_bound)
    held = serve(times(), LOAD.at_rate(rate), slo=SLO)
    assert held.attainment >= 0.9
    broken = found.attainment.where(found.tried_rate > rate, drop=True)
    assert broken.size
    assert (broken < 0.9).all()


def test_more_replicas_carry_more():
    rates = [float(most_rate(times(), LOAD, SLO, replicas=n).rate) for n in (1, 2)]
    assert rates[1] > 1.5 * rates[0]


def test_a_bound_below_the_empty_service_is_refused():
    with pytest.raises(ValueError, match="Slo ttft=1 s is below the ttft with no load"):
        most_rate(times(), LOAD, pim.Slo(ttft="1 s"))
    with pytest.raises(ValueError, match="tolerance=0"):
        most_rate(times(), LOAD, SLO, tolerance=0)
