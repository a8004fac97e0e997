"""Is the merged farm a bound on every farm, and do the rows of whole numbers cut off none?"""

import farm_examples
import pytest

from pimlab import farm
from pimlab.farm.bounds import MERGED, cover, merged, spare_of
from pimlab.farm.planning import program
from pimlab.farm.rules import Period, Rules

CLOUDS = (
    *farm_examples.clouds(2),
    farm.Cloud(name="small", power="20 kW", racks=2, pue=1.2, rack=farm.Rack(power="6 kW")),
)


def asked(spare, loss, **rules):
    periods = tuple(
        Period(name=str(y), start=y, end=y, rules=Rules(spare=spare, **rules)) for y in (2025, 2026)
    )
    services = farm_examples.services(cloud_loss=loss, growth=0.8)
    offers = farm_examples.offers()[:3]
    return farm_examples.question(periods=periods, services=services, clouds=CLOUDS, offers=offers)


@pytest.mark.parametrize(
    ("spare", "loss", "rules"),
    [
        ("none", 0.0, {}),
        ("card", 0.5, {"clouds": 2}),
        ("card", 1.0, {"vendors": 2}),
        ("rack", 0.7, {"operations": "20 PFLOPS"}),
    ],
)
def test_no_farm_beats_the_merged_one(spare, loss, rules):
    question = asked(spare, loss, **rules)
    exact = program(question).solve(gap=3e-3, seconds=20)
    bound = merged(question).solve(gap=3e-3, seconds=20)
    assert bound.bound <= exact.objective * (1 + 1e-6)


def test_pools_raise_the_bound_where_a_cloud_may_be_lost():
    question = asked("card", 1.0)
    plain = merged(asked("card", 0.0)).solve(gap=3e-3, seconds=20)
    assert merged(question).solve(gap=3e-3, seconds=20).bound > plain.objective


def test_cover_rows_keep_the_best_farm():
    question = asked("card", 0.0)
    built = program(question)
    before = built.solve(gap=0, seconds=20), built.solve(whole=False)
    cover(built, question)
    assert built.solve(gap=0, seconds=20).objective == pytest.approx(before[0].objective, rel=1e-6)
    assert built.solve(whole=False).objective > before[1].objective


def test_cover_rounds_instances_up_by_hand():
    vision = farm_examples.services()[0].but(rate="95 Hz")
    question = farm_examples.question(services=(vision,), offers=(farm.offer("warboy"),))
    built = merged(question)
    warboys = built.find("instances", 0, MERGED, "2025")
    assert built.solve(whole=False).values[warboys] == pytest.approx(10)  # 95 by 10 each are 9.5


def test_the_fewest_spare_cards_of_any_cloud_count():
    atom = farm.offer("atom")
    rack = [cloud.rack.cards(atom) for cloud in CLOUDS]
    assert rack[2] < rack[0]
    assert spare_of(asked("rack", 0.0), atom, asked("rack", 0.0).periods[0]) == rack[2]
    assert spare_of(asked("card", 0.0), atom, asked("card", 0.0).periods[0]) == 1
