"""Does `provision` plan a farm from models and cards, and name what cannot be had?"""

import re

import farm_examples
import pytest

import pimlab as pim
from pimlab import farm
from pimlab.farm.rules import Rules


def provision(rules=None, **how):
    given = {"abilities": farm_examples.abilities(), "baseline": (), "seconds": 20, **how}
    services = given.pop("services", farm_examples.services())
    offers = given.pop("offers", farm_examples.offers())
    clouds = given.pop("clouds", farm_examples.clouds())
    return pim.provision(services, offers, clouds, rules, **given)


def test_everything_is_served():
    plan = provision()
    served = plan.answer.served.sum(["offer", "cloud"])
    assert served.sel(service="vision").values == pytest.approx(100)
    assert served.sel(service="chat").values == pytest.approx(20)
    assert plan.gap <= 0.01


def test_contradicting_rules_are_named_and_none_too_many():
    with pytest.raises(farm.ContradictionError) as error:
        provision(Rules(operations="50 PFLOPS", budget="100 Mwon", vendors=2, power="1 MW"))
    assert error.value.rules == ("operations in 2025", "budget of 2025")
    assert "no farm keeps these rules together: operations in 2025; budget of 2025" in str(
        error.value
    )


def test_a_rate_beyond_every_farm_is_answered_with_the_most():
    vision = farm_examples.services()[0].but(rate="1 MHz")
    one = farm_examples.clouds(1)[0].but(racks=1)
    with pytest.raises(farm.ContradictionError, match="The most that the other rules allow") as no:
        provision(services=(vision,), clouds=(one,))
    most = float(re.search(r"allow: ([0-9.e+]+) of 1e\+06 requests", str(no.value))[1])
    assert provision(services=(vision.but(rate=most * 0.99),), clouds=(one,)).value > 0
    with pytest.raises(farm.ContradictionError):
        provision(services=(vision.but(rate=most * 1.02),), clouds=(one,))


def test_domestic_share_without_a_domestic_offer():
    h100 = [farm.offer("h100")]
    found = [a for a in farm_examples.abilities() if a.offer == "h100"]
    with pytest.raises(farm.ContradictionError) as error:
        provision(Rules(domestic=0.5), offers=h100, abilities=found)
    assert "domestic share in 2025" in error.value.rules


def test_a_service_that_no_offer_serves_is_named_with_reasons():
    slow = farm.Service(name="slow", model="digits-mlp", rate="1 Hz", latency="1 ns")
    with pytest.raises(
        ValueError, match="no offer serves 'slow': warboy: a request takes .* the SLO is 1e-09 s"
    ):
        pim.provision([slow], ["warboy"], farm_examples.clouds())


def test_a_floor_that_no_offer_reaches_is_named():
    import numpy as np
    import xarray as xr

    quality = xr.Dataset(
        {"accuracy": (("model", "target"), np.array([[0.9, 0.97]]), {"better": "higher"})},
        coords={"model": ["digits-mlp"], "target": ["warboy", "atom"]},
    )
    good = farm.Service(
        name="good", model="digits-mlp", rate="1 Hz", latency="1 ms", metric="accuracy", floor=0.99
    )
    with pytest.raises(ValueError, match="quality accuracy has dimensions .'target',.; allowed: a"):
        pim.provision(
            [good], ["warboy"], farm_examples.clouds(), quality=quality.isel(model=0, drop=True)
        )
    with pytest.raises(
        ValueError,
        match="warboy: accuracy 0.9 misses the floor 0.99 on warboy; atom: accuracy 0.97",
    ):
        pim.provision([good], ["warboy", "atom"], farm_examples.clouds(), quality=quality)
    plan = pim.provision(
        [good.but(floor=0.95)],
        ["warboy", "atom"],
        farm_examples.clouds(),
        quality=quality,
        baseline=(),
    )
    assert float(plan.answer.served.sel(offer="warboy").sum()) == 0
    assert plan.answer.quality.sel(service="good", offer="atom") == 0.97
    assert any("misses the floor" in line for line in plan.why)


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        ({"services": ()}, ValueError, "provision services=.*allowed: one or more"),
        ({"offers": "rngd"}, TypeError, r"write offers=\['rngd'\]"),
        ({"offers": ["rngd", "rngd"]}, ValueError, "each name once"),
        ({"clouds": ["a"]}, TypeError, r"provision clouds=\['a'\] is not a list, each a Cloud"),
        ({"gap": float("nan")}, ValueError, "provision gap=nan; allowed: 0 to 1"),
        ({"gap": -0.1}, ValueError, "provision gap=-0.1; allowed: 0 to 1"),
        ({"seconds": float("nan")}, ValueError, "provision seconds=nan; allowed: above 0 s"),
        ({"seconds": -1.0}, ValueError, "provision seconds=-1.0; allowed: above 0 s"),
        ({"quality": 0.9}, TypeError, "provision quality=0.9 is not a Dataset"),
        ({"objective": "costs"}, ValueError, "did you mean 'cost'"),
        (
            {"services": farm_examples.services(clouds=("cloud 9",))},
            ValueError,
            "did you mean 'cloud",
        ),
    ],
)
def test_bad_input_is_refused(change, kind, says):
    with pytest.raises(kind, match=says):
        provision(**change)


