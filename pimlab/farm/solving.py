"""How is a farm's integer program solved in a minute? Bound, restrict, then search.

1. The linear relaxation says whether there is a farm at all, and gives a bound.
2. All clouds merged into one that is as good as the best of each make a small program, whose
solution no farm can beat: a second bound, which knows that cards are whole. It also says which
abilities are worth a place. 3. The program restricted to those abilities, and to the pools that its
own relaxation uses, is small: it gives a good farm. 4. Where farm and bound are not within the gap,
the full program is searched for a better one in the time that is left, and adds its own bound.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from pimlab.farm.planning import Question, program
from pimlab.farm.program import NoSolution, Program, Solution
from pimlab.farm.sites import Cloud, Rack

MERGED = "every cloud"
SHARES = {"merged": 0.25, "restricted": 0.5}
"""Parts of the time that the second and the third step may take."""
CARD = 0.5
"""Cards of a relaxation from which on a pool is kept."""


def solve(question: Question, *, gap: float, seconds: float) -> tuple[Program, Solution]:
    """The program of a question and its solution, to `gap` or as far as `seconds` go.

    NoSolution where no farm keeps the rules, or none was found in time.
    """
    began = time.monotonic()
    built = program(question)
    bound = built.solve(whole=False, seconds=seconds).objective
    higher, worth = _merged(question, gap, SHARES["merged"] * seconds)
    bound = max(bound, higher)
    best = _restricted(question, built, worth, gap, SHARES["restricted"] * seconds)
    left = seconds - (time.monotonic() - began)
    if best is None or (best._replace(bound=bound).gap > gap and left > 1):
        best, bound = _full(built, best, bound, gap, max(left, 1.0))
    return built, best._replace(bound=min(bound, best.objective))


def _restricted(
    question: Question,
    built: Program,
    worth: set[tuple[int, str]] | None,
    gap: float,
    seconds: float,
) -> Solution | None:
    """The best farm of the abilities that are worth it, in the pools that the relaxation then uses;
    None where there is none.
    """
    before = list(built.upper)
    try:
        if worth is not None:
            _close(built, lambda key: key[0] == "instances" and (key[1], key[3]) not in worth)
        relaxed = built.solve(whole=False, seconds=seconds)
        used = {key[1:3] for key, column in built.index.items()
                if key[0] == "cards" and relaxed.values[column] > CARD}  # fmt: skip
        owner = [ability.offer for ability in question.abilities]
        _close(built, lambda key: key[0] == "cards" and key[1:3] not in used)
        _close(built, lambda key: key[0] == "instances" and (owner[key[1]], key[2]) not in used)
        return built.solve(gap=gap / 4, seconds=seconds)
    except NoSolution:
        return None
    finally:
        built.upper = before


def _close(built: Program, which: Callable[[Any], bool]) -> None:
    """Keep variables at 0: those of which `which` says so, and shares where no instance may be."""
    for key, column in built.index.items():
        if which(key):
            built.upper[column] = 0.0
            if key[0] == "instances":
                built.upper[built.index["share", *key[1:]]] = 0.0


def _full(
    built: Program, best: Solution | None, bound: float, gap: float, seconds: float
) -> tuple[Solution, float]:
    """The best farm of the full program and the better bound; nothing dearer than `best` is looked
    at.
    """
    rows = list(built.rows)
    if best is not None:
        built.row(enumerate(built.costs), high=best.objective)
    try:
        found = built.solve(gap=gap, seconds=seconds)
    except NoSolution as missing:
        if best is None:
            raise
        return best, best.objective if missing.proved else bound
    finally:
        built.rows = rows
    better = found if best is None or found.objective < best.objective else best
    return better, max(bound, found.bound)


def _merged(
    question: Question, gap: float, seconds: float
) -> tuple[float, set[tuple[int, str]] | None]:
    """A bound on every farm, all clouds as one, without the rules that tell clouds apart; and the
    (ability, period) that its best farm uses, None where none was found.
    """
    periods = tuple(p.but(rules=p.rules.but(clouds=1)) for p in question.periods)
    services = tuple(s.but(cloud_loss=0.0, clouds=()) for s in question.services)
    one = question._replace(clouds=(_merge(question.clouds),), periods=periods, services=services)
    built = program(one)
    try:
        found = built.solve(gap=gap / 4, seconds=seconds)
    except NoSolution:
        return -np.inf, None
    worth = {(key[1], key[3]) for key, column in built.index.items()
             if key[0] == "instances" and found.values[column] > 0.5}  # fmt: skip
    return found.bound, worth  # type: ignore[return-value]


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
