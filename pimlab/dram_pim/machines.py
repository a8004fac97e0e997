"""Which PIM memories are known by name? From the catalogue to organisation, timing and
arithmetic.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from pimlab.catalogue import Entry, entry
from pimlab.dram_pim.aim import AimPim
from pimlab.dram_pim.arithmetic import AnyFormat, Arithmetic, BrainTree, HalfLanes
from pimlab.dram_pim.organisation import BankPim
from pimlab.dram_pim.upmem import Dpus
from pimlab.values import unknown

_KINDS: dict[str, tuple[type, Arithmetic]] = {
    "bank pairs": (BankPim, HalfLanes()),
    "adder trees": (AimPim, BrainTree()),
    "scalar cores": (Dpus, AnyFormat()),
}


def organisation(table: Entry) -> tuple[Any, Arithmetic]:
    """Organisation and arithmetic that a file of catalogue room `pim` describes; its `kind` says
    which.
    """
    if table.meta.get("kind") not in _KINDS:
        raise ValueError(unknown(f"{table.name}: kind", table.meta.get("kind"), _KINDS))
    build, arithmetic = _KINDS[table.meta["kind"]]
    given = {field: table[field].value for field in build.fields() if field in table}  # type: ignore
    kinds = {field.name: field.metadata["kind"] for field in dataclasses.fields(build)}
    whole = {
        name: int(value) if kinds[name] == "integer" else value for name, value in given.items()
    }
    return build(**whole), arithmetic


def known(name: str) -> Entry:
    """The catalogue entry `name` of room `pim`; ValueError with the nearest name."""
    return entry("pim", name)
