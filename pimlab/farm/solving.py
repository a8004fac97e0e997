"""How is a farm's integer program solved in a minute? Bound, restrict, cut, and again.

1. The linear relaxation says whether there is a farm at all, and gives a bound.
2. All clouds merged into one (`bounds`) give a better one. The merged farm also says which
abilities are worth a place, and how many pools an offer needs. 3. The program restricted to those
abilities, with the pools dealt out to the clouds, is small: it gives a good farm. 4. No better farm
costs more than that one: under this limit the numbers of the merged farm narrow, and 2 and 3 are
done again. 5. Where farm and bound are not within the gap, the full program is searched in the time
that is left, and adds its own bound.

A file keeps farm and bound after every step, so that a search that was stopped, or that had too
little time, goes on where it was.
"""

from __future__ import annotations

import os
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pimlab.farm.bounds import cover, merged
from pimlab.farm.planning import Question, program, rates
from pimlab.farm.program import NoSolution, Program, Solution
from pimlab.values import digest

ROUNDS = ((0.2, 0.15), (0.3, 0.2))
"""Parts of the time that the merged and the restricted program may take, first and again."""
NARROWING = 0.15
"""Part of the time for narrowing the merged program's numbers."""
CARD = 0.5
"""Cards of a relaxation from which on a pool is kept."""
Pool = tuple[Any, Any]
"""Names of an offer and a cloud."""


class _Search:
    """The best farm so far, the bound, and the time left; kept in `store` where that is a file."""

    def __init__(self, question: Question, gap: float, seconds: float, store: Path | None = None):
        self.question, self.gap, self.seconds = question, gap, seconds
        self.began = time.monotonic()
        self.built = program(question)
        self.best: Solution | None = None
        self.bound = self.built.solve(whole=False, seconds=seconds).objective
        self.worth: set[tuple[int, str]] = set()
        self.totals: dict[tuple[int, str], int] = {}
        self.store = store
        self.key = "" if store is None else digest(tuple(question))
        self._take_up()

    @property
    def left(self) -> float:
        """Seconds left, at least a tenth."""
        return max(0.1, self.seconds - (time.monotonic() - self.began))

    @property
    def done(self) -> bool:
        """Whether farm and bound are within the gap."""
        return self.best is not None and self.best._replace(bound=self.bound).gap <= self.gap

    def take(self, found: Solution) -> None:
        """Keep a farm if it is the best so far."""
        if self.best is None or found.objective < self.best.objective:
            self.best = found

    def keep(self) -> None:
        """Write what is known beside the file, then put it in its place: a stop leaves a whole
        file. A farm within the gap needs none.
        """
        if self.store is None:
            return
        if self.done:
            self.store.unlink(missing_ok=True)
            return
        beside = self.store.with_name(self.store.name + ".part")
        with beside.open("wb") as file:
            np.savez(
                file,
                key=np.array(self.key),
                bound=np.array(self.bound),
                values=np.array([] if self.best is None else self.best.values),
                abilities=np.array([number for number, _ in sorted(self.worth)], int),
                periods=np.array([period for _, period in sorted(self.worth)], str),
            )
        os.replace(beside, self.store)

    def _take_up(self) -> None:
        if self.store is None or not self.store.exists():
            return
        try:
            with np.load(self.store, allow_pickle=False) as archive:
                # read whole: the archive is closed before the store may be replaced
                kept = dict(archive)
            same = str(kept["key"]) == self.key
        except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
            raise ValueError(f"{self.store} keeps no search for a farm: {error}") from None
        if not same:
            raise ValueError(
                f"{self.store} keeps the search for another farm; remove it or name another file"
            )
        self.bound = max(self.bound, float(kept["bound"]))
        pairs = zip(kept["abilities"].tolist(), kept["periods"].tolist(), strict=True)
        self.worth = set(pairs)
        if kept["values"].size:
            cost = float(np.dot(self.built.costs, kept["values"]))
            self.best = Solution(kept["values"], cost, self.bound)


def solve(
    question: Question, *, gap: float, seconds: float, store: Path | None = None
) -> tuple[Program, Solution]:
    """The program of a question and its solution, to `gap` or as far as `seconds` go.

    store : a file that keeps the search; the same question goes on from it. It is removed when the
    gap is reached. NoSolution where no farm keeps the rules, or none was found in time; ValueError
    for a store of another question.
    """
    search = _Search(question, gap, seconds, store)
    one = merged(question)
    # twice: a better farm narrows the merged program, which then gives a better bound
    for shares in ROUNDS if not search.done else ():
        if search.best is not None:
            one.row(enumerate(one.costs), high=search.best.objective)
            if not _narrowed(search, one):
                break
        _round(search, one, shares)
        search.keep()
        if search.done:
            break
    if not search.done:
        _full(search)
    search.keep()
    assert search.best is not None
    best = search.best
    return search.built, best._replace(bound=min(search.bound, best.objective))


def _round(search: _Search, one: Program, shares: tuple[float, float]) -> None:
    """Solve the merged program, and the program restricted to what it uses."""
    pools = None
    try:
        # a quarter: the error of the bound and that of the farm both count against the gap
        found = one.solve(gap=search.gap / 4, seconds=min(search.left, shares[0] * search.seconds))
        search.bound = max(search.bound, found.bound)
        search.totals = _totals(one, found)
        search.worth |= set(search.totals)
        pools = _dealt(search.question, _pools(one, found))
    except NoSolution as missing:
        if missing.proved and search.best is not None:
            search.bound = search.best.objective
            return
    # from the smallest program to the largest: each farm found limits the cost of the next search
    for kept, near in ((pools, True), (pools, False), (None, False)):
        if not search.done and (kept is not None or search.best is None):
            _restricted(search, kept, min(search.left, shares[1] * search.seconds), near=near)


