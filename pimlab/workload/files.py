"""Where do vendored models and data lie, and are they the bytes we think they are? The manifest
answers.

`datasets/MANIFEST.toml` names each file with its sha256, source and licence. Nothing is ever
downloaded.
"""

from __future__ import annotations

import functools
import hashlib
import tomllib
from pathlib import Path
from typing import Any

from pimlab.values import nearest


def folder(package: Path) -> Path:
    """Where the vendored files lie: beside the package in a checkout, in it where it was
    installed.
    """
    beside = package.parent / "datasets"
    return beside if (beside / "MANIFEST.toml").is_file() else package / "datasets"


ROOT = folder(Path(__file__).resolve().parents[1])
"""The folder of vendored files."""


class DataError(ValueError):
    """A data file that is missing, altered or not readable."""


@functools.cache
def manifest() -> dict[str, dict[str, Any]]:
    """File name relative to `datasets/` -> its manifest entry (sha256, source, licence, note)."""
    path = ROOT / "MANIFEST.toml"
    if not path.is_file():
        raise DataError(
            f"{path} is missing: data and models are a part of the package; install it again with "
            "`pip install --force-reinstall --no-deps` from a checkout"
        )
    return {entry["file"]: entry for entry in tomllib.loads(path.read_text())["file"]}


@functools.cache
def verified(name: str) -> Path:
    """Path of a vendored file; DataError when it is not in the manifest, missing, or its hash is
    another.
    """
    if name not in manifest():
        raise DataError(
            f"datasets/{name} is not in datasets/MANIFEST.toml{nearest(name, manifest())}"
        )
    path = ROOT / name
    if not path.is_file():
        raise DataError(f"{path} is missing; get it again with `git checkout -- datasets/{name}`")
    check(path, manifest()[name]["sha256"])
    return path


def check(path: Path, expected: str) -> None:
    """DataError that names the file when its sha256 is not `expected`."""
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != expected:
        raise DataError(
            f"{path} has sha256 {found}, expected {expected}: the file was altered or is "
            "incomplete; restore it"
        )
