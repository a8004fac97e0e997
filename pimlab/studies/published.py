"""How far is our answer from what a paper prints? The rows of a `targets.csv`, each judged, and the
tables of a README.

A folder of `papers/` states its published numbers in `targets.csv`, one row each. `judged` sets
ours beside them; `fill` puts the table, and any other the paper computes, between markers of its
README.md, so that no number of a table is typed by hand.
"""

from __future__ import annotations

import csv
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

COLUMNS = (
    "quantity",
    "condition",
    "published",
    "unit",
    "where",
    "provenance",
    "role",
    "tolerance",
    "tolerance_kind",
)
ROLES = {
    "fitted": "a constant of ours was set by it",
    "held-out": "nothing of ours was set by it",
    "input": "our own catalogue holds this number: agreement is no evidence",
    "bound": "a limit that no answer may pass",
    "missed": "held out and not met; the miss is stated, and a test says when it is met",
    "context": "printed beside ours, under other conditions, and not compared",
}
"""Role of a row -> what agreement with it means."""
KINDS = ("absolute", "relative", "inside", "above", "below", "none")
"""absolute, relative: |ours - published| is at most the tolerance (times |published|); inside: the
published text "10 to 99" holds ours; above, below: ours is at least (at most) published plus (less)
the tolerance; none: not compared.
"""
MOST_ROWS = 32
"""Rows that a README lists one by one; a longer table is summed up by quantity."""
ROUNDING = 1e-12
"""Share by which a sum of floats that meets a bound exactly may pass it."""
NUMBER = re.compile(r"^-?\d+(\.\d*)?(e[+-]?\d+)?$", re.IGNORECASE)


@dataclass(frozen=True)
class Row:
    """One published number: where it was printed, what it serves for, and how near is near
    enough. `published` is in `unit`, as printed.
    """

    quantity: str
    condition: str
    published: str
    unit: str
    where: str
    provenance: str
    role: str
    tolerance: float
    tolerance_kind: str

    @property
    def value(self) -> float:
        """The published number in `unit`; NaN for a range."""
        return float(self.published) if NUMBER.match(self.published) else math.nan

    @property
    def ends(self) -> tuple[float, float]:
        """Smallest and largest number in `unit` that meet the row."""
        if self.tolerance_kind == "inside":
            low, high = self.published.split(" to ")
            return float(low), float(high)
        width = self.tolerance * (abs(self.value) if self.tolerance_kind == "relative" else 1.0)
        slack = ROUNDING * abs(self.value)
        return {
            "above": (self.value + width - slack, math.inf),
            "below": (-math.inf, self.value - width + slack),
        }.get(self.tolerance_kind, (self.value - width, self.value + width))

    def met(self, ours: float) -> bool:
        """Whether ours, in `unit`, is near enough; never where it is NaN or infinite."""
        if self.tolerance_kind == "none":
            return math.isfinite(ours)
        low, high = self.ends
        return math.isfinite(ours) and low <= ours <= high

    def passes(self, ours: float) -> bool:
        """Whether ours, in `unit`, is what the row's role says: met, or for "missed" finite and not
        met.
        """
        return math.isfinite(ours) and self.met(ours) is not (self.role == "missed")

    def miss(self, ours: float) -> str:
        """By how much ours is off: a share of the published number, or a difference in `unit`."""
        if self.tolerance_kind in ("inside", "above", "below", "none"):
            return "" if self.met(ours) and self.role != "missed" else "not met"
        gap = ours - self.value
        if abs(gap) <= max(1e-9 * abs(self.value), 1e-3 * self.tolerance * (self.value == 0)):
            return "0"
        if self.tolerance_kind == "relative":
            return f"{100 * gap / self.value:+.2g} %"
        return f"{gap:+.2g}"

    def allowed(self) -> str:
        """The tolerance as a reader sees it: a share, or a number in `unit`."""
        size = f"{self.tolerance:g}"
        return {
            "absolute": size,
            "relative": f"{100 * self.tolerance:g} %",
            "inside": "inside",
            "above": "above" + (f" by {size}" if self.tolerance else ""),
            "below": "below" + (f" by {size}" if self.tolerance else ""),
            "none": "not compared",
        }[self.tolerance_kind]


def _checked(row: dict[str, str], path: Path, line: int) -> Row:
    def refuse(why: str) -> ValueError:
        return ValueError(f"{path} line {line}: {why}")

    if row["role"] not in ROLES:
        raise refuse(f"role={row['role']!r} is not one of {', '.join(ROLES)}")
    kind = row["tolerance_kind"]
    if kind not in KINDS:
        raise refuse(f"tolerance_kind={kind!r} is not one of {', '.join(KINDS)}")
    tolerance = float(row["tolerance"] or 0)
    if not 0 <= tolerance < math.inf:
        raise refuse(f"tolerance={row['tolerance']} is outside 0.. (and must be finite)")
    if kind == "inside" and len(row["published"].split(" to ")) != 2:
        raise refuse(f"published={row['published']!r} is no range; write for example '10 to 99'")
    if kind != "inside" and not NUMBER.match(row["published"]):
        raise refuse(f"published={row['published']!r} is not a number")
    if (kind == "none") != (row["role"] == "context"):
        raise refuse("tolerance_kind is 'none' for role 'context', and for no other")
    return Row(**{**row, "tolerance": tolerance})  # type: ignore[arg-type]


