"""Write datasets/MANIFEST.toml's hashes again after a data file was made anew: `python
datasets/train/write_manifest.py`.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

FOLDER = Path(__file__).parents[1]


def main() -> None:
    """Replace each entry's sha256 by that of its file as it is now."""
    path = FOLDER / "MANIFEST.toml"

    def renewed(match: re.Match[str]) -> str:
        return f"{match[1]}{hashlib.sha256((FOLDER / match[2]).read_bytes()).hexdigest()}{match[4]}"

    path.write_text(
        re.sub(r'(file = "([^"]+)"\nsha256 = ")([0-9a-f]*)(")', renewed, path.read_text())
    )


if __name__ == "__main__":
    main()
