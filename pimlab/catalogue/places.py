"""Where do catalogue files lie? In the package, and in folders and files of one's own.

One's own are named by the environment variable PIMLAB_CATALOGUE, paths joined as in PATH;
`pimlab.add_catalogue` adds to it, so that processes started later know them too. A folder holds
rooms as the package does (`npu/`, `devices/`, `dram/`, ...); a file that lies in no room names it
in the text `room`.
"""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Iterator
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from pimlab.arguments import named
from pimlab.values import unknown

VARIABLE = "PIMLAB_CATALOGUE"


class CatalogueError(ValueError):
    """A catalogue file holds a number that may not be used, or cannot be read: the message names
    file, entry and what is missing.
    """


def kinds() -> tuple[str, ...]:
    """The rooms of the catalogue: "devices", "npu", ..."""
    return tuple(sorted(_published()))


@named
def names(kind: str) -> tuple[str, ...]:
    """The entries of one kind, one's own among them; ValueError for an unknown kind."""
    if kind not in _published():
        raise ValueError(unknown("catalogue kind", kind, kinds()))
    return tuple(sorted({*_published()[kind], *(name for room, name in own() if room == kind)}))


def published(kind: str, name: str) -> bool:
    """Whether an entry is the package's, without reading any file; False for an unknown one."""
    if paths():
        own()  # refuses files that take a name of the package
    return isinstance(name, str) and name in _published().get(kind, ())


def place(kind: str, name: str) -> Traversable:
    """The file of an entry; ValueError with the nearest name when there is none."""
    if not isinstance(name, str) or name not in names(kind):
        raise ValueError(unknown(kind.removesuffix("s"), name, names(kind)))
    mine = own().get((kind, name))
    return root() / kind / f"{name}.toml" if mine is None else mine


@lru_cache(maxsize=1)
def root() -> Traversable:
    """The package's own folder."""
    return resources.files(__package__)


@lru_cache(maxsize=1)
def _published() -> dict[str, tuple[str, ...]]:
    """Room -> names of the package's files."""
    return {
        room.name: tuple(f.name[:-5] for f in room.iterdir() if f.name.endswith(".toml"))
        for room in root().iterdir()
        if room.is_dir() and not room.name.startswith("_")
    }


def own() -> dict[tuple[str, str], Path]:
    """(room, name) -> file of one's own; CatalogueError for a path that is not there, an unknown
    room, and a name that is taken.
    """
    found: dict[tuple[str, str], Path] = {}
    for path in paths():
        for room, file in _files(path):
            if room not in _published():
                raise CatalogueError(f"{file}: {unknown('room', room, kinds())}")
            other = found.setdefault((room, file.stem), file)
            if other != file or file.stem in _published()[room]:
                taken = f"by {other}" if other != file else "in pimlab's own catalogue"
                raise CatalogueError(
                    f"{file}: the name {file.stem!r} is taken {taken}; choose another"
                )
    return found


def paths() -> tuple[Path, ...]:
    """The folders and files that PIMLAB_CATALOGUE names."""
    listed = os.environ.get(VARIABLE, "").split(os.pathsep)
    return tuple(dict.fromkeys(Path(one) for one in listed if one))


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    """(room, file) of one path of one's own."""
    try:
        if path.is_dir():
            for inner in sorted(path.iterdir()):
                if inner.is_dir() and not inner.name.startswith((".", "_")):
                    yield from ((inner.name, file) for file in sorted(inner.glob("*.toml")))
                elif inner.suffix == ".toml":
                    yield room_of(inner), inner
        elif path.suffix == ".toml" and path.is_file():
            yield room_of(path), path
        else:
            raise CatalogueError(f"{path}: there is no such folder or .toml file ({VARIABLE})")
    except OSError as error:
        raise CatalogueError(f"{path}: {error.strerror or error}") from None


def room_of(file: Path) -> str:
    """The room that a file outside of rooms names in its text `room`."""
    room = read(file).get("room")
    if not isinstance(room, str):
        raise CatalogueError(
            f"{file}: no text `room`; say what it describes, such as room = \"npu\" (rooms: "
            f"{', '.join(kinds())})"
        )  # fmt: skip
    return room


def read(file: Path) -> dict[str, Any]:
    """The content of a TOML file of one's own, read once for each state of it."""
    try:
        return parsed(str(file), text(file))
    except OSError as error:
        raise CatalogueError(f"{file}: {error.strerror or error}") from None


def text(file: Traversable) -> str:
    """The text of a file; CatalogueError names one that is no UTF-8 or cannot be read."""
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise CatalogueError(f"{file}: not UTF-8 text ({error.reason})") from None
    except OSError as error:
        raise CatalogueError(f"{file}: {error.strerror or error}") from None


@lru_cache(maxsize=512)
def parsed(name: str, content: str) -> dict[str, Any]:
    """The tables of a TOML text; CatalogueError names the file that it comes from."""
    try:
        return tomllib.loads(content)
    except (tomllib.TOMLDecodeError, ValueError) as error:  # integers of thousands of digits
        raise CatalogueError(f"{name}: not TOML: {error}") from None
    except RecursionError:
        raise CatalogueError(f"{name}: not TOML: nested too deeply") from None


def state() -> str:
    """sha256 of all files of one's own, "" where there are none: what is made of them is made anew
    when it changes.
    """
    files = [*own().values(), *bibliographies()]
    if not files:
        return ""
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name}\0{text(file)}\0".encode())
    return digest.hexdigest()


def bibliographies() -> tuple[Path, ...]:
    """BibTeX files beside one's own: of their folder, and of a file's name."""
    found = [
        bib
        for path in paths()
        for bib in (sorted(path.rglob("*.bib")) if path.is_dir() else [path.with_suffix(".bib")])
    ]
    return tuple(bib for bib in found if bib.is_file())
