"""Which choices and rules make up a farm? The integer program behind `provision`.

For every period, cloud and offer: cards that stand there, cards that are bought, racks, cards split
into equal parts. For every service and ability: instances, and the share of the service's peak that
they serve. Money is counted in million won, power in kW, operations in PF (1e15 a second).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pimlab.farm.abilities import Ability
from pimlab.farm.offers import Offer
from pimlab.farm.program import Program
from pimlab.farm.rules import Period
from pimlab.farm.services import Service
from pimlab.farm.sites import Cloud

MWON, KW, PF = 1e6, 1e3, 1e15
YEAR = 31557600.0
OBJECTIVES = {"cost": "won", "energy": "J", "power": "W"}
"""Objective -> unit: money of all periods, joules at the meters, the most that is drawn there."""


class Question(NamedTuple):
    """Everything a farm is planned from."""

    services: tuple[Service, ...]
    offers: tuple[Offer, ...]
    clouds: tuple[Cloud, ...]
    periods: tuple[Period, ...]
    abilities: tuple[Ability, ...]
    objective: str = "cost"

    def of(self, service: Service, offer: Offer) -> list[tuple[int, Ability]]:
        """(number, ability) of a service on an offer."""
        return [
            (i, one)
            for i, one in enumerate(self.abilities)
            if one.service == service.name and one.offer == offer.name
        ]

    def allowed(self, service: Service) -> list[Cloud]:
        """Clouds that may hold the service."""
        return [c for c in self.clouds if not service.clouds or c.name in service.clouds]


class Rates(NamedTuple):
    """What one card, and one joule of it, costs in a cloud: won to buy with its share of a server,
    W drawn by the second at the meter (server included), W at its most, won a joule at the meter.
    """

    buy: float
    idle: float
    most: float
    joule: float


def rates(offer: Offer, cloud: Cloud) -> Rates:
    """The nominal rates of an offer in a cloud. Unit: a second."""
    server = cloud.rack.server_power.value / offer.cards
    pue = cloud.pue.value
    return Rates(
        buy=offer.price.value + cloud.rack.server_price.value / offer.cards,
        idle=(offer.idle.value + server) * pue,
        most=cloud.watts(offer),
        joule=cloud.electricity.value,
    )


def program(question: Question) -> Program:
    """The program of a question."""
    found = Program()
    for number, period in enumerate(question.periods):
        for cloud in question.clouds:
            for offer in question.offers:
                _pool(found, question, number, period, cloud, offer)
        _demand(found, question, period)
        _site_rows(found, question, period)
        _farm_rows(found, question, period)
    return found


def _sold(question: Question, number: int, offer: Offer) -> bool:
    """Whether a card of the offer can stand in period `number`: it was sold by then."""
    return any(offer.sold(p.start, p.end) for p in question.periods[: number + 1])


def _pool(
    found: Program,
    question: Question,
    number: int,
    period: Period,
    cloud: Cloud,
    offer: Offer,
) -> None:
    """Cards of one offer in one cloud: bought, kept, in racks, split, spare."""
    most = cloud.most(offer)
    if most < 1 or not _sold(question, number, offer):
        return
    at = offer.name, cloud.name, period.name
    price = rates(offer, cloud)
    years = period.years * YEAR
    costs = {
        "cost": (price.idle * years * price.joule / MWON, price.buy / MWON),
        "energy": (price.idle * years / 3.6e9, 0.0),
        "power": (price.most / KW, 0.0),
    }[question.objective]
    cards = found.variable("cards", *at, cost=costs[0], upper=most, integer=True)
    bought = found.variable(
        "bought", *at, cost=costs[1],
        upper=most if offer.sold(period.start, period.end) else 0,
    )  # fmt: skip
    terms = [(cards, 1.0), (bought, -1.0)]
    before = _earlier(found, question, number, offer, cloud)
    found.row([*terms, *([(before, -1.0)] if before is not None else [])], high=0.0)
    racks = found.variable("racks", *at, upper=cloud.racks, integer=True)
    found.row([(cards, 1.0), (racks, -cloud.rack.cards(offer))], high=0.0)
    used = _used(found, at, cards, most, spare_cards(period, offer, cloud))
    taken = list(_instances(found, question, period, cloud, offer))
    taken += [(column, 1.0) for column in _splits(found, question, offer, at)]
    found.row([*taken, *used, (cards, -1.0)], high=0.0)
    if used:
        _tightened(found, question, at, used[0][0])


def _earlier(
    found: Program, question: Question, number: int, offer: Offer, cloud: Cloud
) -> int | None:
    if number == 0:
        return None
    return found.find("cards", offer.name, cloud.name, question.periods[number - 1].name)


def spare_cards(period: Period, offer: Offer, cloud: Cloud) -> int:
    """Cards of a pool that may fail without loss (unit: cards)."""
    return {"none": 0, "card": 1, "rack": cloud.rack.cards(offer)}[period.rules.spare]


def _used(
    found: Program, at: tuple[str, str, str], cards: int, most: int, spare: int
) -> list[tuple[int, float]]:
    """The spare cards of a pool that is used at all."""
    if not spare:
        return []
    used = found.variable("used", *at, upper=1, integer=True)
    found.row([(cards, 1.0), (used, -most)], high=0.0)
    return [(used, float(spare))]


def _tightened(found: Program, question: Question, at: tuple[str, str, str], used: int) -> None:
    """No service is served by a pool that is not used: rows that integers imply, and fractions
    would not.
    """
    offer, cloud, period = at
    for service in question.services:
        columns = [
            found.find("share", number, cloud, period)
            for number, ability in enumerate(question.abilities)
            if ability.service == service.name and ability.offer == offer
        ]
        shares = [(column, 1.0) for column in columns if column is not None]
        if shares:
            found.row([*shares, (used, -1.0)], high=0.0)


def _instances(
    found: Program, question: Question, period: Period, cloud: Cloud, offer: Offer
) -> Iterator[tuple[int, float]]:
    """(column, whole cards of one) of every service's instances here; their shares of the peak."""
    for service in question.services:
        if cloud not in question.allowed(service):
            continue
        peak = service.peak(period.end)
        for number, ability in question.of(service, offer):
            at = number, cloud.name, period.name
            many = found.variable("instances", *at, integer=True)
            share = found.variable("share", *at, upper=1, cost=_moved(
                question.objective, ability, rates(offer, cloud), cloud, period, service
            ))  # fmt: skip
            found.row([(share, peak), (many, -ability.rate)], high=0.0)
            if ability.parts == 1:
                yield many, float(ability.cards)


