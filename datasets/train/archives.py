"""How is a vendored data file written? As a .npz whose bytes depend on its arrays alone."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np


def save(path: Path, **arrays: np.ndarray) -> None:
    """Write `arrays` to `path`, compressed, with fixed dates: the same arrays give the same
    bytes.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            raw = io.BytesIO()
            np.save(raw, np.ascontiguousarray(array))
            entry = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, raw.getvalue())


def spread(n: int, count: int) -> np.ndarray:
    """`count` indices evenly spaced over 0..n-1."""
    return np.linspace(0, n - 1, count).astype(np.int64)
