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
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import xarray as xr

import pimlab

FORMAT = 2
_CHANGED = {
    "study": "by another study",
    "function": "by another form of the study (its code, or a value it refers to, has changed)",
}


class StoreError(OSError):
    """A store cannot be used: the message names it, what is wrong and what to do; earlier results
    are untouched.
    """


@lru_cache(maxsize=1)
def code() -> str:
    """sha256 over the package's own sources and catalogue: the version that computes the
    numbers.
    """
    root, digest = Path(pimlab.__file__).parent, hashlib.sha256()
    for path in sorted(p for p in root.rglob("*") if p.suffix in (".py", ".toml", ".bib")):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


class Store:
    """The points and the joined result of one study below `path` (a name ending in .zarr).

    study : its name.  function : a digest of what it computes; a store of another one is refused.
    """

    def __init__(self, path: str | os.PathLike[str], study: str, function: str = ""):
        if not isinstance(path, (str, os.PathLike)) or Path(path).suffix != ".zarr":
            raise ValueError(
                f"store={path if path is None else str(path)!r}; allowed: a path that ends in .zarr"
            )
        self.path = Path(path)
        self.points = self.path.with_name(self.path.name + ".points")
        self.identity = {
            "format": FORMAT,
            "study": study,
            "pimlab": pimlab.__version__,
            "code": code(),
            "function": function,
        }
        with self._disk():
            self._claim()
            self._files = {file.name.partition("-")[0]: file for file in self.points.glob("*-*.nc")}

    def _claim(self) -> None:
        mark = self.points / "identity.json"
        if not mark.exists():
            if self.path.exists():
                raise StoreError(
                    f"{self.path} exists and was not made by a sweep here; choose another store or "
                    "delete it"
                )
            self.points.mkdir(parents=True, exist_ok=True)
            replace(mark, json.dumps(self.identity, indent=1).encode())
        try:
            found = json.loads(mark.read_text())
        except (json.JSONDecodeError, UnicodeDecodeError):
            found = None
        if not isinstance(found, dict):
            raise StoreError(f"{mark} is damaged; delete {self.points} to compute its points anew")
        for name, ours in self.identity.items():
            if found.get(name) != ours:
                raise StoreError(
                    f"{self.path} was written {_CHANGED.get(name, 'by another version')}: "
                    f"{name}={found.get(name)!r}, "
                    f"here {ours!r}; choose another store, or delete {self.path} and {self.points}"
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
        if file.stem.partition("-")[2] != _checksum(content):
            raise StoreError(
                f"{file} is damaged: its content does not fit the checksum in its name; delete it "
                f"to compute {point} anew"
            )
        return xr.load_dataset(io.BytesIO(content), engine="h5netcdf").drop_encoding()

    def write(self, point: str, result: xr.Dataset) -> None:
        """Keep the Dataset of that point: whole, or not at all."""
        content = bytes(result.to_netcdf(engine="h5netcdf"))
        file = self.points / f"{self._name(point)}-{_checksum(content)}.nc"
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
            raise StoreError(
                f"{self.path}: {error.strerror or error}; the points already kept in {self.points} "
                "are untouched"
            ) from error


def replace(place: Path, content: bytes) -> None:
    """Write the bytes to `place`: whole, or not at all, and then what was there before stays."""
    part = place.with_name(f"{place.name}.part-{os.getpid()}")
    try:
        part.write_bytes(content)
        os.replace(part, place)
    finally:
        part.unlink(missing_ok=True)


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
