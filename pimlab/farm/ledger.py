"""What does a farm spend? Cards, joules and won by offer, cloud and period, with low and high."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pimlab.constants import Constant
from pimlab.farm.planning import YEAR, Question
from pimlab.farm.program import Program, Solution
from pimlab.result import HIGH, LOW

ENDS = ("", LOW, HIGH)
ATTRIBUTE = {"": "value", LOW: "low", HIGH: "high"}


def at_end(constant: Constant, end: str) -> float:
    """The nominal value of a constant, or an end of its interval. In the unit of the constant."""
    return float(getattr(constant, ATTRIBUTE[end]))


class Counts(NamedTuple):
    """What a solution holds. cards, bought, racks : float64, shape (offer, cloud, period).
    instances,  share : float64, shape (ability, cloud, period), share of the service's peak.
    """

    cards: np.ndarray
    bought: np.ndarray
    racks: np.ndarray
    instances: np.ndarray
    share: np.ndarray


def counts(
    question: Question, program: Program, solution: Solution, *, whole: bool = True
) -> Counts:
    """The counts of a solution, rounded to whole numbers unless fractions were allowed."""
    rounded = np.rint if whole else np.asarray
    shape = (len(question.offers), len(question.clouds), len(question.periods))
    names = [one.name for one in question.offers]
    many = (len(question.abilities), *shape[1:])
    cards = rounded(_read(question, program, solution, "cards", names, shape))
    full = [[c.rack.cards(o) for c in question.clouds] for o in question.offers]
    return Counts(
        cards=cards,
        bought=rounded(_read(question, program, solution, "bought", names, shape)),
        racks=np.ceil(cards / np.array(full)[:, :, None]),
        instances=rounded(
            _read(question, program, solution, "instances", range(len(question.abilities)), many)
        ),
        share=_read(question, program, solution, "share", range(len(question.abilities)), many),
    )


def _read(
    question: Question,
    program: Program,
    solution: Solution,
    kind: str,
    first: object,
    shape: tuple[int, ...],
) -> np.ndarray:
    found = np.zeros(shape)
    for i, name in enumerate(first):  # type: ignore[arg-type, var-annotated]
        for j, cloud in enumerate(question.clouds):
            for k, period in enumerate(question.periods):
                column = program.find(kind, name, cloud.name, period.name)
                if column is not None:
                    found[i, j, k] = solution.values[column]
    return found


class Ledger(NamedTuple):
    """Money and energy at one end of the constants' intervals. static : J (offer, cloud, period) at
    the meter.  dynamic : J (ability, cloud, period) at the meter.  purchase, electricity : won
    (offer, cloud, period).
    """

    static: np.ndarray
    dynamic: np.ndarray
    purchase: np.ndarray
    electricity: np.ndarray

    @property
    def money(self) -> np.ndarray:
        """Money, shape (offers, clouds, periods), unit: won."""
        return self.purchase + self.electricity


def ledger(question: Question, held: Counts, end: str = "") -> Ledger:
    """What the counts cost with every constant at `end` of its interval ("", "_low" or "_high").
    Unit: won.
    """
    years = np.array([p.years * YEAR for p in question.periods])
    pue = np.array([at_end(c.pue, end) for c in question.clouds])[None, :, None]
    tariff = np.array([at_end(c.electricity, end) for c in question.clouds])[None, :, None]
    watts = np.array([[at_end(o.idle, end) + at_end(c.rack.server_power, end) / o.cards
                       for c in question.clouds] for o in question.offers])  # fmt: skip
    price = np.array([[at_end(o.price, end) + at_end(c.rack.server_price, end) / o.cards
                       for c in question.clouds] for o in question.offers])  # fmt: skip
    static = held.cards * watts[:, :, None] * pue * years
    dynamic = held.share * _requests(question) * _joules(question, end) * pue
    member = _members(question)
    return Ledger(
        static=static,
        dynamic=dynamic,
        purchase=held.bought * price[:, :, None],
        electricity=(static + np.einsum("oa,act->oct", member, dynamic)) * tariff,
    )


def _requests(question: Question) -> np.ndarray:
    """Requests of each ability's service in each period, (ability, 1, period)."""
    services = {service.name: service for service in question.services}
    found = [
        [
            services[a.service].peak(p.end) * services[a.service].mean * p.years * YEAR
            for p in question.periods
        ]
        for a in question.abilities
    ]
    return np.array(found)[:, None, :]


def _joules(question: Question, end: str) -> np.ndarray:
    return np.array([getattr(a, f"joules{end}") for a in question.abilities])[:, None, None]


def _members(question: Question) -> np.ndarray:
    """1 where an ability is of an offer, (offer, ability)."""
    return np.array(
        [[float(a.offer == o.name) for a in question.abilities] for o in question.offers]
    )


def by_stage(question: Question, values: np.ndarray) -> np.ndarray:
    """Sums of values with shape (offers, clouds, periods) by stage 1 to 3: shape (3, periods), in
    the unit of the values.
    """
    found = np.zeros((3, values.shape[2]))
    for offer, one in zip(question.offers, values, strict=True):
        found[offer.stage - 1] += one.sum(axis=0)
    return found


def tokens(question: Question, held: Counts) -> np.ndarray:
    """Answers of each period, (offer, cloud, period): output tokens, or inferences. Shape (offers,
    clouds, periods), unit: tokens.
    """
    services = {service.name: service for service in question.services}
    each = np.array([services[a.service].tokens for a in question.abilities])[:, None, None]
    served = held.share * _requests(question) * each
    return np.einsum("oa,act->oct", _members(question), served)
