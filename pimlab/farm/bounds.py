"""What can no farm cost less than? All clouds as one, and rows that whole numbers imply.

The clouds are merged into one that is as good as the best of each in every respect. Its program is
small, and no farm can beat its solution. Whole numbers imply more than its linear relaxation knows:

- `cover` divides the instances of a service by the rate of one of them and rounds both sides up
  [1, Chvatal-Gomory inequalities];
- pools of an offer are counted, though they stand in one cloud here: each keeps its spare cards. An
  offer in a single pool is lost with that cloud, so that the other offers must then serve what must
  be served without any one cloud; and a further pool begins with cards that are bought.

1. L. A. Wolsey, Integer Programming, 2nd ed., Wiley 2020, chapter 8.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from pimlab.farm.offers import Offer
from pimlab.farm.planning import Question, program, spare_cards
from pimlab.farm.program import Program
from pimlab.farm.rules import Period
from pimlab.farm.services import Service
from pimlab.farm.sites import Cloud, Rack

MERGED = "every cloud"
SMALL = 1e-9
"""Relative error of a rate up to which a ratio counts as the whole number beside it."""


def merged(question: Question) -> Program:
    """The program of a question with all its clouds as one, without the rules that tell clouds
    apart. Million won, kWh or kW, as the objective is.
    """
    periods = tuple(p.but(rules=p.rules.but(clouds=1)) for p in question.periods)
    services = tuple(s.but(cloud_loss=0.0, clouds=()) for s in question.services)
    one = question._replace(clouds=(_merge(question.clouds),), periods=periods, services=services)
    found = program(one)
    cover(found, one)
    _pools(found, question)
    for period in question.periods:
        _losses(found, question, period)
    return found


def cover(found: Program, question: Question) -> None:
    """Add the rows of every service and period that its whole instances imply."""
    for period in question.periods:
        for service in question.services:
            terms = list(_capacity(found, question, service, period))
            peak = service.peak(period.end)
            found.row(terms, low=peak)
            # instances are whole: in units of one kind's rate, the others round up and so does the
            # demand
            for unit in {rate for _, rate in terms}:
                found.row([(c, _up(rate / unit)) for c, rate in terms], low=_up(peak / unit))


def _up(ratio: float) -> float:
    return float(math.ceil(ratio * (1 - SMALL)))


def _capacity(
    found: Program, question: Question, service: Service, period: Period, without: str = ""
) -> Iterator[tuple[int, float]]:
    """(instances, requests a second of one) of a service in a period, but for one offer."""
    places = dict.fromkeys([MERGED, *(cloud.name for cloud in question.clouds)])
    for number, ability in enumerate(question.abilities):
        if ability.service != service.name or ability.offer == without:
            continue
        for cloud in places:
            column = found.find("instances", number, cloud, period.name)
            if column is not None:
                yield column, ability.rate


def _pools(found: Program, question: Question) -> None:
    """Count the pools of every offer beyond the first, each with its spare cards."""
    for offer in question.offers:
        before: list[tuple[int, float]] = []
        for period in question.periods:
            used = found.find("used", offer.name, MERGED, period.name)
            if used is None:
                continue
            more = found.variable(
                "more", offer.name, period.name, upper=len(question.clouds) - 1, integer=True
            )
            spare = spare_of(question, offer, period)
            found.row([(more, 1.0), (used, 1.0 - len(question.clouds))], high=0.0)
            cards = found.find("cards", offer.name, MERGED, period.name)
            bought = found.find("bought", offer.name, MERGED, period.name)
            assert cards is not None
            assert bought is not None
            _keep_spare(found, cards, used, more, spare)
            if before:
                found.row([(more, 1.0), (used, 1.0), *before, (bought, -1.0 / spare)], high=0.0)
            before = [(more, -1.0), (used, -1.0)]


def spare_of(question: Question, offer: Offer, period: Period) -> int:
    """The fewest spare cards of a pool of the offer in any cloud (unit: cards)."""
    return min(spare_cards(period, offer, cloud) for cloud in question.clouds)


def _keep_spare(found: Program, cards: int, used: int, more: int, spare: int) -> None:
    """Let every further pool take its spare cards from the cards of its offer."""
    for number, row in enumerate(found.rows):
        terms = row.coefficients
        # the row that says: cards of an offer >= spare cards of the one pool the merged cloud has
        if cards in terms and used in terms and terms[cards] < 0 < terms[used] and row.high == 0:
            each = -terms[cards] * spare
            found.rows[number] = row._replace(coefficients={**terms, used: each, more: each})
            return
    raise AssertionError(cards)


def _losses(found: Program, question: Question, period: Period) -> None:
    """Without the cloud of an offer's only pool, the other offers serve what must be served."""
    for service in question.services:
        least = service.cloud_loss * service.peak(period.end)
        for offer in question.offers if least > 0 else ():
            more = found.find("more", offer.name, period.name)
            if more is not None:
                others = _capacity(found, question, service, period, without=offer.name)
                found.row([*others, (more, least)], low=least)


def _merge(clouds: tuple[Cloud, ...]) -> Cloud:
    """One cloud with the places and the power of all, as cheap as the best in each respect."""

    def least(value: Callable[[Cloud], float]) -> float:
        return min(map(value, clouds))

    rack = Rack(
        power=max(c.rack.power.value for c in clouds),
        servers=max(c.rack.servers for c in clouds),
        server_power=least(lambda c: c.rack.server_power.value),
        server_price=least(lambda c: c.rack.server_price.value),
    )
    links = [c.uplink for c in clouds]
    return Cloud(
        name=MERGED,
        power=sum(c.power for c in clouds),
        racks=sum(c.racks for c in clouds),
        rack=rack,
        pue=least(lambda c: c.pue.value),
        electricity=least(lambda c: c.electricity.value),
        uplink=None if None in links else sum(link for link in links if link is not None),
    )
