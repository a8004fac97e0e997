"""Is what a phase costs the sum of its passes, and is only what works paid for?"""

import pytest
from cluster_examples import SMALL, cluster

from pimlab.cluster import Degrees, Requests, Work
from pimlab.cluster.costs import Joules
from pimlab.cluster.phases import Priced, Side, price
from pimlab.cluster.steps import Pricer

RACK = cluster(8, price=3600.0)
STEP = Pricer(SMALL, RACK).step(Work(batch=4, context=64), Degrees(tensor=2))
FEW = Side(0, Degrees(), 4, 2, STEP, ())
MANY = Side(0, Degrees(tensor=2), 4, 32, STEP, ())


def test_a_phase_is_its_passes():
    assert FEW.seconds == 2 * STEP.seconds
    assert MANY.dynamic == pytest.approx(32 * (STEP.joules - STEP.static))
    assert Requests(4, 64, 32).context == 96


def test_chips_of_both_phases_are_paid_for_apart_and_once_together():
    assert price(RACK, FEW, MANY, apart=True) == pytest.approx(3.0)
    assert price(RACK, MANY, MANY, apart=False) == pytest.approx(2.0)


def test_the_objectives_of_a_pair():
    one = Priced(FEW, MANY, True, 0.5, 2.0, 1.25, Joules(nominal=10.0))
    assert one.kind == ("apart", 0, 0)
    values = [one.value(RACK, name, 100) for name in ("latency", "throughput", "energy", "cost")]
    assert values == pytest.approx([2.0, 80.0, 0.1, 3.0 * 1.25 / 100])
