"""Collect a labelled set of files for the file-type model from the Python packages installed here.

Run from the repository: `python datasets/train/collect_magika_files.py [folder]`. It reads the
packages of the interpreter that runs it, so the versions in the table it writes are those of the
lock file at that time. Kept are the 2048 values the model reads of each file, not the files. Only
packages under BSD, MIT or Apache-2.0 are read. The label is what the file's extension says, so what
says no one thing is left out: extensions of several types (.h, .pl, .pyx, .j2, .dat, ...), page
templates named .html, and the packaging records (.dist-info), whose .txt and .md are INI files,
lists and licence texts. Templates and records were left out after a first look at the model's
errors.
"""

from __future__ import annotations

import csv
import hashlib
import importlib.metadata
import json
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
from archives import save

LABELS = {
    ".bz2": "bzip",
    ".c": "c",
    ".cc": "cpp",
    ".cpp": "cpp",
    ".css": "css",
    ".csv": "csv",
    ".exe": "pebin",
    ".f": "fortran",
    ".f90": "fortran",
    ".gz": "gzip",
    ".h5": "h5",
    ".html": "html",
    ".ico": "ico",
    ".ini": "ini",
    ".jpg": "jpeg",
    ".js": "javascript",
    ".json": "json",
    ".md": "markdown",
    ".npy": "npy",
    ".npz": "npz",
    ".onnx": "onnx",
    ".pdf": "pdf",
    ".pkl": "pickle",
    ".png": "png",
    ".po": "po",
    ".proto": "proto",
    ".py": "python",
    ".pyi": "python",
    ".rst": "rst",
    ".sh": "shell",
    ".so": "elf",
    ".svg": "svg",
    ".toml": "toml",
    ".ttf": "ttf",
    ".txt": "txt",
    ".wav": "wav",
    ".woff": "woff",
    ".woff2": "woff2",
    ".xml": "xml",
    ".xz": "xz",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".zip": "zip",
}
"""Extension -> the model's name of the type."""

TEST, CALIBRATION = 10, 4
"""Files of one extension at most, by split."""

HALF, BLOCK, PAD = 1024, 4096, 256
"""Bytes read at each end, bytes looked at to find them after white space, and the value that stands
for no byte.
"""

ALLOWED = re.compile(r"BSD|MIT|Apache", re.IGNORECASE)
REFUSED = re.compile(r"GPL|MPL|Mozilla|PSF|Python Software|ISC|Proprietary", re.IGNORECASE)


class File(NamedTuple):
    """One installed file: its extension, its package and version, its path in the package's record,
    and its licence.
    """

    extension: str
    package: str
    version: str
    path: str
    licence: str
    place: Path


def licence(metadata: importlib.metadata.PackageMetadata) -> str | None:
    """The licence a package states, when it is one that may be vendored."""
    classifiers = [
        c.split("::")[-1].strip()
        for c in metadata.get_all("Classifier") or []
        if c.startswith("License")
    ]
    stated = [
        metadata.get("License-Expression"),
        ", ".join(classifiers),
        (metadata.get("License") or "").split("\n")[0][:80],
    ]
    text = next((s for s in stated if s and s != "UNKNOWN"), "")
    return text if ALLOWED.search(text) and not REFUSED.search(text) else None


def plain(path: importlib.metadata.PackagePath) -> bool:
    """Whether the extension of an installed file says what it is."""
    template = path.suffix == ".html" and "template" in str(path).lower()
    record = any(part.endswith(".dist-info") for part in path.parts)
    return path.suffix in LABELS and not template and not record and ".." not in path.parts


def installed() -> list[File]:
    """Every file with a known extension in a package whose licence allows it."""
    found = []
    for package in importlib.metadata.distributions():
        terms, name = licence(package.metadata), package.metadata["Name"]
        if terms is None or name == "pimlab":
            continue
        for path in package.files or []:
            place = Path(str(package.locate_file(path)))
            if plain(path) and place.is_file():
                found.append(File(path.suffix, name, package.version, str(path), terms, place))
    return found


def features(content: bytes) -> np.ndarray:
    """int16 (2048,): the first and the last 1024 bytes without white space at the ends, padded with
    256 inwards.
    """
    start, end = content[:BLOCK].lstrip(), content[-BLOCK:].rstrip()
    if len(content) <= BLOCK:
        start = end = content.strip()
    row = np.full(2 * HALF, PAD, np.int16)
    start, end = start[:HALF], end[-HALF:]
    row[: len(start)] = np.frombuffer(start, np.uint8)
    row[2 * HALF - len(end) :] = np.frombuffer(end, np.uint8)
    return row


def ordered(files: list[File]) -> list[File]:
    """Files of one extension, packages taking turns, each package's by the hash of their path; no
    content twice.
    """
    by_package, seen = defaultdict(list), set()
    for file in sorted(
        files, key=lambda f: hashlib.sha256(f"{f.package}/{f.path}".encode()).digest()
    ):
        content = file.place.read_bytes()
        row = features(content).tobytes()
        if len(content.strip()) >= 8 and row not in seen:  # the model's own lower bound
            seen.add(row)
            by_package[file.package].append(file)
    turns = [
        (turn, name, file) for name, own in by_package.items() for turn, file in enumerate(own)
    ]
    return [file for _, _, file in sorted(turns, key=lambda t: (t[0], t[1]))]


def main(folder: Path, config: Path) -> None:
    """Write magika-files.npz and magika-files.csv; `config` is the model's config.min.json, for the
    order of its types.
    """
    order = json.loads(config.read_text())["target_labels_space"]
    splits: dict[str, list[File]] = {"test": [], "calibration": []}
    by_extension = defaultdict(list)
    for file in installed():
        by_extension[file.extension].append(file)
    for extension in sorted(by_extension):
        files = ordered(by_extension[extension])[: TEST + CALIBRATION]
        held = min(CALIBRATION, len(files) // 4)
        splits["calibration"] += files[:held]
        splits["test"] += files[held : held + TEST]
    arrays = {}
    for split, files in splits.items():
        # A fixed shuffle, so that the first `limit` samples are of all types.
        files[:] = [files[i] for i in np.random.default_rng(0).permutation(len(files))]
        arrays[f"{split}_inputs"] = np.stack([features(file.place.read_bytes()) for file in files])
        arrays[f"{split}_labels"] = np.array(
            [order.index(LABELS[file.extension]) for file in files], np.int64
        )
    save(folder / "magika-files.npz", **arrays)
    with (folder / "magika-files.csv").open("w", newline="") as out:
        table = csv.writer(out, lineterminator="\n")
        table.writerow(["split", "index", "label", "package", "path", "licence"])
        for split, files in splits.items():
            table.writerows(
                [split, i, LABELS[f.extension], f"{f.package}=={f.version}", f.path, f.licence]
                for i, f in enumerate(files)
            )


if __name__ == "__main__":
    here = Path(__file__).parents[1]
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else here, here / "models" / "magika-config.json")
