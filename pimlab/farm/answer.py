"""What does a farm's plan say? One Dataset, a table to read, sentences, and what other rules would
do.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from pimlab import result, units
from pimlab.arguments import typed
from pimlab.farm.abilities import Reason
from pimlab.farm.ledger import ENDS, Counts, Ledger, by_stage, counts, ledger, tokens
from pimlab.farm.planning import OBJECTIVES, PF, Question
from pimlab.farm.program import Program, Solution
from pimlab.result import Word

WORDS = {
    "cards": Word("1", "cards that stand in a cloud"),
    "bought": Word("1", "cards bought in a period"),
    "racks": Word("1", "racks that cards of an offer fill"),
    "instances": Word("1", "instances of a service"),
    "served": Word("1/s", "requests a second at the peak that an offer's instances serve"),
    "cost": Word("won", "cards, servers and electricity of a period"),
    "purchase": Word("won", "cards and servers bought in a period"),
    "electricity": Word("won", "electricity of a period"),
    "peak_power": Word("W", "power at the meter when every card draws its most"),
    "energy": Word("J", "energy of a period at the meters, static power and cooling included"),
    "answers": Word("1", "output tokens of language models and inferences of a period"),
    "operations": Word("op/s", "operations a second of all cards at their peak"),
    "domestic": Word("1", "share of operations that domestic vendors hold"),
    "assumed_share": Word("1", "share of the cost that rests on assumed constants"),
    "quality": Word("1", "the service's metric on the offer's machine"),
    "joules": Word("J", "energy of one request at the meter, without static power"),
}
"""Variable of a farm's Dataset -> unit and meaning."""


class Farm:
    """A plan: `answer` (Dataset), `table`, `why` (sentences), `shadow` (won a unit of each rule).

    question, refused : what was asked, and which offers serve which service not.  baseline : the
    farm of other offers beside it, None where there is none.  gap : how far the objective may be
    from the least.  again : plans another question with the same effort.
    """

    def __init__(
        self,
        question: Question,
        program: Program,
        solution: Solution,
        refused: tuple[Reason, ...],
        baseline: Farm | None,
        again: Callable[[Question], Farm],
    ):
        self.question, self.refused, self.baseline = question, refused, baseline
        self.gap = float(max(solution.gap, 0.0))
        self.again = again
        self.counts = counts(question, program, solution)
        self.answer = dataset(question, self.counts).assign_attrs(
            objective=question.objective, gap=self.gap
        )
        self._program = program
        self._shadow: dict[str, float] | None = None

    @property
    def cost(self) -> float:
        """won of all periods. Unit: won."""
        return float(self.answer.cost.sum())

    @property
    def value(self) -> float:
        """The objective over all periods. In the unit of the objective."""
        name = {"cost": "cost", "energy": "energy", "power": "peak_power"}
        return float(self.answer[name[self.question.objective]].sum())

    @property
    def shadow(self) -> dict[str, float]:
        """Rule -> change of the objective (million won, kWh or kW) for one more unit of its right
        side, with fractions of cards allowed; rules that cost nothing are left out.
        """
        if self._shadow is None:
            prices = self._program.shadow_prices()
            self._shadow = {rule: p for rule, p in prices.items() if abs(p) > 1e-9}
        return dict(self._shadow)

    @property
    def table(self) -> pd.DataFrame:
        """Every pool that holds a card: period, cloud, offer, cards, racks, what it serves."""
        rows = []
        for (k, period), (j, cloud), (i, offer) in _triples(self.question):
            if not self.counts.cards[i, j, k]:
                continue
            rows.append(
                {
                    "period": period, "cloud": cloud, "offer": offer,
                    "cards": int(self.counts.cards[i, j, k]),
                    "bought": int(self.counts.bought[i, j, k]),
                    "racks": int(self.counts.racks[i, j, k]),
                    "serves": self._serves(offer, j, k),
                }
            )  # fmt: skip
        return pd.DataFrame(rows).set_index(["period", "cloud", "offer"])

    def _serves(self, offer: str, cloud: int, period: int) -> str:
        found = []
        for number, ability in enumerate(self.question.abilities):
            many = int(self.counts.instances[number, cloud, period])
            if ability.offer == offer and many:
                found.append(f"{many} x {ability.service} on {ability.label}")
        return ", ".join(found) or "spare"

    @property
    def why(self) -> list[str]:
        """Sentences: who serves what, what it costs, which rules bind, what others would cost."""
        return [
            *(_served_sentence(self, k) for k in range(len(self.question.periods))),
            *(_cost_sentence(self, k) for k in range(len(self.question.periods))),
            *_rule_sentences(self),
            *_baseline_sentence(self),
            *(f"{r.offer} does not serve {r.service}: {r.text}" for r in self.refused),
        ]

    def instead(self, **changes: Any) -> Farm:
        """The farm with other fields of its rules in every period, such as vendors=1, or
        power="2 MW"; ContradictionError where there is none.
        """
        periods = tuple(p.but(rules=p.rules.but(**changes)) for p in self.question.periods)
        return self.again(self.question._replace(periods=periods))

    def __repr__(self) -> str:
        cards = int(self.counts.cards[:, :, -1].sum())
        return (
            f"<Farm of {cards} cards in {len(self.question.clouds)} clouds, "
            f"{units.si(self.cost, 'won')}, gap {self.gap:.2%}>"
        )


