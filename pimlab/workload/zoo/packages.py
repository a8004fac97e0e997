"""Where does an optional package keep a file? Found without importing the package; a missing one
says what to install.
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from pimlab.workload import files


def installed(requirement: str, path: str, *, install: str, sha256: str = "") -> Path:
    """The file `path` (as the package's record names it) of the package in `requirement`,
    "name==version".

    install : the command that installs it.  sha256 : of the file, checked when given.
    ImportError when the package is missing or of another version, DataError when the file is
    missing or altered.
    """
    name, version = requirement.split("==")
    try:
        package = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError as error:
        raise ImportError(
            f"{path} is in the package {requirement}, which is not installed: {install}"
        ) from error
    if package.version != version:
        raise ImportError(
            f"{path} is wanted from {requirement}, installed is {name}=={package.version}: "
            f"{install}"
        )
    place = Path(str(package.locate_file(path)))
    if not place.is_file():
        raise files.DataError(
            f"{place} is missing from the package {requirement}; install it again: {install}"
        )
    if sha256:
        files.check(place, sha256)
    return place
