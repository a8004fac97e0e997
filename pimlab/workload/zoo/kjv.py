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
    held = {book for books in BOOKS.values() for book in books}
    lines = []
    for line in lzma.decompress(path.read_bytes()).decode("ascii").splitlines():
        verse = _VERSE.match(line)
        if not verse:
            raise ValueError(
                f"{path.name}: line {line[:40]!r} is no verse; allowed: such as 'Ge1:1 In the "
                "beginning'"
            )
        if verse[1] in BOOKS.get(split, ()) or (split == "train" and verse[1] not in held):
            lines.append(verse[2])
    return "\n".join(lines) + "\n"