def targets(path: str | os.PathLike[str]) -> tuple[Row, ...]:
    """The rows of a targets.csv. ValueError with its line for a row that cannot be judged."""
    source = Path(path)
    with source.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise ValueError(f"{source}: the columns are not {', '.join(COLUMNS)}")
        return tuple(_checked(row, source, line) for line, row in enumerate(reader, 2))


def judged(rows: Iterable[Row], found: Callable[[Row], float | None]) -> list[tuple[Row, float]]:
    """Every row with ours beside it, in the row's unit; rows that `found` answers with None are
    left out.
    """
    pairs = [(row, found(row)) for row in rows]
    return [(row, float(ours)) for row, ours in pairs if ours is not None]


def _digits(text: str) -> int:
    return len(re.sub(r"e.*|[-.]", "", text.lower()).lstrip("0")) or 1


def _number(row: Row, ours: float) -> str:
    """Ours with one digit more than was printed, at most six."""
    return f"{ours:.{min(6, _digits(row.published) + 1)}g}"


def markdown(header: Iterable[str], lines: Iterable[Iterable[object]]) -> str:
    """A table of a README: a line of text for each row."""
    heads = list(header)
    cells = [heads, ["---"] * len(heads), *([str(cell) for cell in line] for line in lines)]
    return "\n".join("| " + " | ".join(line) + " |" for line in cells)


def _each(pairs: list[tuple[Row, float]]) -> str:
    head = ("quantity", "condition", "published", "ours", "miss", "allowed", "role")
    return markdown(
        head,
        (
            (
                row.quantity,
                row.condition,
                f"{row.published} {'' if row.unit == '1' else row.unit}".strip(),
                _number(row, ours),
                row.miss(ours),
                row.allowed(),
                row.role,
            )
            for row, ours in pairs
        ),
    )


def _summed(pairs: list[tuple[Row, float]]) -> str:
    groups: dict[tuple[str, str, str], list[float]] = {}
    for row, ours in pairs:
        share = row.tolerance_kind == "relative"
        off = abs(ours - row.value) / (abs(row.value) if share else 1.0)
        groups.setdefault((row.quantity, row.role, row.allowed()), []).append(
            100 * off if share else off
        )
    return markdown(
        ("quantity", "role", "rows", "largest miss", "mean miss", "allowed"),
        (
            (
                quantity,
                role,
                len(off),
                *(
                    f"{x:.2g}{' %' if '%' in allowed else ''}"
                    for x in (max(off), sum(off) / len(off))
                ),
                allowed,
            )
            for (quantity, role, allowed), off in groups.items()
        ),
    )


def table(pairs: Iterable[tuple[Row, float]]) -> str:
    """The rows beside ours as a table; where there are many, a line for each quantity and role."""
    listed = list(pairs)
    return _each(listed) if len(listed) <= MOST_ROWS else _summed(listed)


def marked(text: str) -> dict[str, str]:
    """Name -> what stands between `<!-- name -->` and `<!-- /name -->`, each on its own line."""
    return {
        name: inside.strip("\n")
        for name, inside in re.findall(
            r"^<!-- ([\w ]+) -->\n(.*?)^<!-- /\1 -->$", text, re.MULTILINE | re.DOTALL
        )
    }


def filled(text: str, tables: Mapping[str, str]) -> str:
    """`text` with each table between its markers. ValueError for a table that has no place, and for
    a place that has no table.
    """
    places = marked(text)
    if set(places) != set(tables):
        raise ValueError(
            f"places {', '.join(sorted(places)) or 'none'}; tables {', '.join(sorted(tables))}"
        )
    for name, new in tables.items():
        start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        head, rest = text.split(start, 1)
        text = f"{head}{start}{new}\n{end}{rest.split(end, 1)[1]}"
    return text


def fill(
    make: str | os.PathLike[str],
    found: Callable[[Row], float | None],
    tables: Mapping[str, str] | None = None,
) -> None:
    """Write the README beside a paper's make.py anew: the table of its targets.csv, then its own
    tables, each between its markers.
    """
    folder = Path(make).parent
    every = {"targets": table(judged(targets(folder / "targets.csv"), found)), **(tables or {})}
    print(*every.values(), sep="\n\n")
    readme = folder / "README.md"
    readme.write_text(filled(readme.read_text(encoding="utf-8"), every), encoding="utf-8")
