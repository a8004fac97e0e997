"""Which published analog machines are there? Crossbars built from catalogue files that name a
cell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pimlab import catalogue
from pimlab.analog.compensation import (
    Compensation,
    DriftCompensation,
    ReferenceColumns,
    StatisticsCompensation,
)
from pimlab.analog.converters import ADC, DAC
from pimlab.analog.costs import COST_TABLES, macro_costs
from pimlab.analog.crossbar import Crossbar
from pimlab.analog.devices import device
from pimlab.analog.digital import DigitalUnits
from pimlab.analog.mapping import Slices
from pimlab.arguments import named
from pimlab.catalogue import CatalogueError, Entry
from pimlab.values import nearest

_COMPENSATIONS: dict[str, Compensation] = {
    "drift": DriftCompensation(),
    "drift per column": DriftCompensation(per="column"),
    "statistics": StatisticsCompensation(),
    "reference columns": ReferenceColumns(),
}
_PARTS: dict[str, type] = {"dac": DAC, "adc": ADC, "slices": Slices}
_NUMBERS = ("rows", "cols", "devices", "bias_rows", "capacity", "carry_columns")
_DIGITAL, _KINDS = "digital.rate", "digital_kinds"
_CHOICES = ("coding", "subtract", "scaling")
_TEXTS = {
    "title",
    "vendor",
    "format",
    "source",
    "paper",
    "note",
    "cell",
    "compensation",
    _KINDS,
    *_CHOICES,
}
_FACTS = (
    "throughput", "efficiency", "cores", "core_efficiency", "core_density",
    "arrays", "tiles", "adc_rate", "kull_energy", "kull_sndr",
)  # fmt: skip
"""Published numbers of a whole chip, for papers to compare with."""


@named
def target(name: str | Path) -> Crossbar:
    """The machine of the catalogue's `analog/<name>.toml`, or of a user's own TOML file (a path
    ending in .toml).

    Such a file holds the texts `cell` (a device), `compensation`, `coding`, `subtract`, `scaling`;
    tables `rows`, `cols`, `devices`; tables of parts such as `dac.bits`, `adc.bits`,
    `slices.per_cell`, with texts of parts such as `dac_encoding`; and the costs that `macro` reads.
    ValueError with the nearest name when there is none; CatalogueError for what no machine has.

    >>> machine = pim.analog.target("pcm-hermes")
    >>> machine.rows, machine.cell.name, machine.adc.bits
    (256, 'pcm-hermes-pair', 8)
    """
    if str(name).endswith(".toml"):
        return build(Path(name).stem, catalogue.load(name))
    return build(str(name), catalogue.entry("analog", str(name)))


def build(name: str, entry: Entry) -> Crossbar:
    """The machine of a catalogue entry; CatalogueError for one that names no cell, and for texts
    and tables that no machine has. Constants keep the unit of the file.
    """
    if "cell" not in entry.meta:
        raise CatalogueError(f"{entry.name}: no text `cell`; a machine names its device, such as "
                             "cell = \"pcm-hermes-pair\"")  # fmt: skip
    _refuse_unknown(entry)
    fields: dict[str, Any] = {one: int(entry[one].value) for one in _NUMBERS if one in entry}
    fields |= {one: entry.meta[one] for one in _CHOICES if one in entry.meta}
    fields |= {one: _part(one, kind, entry) for one, kind in _PARTS.items()}
    rule = entry.meta.get("compensation")
    if rule is not None and rule not in _COMPENSATIONS:
        raise CatalogueError(
            f"{entry.name}: compensation={rule!r} is not one of "
            f"{', '.join(_COMPENSATIONS)}{nearest(rule, _COMPENSATIONS)}"
        )
    return Crossbar(
        name=name,
        cell=device(entry.meta["cell"]),
        compensation=None if rule is None else _COMPENSATIONS[rule],
        costs=macro_costs(name, entry),
        digital=_digital(entry),
        **fields,
    )


def _digital(entry: Entry) -> DigitalUnits | None:
    """The digital units of the text `digital_kinds` (operator types, with commas) and the table
    `digital.rate`.
    """
    if _KINDS not in entry.meta:
        return None
    kinds = tuple(one.strip() for one in entry.meta[_KINDS].split(","))
    return DigitalUnits(kinds=kinds, rate=entry[_DIGITAL].value)


def _part(name: str, kind: type, entry: Entry) -> Any:
    """The part of the tables `name.*` and the texts `name_*`; None where there is none of them."""
    tables = {
        key.removeprefix(f"{name}."): entry[key] for key in entry if key.startswith(f"{name}.")
    }
    texts = {
        key.removeprefix(f"{name}_"): text
        for key, text in entry.meta.items()
        if key.startswith(f"{name}_")
    }
    numbers = {
        key: int(one.value) if float(one.value).is_integer() and not one.unit else one.value
        for key, one in tables.items()
    }
    if not numbers and not texts:
        return None
    try:
        return kind(**numbers, **texts)
    except (TypeError, ValueError) as error:
        raise CatalogueError(f"{entry.name}: {error}") from None


def _refuse_unknown(entry: Entry) -> None:
    parts = tuple(f"{name}_" for name in _PARTS)
    for text in entry.meta:
        if text not in _TEXTS and not text.startswith(parts):
            raise CatalogueError(
                f"{entry.name}: {text}={entry.meta[text]!r} is not known{nearest(text, _TEXTS)}"
            )
    known = {*_NUMBERS, *COST_TABLES, *_FACTS, _DIGITAL}
    for key in entry:
        if key not in known and key.partition(".")[0] not in (*_PARTS, "area", "power"):
            raise CatalogueError(
                f"{entry.name}: [{key}] is no constant of a machine{nearest(key, known)}"
            )


class _Machines(Mapping[str, Callable[[], Crossbar]]):
    """Name -> builder of every machine in the catalogue: files of `analog` that name a cell."""

    def __getitem__(self, name: str) -> Callable[[], Crossbar]:
        if name not in set(self):
            raise KeyError(name)
        return partial(target, name)

    def __iter__(self) -> Iterator[str]:
        return (
            name
            for name in catalogue.names("analog")
            if "cell" in catalogue.entry("analog", name).meta
        )

    def __len__(self) -> int:
        return sum(1 for _ in self)


TARGETS: Mapping[str, Callable[[], Crossbar]] = _Machines()