def _triples(question: Question) -> Any:
    parts: tuple[Any, ...] = (question.periods, question.clouds, question.offers)
    return itertools.product(*([(i, one.name) for i, one in enumerate(part)] for part in parts))


def _variable(name: str, dims: tuple[str, ...], values: Any) -> Any:
    base = name.removesuffix("_low").removesuffix("_high")
    word = WORDS[base]
    return result.variable(name, dims, values, meaning=word.meaning, unit=word.unit)


POOL = ("offer", "cloud", "period")


def dataset(question: Question, held: Counts) -> xr.Dataset:
    """The Dataset of a farm: counts, money, energy, power, shares by stage. Units: won, J, W."""
    values: dict[str, Any] = {
        name: _variable(name, POOL, getattr(held, name)) for name in ("cards", "bought", "racks")
    }
    values |= _services(question, held)
    for end in ENDS:
        books = ledger(question, held, end)
        values |= _money(question, held, books, end)
    values |= _sizes(question, held)
    values["answers"] = _variable(
        "answers", ("stage", "period"), by_stage(question, tokens(question, held))
    )
    coords = {
        "offer": [o.name for o in question.offers],
        "cloud": [c.name for c in question.clouds],
        "period": [p.name for p in question.periods],
        "service": [s.name for s in question.services],
        "stage": [1, 2, 3],
    }
    sources = {key for one in question.offers for key in one.cited}
    sources |= {key for cloud in question.clouds for key in cloud.cited}
    return result.finished(xr.Dataset(values, coords=coords), sources)


def _services(question: Question, held: Counts) -> dict[str, Any]:
    """instances and served (service, offer, cloud, period), quality and joules [J] (service,
    offer).
    """
    names = [s.name for s in question.services], [o.name for o in question.offers]
    shape = (len(names[0]), len(names[1]), len(question.clouds), len(question.periods))
    many, rate = np.zeros(shape), np.zeros(shape)
    quality, joules = np.full(shape[:2], np.nan), np.full(shape[:2], np.nan)
    for number, ability in enumerate(question.abilities):
        at = names[0].index(ability.service), names[1].index(ability.offer)
        many[at] += held.instances[number]
        peaks = [question.services[at[0]].peak(p.end) for p in question.periods]
        rate[at] += held.share[number] * np.array(peaks)
        joules[at] = ability.joules
        if ability.quality is not None:
            quality[at] = ability.quality
    dims = ("service", *POOL)
    return {
        "instances": _variable("instances", dims, many),
        "served": _variable("served", dims, rate),
        "quality": _variable("quality", ("service", "offer"), quality),
        "joules": _variable("joules", ("service", "offer"), joules),
    }


def _money(question: Question, held: Counts, books: Ledger, end: str) -> dict[str, Any]:
    member = [[a.offer == o.name for a in question.abilities] for o in question.offers]
    energy = books.static + np.einsum("oa,act->oct", np.array(member, float), books.dynamic)
    found = {
        f"cost{end}": _variable(f"cost{end}", POOL, books.money),
        f"purchase{end}": _variable(f"purchase{end}", POOL, books.purchase),
        f"electricity{end}": _variable(f"electricity{end}", POOL, books.electricity),
        f"energy{end}": _variable(f"energy{end}", POOL, energy),
    }
    if not end:
        found["assumed_share"] = _variable(
            "assumed_share", ("period",), _assumed(question, held, books)
        )
    return found


def _assumed(question: Question, held: Counts, books: Ledger) -> np.ndarray:
    """Share of the cost of each period that rests on prices and tariffs nobody published."""
    rests = np.zeros(books.money.shape[2])
    for i, offer in enumerate(question.offers):
        for j, cloud in enumerate(question.clouds):
            server = cloud.rack.server_price
            each = server.value / offer.cards
            parts = (offer.price.value * (offer.price.status == "assumed")
                     + each * (server.status == "assumed"))  # fmt: skip
            rests += held.bought[i, j] * parts
            rests += books.electricity[i, j] * (cloud.electricity.status == "assumed")
    total = books.money.sum(axis=(0, 1))
    share = np.divide(rests, total, out=np.zeros_like(rests), where=total > 0)
    return np.minimum(share, 1.0)  # rounding


