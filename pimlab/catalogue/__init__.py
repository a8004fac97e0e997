"""Where does every published constant come from? From one TOML file per publication or product,
checked on loading.

`entry("devices", "pcm-hermes")["g_max"]` is a `Constant` in SI. A number without a source, a place
in it and a status is refused; so are an assumed or derived number without a reason and a source
that `sources.bib` does not hold.

A file has text at its top (`title`, `model`, `source`, `note`, ...) and one table a constant:

    [g_max]
    value  = "10.35 uS"      # as printed; a list is a row of coefficients
    low    = "10 uS"         # optional
    high   = "11 uS"         # optional
    source = "legallo2023"   # optional where the file's own `source` holds
    where  = "Table 1"
    status = "published"     # published | digitised | derived | assumed
    reason = "..."           # needed for derived and assumed

A dotted table `[energy.adc]` is the constant "energy.adc".
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from pimlab import units
from pimlab.constants import STATUSES, Constant
from pimlab.values import nearest, unknown

_KEYS = {"value", "low", "high", "unit", "source", "where", "status", "reason", "note"}


class CatalogueError(ValueError):
    """A catalogue file holds a number that may not be used: the message names file, entry and what
    is missing.
    """


class Entry(Mapping[str, Constant]):
    """The constants of one file by name, and its texts in `meta`."""

    def __init__(self, name: str, meta: dict[str, str], constants: dict[str, Constant]):
        self.name, self.meta, self._constants = name, meta, constants

    def __getitem__(self, key: str) -> Constant:
        if key not in self._constants:
            raise KeyError(unknown(f"{self.name}: constant", key, self._constants))
        return self._constants[key]

    def __contains__(self, key: object) -> bool:
        return key in self._constants

    def __iter__(self) -> Iterator[str]:
        return iter(self._constants)

    def __len__(self) -> int:
        return len(self._constants)

    def row(self, key: str) -> tuple[float, ...]:
        """The values of a row of coefficients, `key.0`, `key.1`, ..., in order."""
        members = [
            self[name]
            for name in self._constants
            if name.startswith(f"{key}.") and name[len(key) + 1 :].isdigit()
        ]
        if not members:
            raise KeyError(
                unknown(
                    f"{self.name}: row", key, {name.rpartition(".")[0] for name in self._constants}
                )
            )
        return tuple(constant.value for constant in members)


def _root() -> Traversable:
    return resources.files(__name__)


def kinds() -> tuple[str, ...]:
    """The rooms of the catalogue: "devices", "npu", ..."""
    return tuple(
        sorted(
            item.name
            for item in _root().iterdir()
            if item.is_dir() and not item.name.startswith("_")
        )
    )


def names(kind: str) -> tuple[str, ...]:
    """The entries of one kind; ValueError for an unknown kind."""
    if kind not in kinds():
        raise ValueError(unknown("catalogue kind", kind, kinds()))
    return tuple(
        sorted(item.name[:-5] for item in (_root() / kind).iterdir() if item.name.endswith(".toml"))
    )


@lru_cache(maxsize=1)
def sources() -> dict[str, dict[str, str]]:
    """Every source of `sources.bib`: key -> its fields."""
    import bibtexparser

    library = bibtexparser.parse_string((_root() / "sources.bib").read_text(encoding="utf-8"))
    if library.failed_blocks:
        raise CatalogueError(
            f"sources.bib: {str(library.failed_blocks[0].raw)[:80]!r} is not a BibTeX entry"
        )
    return {
        e.key: {"type": e.entry_type, **{f.key: str(f.value) for f in e.fields}}
        for e in library.entries
    }


@lru_cache(maxsize=512)
def entry(kind: str, name: str) -> Entry:
    """The constants of `catalogue/<kind>/<name>.toml`; ValueError with the nearest name when there
    is none.
    """
    if name not in names(kind):
        raise ValueError(unknown(kind.removesuffix("s"), name, names(kind)))
    return parse(f"{kind}/{name}", (_root() / kind / f"{name}.toml").read_text(encoding="utf-8"))


def load(path: str | Path) -> Entry:
    """The constants of a user's own TOML file, held to the same rules. OSError or
    CatalogueError.
    """
    return parse(Path(path).name, Path(path).read_text(encoding="utf-8"))


def parse(name: str, text: str) -> Entry:
    """The constants of a TOML text; CatalogueError names the file, the constant and what it
    lacks.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CatalogueError(f"{name}: not TOML: {error}") from None
    meta = {key: value for key, value in data.items() if isinstance(value, str)}
    loose = [key for key, value in data.items() if not isinstance(value, (str, dict))]
    if loose:
        raise CatalogueError(
            f"{name}: {loose[0]}={data[loose[0]]!r} is a number without source; write a table "
            f"[{loose[0]}]"
        )
    constants: dict[str, Constant] = {}
    for key, table in _tables(data):
        for suffix, one in _rows(name, key, table):
            constants[key + suffix] = _constant(name, key + suffix, one, meta)
    return Entry(name, meta, constants)


