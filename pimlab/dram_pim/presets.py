"""Which PIM memories are known by name? From a file of the catalogue to organisation, timing,
arithmetic and prices.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from pimlab import catalogue
from pimlab.catalogue import Entry, entry
from pimlab.dram_pim.aim import AimPim
from pimlab.dram_pim.arithmetic import AnyFormat, Arithmetic, Bf16Tree, FixedPoint, HalfLanes
from pimlab.dram_pim.hbm_pim import BankPim
from pimlab.dram_pim.machine import Organisation
from pimlab.dram_pim.near import NearMemory
from pimlab.dram_pim.prices import channel_limit, prices
from pimlab.dram_pim.target import DramPim
from pimlab.dram_pim.timing import timing
from pimlab.dram_pim.upmem import Dpus
from pimlab.machine.links import link
from pimlab.machine.registry import Registry
from pimlab.values import closest, unknown

_KINDS: dict[str, tuple[type[Organisation], Arithmetic]] = {
    "bank pairs": (BankPim, HalfLanes()),
    "adder trees": (AimPim, Bf16Tree()),
    "scalar cores": (Dpus, AnyFormat()),
    "near memory": (NearMemory, HalfLanes(accumulation="float32")),
}
"""What the text `kind` of a file may say: the organisation, and what its units compute with."""


_NO_TABLE = ("sources",)
"""Fields of an organisation that are no table of its file."""


def table(name: str) -> Entry:
    """The constants of the memory `name` of catalogue room `pim`; ValueError with the nearest name.

    A file may name another in its text `base`: it has all the constants of that file but those it
    gives itself.
    """
    own = entry("pim", name)
    if "base" not in own.meta:
        return own
    base = table(own.meta["base"])
    return Entry(own.name, {**base.meta, **own.meta}, {**base, **own})


def organisation(described: Entry) -> Organisation:
    """The organisation that a file of catalogue room `pim` describes; its `kind` says which."""
    kind, _ = _kind(described)
    _spelt(kind, described)
    kinds = {field.name: field.metadata.get("kind") for field in dataclasses.fields(kind)}
    constants = {name: described[name] for name in kind.fields() if name in described}
    values: dict[str, Any] = {
        name: int(constant.value) if kinds[name] == "integer" else constant.value
        for name, constant in constants.items()
    }
    papers = {key for constant in constants.values() for key in constant.sources}
    return kind(**values, sources=tuple(sorted(papers)))


def _spelt(kind: type[Organisation], described: Entry) -> None:
    """CatalogueError for a table that a field of `kind` lacks, and for one that is spelt almost as
    a field that the file does not give.
    """
    others = [key for key in described if "." not in key and key not in kind.fields()]
    for field in dataclasses.fields(kind):
        absent = field.name not in described and field.name not in _NO_TABLE
        needed = field.default is dataclasses.MISSING and field.default_factory is (
            dataclasses.MISSING
        )
        if absent and (needed or closest(field.name, others)):
            described[field.name]  # says what the file has instead


def arithmetic(described: Entry) -> Arithmetic:
    """What the units of a file of catalogue room `pim` compute with: that of their kind, or 32-bit
    fixed point where the file has a `fraction`.
    """
    if "fraction" in described:
        return FixedPoint(fraction=int(described["fraction"].value))
    return _kind(described)[1]


def _kind(described: Entry) -> tuple[type[Organisation], Arithmetic]:
    kind = described.meta.get("kind")
    if kind not in _KINDS:
        raise ValueError(unknown(f"{described.name}: kind", kind, _KINDS))
    return _KINDS[kind]


def build(name: str = "hbm-pim") -> DramPim:
    """The preset `name` of catalogue room `pim`, without a host."""
    described = table(name)
    banks = organisation(described)
    clock = timing(described.meta["dram"]) if "dram" in described.meta else None
    ratio = banks.bandwidth_ratio(clock)
    return DramPim(
        name=name,
        organisation=banks,
        timing=clock,
        arithmetic=arithmetic(described),
        energies=prices(described),
        channel_limit=channel_limit(described),
        widest=None if ratio is None else int(ratio),
        link=link(described.meta["link"]) if "link" in described.meta else None,
    )


TARGETS = Registry(lambda: catalogue.names("pim"), build)