def _moved(
    objective: str,
    ability: Ability,
    price: Rates,
    cloud: Cloud,
    period: Period,
    service: Service,
) -> float:
    """What serving all of the service's requests of the period with this ability costs."""
    requests = service.peak(period.end) * service.mean * period.years * YEAR
    joules = requests * ability.joules * cloud.pue.value
    return {"cost": joules * price.joule / MWON, "energy": joules / 3.6e9, "power": 0.0}[objective]


def _splits(
    found: Program, question: Question, offer: Offer, at: tuple[str, str, str]
) -> Iterator[int]:
    """Cards split into so many equal parts, which hold the instances of that size."""
    _, cloud, period = at
    sizes: dict[tuple[str, int], list[int]] = {}
    for number, ability in enumerate(question.abilities):
        column = found.find("instances", number, cloud, period)
        if ability.offer == offer.name and ability.parts > 1 and column is not None:
            sizes.setdefault((ability.way, ability.parts), []).append(column)
    for (way, parts), columns in sizes.items():
        split = found.variable("split", *at, way, parts, integer=True)
        found.row([*[(c, 1.0) for c in columns], (split, -float(parts))], high=0.0)
        yield split


def demand_rules(service: Service, period: Period) -> tuple[str, str]:
    """Names of the rules that ask for a service's peak, and for its part without any one cloud."""
    return (
        f"demand of {service.name} in {period.name}",
        f"{service.name} without one cloud in {period.name}",
    )


def _demand(found: Program, question: Question, period: Period) -> None:
    """Every service is served in full; with any one cloud lost, as far as it must be."""
    for service in question.services:
        terms = []
        rest: dict[str, list[tuple[int, float]]] = {cloud.name: [] for cloud in question.clouds}
        for number, ability in enumerate(question.abilities):
            for cloud in question.clouds if ability.service == service.name else ():
                share = found.find("share", number, cloud.name, period.name)
                many = found.find("instances", number, cloud.name, period.name)
                if share is None or many is None:
                    continue
                terms.append((share, 1.0))
                rest[cloud.name].append((many, ability.rate / service.peak(period.end)))
        demand, without = demand_rules(service, period)
        found.row(terms, low=1.0, rule=demand)
        if service.cloud_loss > 0:
            for lost in question.clouds:
                others = [t for name, part in rest.items() if name != lost.name for t in part]
                found.row(
                    others,
                    low=service.cloud_loss,
                    rule=without,
                )


def _columns(
    found: Program, question: Question, period: Period, kind: str = "cards"
) -> Iterator[tuple[int, Offer, Cloud]]:
    for offer in question.offers:
        for cloud in question.clouds:
            column = found.find(kind, offer.name, cloud.name, period.name)
            if column is not None:
                yield column, offer, cloud