def test_periods_that_overlap_are_refused():
    periods = [farm.Period(name=str(y), start=y, end=y + 1) for y in (2025, 2026)]
    with pytest.raises(
        ValueError, match="period '2026' starts in 2026, before '2025' ends in 2026"
    ):
        provision(periods)


NEXT = ("atom-aimx", "atom-lpddr6-pim", "rngd-hbm4-pim")
"""Offers of machines with units in their memory that are sold from 2027 or 2028."""


def test_offers_that_are_not_sold_yet_are_named_with_their_years():
    chat = farm_examples.services()[1]
    found = [farm_examples.abilities()[5].but(service="chat", offer=name) for name in NEXT]
    given = {"services": [chat], "offers": NEXT, "abilities": found}
    with pytest.raises(
        ValueError, match="no offer that serves 'chat' is sold in period '2025'"
    ) as no:
        provision(**given)
    assert "atom-aimx 2027 to 2100; atom-lpddr6-pim 2028" in str(no.value)
    plan = provision([farm.Period(name="then", start=2028, end=2030)], **given)
    assert int(plan.answer.cards.sum()) > 0


@pytest.mark.full
def test_a_chat_is_served_by_every_card_whose_memory_computes():
    chat = farm.Service(
        name="chat",
        model="llama2-7b",
        rate="20 Hz",
        input=512,
        output=128,
        ttft="2 s",
        tpot="100 ms",
    )
    offers = [farm.offer(name) for name in NEXT]
    found, refused = farm.abilities([chat], offers)
    assert not refused
    period = farm.Period(name="2028", start=2028, end=2029, rules=Rules(clouds=2))
    given = {"services": [chat], "clouds": farm_examples.clouds(2), "abilities": found}
    costs = {one.name: provision([period], offers=[one], **given).value for one in offers}
    together = provision([period], offers=offers, **given)
    assert together.value <= min(costs.values()) * 1.01
    assert together.answer.served.sum() == pytest.approx(20)
    assert (together.answer.cards.sum(["offer", "period"]) > 0).all()  # one cloud may be lost
    assert together.answer.assumed_share == 1  # no such card is sold: every price is assumed


def test_from_models_to_cards():
    digits = farm.Service(name="digits", model="digits-mlp", rate="2 MHz", latency="1 ms")
    chat = farm.Service(
        name="chat",
        model="llama2-7b",
        rate="50 Hz",
        input=512,
        output=128,
        ttft="1 s",
        tpot="100 ms",
    )
    plan = pim.provision(
        [digits, chat], ["warboy", "rngd"], farm_examples.clouds(), Rules(clouds=2)
    )
    assert plan.baseline is not None
    assert plan.baseline.question.offers[0].name == "h100"
    assert any("h100 alone" in line for line in plan.why)
    assert 0 < plan.answer.assumed_share.item() <= 1
    assert "touvron2023b" not in plan.answer.attrs["sources"]
    assert "furiosa-rngd" in plan.answer.attrs["sources"]