def _sizes(question: Question, held: Counts) -> dict[str, Any]:
    """Power, operations and the domestic share of each period."""
    watts = np.array([[c.watts(o) for c in question.clouds] for o in question.offers])
    peak = held.cards * watts[:, :, None]
    each = np.array([o.operations for o in question.offers])
    total = np.einsum("o,oct->t", each, held.cards)
    home = np.einsum("o,oct->t", each * [o.domestic for o in question.offers], held.cards)
    share = np.divide(home, total, out=np.full_like(total, np.nan), where=total > 0)
    return {
        "peak_power": _variable("peak_power", POOL, peak),
        "operations": _variable("operations", ("period",), total),
        "domestic": _variable("domestic", ("period",), share),
    }


def _served_sentence(plan: Farm, k: int) -> str:
    parts = []
    for service in plan.question.services:
        shares: dict[str, float] = {}
        for number, ability in enumerate(plan.question.abilities):
            if ability.service == service.name:
                share = float(plan.counts.share[number, :, k].sum())
                shares[ability.offer] = shares.get(ability.offer, 0.0) + share
        shown = [
            f"{offer}" + (f" ({share:.0%})" if share < 0.995 else "")
            for offer, share in sorted(shares.items(), key=lambda one: -one[1])
            if share > 0.005
        ]
        parts.append(f"{service.name} by {' and '.join(shown)}")
    return f"{plan.question.periods[k].name}: {'; '.join(parts)}"


def _cost_sentence(plan: Farm, k: int) -> str:
    one = plan.answer.isel(period=k)
    cost, low, high = (units.si(float(one[f"cost{end}"].sum()), "won") for end in ENDS)
    period = plan.question.periods[k]
    return (
        f"{period.name}: {int(one.cards.sum())} cards in {int(one.racks.sum())} racks, "
        f"{float(one.operations) / PF:.4g} PF, {units.si(float(one.peak_power.sum()), 'W')} at "
        f"most, {cost} ({low} to {high}), of which {float(one.assumed_share):.0%} rests on assumed "
        "numbers"
    )


def _rule_sentences(plan: Farm) -> list[str]:
    """The rules that cost most, by the linear relaxation."""
    unit = {"cost": "million won", "energy": "kWh", "power": "kW"}[plan.question.objective]
    hard = {r: p for r, p in plan.shadow.items() if not r.startswith("demand of ")}
    costly = sorted(hard.items(), key=lambda one: -abs(one[1]))[:5]
    return [
        f"one more unit of the rule '{rule}' changes the {plan.question.objective} by {price:+.4g} "
        f"{unit} (linear relaxation)"
        for rule, price in costly
    ]


def _baseline_sentence(plan: Farm) -> list[str]:
    if plan.baseline is None:
        return []
    names = " and ".join(o.name for o in plan.baseline.question.offers)
    ratio = plan.baseline.value / plan.value
    return [
        f"{names} alone, held to the demand and the clouds only, would take "
        f"{units.si(plan.baseline.value, OBJECTIVES[plan.question.objective])}: {ratio:.3g} times "
        "this farm"
    ]


@typed
def changes(plan: Farm) -> xr.Dataset:
    """What one more megawatt, one vendor less, one cloud less, a tenth more budget would do: solved
    again each.

    Variables over `change`: objective, difference from the plan (in its unit); NaN where the rule
    is not there. Differences below the gap of the solutions say nothing.
    """
    found: dict[str, float] = {}
    rules = [period.rules for period in plan.question.periods]
    found["one vendor less"] = _less(plan, "vendors", rules)
    found["one cloud less"] = _less(plan, "clouds", rules)
    found["one megawatt more"] = _more_power(plan)
    unit = OBJECTIVES[plan.question.objective]
    values = list(found.values())
    sentence = "objective of the farm solved again under the changed rule"
    return xr.Dataset(
        {
            "objective": result.variable(
                "objective", "change", values, meaning=sentence, unit=unit
            ),
            "difference": result.variable(
                "difference", "change", np.array(values) - plan.value,
                meaning="change against the plan", unit=unit,
            ),
        },
        coords={"change": np.array(list(found), object)},
        attrs=plan.answer.attrs,
    )  # fmt: skip


def _less(plan: Farm, name: str, rules: list[Any]) -> float:
    most = max(getattr(one, name) for one in rules)
    return plan.instead(**{name: most - 1}).value if most > 1 else float("nan")


def _more_power(plan: Farm) -> float:
    """The farm with one megawatt more in its tightest cloud, and in the rule over all of them."""
    shadow = plan.shadow

    def tight(name: str) -> float:
        return sum(-p for rule, p in shadow.items() if rule.startswith(f"power of {name} "))

    name = max(plan.question.clouds, key=lambda cloud: tight(cloud.name)).name
    clouds = tuple(
        c.but(power=c.power + 1e6) if c.name == name else c for c in plan.question.clouds
    )
    periods = tuple(
        p if p.rules.power is None else p.but(rules=p.rules.but(power=p.rules.power + 1e6))
        for p in plan.question.periods
    )
    return plan.again(plan.question._replace(clouds=clouds, periods=periods)).value
