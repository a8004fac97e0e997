"""What does a catalogue file say? Constants in SI, each with its source, or an error that names
what it lacks.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from pimlab import units
from pimlab.arguments import named, typed
from pimlab.catalogue import bibliography, places
from pimlab.catalogue.places import CatalogueError
from pimlab.constants import STATUSES, Constant
from pimlab.values import closest, nearest, unknown

_KEYS = {"value", "low", "high", "unit", "source", "where", "status", "reason", "note"}


class MissingError(CatalogueError, KeyError):
    """A catalogue file lacks a constant or a text that is asked for."""

    __str__ = Exception.__str__


class Texts(dict[str, str]):
    """The texts at the top of a file; MissingError names one that is not there."""

    def __init__(self, name: str, texts: Mapping[str, str]):
        super().__init__(texts)
        self._name = name

    def __missing__(self, key: str) -> str:
        raise MissingError(
            f'{self._name}: no text {key!r}{nearest(key, self)}; write {key} = "..." at its top'
        )


def _missing(file: str, key: str, there: Iterable[str]) -> str:
    """The sentence about a table that a file lacks, with the one there that looks like it."""
    like = closest(key, there)
    close = f"; it has [{like}], which is spelt almost so" if like else ""
    return f"{file} has no [{key}]{close} (there are: {', '.join(sorted(there)) or 'none'})"


class Entry(Mapping[str, Constant]):
    """The constants of one file by name, and its texts in `meta`."""

    def __init__(self, name: str, meta: Mapping[str, str], constants: Mapping[str, Constant]):
        self.name, self.meta, self._constants = name, Texts(name, meta), dict(constants)

    def __getitem__(self, key: str) -> Constant:
        if key not in self._constants:
            raise MissingError(_missing(self.name, key, self._constants))
        return self._constants[key]

    def __contains__(self, key: object) -> bool:
        return key in self._constants

    def __iter__(self) -> Iterator[str]:
        return iter(self._constants)

    def __len__(self) -> int:
        return len(self._constants)

    def row(self, key: str) -> tuple[float, ...]:
        """The values of a row of coefficients, `key.0`, `key.1`, ..., in order. In the unit of
        their entries.
        """
        members = [
            self[name]
            for name in self._constants
            if name.startswith(f"{key}.") and name[len(key) + 1 :].isdigit()
        ]
        if not members:
            rows = {name.rpartition(".")[0] for name in self._constants}
            raise MissingError(_missing(self.name, key, rows - {""}))
        return tuple(constant.value for constant in members)


@named
def entry(kind: str, name: str) -> Entry:
    """The constants of `<kind>/<name>.toml` of the catalogue, or of one's own; ValueError with the
    nearest name when there is none. Each has its unit.
    """
    if places.published(kind, name):
        return _published(kind, name)
    found = places.place(kind, name)
    own = _parsed(str(found), places.text(found), places.state())
    _refuse_misspelt(kind, own)
    return own


_STRICT = ("analog", "devices")
"""Rooms whose readers know every text and table that there is, and refuse others."""
_ABOUT = {"title", "vendor", "source", "paper", "note"}
"""Texts that a file of any room may have."""
_ALMOST = 0.8
"""How alike a name is to another that it is taken for a misspelling of (`difflib`'s ratio)."""


@cache
def _words(kind: str) -> tuple[frozenset[str], frozenset[str]]:
    """The texts and the tables (without what follows a dot) of the package's files of a room."""
    files = [_published(kind, name) for name in places.names(kind) if places.published(kind, name)]
    texts = {text for one in files for text in one.meta}
    return frozenset(texts | _ABOUT), frozenset(key.partition(".")[0] for f in files for key in f)


def _refuse_misspelt(kind: str, own: Entry) -> None:
    """CatalogueError for a text that no file of the room has, and for a table that is spelt almost
    as one that they have: both would say nothing.
    """
    if kind in _STRICT:
        return
    texts, tables = _words(kind)
    for text in own.meta:
        if text not in texts:
            raise CatalogueError(
                f"{own.name}: the text {text}={own.meta[text]!r:.60} is not known"
                f"{nearest(text, texts)} (texts of {kind}: {', '.join(sorted(texts))})"
            )
    for key in own:
        first = key.partition(".")[0]
        like = get_close_matches(first, tables - {*own}, n=1, cutoff=_ALMOST)
        if first not in tables and like:
            raise CatalogueError(_missing(own.name, like[0], [first]))


@cache
def _published(kind: str, name: str) -> Entry:
    """An entry of the package, whose files do not change while it runs."""
    return parse(f"{kind}/{name}", places.text(places.root() / kind / f"{name}.toml"))


@lru_cache(maxsize=512)
def _parsed(name: str, text: str, state: str) -> Entry:
    """`parse`, once for each text and each state of one's own sources."""
    return parse(name, text)


@typed
def load(path: str | Path) -> Entry:
    """The constants of a user's own TOML file, held to the same rules; its sources are known from
    then on. CatalogueError names a file that is not there, not TOML, or breaks a rule. Each has its
    unit.
    """
    file = Path(path)
    bibliography.remember(file, places.read(file))
    return parse(str(path), places.text(file))


@named
def add_catalogue(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Add files of one's own to the catalogue: what they hold is known by name everywhere.

    path : a folder with rooms such as `npu/`, `dram/`, `pim/`, `devices/`, `links/`, `analog/`,
    each with TOML files; or one TOML file that names its room in the text `room`. It joins the
    environment variable PIMLAB_CATALOGUE of this process, and of those it starts.
    Returns what was added, such as ("devices/mine",). Every file is read: CatalogueError names the
    first that breaks a rule, and then nothing is added.

    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "my-bus.toml").write_text('''
    ... room = "links"
    ... [bandwidth]
    ... value = "10 GB/s"
    ... where = "our board, March 2026"
    ... status = "measured"
    ... [delay]
    ... value = "1 us"
    ... status = "assumed"
    ... reason = "not measured yet"
    ... [energy.bit]
    ... value = "5 pJ/bit"
    ... status = "assumed"
    ... reason = "as PCIe"
    ... ''')
    >>> pim.add_catalogue(folder), pim.link("my-bus").delay
    (('links/my-bus',), 1e-06)
    """
    if not isinstance(path, (str, os.PathLike)) or not str(path):
        raise TypeError(f"catalogue path={path!r} is not a path")
    full = str(Path(path).absolute())
    if os.pathsep in full:
        raise CatalogueError(f"{full}: a path of a catalogue cannot hold {os.pathsep!r}")
    before = os.environ.get(places.VARIABLE)
    known = set() if before is None else set(places.own())
    os.environ[places.VARIABLE] = os.pathsep.join([*filter(None, [before]), full])
    try:
        for kind, name in places.own():
            entry(kind, name)
    except ValueError:
        os.environ.pop(places.VARIABLE)
        if before is not None:
            os.environ[places.VARIABLE] = before
        raise
    added = {key for key in places.own() if key not in known}
    inside = {key for key, file in places.own().items() if file.is_relative_to(full)}
    return tuple(sorted(f"{kind}/{name}" for kind, name in added | inside))


@contextmanager
@named
def naming(name: str | Path) -> Iterator[None]:
    """While a file's machine or device is built: what its parts refuse is a CatalogueError that
    names the file.
    """
    try:
        yield
    except CatalogueError:
        raise
    except (TypeError, ValueError, ArithmeticError) as error:
        raise CatalogueError(f"{name}: {error}") from None


@typed
def parse(name: str, text: str) -> Entry:
    """The constants of a TOML text; CatalogueError names the file, the constant and what it
    lacks. Each has its unit.
    """
    data = {key: value for key, value in places.parsed(name, text).items() if key != "sources"}
    known = {**bibliography.sources(), **bibliography.table(name, places.parsed(name, text))}
    meta = {key: value for key, value in data.items() if isinstance(value, str)}
    meta.pop("room", None)
    loose = [key for key, value in data.items() if not isinstance(value, (str, dict))]
    if loose:
        raise CatalogueError(
            f"{name}: {loose[0]}={data[loose[0]]!r:.60} is a number without source; write a table "
            f"[{loose[0]}]"
        )
    constants: dict[str, Constant] = {}
    for key, table in _tables(name, data):
        for suffix, one in _rows(name, key, table):
            constants[key + suffix] = _constant(name, key + suffix, one, meta, known)
    return Entry(name, meta, constants)


def _tables(
    name: str, data: dict[str, Any], prefix: str = ""
) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, value in data.items():
        if isinstance(value, dict):
            if "value" in value or not any(isinstance(v, dict) for v in value.values()):
                yield prefix + key, value
            else:
                yield from _tables(name, value, f"{prefix}{key}.")
        elif prefix:
            raise CatalogueError(
                f"{name}: [{prefix.removesuffix('.')}] {key}={value!r:.60} stands beside tables of "
                "constants and says nothing; write it in each of them"
            )


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
    for word in _KEYS - {"value", "low", "high"} & table.keys():
        if not isinstance(table.get(word, ""), str):
            raise CatalogueError(f"{name}: [{key}] {word}={table[word]!r:.60} is not a text")
    if not isinstance(table["value"], list):
        yield "", table
        return
    for bound in ("low", "high"):
        given = table.get(bound)
        if isinstance(given, list) and len(given) != len(table["value"]):
            raise CatalogueError(
                f"{name}: [{key}] {bound} has {len(given)} values, value {len(table['value'])}"
            )
    if not table["value"]:
        raise CatalogueError(f"{name}: [{key}] value=[] is empty")
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


def _constant(
    name: str, key: str, table: dict[str, Any], meta: dict[str, str], known: Mapping[str, Any]
) -> Constant:
    status, source = table.get("status"), table.get("source", meta.get("source", ""))
    _justified(name, key, table, source)
    cited = tuple(part.strip() for part in source.split(",") if part.strip())
    if status in ("assumed", "measured") and "source" not in table:
        cited = ()
    for one in cited:
        if one not in known:
            raise CatalogueError(
                f"{name}: [{key}] {unknown('source', one, known)}; a file may bring its own, in a "
                f"table [sources.{one}] or in BibTeX beside it"
            )
    value, unit = _number(name, key, table["value"], table.get("unit"))
    low, high = (_bound(name, key, table, bound, unit) for bound in ("low", "high"))
    with naming(f"{name}: [{key}]"):
        return Constant(
            name=f"{name}:{key}",
            value=value,
            low=low,
            high=high,
            unit=unit,
            printed=_printed(table),
            status=status,  # type: ignore[arg-type]
            sources=cited,
            where=table.get("where", ""),
            reason=table.get("reason", ""),
        )


def _bound(name: str, key: str, table: dict[str, Any], bound: str, unit: str) -> float:
    value, found = _number(name, key, table.get(bound, table["value"]), table.get("unit"))
    if found != unit:
        raise CatalogueError(
            f"{name}: [{key}] {bound}={table[bound]!r} is in {found or '1'}, value in {unit or '1'}"
        )
    return value


def _justified(name: str, key: str, table: dict[str, Any], source: str) -> None:
    """CatalogueError unless a constant says what its status needs."""
    status = table.get("status")
    if status not in STATUSES:
        close = nearest(str(status), STATUSES)
        raise CatalogueError(
            f"{name}: [{key}] status={status!r:.60} is not one of {', '.join(STATUSES)}{close}"
        )
    if status in ("assumed", "derived") and not table.get("reason"):
        raise CatalogueError(f"{name}: [{key}] is {status} and gives no reason")
    if status in ("published", "digitised") and not source:
        raise CatalogueError(f"{name}: [{key}] is {status} and names no source")
    if status in ("published", "digitised", "measured") and not table.get("where"):
        what = "chip, bench, date" if status == "measured" else "place in the source"
        raise CatalogueError(f"{name}: [{key}] is {status} and names no where ({what})")


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
            f"{name}: [{key}] value={value!r:.60} is not a number or a text with a unit"
        )
    try:
        number, text = units.split(value if isinstance(value, str) else str(value))
        text = text or unit or ""
        scale, dimensions = units.unit(text)
        result = float(number * scale)
    except ValueError as error:
        raise CatalogueError(f"{name}: [{key}] {error}") from None
    except ArithmeticError:
        raise CatalogueError(f"{name}: [{key}] {value!r:.60} is beyond any number") from None
    order = sorted(dimensions, key=lambda item: ("VSs".find(item[0]) % 9, item[0]))
    written = " ".join(d if e == 1 else f"{d}^{e}" for d, e in order)
    return result, _SI_NAMES.get(written, written)
