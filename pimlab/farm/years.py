"""Which stage carries how much of the roadmap, and which assumed number decides it?

The farm of all periods is planned once with every number at its nominal value, and once more for
each end of each assumed number's interval, alone. Fractions of cards are allowed, so that a share
moves with the numbers and not with the rounding; at hundreds of cards a period that is a per cent
or two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import xarray as xr

from pimlab import result
from pimlab.arguments import typed
from pimlab.constants import Constant
from pimlab.farm.abilities import Ability
from pimlab.farm.ledger import ATTRIBUTE, Counts, by_stage, counts, ledger, tokens
from pimlab.farm.offers import Offer
from pimlab.farm.planning import Question, program
from pimlab.farm.program import NoSolution
from pimlab.farm.provision import contradiction, question_of
from pimlab.farm.rules import Period
from pimlab.farm.services import Service
from pimlab.farm.sites import Cloud

CARRIED = ("answers", "energy", "cost")
"""What a stage carries a share of: output tokens and inferences, joules at the meters, won."""
GROWTH = 0.15
"""How far the yearly growth of demand may be off, assumed."""
END = ("_low", "_high")


@typed
def roadmap(
    services: Sequence[Service],
    offers: Sequence[Offer | str],
    clouds: Sequence[Cloud],
    periods: Sequence[Period],
    *,
    quality: xr.Dataset | None = None,
    abilities: Sequence[Ability] | None = None,
    objective: str = "cost",
) -> xr.Dataset:
    """Shares of each stage by period, with the range that assumed numbers leave.

    Arguments as `provision` takes them. Variables: share, share_low, share_high (carried, stage,
    period): of answers, energy (J) and cost (won); total, total_low, total_high (carried, period);
    later (assumption, end): share of all cost of the last period that stages 2 and 3 carry with one
    number at an end of its interval, NaN where no farm keeps the rules then; spent (assumption,
    end): won of all periods. objective : what the farm is the least of. The ends of an interval are
    the least and the most over all assumptions, one at a time. ContradictionError where the nominal
    numbers allow no farm.
    """
    question, _ = question_of(services, offers, clouds, periods, quality, abilities, objective)
    nominal = _carried(question)
    if nominal is None:
        raise contradiction(question, NoSolution(True), 0.0)
    names, found = [], []
    for name, ends in _variants(question):
        names.append(name)
        found.append([_carried(one) for one in ends])
    return _dataset(question, nominal, names, found)


def _carried(question: Question) -> np.ndarray | None:
    """float64 (carried, stage, period) of the best farm, None where there is none."""
    built = program(question)
    try:
        best = built.solve(whole=False)
    except NoSolution:
        return None
    held: Counts = counts(question, built, best, whole=False)
    books = ledger(question, held)
    member = [[a.offer == o.name for a in question.abilities] for o in question.offers]
    energy = books.static + np.einsum("oa,act->oct", np.array(member, float), books.dynamic)
    parts = (tokens(question, held), energy, books.money)
    return np.array([by_stage(question, part) for part in parts])


def _at(constant: Constant, end: str) -> Constant:
    """The constant with its nominal value at an end of its interval."""
    return constant.but(value=getattr(constant, ATTRIBUTE[end]))


def _variants(question: Question) -> Iterator[tuple[str, tuple[Question, Question]]]:
    """(assumption, the question with it low and high)."""
    stages = sorted({offer.stage for offer in question.offers})
    for stage in stages:
        yield f"price of stage {stage}", _both(_offers(question, stage, "price"))
        yield f"idle power of stage {stage}", _both(_offers(question, stage, "idle"))
        yield f"energy of a request on stage {stage}", _both(_joules(question, stage))
    for name in ("electricity", "pue"):
        yield name, _both(_clouds(question, name))
    for name in ("server_price", "server_power"):
        yield name.replace("_", " "), _both(_racks(question, name))
    yield "growth of demand", _both(_growth(question))


def _both(change: Callable[[str], Question]) -> tuple[Question, Question]:
    return change(END[0]), change(END[1])


def _offers(question: Question, stage: int, field: str) -> Callable[[str], Question]:
    def change(end: str) -> Question:
        return question._replace(offers=tuple(
            o.but(**{field: _at(getattr(o, field), end)}) if o.stage == stage else o
            for o in question.offers
        ))  # fmt: skip

    return change


def _joules(question: Question, stage: int) -> Callable[[str], Question]:
    mine = {offer.name for offer in question.offers if offer.stage == stage}

    def change(end: str) -> Question:
        return question._replace(abilities=tuple(
            a.but(joules=getattr(a, f"joules{end}")) if a.offer in mine else a
            for a in question.abilities
        ))  # fmt: skip

    return change


def _clouds(question: Question, field: str) -> Callable[[str], Question]:
    def change(end: str) -> Question:
        return question._replace(
            clouds=tuple(c.but(**{field: _at(getattr(c, field), end)}) for c in question.clouds)
        )

    return change


def _racks(question: Question, field: str) -> Callable[[str], Question]:
    def change(end: str) -> Question:
        return question._replace(clouds=tuple(
            c.but(rack=c.rack.but(**{field: _at(getattr(c.rack, field), end)}))
            for c in question.clouds
        ))  # fmt: skip

    return change


def _growth(question: Question) -> Callable[[str], Question]:
    def change(end: str) -> Question:
        more = GROWTH if end == "_high" else -GROWTH
        return question._replace(
            services=tuple(s.but(growth=s.growth + more) for s in question.services)
        )

    return change


def _dataset(
    question: Question,
    nominal: np.ndarray,
    names: list[str],
    found: list[list[np.ndarray | None]],
) -> xr.Dataset:
    every = [nominal, *(one for ends in found for one in ends if one is not None)]
    shares = np.array([_shares(one) for one in every])
    totals = np.array([one.sum(axis=1) for one in every])
    values: dict[str, Any] = {}
    for name, dims, all_of, meaning in (
        ("share", ("carried", "stage", "period"), shares, "share of the period"),
        ("total", ("carried", "period"), totals, "answers, J at the meters, won"),
    ):
        values[name] = (dims, all_of[0], {"units": "1", "long_name": meaning})
        values[f"{name}_low"] = (dims, all_of.min(axis=0), {"units": "1", "long_name": meaning})
        values[f"{name}_high"] = (dims, all_of.max(axis=0), {"units": "1", "long_name": meaning})
    blank = np.full_like(nominal, np.nan)
    ends = np.array([[blank if one is None else one for one in pair] for pair in found])
    cost = CARRIED.index("cost")
    later = np.array([[_shares(one)[cost, 1:, -1].sum() for one in pair] for pair in ends])
    spent = ends[:, :, cost].sum(axis=(2, 3))
    dims = ("assumption", "end")
    values["later"] = result.variable(
        "later", dims, later, meaning="share of the last period's cost of stages 2 and 3", unit="1"
    )
    values["spent"] = result.variable(
        "spent", dims, spent, meaning="cost of all periods", unit="won"
    )
    coords = {
        "carried": list(CARRIED), "stage": [1, 2, 3], "end": ["low", "high"],
        "period": [p.name for p in question.periods], "assumption": names,
    }  # fmt: skip
    sources = {key for one in question.offers for key in one.cited}
    return result.finished(xr.Dataset(values, coords=coords), sources)


def _shares(one: np.ndarray) -> np.ndarray:
    """(carried, stage, period) relative to all stages; NaN where there is nothing."""
    total = one.sum(axis=1, keepdims=True)
    return np.divide(one, total, out=np.full_like(one, np.nan), where=total > 0)
