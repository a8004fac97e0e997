"""Where do the points of a sweep rest? One netCDF file a point, written whole or not at all, then one Zarr store.

`NAME.zarr.points/` holds the points as they come (a point is written beside its place and renamed into it), so a
sweep that was killed goes on where it was. `NAME.zarr` is made of them at the end, again beside its place first.
"""

from __future__ import annotations

import errno
import hashlib
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

FORMAT = 1


class StoreError(OSError):
    """A store cannot be used: the message names it, what is wrong and what to do; earlier results are untouched."""


@lru_cache(maxsize=1)
def code() -> str:
    """sha256 over the package's own sources and catalogue: the version that computes the numbers."""
    root, digest = Path(pimlab.__file__).parent, hashlib.sha256()
    for path in sorted(p for p in root.rglob("*") if p.suffix in (".py", ".toml", ".bib")):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


class Store:
    """The points and the joined result of one study below `path` (a name ending in .zarr)."""

    def __init__(self, path: str | os.PathLike[str], study: str):
        self.path = Path(path)
        if self.path.suffix != ".zarr":
            raise ValueError(f"store={str(path)!r}; allowed: a path that ends in .zarr")
        self.points = self.path.with_name(self.path.name + ".points")
        self.identity = {"format": FORMAT, "study": study, "pimlab": pimlab.__version__, "code": code()}
        with self._disk():
            self._claim()

    def _claim(self) -> None:
        mark = self.points / "identity.json"
        if not mark.exists():
            if self.path.exists():
                raise StoreError(f"{self.path} exists and was not made by a sweep here; choose another store or delete it")
            self.points.mkdir(parents=True, exist_ok=True)
            self._replace(mark, lambda part: part.write_text(json.dumps(self.identity, indent=1)))
        try:
            found = json.loads(mark.read_text())
        except (json.JSONDecodeError, UnicodeDecodeError):
            raise StoreError(f"{mark} is damaged; delete {self.points} to compute its points anew") from None
        for name, ours in self.identity.items():
            if not isinstance(found, dict) or found.get(name) != ours:
                theirs = found.get(name) if isinstance(found, dict) else found
                raise StoreError(f"{self.path} was written by another version: {name}={theirs!r}, here {ours!r}; "
                                 f"choose another store, or delete {self.path} and {self.points}")  # fmt: skip

    def file(self, point: str) -> Path:
        """Where the point of that description rests."""
        return self.points / (hashlib.sha256(point.encode()).hexdigest()[:32] + ".nc")

    def has(self, point: str) -> bool:
        """Whether that point was computed."""
        return self.file(point).is_file()

    def read(self, point: str) -> xr.Dataset:
        """The stored Dataset of that point; StoreError when its file is damaged."""
        try:
            return xr.load_dataset(self.file(point), engine="h5netcdf").drop_encoding()
        except (OSError, ValueError, KeyError) as error:
            raise StoreError(f"{self.file(point)} is damaged ({error}); delete it to compute {point} anew") from None

    def write(self, point: str, result: xr.Dataset) -> None:
        """Keep the Dataset of that point: whole, or not at all."""
        with self._disk():
            self._replace(self.file(point), lambda part: result.to_netcdf(part, engine="h5netcdf"))

    def finish(self, result: xr.Dataset) -> None:
        """Write the joined Dataset to the Zarr store, whole, in the place of an earlier one."""
        with self._disk():
            part = Path(tempfile.mkdtemp(prefix=self.path.name + ".part-", dir=self.path.parent))
            try:
                result.to_zarr(part / "new", mode="w", consolidated=False, zarr_format=2)  # version 3 has no settled form for text
                if self.path.exists():
                    os.rename(self.path, part / "old")
                os.rename(part / "new", self.path)
            finally:
                shutil.rmtree(part, ignore_errors=True)

    @staticmethod
    def _replace(place: Path, write) -> None:  # type: ignore[no-untyped-def]
        part = place.with_name(f"{place.name}.part-{os.getpid()}")
        try:
            write(part)
            os.replace(part, place)
        finally:
            part.unlink(missing_ok=True)

    @contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
                raise StoreError(
                    f"{self.path}: {os.strerror(error.errno)}; the points already kept in {self.points} are untouched"
                ) from error
            raise
