"""Which publications may a number cite? Those of `sources.bib`, and those that files of one's own
bring: in BibTeX beside them, or in their table [sources].

    [sources.smith2026]
    type   = "article"          # as BibTeX calls it; without it "misc"
    title  = "..."
    author = "Smith, A. and ..."
    year   = 2026
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pimlab.catalogue import places
from pimlab.catalogue.places import CatalogueError

Source = dict[str, str]
_read: dict[str, Source] = {}
"""Sources of files that were read by their path alone: `cite` knows them in this process."""


def sources() -> dict[str, Source]:
    """Every source: key -> its fields, the type of entry under "type"."""
    return {**_published(), **_read, **_own(places.state())}


@lru_cache(maxsize=1)
def _published() -> dict[str, Source]:
    return bibtex("sources.bib", places.text(places.root() / "sources.bib"))


@lru_cache(maxsize=4)
def _own(state: str) -> dict[str, Source]:
    """Sources that files of one's own bring; `state` says when they change."""
    found: dict[str, Source] = {}
    for file in places.bibliographies():
        _join(found, file, bibtex(str(file), places.text(file)))
    for file in places.own().values():
        _join(found, file, table(str(file), places.read(file)))
    return found


def remember(file: Path, data: Mapping[str, Any]) -> None:
    """Take in the sources of one file that is read by its path, and of the BibTeX beside it."""
    found = table(str(file), data)
    beside = file.with_suffix(".bib")
    if beside.is_file():
        found |= bibtex(str(beside), places.text(beside))
    _join({}, file, found)
    _read.update(found)


def _join(known: dict[str, Source], file: Path, more: dict[str, Source]) -> None:
    for key, fields in more.items():
        other = _published().get(key, known.get(key, fields))
        if other != fields:
            raise CatalogueError(
                f"{file}: the source {key!r} is another publication already "
                f"({other.get('title', '')!r:.60}); choose another key"
            )
    known.update(more)


def table(name: str, data: Mapping[str, Any]) -> dict[str, Source]:
    """Sources of the table [sources] of a file; CatalogueError for one that is no source."""
    found: dict[str, Source] = {}
    given = data.get("sources", {})
    if not isinstance(given, dict):
        raise CatalogueError(f"{name}: sources={given!r:.60}; write tables such as [sources.key]")
    for key, fields in given.items():
        if not isinstance(fields, dict) or not fields.get("title"):
            raise CatalogueError(f"{name}: [sources.{key}] has no title")
        for word, value in fields.items():
            if isinstance(value, bool) or not isinstance(value, (str, int)):
                raise CatalogueError(f"{name}: [sources.{key}] {word}={value!r:.60} is no text")
        found[key] = {"type": "misc", **{word: str(value) for word, value in fields.items()}}
    return found


def bibtex(name: str, text: str) -> dict[str, Source]:
    """Sources of a BibTeX text; CatalogueError names the file and what is no entry."""
    import bibtexparser

    library = bibtexparser.parse_string(text)
    if library.failed_blocks:
        raise CatalogueError(
            f"{name}: {str(library.failed_blocks[0].raw)[:80]!r} is not a BibTeX entry"
        )
    return {
        e.key: {"type": e.entry_type, **{f.key: str(f.value) for f in e.fields}}
        for e in library.entries
    }
