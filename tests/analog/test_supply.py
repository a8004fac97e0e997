"""Supplies: C V^2, the line of a fixed clock, time, and refusals."""

import pytest

import pimlab as pim
from pimlab.analog import macro
from pimlab.analog.supply import Supply
from pimlab.machine.protocol import MacOp

OP = MacOp(name="x", m=1, k=64, n=16)


def test_energy_goes_as_the_square_and_time_as_its_power():
    machine = pim.target("wang2022")
    other = machine.at_supply("0.7 V")
    for event in machine.events(OP):
        ratio = other.prices[event].constant.value / machine.prices[event].constant.value
        assert ratio == pytest.approx((0.7 / 0.9) ** 2)
    exponent = machine.costs.supply.time_exponent
    ratio = other.latency(OP)["array read"] / machine.latency(OP)["array read"]
    assert ratio == pytest.approx((0.9 / 0.7) ** exponent)
    assert other.prices["cell slot"].constant.status == "derived"
    assert "at 0.7 V" in other.prices["cell slot"].constant.reason


def test_there_and_back_is_the_same():
    costs = pim.target("colonnade").costs
    back = costs.at_supply("0.65 V").at_supply("0.8 V")
    for (name, one), (_, two) in zip(costs.constants, back.constants, strict=True):
        assert two.value == pytest.approx(one.value), name


def test_a_line_where_a_threshold_is_given():
    supply = Supply(voltage="0.8 V", lowest="0.6 V", highest="0.8 V", threshold="0.5 V")
    assert supply.energy_ratio(0.65) == pytest.approx(0.5)
    assert supply.time_ratio(0.65) == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pim.target("wang2022").at_supply("1.2 V"), "1.2 V is outside 0.7..1.1 V"),
        (lambda: pim.target("wang2022").at_supply("1.2 A"), "supply"),
        (lambda: macro("pcm-hermes").at_supply("0.8 V"), "only one supply is known"),
        (lambda: Supply(voltage=2.0, lowest=0.5, highest=1.0), "outside lowest..highest"),
        (
            lambda: Supply(voltage=0.8, lowest=0.6, highest=1.0, threshold=0.7),
            "below lowest=0.6 V",
        ),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
