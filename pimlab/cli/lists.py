"""What does pimlab know by name? `pimlab targets | devices | models | datasets | ...`."""

from __future__ import annotations

import argparse
import functools
from typing import TYPE_CHECKING, Any

import pimlab
from pimlab.cli import asking

if TYPE_CHECKING:
    import pandas as pd

LISTS = {
    "targets": "the machines by name: stage, vendor, format, peak rate, power, host",
    "devices": "the memory cells by name: range of conductances, faults, sources",
    "models": "the models by name, and the data they are judged on",
    "datasets": "the data sets by name: splits, licence, source",
    "macros": "the analog macros by name",
    "papers": "the papers that are computed again, and how many numbers they compare with",
}
"""Verb -> what it lists."""
_SHOWN = {
    "targets": ("stage", "vendor", "format", "peak", "power", "node", "host"),
    "devices": ("kind", "range", "faults", "use", "status"),
}
"""Columns that fit a screen; --csv and --json give all."""


def add(verbs: Any) -> None:
    """Add the verbs. No unit."""
    for name, text in LISTS.items():
        one = asking.verb(verbs, name, functools.partial(_list, name), text)
        form = one.add_mutually_exclusive_group()
        form.add_argument("--json", action="store_true", help="print the whole table as JSON")
        form.add_argument("--csv", action="store_true", help="print the whole table as CSV")


def _list(name: str, options: argparse.Namespace) -> None:
    table = _targets() if name == "targets" else getattr(pimlab, name)()
    if options.json:
        print(table.reset_index().to_json(orient="records", indent=1))
    elif options.csv:
        print(table.to_csv(), end="")
    else:
        _print(table, name)


def _targets() -> pd.DataFrame:
    table = pimlab.machines()
    causes = [", ".join(pimlab.target(name).causes) or "none" for name in table.index]
    return table.assign(**{"non-idealities": causes}).sort_values("stage", kind="stable")


def _print(table: pd.DataFrame, name: str) -> None:
    from rich.console import Console
    from rich.table import Table

    columns = _SHOWN.get(name, tuple(table.columns))
    shown = Table(title=LISTS[name].split(":")[0])
    shown.add_column(str(table.index.name), no_wrap=True)
    for column in columns:
        shown.add_column(column)
    for index, row in table.iterrows():
        shown.add_row(str(index), *(str(row[column]) or "-" for column in columns))
    Console().print(shown)
