"""Which cards of which vendor in which cloud serve what? The farm of least cost under its rules."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import xarray as xr

from pimlab.arguments import typed
from pimlab.farm.abilities import Ability, Reason
from pimlab.farm.abilities import abilities as served
from pimlab.farm.answer import Farm
from pimlab.farm.offers import Offer, offer
from pimlab.farm.planning import OBJECTIVES, Question, demand_rules, program
from pimlab.farm.program import NoSolution, Program
from pimlab.farm.rules import Period, Rules
from pimlab.farm.services import Service
from pimlab.farm.sites import Cloud
from pimlab.farm.solving import solve
from pimlab.values import unknown

YEAR = 2025
"""The year of a farm without periods."""


class ContradictionError(ValueError):
    """No farm keeps all rules; `rules` are an irreducible set that contradicts itself."""

    def __init__(self, text: str, rules: Sequence[str] = ()):
        super().__init__(text)
        self.rules = tuple(rules)


@typed
def provision(
    services: Sequence[Service],
    offers: Sequence[Offer | str],
    clouds: Sequence[Cloud],
    rules: Rules | Sequence[Period] | None = None,
    *,
    quality: xr.Dataset | None = None,
    abilities: Sequence[Ability] | None = None,
    objective: str = "cost",
    baseline: Sequence[Offer | str] = ("h100",),
    gap: float = 0.01,
    seconds: float = 60.0,
    store: str | os.PathLike[str] | None = None,
) -> Farm:
    """The farm that serves `services` at the least cost, and why.

    services, offers, clouds : what is asked, what can be bought (names for `offer`, or offers),
    where it may stand.
    rules : `Rules` for one year, or `Period`s (`pim.farm.k_cloud()`); None: no rule but that all is
    served and one card of each pool may fail.
    quality : the Dataset of `compare` with the metrics of the services' floors.
    abilities : what the offers serve, where that is known already (`pim.farm.abilities` computes it
    from the machines).
    objective : "cost" (won of all periods), "energy" (J at the meters) or "power" (W at most).
    baseline : offers of the farm beside it that only has to serve the demand; () for none.
    gap, seconds : the integer program is solved to this gap, or as far as it gets in the time.
    store : a file that keeps the search while it goes on; after a stop, or where the time was too
    short for the gap, the same call goes on from there.

    Raises ValueError for a service that no offer serves (with each one's reason), or none that is
    sold in the first period;
    ContradictionError, a ValueError, names an irreducible set of rules that no farm keeps.

    >>> farm = pim.farm
    >>> digits = farm.Service(name="digits", model="digits-mlp", rate="2 MHz", latency="1 ms")
    >>> clouds = [farm.Cloud(name=name, power="100 kW", racks=5) for name in ("a", "b")]
    >>> plan = pim.provision([digits], ["warboy", "atom"], clouds, farm.Rules(vendors=2, clouds=2))
    >>> int(plan.answer.cards.sum()) > 2
    True
    """
    if not 0 <= gap <= 1:
        raise ValueError(f"provision gap={gap!r}; allowed: 0 to 1")
    if not seconds > 0:
        raise ValueError(f"provision seconds={seconds!r}; allowed: above 0 s")
    question, refused = question_of(services, offers, clouds, rules, quality, abilities, objective)
    beside = _offers(baseline)
    kept = None if store is None else Path(store)
    return solved(question, refused, gap=gap, seconds=seconds, baseline=beside, store=kept)


def solved(
    question: Question,
    refused: Sequence[Reason],
    *,
    gap: float,
    seconds: float,
    baseline: Sequence[Offer] = (),
    store: Path | None = None,
) -> Farm:
    """The farm of a question; ContradictionError where there is none."""
    try:
        built, found = solve(question, gap=gap, seconds=seconds, store=store)
    except NoSolution as missing:
        raise contradiction(question, missing, seconds) from None
    beside = _baseline(question, baseline, gap, seconds)
    again = partial(solved, refused=refused, gap=gap, seconds=seconds)
    return Farm(question, built, found, tuple(refused), beside, again)


def contradiction(question: Question, missing: NoSolution, seconds: float) -> ContradictionError:
    """The error that says why a question has no farm, and how much demand one could serve."""
    if not missing.proved:
        return ContradictionError(
            f"provision: no farm was found in {seconds:g} s, and none is proved to be impossible; "
            "allowed: more seconds, a wider gap, fewer periods"
        )
    built = program(question)
    rules = built.conflict()
    listed = "; ".join(rules)
    return ContradictionError(
        f"provision: no farm keeps these rules together: {listed}. Without any one of them the "
        f"others can be kept{_most_rates(question, built, rules)}",
        rules,
    )


def _most_rates(question: Question, built: Program, rules: Sequence[str]) -> str:
    """The most requests a second that the contradicting demands can have, all in one proportion, or
    all demands where others contradict too; "" where no demand contradicts, or nothing is found.
    """
    every = [(s, p, demand_rules(s, p)) for s in question.services for p in question.periods]
    asked = [one for one in every if set(one[2]) & set(rules)]
    for chosen in (asked, every) if asked else ():
        try:
            part = built.most({rule for _, _, pair in chosen for rule in pair})
        except NoSolution:
            continue
        rates = [
            f"{part * s.peak(p.end):.4g} of {s.peak(p.end):.4g} requests a second of {s.name} in "
            f"{p.name}"
            for s, p, _ in chosen
        ]
        return f". The most that the other rules allow: {' and '.join(rates)}"
    return ""


def _baseline(
    question: Question, offers: Sequence[Offer], gap: float, seconds: float
) -> Farm | None:
    """The farm of `offers` alone that serves the same demand under the clouds' limits."""
    if not offers:
        return None
    periods = tuple(
        period.but(rules=Rules(spare=period.rules.spare)) for period in question.periods
    )
    plain = tuple(one.but(year=question.periods[0].start) for one in offers)
    services = tuple(service.but(floor=None) for service in question.services)
    found, _ = served(services, plain, delay=_delays(services, question.clouds))
    other = question._replace(
        offers=plain, periods=periods, abilities=_kept(found), services=services
    )
    if {one.service for one in found} != {s.name for s in services}:
        return None
    try:
        return solved(other, (), gap=gap, seconds=seconds)
    except ContradictionError:
        return None


def question_of(
    services: Sequence[Service],
    offers: Sequence[Offer | str],
    clouds: Sequence[Cloud],
    rules: Rules | Sequence[Period] | None,
    quality: Any,
    abilities: Sequence[Ability] | None,
    objective: str,
) -> tuple[Question, tuple[Reason, ...]]:
    """The checked question behind `provision`, and which offers serve which service not."""
    if objective not in OBJECTIVES:
        raise ValueError(unknown("provision objective", objective, OBJECTIVES))
    asked = _named("services", services, Service)
    cards = _named("offers", _offers(offers), Offer)
    sites = _named("clouds", clouds, Cloud)
    for service in asked:
        for name in service.clouds:
            if name not in {c.name for c in sites}:
                known = [c.name for c in sites]
                raise ValueError(f"Service {service.name!r}: {unknown('cloud', name, known)}")
    if abilities is None:
        found, refused = served(asked, cards, quality=quality, delay=_delays(asked, sites))
    else:
        names = {s.name for s in asked}, {o.name for o in cards}
        found = tuple(a for a in abilities if a.service in names[0] and a.offer in names[1])
        refused = ()
    _all_served(asked, found, refused)
    periods = _periods(rules)
    _all_sold(asked, cards, found, periods)
    return Question(asked, cards, sites, periods, _kept(found), objective), tuple(refused)


def _offers(given: Sequence[Offer | str]) -> tuple[Offer, ...]:
    if isinstance(given, str):
        raise TypeError(f"provision: offers={given!r} is not a list; write offers=[{given!r}]")
    return tuple(offer(one) if isinstance(one, str) else one for one in given)


def _named(what: str, given: Sequence[Any], kind: type) -> tuple[Any, ...]:
    """`given`, each of it a `kind` of a name of its own; at least one."""
    found = tuple(given)
    for one in found:
        if not isinstance(one, kind):
            raise TypeError(f"provision {what}: {one!r:.60} is no {kind.__name__}")
    names = [one.name for one in found]
    if not found or len(set(names)) < len(names):
        raise ValueError(f"provision {what}={names}; allowed: one or more, each name once")
    return found


def _periods(rules: Rules | Sequence[Period] | None) -> tuple[Period, ...]:
    if rules is None:
        rules = Rules()
    if isinstance(rules, Rules):
        return (Period(name=str(YEAR), start=YEAR, end=YEAR, rules=rules),)
    found: tuple[Period, ...] = _named("rules", rules, Period)
    for one, other in itertools.pairwise(found):
        if other.start <= one.end:
            raise ValueError(
                f"provision: period {other.name!r} starts in {other.start}, before {one.name!r} "
                f"ends in {one.end}"
            )
    return found


def _delays(services: Sequence[Service], clouds: Sequence[Cloud]) -> dict[str, float]:
    """Service -> the longest way to a cloud that may hold it."""
    return {
        s.name: max(c.delay for c in clouds if not s.clouds or c.name in s.clouds) for s in services
    }


def _all_served(
    services: Sequence[Service], found: Sequence[Ability], refused: Sequence[Reason]
) -> None:
    for service in services:
        if any(one.service == service.name for one in found):
            continue
        reasons = [f"{r.offer}: {r.text}" for r in refused if r.service == service.name]
        raise ValueError(
            f"provision: no offer serves {service.name!r}: {'; '.join(reasons) or 'none was given'}"
        )


def _all_sold(
    services: Sequence[Service],
    offers: Sequence[Offer],
    found: Sequence[Ability],
    periods: Sequence[Period],
) -> None:
    """ValueError where no offer that serves a service is sold by the end of the first period: it
    would have to be served without a card.
    """
    first = periods[0]
    for service in services:
        able = {one.offer for one in found if one.service == service.name}
        cards = [one for one in offers if one.name in able]
        if not any(one.sold(first.start, first.end) for one in cards):
            years = "; ".join(f"{one.name} {one.year} to {one.until}" for one in cards)
            raise ValueError(
                f"provision: no offer that serves {service.name!r} is sold in period "
                f"{first.name!r} ({first.start} to {first.end}): {years}; allowed: rules=[Period("
                "...)] of years in which one is, or an offer that is sold then"
            )


def _kept(found: Sequence[Ability]) -> tuple[Ability, ...]:
    """Of each service on each offer the whole cards, and the smallest part of each way: larger
    parts serve no more a card.
    """
    best: dict[tuple[str, str, str], Ability] = {}
    for one in found:
        key = one.service, one.offer, one.way
        if key not in best or one.parts > best[key].parts:
            best[key] = one
    return tuple(best.values())
