"""Is energy the sum of counts times prices, by component, with the band and the assumed share?"""

import pytest

from pimlab.constants import Constant, assumed
from pimlab.cost import Price, Prices, price

MAC = Constant(
    name="mac",
    value=2.0,
    low=1.0,
    high=4.0,
    unit="J",
    printed="2 J",
    status="published",
    sources=("stillmaker2017",),
    where="t",
)
PRICES = Prices(
    {
        "mac": Price(constant=MAC, component="MAC"),
        "add": Price(constant=assumed("add", 0.5, "J", "a choice"), component="MAC"),
        "read": Price(constant=MAC.but(value=1.0), component="SRAM"),
    }
)


def test_energy_by_hand():
    energy = price({"mac": 3, "add": 4, "read": 5}, PRICES)
    assert energy.nominal == {"MAC": 8.0, "SRAM": 5.0}
    assert energy.low == {"MAC": 5.0, "SRAM": 5.0}
    assert energy.high == {"MAC": 14.0, "SRAM": 20.0}
    assert energy.assumed == {"MAC": 2.0, "SRAM": 0.0}


def test_a_users_own_price_replaces_one_and_counts_as_assumed():
    cheaper = PRICES.with_price("mac", assumed("mac", 1.0, "J", "my chip"))
    assert price({"mac": 3}, cheaper).assumed == {"MAC": 3.0}
    assert PRICES["mac"].constant is MAC
    assert PRICES.sources == ("stillmaker2017",)


@pytest.mark.parametrize("count", [-1, float("nan"), float("inf"), None, "2"])
def test_a_count_is_finite_and_not_negative(count):
    with pytest.raises(ValueError, match="count of 'mac'"):
        price({"mac": count}, PRICES)


def test_an_unknown_event_answers_with_the_nearest():
    with pytest.raises(KeyError, match="did you mean 'mac'"):
        price({"macs": 1}, PRICES)
