"""Where do the random numbers of cells come from? Standard normals of an array, addressed by key,
row and column.
"""

from __future__ import annotations

import numpy as np

from pimlab.kernels import philox
from pimlab.keys import Key

ALONE = 1 << 16
"""Numbers up to which one thread draws them: waking others costs more, and parts of an array may be
drawn in threads of the caller's.
"""


def normals(key: Key, shape: tuple[int, ...], lane: int = 0) -> np.ndarray:
    """float32 standard normals of `shape`; element (row, column) depends on nothing but key, lane,
    row and column.

    Leading axes are flattened to rows, which start at `key.row`; the last axis is the column.
    Returns an array of exactly `shape`; unit 1.
    """
    out = np.empty(
        (int(np.prod(shape[:-1], dtype=np.int64)), shape[-1]) if shape else (1, 1), np.float32
    )
    draw = philox.normal_alone if len(out) == 1 or out.size <= ALONE else philox.normal
    draw(*key.words, key.row, lane, out)
    return out.reshape(shape)


def uniforms(key: Key, shape: tuple[int, ...], lane: int = 0) -> np.ndarray:
    """float32 uniforms in [0, 1) of `shape`, addressed as in `normals`. Unit 1."""
    out = np.empty(
        (int(np.prod(shape[:-1], dtype=np.int64)), shape[-1]) if shape else (1, 1), np.float32
    )
    draw = philox.uniform_alone if len(out) == 1 or out.size <= ALONE else philox.uniform
    draw(*key.words, key.row, lane, out)
    return out.reshape(shape)
