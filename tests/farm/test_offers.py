"""Does every offer of the catalogue say what it costs, and is one without power refused by name?"""

import pytest

import pimlab as pim
from pimlab import catalogue, farm
from pimlab.constants import assumed


@pytest.mark.parametrize("name", farm.offers())
def test_offers_of_the_catalogue(name):
    one = farm.offer(name)
    assert one.power.value > 0
    assert one.price.unit == "won"
    assert one.price.low <= one.price.value <= one.price.high
    assert 0 < one.idle.value < one.power.value
    assert one.stage in (1, 2, 3)
    assert one.domestic == (one.vendor != "NVIDIA")


def test_stages_and_years_of_the_roadmap():
    years = {
        stage: [o.year for o in map(farm.offer, farm.offers()) if o.stage == stage]
        for stage in (1, 2, 3)
    }
    assert min(years[2]) >= 2026
    assert min(years[3]) >= 2029


def test_a_dollar_price_becomes_won_with_the_range_of_the_rate():
    rate = catalogue.entry("farm", "operation")["exchange"]
    price = farm.offer("h100").price
    assert price.value == pytest.approx(40000 * rate.value)
    assert price.low == pytest.approx(25000 * rate.low)
    assert price.high == pytest.approx(40000 * rate.high)
    assert {"khan2024gwangju", "meeco2023h100"} <= set(price.sources)


def test_static_power_counts_every_chip_and_one_host():
    card = farm.offer("analog-pcm")
    host = farm.offer("warboy")
    assert card.chips == 16
    assert card.idle.value == pytest.approx(16 * 64e-3 + host.idle.value)  # 64 cores of 1 mW
    two = farm.offer("rngd").but(chips=2, idle=None)
    assert two.idle.value == pytest.approx(2 * farm.offer("rngd").idle.value)


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        ({"power": None}, TypeError, "Offer 'rngd' has no power; write for example power='180 W'"),
        ({"power": "0 W"}, ValueError, "Offer 'rngd': power=0 W; allowed: above 0"),
        ({"price": "-1 Mwon"}, ValueError, "price=-1e\\+06 won is negative"),
        ({"price": "3 W"}, ValueError, "Offer 'rngd' price='3 W' is not a quantity in won"),
        ({"price": assumed("p", 1.0, "USD", "x")}, ValueError, "price is in USD; allowed: won"),
        ({"until": 2020}, ValueError, "until=2020 is before year=2025"),
        ({"splits": (1, 2)}, ValueError, r"splits=\(1, 2\); allowed: 2 or more"),
    ],
)
def test_bad_offers_are_refused_by_name(change, kind, says):
    with pytest.raises(kind, match=says):
        farm.offer("rngd").but(**change)


def test_an_offer_without_power_is_refused():
    with pytest.raises(TypeError, match="Offer needs .*power"):
        farm.Offer(
            name="x",
            vendor="v",
            target=pim.target("warboy"),
            price="1 Mwon",
            operations=1e12,
            year=2025,
        )


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'rngd'"):
        farm.offer("rngdd")
    with pytest.raises(TypeError, match="offer 3 is not a name"):
        farm.offer(3)


def test_own_numbers_count_as_assumed():
    one = farm.offer("rngd").but(price="20 Mwon")
    assert one.price.status == "assumed"
    assert one.price.value == 20e6


def test_sold_in_its_years_only():
    x220 = farm.offer("x220")
    assert x220.sold(2023, 2025)
    assert not x220.sold(2026, 2028)
    assert not farm.offer("analog-pcm").sold(2026, 2028)
