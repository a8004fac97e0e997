"""Are seconds and joules of operators those of the machine that runs them?"""

import pytest
from cluster_examples import Clock

from pimlab.cluster.costs import (
    Cost,
    Joules,
    bit_joules,
    calls,
    cost,
    machines,
    occupancy,
    owner,
    placed,
    static_power,
)
from pimlab.constants import assumed
from pimlab.machine.protocol import MacOp, VectorOp

OP, OTHER = MacOp(name="fc", m=2, k=3, n=4), VectorOp(name="relu", kind="relu", elements=8)


class Products(Clock):
    """A clock for products alone."""

    def serves(self, op):
        return isinstance(op, MacOp)


HOSTED = Products(name="products", host=Clock(name="host", each=1e-6))


def test_an_operator_runs_on_the_first_that_serves_it():
    assert [one.name for one in machines(HOSTED)] == ["products", "host"]
    assert (owner(HOSTED, OP), owner(HOSTED, OTHER)) == (0, 1)
    with pytest.raises(ValueError, match="products and its hosts do not execute 'relu'"):
        owner(Products(name="products"), OTHER)


def test_seconds_and_joules_by_hand():
    """24 MACs a step of 1 ns and 1 mJ each, three times."""
    where = placed(HOSTED, ((OP, 1),))
    found = cost(HOSTED, where, [OP, OP, OP, OTHER])
    assert found.seconds == pytest.approx(72e-9)
    assert found.joules == pytest.approx(72e-3)
    assert found.energy.assumed == pytest.approx(72e-3)


def test_costs_add_and_multiply():
    one = Cost(1.0, Joules(2.0, 1.0, 4.0, 0.5))
    assert one.plus(one) == one.times(2)
    assert one.times(3).energy == Joules(6.0, 3.0, 12.0, 1.5)


def test_static_power_is_that_of_all_machines():
    assert static_power(Clock()).nominal == pytest.approx(1.0)
    assert static_power(HOSTED).nominal == pytest.approx(2.0)


def test_a_bit_of_a_link_is_assumed_where_its_price_is():
    price = assumed("bit", "4 pJ", "J", "a test")
    assert bit_joules(price).assumed == bit_joules(price).nominal == pytest.approx(4e-12)


def test_a_driver_is_called_once_a_machine():
    assert calls(HOSTED, [OP, OP, OTHER]) == 0.0


def test_memory_is_taken_by_what_stays_there():
    small = Products(held=120)
    assert occupancy(small, [(OP, 5)]) == (pytest.approx(0.5),)