def _site_rows(found: Program, question: Question, period: Period) -> None:
    """Power, racks and uplink of every cloud."""
    for cloud in question.clouds:
        here = [(c, o) for c, o, at in _columns(found, question, period) if at == cloud]
        found.row(
            [(c, rates(o, cloud).most / KW) for c, o in here],
            high=cloud.power / KW,
            rule=f"power of {cloud.name} in {period.name}",
        )
        racks = [(c, 1.0) for c, _, at in _columns(found, question, period, "racks") if at == cloud]
        found.row(racks, high=cloud.racks, rule=f"racks of {cloud.name} in {period.name}")
        if cloud.uplink is not None:
            found.row(
                _traffic(found, question, period, cloud),
                high=cloud.uplink,
                rule=f"uplink of {cloud.name} in {period.name}",
            )


def _traffic(
    found: Program, question: Question, period: Period, cloud: Cloud
) -> list[tuple[int, float]]:
    bits = {s.name: s.bits * s.peak(period.end) for s in question.services}
    columns = [
        (found.find("share", number, cloud.name, period.name), bits[ability.service])
        for number, ability in enumerate(question.abilities)
    ]
    return [(column, many) for column, many in columns if column is not None]


def _farm_rows(found: Program, question: Question, period: Period) -> None:
    """The rules of the period over the whole farm."""
    rules, name = period.rules, period.name
    cards = list(_columns(found, question, period))
    operations = [(c, o.operations / PF) for c, o, _ in cards]
    if rules.operations is not None:
        found.row(operations, low=rules.operations / PF, rule=f"operations in {name}")
    if rules.power is not None:
        watts = [(c, rates(o, at).most / KW) for c, o, at in cards]
        found.row(watts, high=rules.power / KW, rule=f"power in {name}")
    if rules.budget is not None:
        found.row(
            _spent(found, question, period), high=rules.budget / MWON, rule=f"budget of {name}"
        )
    if rules.domestic > 0:
        home = [(c, (o.domestic - rules.domestic) * o.operations / PF) for c, o, _ in cards]
        found.row(home, low=0.0, rule=f"domestic share in {name}")
    vendors = {o.vendor: o.vendor for o in question.offers}
    _several(found, question, period, "vendors", rules.vendors, list(vendors))
    operators = list({c.operator: None for c in question.clouds})
    _several(found, question, period, "clouds", rules.clouds, operators)


def _several(
    found: Program, question: Question, period: Period, what: str, count: int, names: Sequence[str]
) -> None:
    """At least `count` of `names` hold the least share of the operations each."""
    if count < 2:
        return
    rule = f"{count} {what} in {period.name}"
    least = period.rules.least
    groups = {name: _group(found, question, period, what, name) for name in names}
    every = [term for terms in groups.values() for term in terms]
    most = least * sum(c.most(o) * o.operations / PF for o in question.offers
                       for c in question.clouds)  # fmt: skip
    counted = []
    for name, terms in groups.items():
        column = found.variable(what, name, period.name, upper=1, integer=True)
        counted.append((column, 1.0))
        share = [(c, -least * value) for c, value in every]
        found.row([*terms, *share, (column, -most)], low=-most)
        # where a name counts, one card stands at least
        found.row([*[(c, 1.0) for c, _ in terms], (column, -1.0)], low=0.0)
    found.row(counted, low=float(count), rule=rule)
    _without_some(found, groups, count, least, rule)


def _group(
    found: Program, question: Question, period: Period, what: str, name: str
) -> list[tuple[int, float]]:
    """(cards, PF of one) of one vendor, or of one operator's clouds."""
    return [
        (column, offer.operations / PF)
        for column, offer, cloud in _columns(found, question, period)
        if name == (offer.vendor if what == "vendors" else cloud.operator)
    ]


def _without_some(
    found: Program,
    groups: dict[str, list[tuple[int, float]]],
    count: int,
    least: float,
    rule: str,
) -> None:
    """Without any `count - 1` of the groups, the others hold the least share together. Integers
    imply it; the linear relaxation, which the bound and the shadow prices come from, would not.
    """
    for left_out in itertools.combinations(groups, count - 1):
        terms = [
            (column, ((name not in left_out) - least) * value)
            for name, group in groups.items()
            for column, value in group
        ]
        found.row(terms, low=0.0, rule=rule)


def _spent(found: Program, question: Question, period: Period) -> list[tuple[int, float]]:
    """Million won of the period: cards and servers bought, electricity."""
    seconds = period.years * YEAR
    terms = []
    for column, offer, cloud in _columns(found, question, period):
        price = rates(offer, cloud)
        terms.append((column, price.idle * seconds * price.joule / MWON))
    for column, offer, cloud in _columns(found, question, period, "bought"):
        terms.append((column, rates(offer, cloud).buy / MWON))
    offers = {offer.name: offer for offer in question.offers}
    services = {service.name: service for service in question.services}
    for number, ability in enumerate(question.abilities):
        for cloud in question.clouds:
            share = found.find("share", number, cloud.name, period.name)
            if share is not None:
                price = rates(offers[ability.offer], cloud)
                service = services[ability.service]
                terms.append((share, _moved("cost", ability, price, cloud, period, service)))
    return terms
