"""How does a plan become an integer program? Variables by name, rows by the rule they stand for.

A row keeps the name of its rule, so that a program without a solution can say which rules
contradict each other, and one with a solution what each rule costs. Rows are scaled to coefficients
of 1 at most; `scale` brings a shadow price back to the unit of the rule.
"""

from __future__ import annotations

import math
import time
from collections.abc import Hashable, Iterable, Mapping
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

Key = tuple[Hashable, ...]
ROUNDING = 1e-6
"""How far the end of a variable's interval may be from a whole number and count as it."""


class Row(NamedTuple):
    """low <= sum of coefficients times variables <= high, of one rule ("" for what no rule may give
    up); `scale` is what the row was divided by.
    """

    coefficients: dict[int, float]
    low: float
    high: float
    rule: str
    scale: float


class Solution(NamedTuple):
    """Values of every variable, the objective, and what no solution can be below."""

    values: np.ndarray
    objective: float
    bound: float

    @property
    def gap(self) -> float:
        """(objective - bound) / |objective|, 0 for a proved optimum (unit 1)."""
        return (self.objective - self.bound) / max(abs(self.objective), 1e-300)


class NoSolution(Exception):
    """The program has no solution, or none was found in time."""

    def __init__(self, proved: bool):
        super().__init__("infeasible" if proved else "none found in time")
        self.proved = proved


