"""Where do the points of a sweep rest? One netCDF file a point, written whole or not at all, then
one Zarr store.

`NAME.zarr.points/` holds the points as they come (a point is written beside its place and renamed
into it, under a name that holds its checksum), so a sweep that was killed goes on where it was.
`NAME.zarr` is made of them at the end, again beside its place first.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import CodeType
from typing import Any

import xarray as xr

import pimlab
from pimlab import catalogue
from pimlab.studies import provenance
from pimlab.values import canonical, truth

FORMAT = 3
_CHANGED = {
    "format": "in another format",
    "study": "by another study",
    "function": "by another form of the study (its code, or a value it refers to, has changed)",
    "catalogue": "with another catalogue of your own (PIMLAB_CATALOGUE)",
    "blas": "with another kernel of BLAS",
}
_MAY_DIFFER = ("pimlab", "code", "catalogue", "blas")
"""What `across_versions` lets a store go on across; each change is kept in its identity.json."""
_CODE = (
    "co_name", "co_code", "co_names", "co_varnames", "co_cellvars", "co_freevars", "co_flags",
    "co_argcount", "co_posonlyargcount", "co_kwonlyargcount", "co_exceptiontable",
)  # fmt: skip
_NO_NUMBERS = ("plot", "lab", "cli.py", "__main__.py")
"""What of the package shows numbers and computes none."""


class StoreError(OSError):
    """A store cannot be used: the message names it, what is wrong and what to do; earlier results
    are untouched.
    """


@lru_cache(maxsize=1)
def code() -> str:
    """sha256 over what of the package computes numbers: its statements and its catalogue, without
    comments, docstrings and layout, and without what draws figures.
    """
    root, digest = Path(pimlab.__file__).parent, hashlib.sha256()
    for path in sorted(p for p in root.rglob("*") if p.suffix in (".py", ".toml")):
        place = path.relative_to(root)
        if place.parts[0] not in _NO_NUMBERS:
            said = meaning(path.suffix, path.read_text(encoding="utf-8"))
            digest.update(f"{place.as_posix()}\0{said}\0".encode())
    return digest.hexdigest()


def meaning(suffix: str, text: str) -> str:
    """What a source file (".py" or ".toml") says to the machine: without comments, docstrings and
    layout.
    """
    if suffix == ".toml":
        return canonical(tomllib.loads(text))
    # Python's own compiler leaves out docstrings, and is three times as fast as a walk in Python
    return repr(_said(compile(text, "", "exec", optimize=2, dont_inherit=True)))


def _said(constant: Any) -> Any:
    """A constant of compiled code that prints the same in every process: code without its line
    numbers, sets in order.
    """
    if isinstance(constant, CodeType):
        return [getattr(constant, name) for name in _CODE], _said(constant.co_consts)
    if isinstance(constant, tuple):
        return tuple(map(_said, constant))
    if isinstance(constant, frozenset):
        return "set", sorted(map(repr, map(_said, constant)))
    return constant


class Store:
    """The points and the joined result of one study below `path` (a name ending in .zarr; a link to
    such a folder stays a link).

    study : its name.  function : a digest of what it computes; a store of another one is refused.
    across_versions : go on with points that another version of pimlab's code or another kernel of
    BLAS computed; the change is kept in the store's identity.json.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        study: str,
        function: str = "",
        across_versions: bool = False,
    ):
        if not isinstance(path, (str, os.PathLike)) or Path(path).suffix != ".zarr":
            raise ValueError(
                f"store={path if path is None else str(path)!r}; allowed: a path that ends in .zarr"
            )
        self.path = Path(path).resolve() if Path(path).is_symlink() else Path(path)
        self.points = self.path.with_name(self.path.name + ".points")
        self.identity = {
            "format": FORMAT,
            "study": study,
            "function": function,
            "pimlab": pimlab.__version__,
            "code": code(),
            "catalogue": catalogue.state(),
            "blas": provenance.blas(),
        }
        may_differ = _MAY_DIFFER if truth("across_versions", across_versions) else ()
        with self._disk():
            self._claim(may_differ)
            self._files = {file.name.partition("-")[0]: file for file in self.points.glob("*-*.nc")}

    def _claim(self, may_differ: tuple[str, ...]) -> None:
        mark = self.points / "identity.json"
        ours = {**self.identity, "commit": provenance.commit(), "cpu": provenance.cpu()}
        if not mark.exists():
            if self.path.exists():
                raise StoreError(
                    f"{self.path} exists and was not made by a sweep here; choose another store or "
                    "delete it"
                )
            self.points.mkdir(parents=True, exist_ok=True)
            replace(mark, json.dumps(ours, indent=1).encode())
        found = self._found(mark)
        changed = [name for name, value in self.identity.items() if found.get(name) != value]
        for name in changed:
            if name not in may_differ:
                raise StoreError(self._refusal(name, found))
        if changed:
            earlier = [*found.pop("earlier", []), found]
            replace(mark, json.dumps({**ours, "earlier": earlier}, indent=1).encode())

    def _found(self, mark: Path) -> dict[str, Any]:
        try:
            found = json.loads(mark.read_text())
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise StoreError(f"{mark} is damaged; delete {self.points} to compute its points anew")
        return found

    def _refusal(self, name: str, found: dict[str, Any]) -> str:
        on = "go on with across_versions=True, " if name in _MAY_DIFFER else ""
        return (
            f"{self.path} was written {_CHANGED.get(name, 'by another version')}: "
            f"{name}={found.get(name)!r}, here {self.identity[name]!r}; {on}choose another store, "
            f"or delete {self.path} and {self.points}"
        )

    @staticmethod
    def _name(point: str) -> str:
        return hashlib.sha256(point.encode()).hexdigest()[:32]

    def has(self, point: str) -> bool:
        """Whether that point was computed."""
        return self._name(point) in self._files

    def file(self, point: str) -> Path:
        """Where that point rests; KeyError when it was not computed."""
        return self._files[self._name(point)]

    def read(self, point: str) -> xr.Dataset:
        """The stored Dataset of that point; StoreError when its file is damaged."""
        file = self.file(point)
        with self._disk():
            content = file.read_bytes()
        if file.stem.partition("-")[2] != _checksum(point, content):
            raise StoreError(
                f"{file} is damaged or another point's: its content does not fit the checksum in "
                f"its name; delete it to compute {point} anew"
            )
        return xr.load_dataset(io.BytesIO(content), engine="h5netcdf").drop_encoding()

    def write(self, point: str, result: xr.Dataset) -> None:
        """Keep the Dataset of that point: whole, or not at all."""
        content = bytes(result.to_netcdf(engine="h5netcdf"))
        file = self.points / f"{self._name(point)}-{_checksum(point, content)}.nc"
        with self._disk():
            replace(file, content)
        self._files[self._name(point)] = file

    def finish(self, result: xr.Dataset) -> None:
        """Write the joined Dataset to the Zarr store, whole, in the place of an earlier one."""
        with self._disk():
            part = Path(tempfile.mkdtemp(prefix="joined.part-", dir=self.points))
            try:
                result.to_zarr(
                    part / "new", mode="w", consolidated=True, zarr_format=2
                )  # version 3 has no settled form for text
                if self.path.exists():
                    os.rename(self.path, part / "old")
                os.rename(part / "new", self.path)
            finally:
                shutil.rmtree(part, ignore_errors=True)

    @contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except StoreError:
            raise
        except OSError as error:
            kept = (
                f"the points already kept in {self.points} are untouched"
                if self.points.is_dir()
                else "nothing was written; choose a store in a folder that you may write to"
            )
            raise StoreError(f"{self.path}: {error.strerror or error}; {kept}") from error


def replace(place: Path, content: bytes) -> None:
    """Write the bytes to `place`: whole, or not at all, and then what was there before stays."""
    part = place.with_name(f"{place.name}.part-{os.getpid()}")
    try:
        part.write_bytes(content)
        os.replace(part, place)
    finally:
        part.unlink(missing_ok=True)


def _checksum(point: str, content: bytes) -> str:
    return hashlib.sha256(point.encode() + b"\0" + content).hexdigest()[:32]