def _tables(data: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for key, value in data.items():
        if isinstance(value, dict):
            if "value" in value or not any(isinstance(v, dict) for v in value.values()):
                yield prefix + key, value
            else:
                yield from _tables(value, f"{prefix}{key}.")


def _rows(name: str, key: str, table: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    extra = set(table) - _KEYS
    if extra:
        word = min(extra)
        raise CatalogueError(
            f"{name}: [{key}] has no {word!r}{nearest(word, _KEYS)} (allowed: "
            f"{', '.join(sorted(_KEYS))})"
        )
    if "value" not in table:
        raise CatalogueError(f"{name}: [{key}] has no value")
    if not isinstance(table["value"], list):
        yield "", table
        return
    for index, value in enumerate(table["value"]):
        bounds = {k: table[k][index] for k in ("low", "high") if isinstance(table.get(k), list)}
        yield (
            f".{index}",
            {
                **{k: v for k, v in table.items() if k not in ("low", "high")},
                "value": value,
                **bounds,
            },
        )


def _constant(name: str, key: str, table: dict[str, Any], meta: dict[str, str]) -> Constant:
    status, reason = table.get("status"), table.get("reason", "")
    where, source = table.get("where", ""), table.get("source", meta.get("source", ""))
    if status not in STATUSES:
        raise CatalogueError(
            f"{name}: [{key}] status={status!r} is not one of {', '.join(STATUSES)}"
        )
    if status in ("assumed", "derived") and not reason:
        raise CatalogueError(f"{name}: [{key}] is {status} and gives no reason")
    if status in ("published", "digitised") and not (source and where):
        raise CatalogueError(
            f"{name}: [{key}] is {status} and names no "
            f"{'source' if not source else 'where (place in the source)'}"
        )
    cited = tuple(part.strip() for part in source.split(",") if part.strip())
    if status == "assumed" and "source" not in table:
        cited = ()
    for one in cited:
        if one not in sources():
            raise CatalogueError(f"{name}: [{key}] {unknown('source', one, sources())}")
    value, unit = _number(name, key, table["value"], table.get("unit"))
    low, high = (
        _number(name, key, table.get(bound, table["value"]), table.get("unit"))[0]
        for bound in ("low", "high")
    )
    return Constant(
        name=f"{name}:{key}",
        value=value,
        low=low,
        high=high,
        unit=unit,
        printed=_printed(table),
        status=status,
        sources=cited,
        where=where,
        reason=reason,
    )


def _printed(table: dict[str, Any]) -> str:
    value = table["value"]
    return value if isinstance(value, str) else f"{value} {table.get('unit', '')}".strip()


_SI_NAMES = {
    "V": "V",
    "S": "S",
    "s": "s",
    "V^2 S s": "J",
    "V^2 S": "W",
    "S s": "F",
    "V S": "A",
    "S^-1": "ohm",
    "s^-1": "Hz",
}


def _number(name: str, key: str, value: Any, unit: str | None) -> tuple[float, str]:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise CatalogueError(
            f"{name}: [{key}] value={value!r} is not a number or a text with a unit"
        )
    try:
        number, text = units.split(value if isinstance(value, str) else str(value))
        text = text or unit or ""
        scale, dimensions = units.unit(text)
    except ValueError as error:
        raise CatalogueError(f"{name}: [{key}] {error}") from None
    order = sorted(dimensions, key=lambda item: ("VSs".find(item[0]) % 9, item[0]))
    written = " ".join(d if e == 1 else f"{d}^{e}" for d, e in order)
    return float(number * scale), _SI_NAMES.get(written, written)