class Program:
    """Minimise a sum of costs over variables, some of them integers, under rows."""

    def __init__(self) -> None:
        self.index: dict[Key, int] = {}
        self.costs: list[float] = []
        self.lower: list[float] = []
        self.upper: list[float] = []
        self.integer: list[bool] = []
        self.rows: list[Row] = []

    def variable(
        self, *key: Hashable, cost: float = 0.0, upper: float = np.inf, integer: bool = False
    ) -> int:
        """The number of a new variable between 0 and `upper`. Bounds in the unit of the
        variable.
        """
        assert key not in self.index, key
        self.index[key] = len(self.costs)
        self.costs.append(cost)
        self.lower.append(0.0)
        self.upper.append(upper)
        self.integer.append(integer)
        return self.index[key]

    def find(self, *key: Hashable) -> int | None:
        """The number of a variable, None where there is none of that name. Counted from 0, unit:
        variables.
        """
        return self.index.get(key)

    def row(
        self,
        terms: Mapping[int, float] | Iterable[tuple[int, float]],
        low: float = -np.inf,
        high: float = np.inf,
        rule: str = "",
    ) -> None:
        """Add a row; terms of the same variable are added up."""
        summed: dict[int, float] = {}
        for column, value in terms.items() if isinstance(terms, Mapping) else terms:
            summed[column] = summed.get(column, 0.0) + value
        kept = {column: value for column, value in summed.items() if value != 0}
        scale = max(map(abs, kept.values()), default=1.0)
        scaled = {column: value / scale for column, value in kept.items()}
        self.rows.append(Row(scaled, low / scale, high / scale, rule, scale))

    @property
    def rules(self) -> tuple[str, ...]:
        """Names of the rules, in the order they came."""
        return tuple(dict.fromkeys(row.rule for row in self.rows if row.rule))

    def _matrix(self, rows: list[Row]) -> sparse.csr_array:
        counts = [len(row.coefficients) for row in rows]
        line = np.repeat(np.arange(len(rows)), counts)
        column = np.fromiter((c for row in rows for c in row.coefficients), int, sum(counts))
        value = np.fromiter(
            (v for row in rows for v in row.coefficients.values()), float, sum(counts)
        )
        return sparse.csr_array((value, (line, column)), shape=(len(rows), len(self.costs)))

    def _of(self, rules: Iterable[str] | None) -> list[Row]:
        if rules is None:
            return self.rows
        wanted = {"", *rules}
        return [row for row in self.rows if row.rule in wanted]

    def solve(
        self,
        *,
        gap: float = 0.01,
        seconds: float = 60.0,
        whole: bool = True,
        rules: Iterable[str] | None = None,
    ) -> Solution:
        """The best solution by HiGHS, within `gap` of the bound or the best found in `seconds`.

        whole : False lets every variable be a fraction.  rules : keep only rows of these rules.
        NoSolution where there is none, or none was found.
        """
        rows = self._of(rules)
        found = milp(
            np.array(self.costs),
            constraints=LinearConstraint(
                self._matrix(rows), [row.low for row in rows], [row.high for row in rows]
            ),
            bounds=Bounds(np.array(self.lower), np.array(self.upper)),
            integrality=np.array(self.integer, int) if whole else None,
            options={"mip_rel_gap": gap, "time_limit": seconds},
        )
        if found.x is None:
            raise NoSolution(found.status == 2)
        bound = found.mip_dual_bound if found.mip_dual_bound is not None else found.fun
        return Solution(np.asarray(found.x), float(found.fun), float(bound))

    def shadow_prices(self) -> dict[str, float]:
        """Rule -> change of the cost for one more unit of its right side, with fractions allowed.

        Rows of one rule are added up. They are the multipliers of the linear relaxation: a first
        answer to "what would one more do", exact only where fractions of a card are.
        """
        found: dict[str, float] = {}
        parts = _one_sided(self.rows)
        answer = linprog(
            np.array(self.costs),
            A_ub=self._matrix([row for row, _, equal in parts if not equal]),
            b_ub=[row.high for row, _, equal in parts if not equal],
            A_eq=self._matrix([row for row, _, equal in parts if equal]),
            b_eq=[row.high for row, _, equal in parts if equal],
            bounds=np.array([self.lower, self.upper]).T,
            method="highs",
        )
        if answer.x is None:
            raise NoSolution(answer.status == 2)
        for equal, marginals in ((False, answer.ineqlin), (True, answer.eqlin)):
            of = [(row, sign) for row, sign, same in parts if same == equal]
            for (row, sign), price in zip(of, marginals.marginals, strict=True):
                if row.rule:
                    found[row.rule] = found.get(row.rule, 0.0) + sign * float(price) / row.scale
        return found

    def conflict(self, seconds: float = 20.0) -> tuple[str, ...]:
        """An irreducible set of rules that contradict each other: without any one of them, the rest
        can be kept. By the deletion filter, on the linear relaxation where that has no solution
        already; () where the program has one, or none can be proved to be missing in `seconds` a
        trial.
        """
        whole = False
        if self._possible(self.rules, whole, seconds):
            whole = True
            if self._possible(self.rules, whole, seconds):
                return ()
        kept = list(self.rules)
        for rule in self.rules:
            without = [name for name in kept if name != rule]
            if not self._possible(without, whole, seconds):
                kept = without
        return tuple(kept)

    def most(self, rules: Iterable[str], seconds: float = 20.0) -> float:
        """The largest part, 0 to 1, of what the rows of `rules` ask for at least that can be had at
        once under all other rows; as found in `seconds` (NoSolution where nothing was). Unit 1.
        """
        scaled, rows, costs = set(rules), self.rows, self.costs
        self.costs = [0.0] * len(costs)
        part = self.variable("part", cost=-1.0, upper=1.0)
        self.rows = [_in_parts(row, part) if row.rule in scaled else row for row in rows]
        try:
            return max(0.0, -self.solve(gap=1e-3, seconds=seconds).objective)
        finally:
            self.rows, self.costs = rows, costs
            del self.index["part",]
            for one in (self.lower, self.upper, self.integer):
                one.pop()

    def tighten(self, columns: Iterable[int], seconds: float) -> None:
        """Narrow the bounds of integer variables to what the linear relaxation allows them, one
        after another, as far as `seconds` go.
        """
        began, costs = time.monotonic(), self.costs
        try:
            for column in columns:
                for sign in (1.0, -1.0):
                    self.costs = [0.0] * len(costs)
                    self.costs[column] = sign
                    least = sign * self.solve(whole=False, seconds=seconds).bound
                    if sign > 0:
                        self.lower[column] = max(self.lower[column], math.ceil(least - ROUNDING))
                    else:
                        self.upper[column] = min(self.upper[column], math.floor(least + ROUNDING))
                if time.monotonic() - began > seconds:
                    return
        finally:
            self.costs = costs

    def _possible(self, rules: Iterable[str], whole: bool, seconds: float) -> bool:
        costs, self.costs = self.costs, [0.0] * len(self.costs)
        try:
            self.solve(rules=rules, whole=whole, seconds=seconds, gap=1.0)
        except NoSolution as missing:
            return not missing.proved
        finally:
            self.costs = costs
        return True


def _in_parts(row: Row, part: int) -> Row:
    """The row with its least value times the variable `part`."""
    if not row.low > 0:
        return row
    return row._replace(coefficients={**row.coefficients, part: -row.low}, low=0.0)


def _one_sided(rows: Iterable[Row]) -> list[tuple[Row, float, bool]]:
    """(row as sum <= high, sign of its right side, whether it is an equation)."""
    found = []
    for row in rows:
        if row.low == row.high:
            found.append((row, 1.0, True))
            continue
        if np.isfinite(row.high):
            found.append((row, 1.0, False))
        if np.isfinite(row.low):
            turned = {column: -value for column, value in row.coefficients.items()}
            found.append((row._replace(coefficients=turned, high=-row.low), -1.0, False))
    return found