def _narrowed(search: _Search, one: Program) -> bool:
    """Narrow how many cards and pools a merged farm can have; False where there is none below the
    best farm, which is then proved to be the best.
    """
    columns = [i for key, i in one.index.items() if key[0] in ("cards", "used", "more")]
    try:
        one.tighten(columns, min(search.left, NARROWING * search.seconds))
    except NoSolution as missing:
        if missing.proved and search.best is not None:
            search.bound = search.best.objective
        return not missing.proved
    return True


def _totals(one: Program, found: Solution) -> dict[tuple[Any, Any], int]:
    """(ability, period) -> instances, where there are any."""
    return {
        (key[1], key[3]): round(found.values[column])
        for key, column in one.index.items()
        if key[0] == "instances" and found.values[column] > 0.5
    }


def _pools(one: Program, found: Solution) -> dict[str, tuple[int, float]]:
    """Offer -> (pools, cards), the most of any period."""
    most: dict[str, tuple[int, float]] = {}
    for key, column in one.index.items():
        if key[0] == "cards" and found.values[column] > CARD:
            name, period = str(key[1]), key[3]
            more = one.find("more", name, period)
            pools = 1 + (0 if more is None else round(found.values[more]))
            cards = float(found.values[column])
            before = most.get(name, (0, 0.0))
            most[name] = max(before[0], pools), max(before[1], cards)
    return most


def _dealt(question: Question, pools: dict[str, tuple[int, float]]) -> set[Pool]:
    """Offers dealt out to the clouds, the largest first: each pool goes to the cloud with the
    fewest pools that has room for it, the cheapest of them.
    """
    kept: set[Pool] = set()
    load = dict.fromkeys((cloud.name for cloud in question.clouds), 0)
    for offer in sorted(question.offers, key=lambda o: -pools.get(o.name, (0, 0.0))[1]):
        room = [cloud for cloud in question.clouds if cloud.most(offer) >= 1]
        for _ in range(min(pools.get(offer.name, (0, 0.0))[0], len(room))):
            free = [cloud for cloud in room if (offer.name, cloud.name) not in kept]
            cheapest = min(free, key=lambda c: (load[c.name], rates(offer, c).joule * c.pue.value))
            kept.add((offer.name, cheapest.name))
            load[cheapest.name] += 1
    return kept


def _restricted(
    search: _Search, pools: set[Pool] | None, seconds: float, *, near: bool = False
) -> None:
    """Look for a better farm of the abilities that are worth it, in these pools; where they are
    None, in the pools that the relaxation uses. near : with at most one instance of an ability more
    than the merged farm has, which is found in a moment.
    """
    built, before, rows = search.built, list(search.built.upper), list(search.built.rows)
    owner = [ability.offer for ability in search.question.abilities]
    try:
        if search.worth:
            _close(built, lambda key: key[0] == "instances"
                   and (key[1], key[3]) not in search.worth)  # fmt: skip
        kept = _relaxed_pools(built, seconds) if pools is None else pools
        _close(built, lambda key: key[0] == "cards" and key[1:3] not in kept)
        _close(built, lambda key: key[0] == "instances" and (owner[key[1]], key[2]) not in kept)
        if near:
            _near(search)
        else:
            cover(built, search.question)
        if search.best is not None:
            built.row(enumerate(built.costs), high=search.best.objective)
        search.take(built.solve(gap=search.gap / 4, seconds=seconds))
    except NoSolution:
        return
    finally:
        # the program is one for all searches: what restricted this one is taken away again
        built.upper, built.rows = before, rows


def _near(search: _Search) -> None:
    """Limit the instances of every ability in all clouds together."""
    for (number, period), many in search.totals.items():
        columns = (
            search.built.find("instances", number, cloud.name, period)
            for cloud in search.question.clouds
        )
        search.built.row([(c, 1.0) for c in columns if c is not None], high=many + 1.0)


def _relaxed_pools(built: Program, seconds: float) -> set[Pool]:
    relaxed = built.solve(whole=False, seconds=seconds)
    return {
        (key[1], key[2])
        for key, column in built.index.items()
        if key[0] == "cards" and relaxed.values[column] > CARD
    }


def _close(built: Program, which: Callable[[Any], bool]) -> None:
    """Keep variables at 0: those of which `which` says so, and shares where no instance may be."""
    for key, column in built.index.items():
        if which(key):
            built.upper[column] = 0.0
            if key[0] == "instances":
                built.upper[built.index["share", *key[1:]]] = 0.0


def _full(search: _Search) -> None:
    """Search the full program below the best farm; its bound counts too."""
    built, rows = search.built, list(search.built.rows)
    if search.best is not None:
        built.row(enumerate(built.costs), high=search.best.objective)
    try:
        found = built.solve(gap=search.gap, seconds=search.left)
        search.bound = max(search.bound, found.bound)
        search.take(found)
    except NoSolution as missing:
        if search.best is None:
            raise
        if missing.proved:
            search.bound = search.best.objective
    finally:
        built.rows = rows
