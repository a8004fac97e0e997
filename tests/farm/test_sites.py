"""How many cards does a rack hold, and what does one draw at the meter?"""

import pytest

from pimlab import farm
from pimlab.farm.sites import operation


def test_a_rack_by_hand():
    rack = farm.Rack(power="5 kW", servers=10, server_power="400 W")
    rngd = farm.offer("rngd")
    # a full server draws 8 x 180 + 400 = 1840 W: two of them leave 1320 W, for a server and five cards
    assert rack.cards(rngd) == 2 * 8 + 5
    assert farm.Rack(power="5 kW", servers=2, server_power="400 W").cards(rngd) == 16


def test_a_rack_too_weak_for_one_card_is_refused():
    with pytest.raises(ValueError, match="holds no server with one 'h100'"):
        farm.Rack(power="1 kW").cards(farm.offer("h100"))


def test_watts_at_the_meter_by_hand():
    cloud = farm.Cloud(
        name="a", power="1 MW", racks=3, pue=1.5, rack=farm.Rack(server_power="800 W")
    )
    rngd = farm.offer("rngd")
    assert cloud.watts(rngd) == pytest.approx((180 + 100) * 1.5)
    assert cloud.most(rngd) == 3 * cloud.rack.cards(rngd)
    assert cloud.but(power="42 kW").most(rngd) == 100


def test_what_is_not_given_is_the_catalogue_s():
    cloud = farm.Cloud(name="a", power="1 MW", racks=3)
    assert cloud.pue.value == operation("pue").value
    assert cloud.electricity.value == pytest.approx(170 / 3.6e6)
    assert cloud.operator == "a"
    assert "breathjournal2025" in cloud.cited


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"pue": 0.9}, "pue=0.9; allowed: 1 or more"),
        ({"electricity": "3 won"}, "is not a quantity in won/J"),
        ({"power": "0 W"}, "Cloud power='0 W' is outside above 0"),
        ({"racks": 0}, "Cloud racks=0 is outside 1"),
    ],
)
def test_bad_sites_are_refused(change, says):
    with pytest.raises(ValueError, match=says):
        farm.Cloud(**{"name": "a", "power": "1 MW", "racks": 3, **change})
