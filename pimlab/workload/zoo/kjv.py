"""What text do the language models read here? The King James Bible (1611), in books split before
any training.

The file is the whole text as Debian's `bible-kjv-text` prints it, a verse a line ("Ge1:1 In the
beginning ..."). Whole books are kept apart: Genesis is the test text, Ruth and Jonah calibrate, the
other 63 books train. Parallel passages remain (1 Chronicles repeats names of Genesis), as in any
split of this text.
"""

from __future__ import annotations

import lzma
import re
from functools import lru_cache
from pathlib import Path

from pimlab.values import unknown

BOOKS = {"test": ("Ge",), "calibration": ("Ruth", "Jonah")}
SPLITS = ("train", "calibration", "test")
_VERSE = re.compile(r"^(\d?[A-Za-z]+)\d+:\d+ (.*)$")


def text(path: Path, split: str) -> str:
    """The verses of a split, a verse a line, in the Bible's order. ValueError for an unknown split
    or a damaged file.
    """
    if split not in SPLITS:
        raise ValueError(unknown("split of kjv", split, SPLITS))
    return _texts(path.name, path.read_bytes())[split]


@lru_cache(maxsize=1)  # by its bytes: a run reads the file up to three times, a tenth of its time
def _texts(name: str, file: bytes) -> dict[str, str]:
    """Split -> its verses, a verse a line."""
    split_of = {book: split for split, books in BOOKS.items() for book in books}
    lines: dict[str, list[str]] = {split: [] for split in SPLITS}
    for line in lzma.decompress(file).decode("ascii").splitlines():
        verse = _VERSE.match(line)
        if not verse:
            raise ValueError(
                f"{name}: line {line[:40]!r} is no verse; allowed: such as 'Ge1:1 In the beginning'"
            )
        lines[split_of.get(verse[1], "train")].append(verse[2])
    return {split: "\n".join(verses) + "\n" for split, verses in lines.items()}
