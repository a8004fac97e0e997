"""Does the integer program keep what it stands for: parts on cards, racks, money, periods?"""

import farm_examples
import pytest

from pimlab import farm
from pimlab.farm.planning import MWON, YEAR, program, rates
from pimlab.farm.rules import Period, Rules


def solved(question, **how):
    built = program(question)
    return built, built.solve(gap=0, **how)


def of(built, solution, kind):
    return {
        key[1:]: solution.values[i]
        for key, i in built.index.items()
        if key[0] == kind and solution.values[i] > 1e-6
    }


def test_rates_by_hand():
    rngd = farm.offer("rngd")
    cloud = farm.Cloud(
        name="a", power="1 MW", racks=3, pue=1.5, electricity="180 won / kW h",
        rack=farm.Rack(server_power="800 W", server_price="16 Mwon"),
    )  # fmt: skip
    found = rates(rngd, cloud)
    assert found.buy == pytest.approx(rngd.price.value + 2e6)
    assert found.idle == pytest.approx((38 + 100) * 1.5)
    assert found.joule == pytest.approx(180 / 3.6e6)


def test_cost_of_the_optimum_is_that_of_its_cards_by_hand():
    atom = farm.offer("atom")
    asked = farm_examples.question(
        services=farm_examples.services()[:1], offers=(atom,), clouds=farm_examples.clouds(1)
    )
    built, best = solved(asked)
    assert list(of(built, best, "cards").values()) == pytest.approx([5])  # 100 a second by 20 each
    (cloud,) = asked.clouds
    price = rates(atom, cloud)
    joules = 100 * YEAR * 1.5 * cloud.pue.value
    won = 5 * (price.buy + price.idle * YEAR * price.joule) + joules * price.joule
    assert best.objective == pytest.approx(won / MWON, rel=1e-6)


def test_parts_of_a_card_are_bought_as_whole_cards():
    vision = farm_examples.services()[0].but(rate="9 Hz")
    built, best = solved(farm_examples.question(services=(vision,), offers=(farm.offer("rngd"),)))
    assert sum(of(built, best, "cards").values()) == pytest.approx(1)


def test_cards_stay_from_period_to_period():
    periods = tuple(
        Period(name=str(y), start=y, end=y, rules=Rules(spare="none")) for y in (2025, 2026)
    )
    built, best = solved(farm_examples.question(periods=periods))
    assert not [k for k in of(built, best, "bought") if k[2] == "2026"]
    growing = tuple(s.but(growth=1.0) for s in farm_examples.services())
    built, best = solved(farm_examples.question(periods=periods, services=growing))
    bought = of(built, best, "bought")
    cards = of(built, best, "cards")
    assert (
        sum(v for k, v in bought.items())
        >= sum(v for k, v in cards.items() if k[2] == "2026") - 1e-6
    )


def test_an_offer_is_bought_in_its_years_only():
    late = tuple(o.but(year=2026) if o.name != "h100" else o for o in farm_examples.offers())
    built, best = solved(farm_examples.question(offers=late))
    assert {k[0] for k in of(built, best, "cards")} == {"h100"}


@pytest.mark.parametrize(("spare", "more"), [("card", 1), ("rack", 80)])
def test_spares_stand_in_every_pool(spare, more):
    vision = farm_examples.services()[:1]
    atoms = (farm.offer("atom"),)
    built, best = solved(farm_examples.question(services=vision, offers=atoms))
    base = sum(of(built, best, "cards").values())
    built, best = solved(farm_examples.question(Rules(spare=spare), services=vision, offers=atoms))
    pools = len(of(built, best, "cards"))
    assert sum(of(built, best, "cards").values()) == pytest.approx(base + more * pools)


def test_a_lost_cloud_leaves_what_must_be_served():
    services = farm_examples.services(cloud_loss=1.0)
    built, best = solved(farm_examples.question(services=services))
    rate = {}
    for (number, cloud, _), many in of(built, best, "instances").items():
        ability = farm_examples.abilities()[number]
        rate.setdefault(ability.service, {}).setdefault(cloud, 0.0)
        rate[ability.service][cloud] += many * ability.rate
    for service in services:
        left = sum(rate[service.name].values()) - max(rate[service.name].values())
        assert left >= service.rate - 1e-6


def test_two_vendors_and_two_clouds_hold_their_share():
    rules = Rules(spare="none", vendors=2, clouds=2, least=0.3, operations="10 PFLOPS")
    built, best = solved(farm_examples.question(rules))
    offers = {o.name: o for o in farm_examples.offers()}
    by_vendor, by_cloud = {}, {}
    for (offer, cloud, _), count in of(built, best, "cards").items():
        held = count * offers[offer].operations
        by_vendor[offers[offer].vendor] = by_vendor.get(offers[offer].vendor, 0) + held
        by_cloud[cloud] = by_cloud.get(cloud, 0) + held
    total = sum(by_vendor.values())
    assert total >= 10e15
    assert sum(v >= 0.3 * total - 1 for v in by_vendor.values()) >= 2
    assert sum(v >= 0.3 * total - 1 for v in by_cloud.values()) >= 2


def test_domestic_cards_hold_their_share():
    alone = farm_examples.question(Rules(spare="none"))
    cheap = tuple(o.but(price="1 Mwon") if o.name == "h100" else o for o in alone.offers)
    built, best = solved(alone._replace(offers=cheap))
    assert {k[0] for k in of(built, best, "cards")} == {"h100"}
    built, best = solved(farm_examples.question(Rules(spare="none", domestic=0.8), offers=cheap))
    offers = {o.name: o for o in cheap}
    held = {k: v * offers[k[0]].operations for k, v in of(built, best, "cards").items()}
    home = sum(v for k, v in held.items() if offers[k[0]].domestic)
    assert home >= 0.8 * sum(held.values()) - 1


def test_uplinks_limit_what_a_cloud_serves():
    services = farm_examples.services(bits=1e6)
    sites = farm_examples.clouds(2, uplink="100 Mbit/s")
    built, best = solved(farm_examples.question(services=services, clouds=sites))
    share = of(built, best, "share")
    peaks = {
        i: services[0].rate if a.service == "vision" else services[1].rate
        for i, a in enumerate(farm_examples.abilities())
    }
    for site in sites:
        bits = sum(v * peaks[k[0]] * 1e6 for k, v in share.items() if k[1] == site.name)
        assert bits <= 100e6 * (1 + 1e-9)
