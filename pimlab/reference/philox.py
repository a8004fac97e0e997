"""Philox4x32-10 and what is drawn from it, in plain NumPy: the specification of
`pimlab.kernels.philox`.
"""

from __future__ import annotations

import numpy as np


def block(counter, k0, k1):
    """Random words uint32, shape (..., 4) of counters (..., 4): ten rounds of Salmon et al., SC
    2011, figure 2.
    """
    c0, c1, c2, c3 = np.moveaxis(np.asarray(counter, dtype=np.uint64), -1, 0)
    low = np.uint64(0xFFFFFFFF)
    for turn in range(10):
        key0, key1 = (int(k0) + turn * 0x9E3779B9) % 2**32, (int(k1) + turn * 0xBB67AE85) % 2**32
        p0, p1 = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = (
            (p1 >> np.uint64(32)) ^ c1 ^ np.uint64(key0),
            p1 & low,
            (p0 >> np.uint64(32)) ^ c3 ^ np.uint64(key1),
            p0 & low,
        )
    return np.stack([c0, c1, c2, c3], axis=-1).astype(np.uint32)


def words(k0, k1, row, lane, shape):
    """Random words, uint32, shape (rows, n): element (i, j) is word j % 4 of counter (j // 4, row +
    i, lane, high half of row).
    """
    rows, n = shape
    blocks = -(-n // 4)
    counter = np.zeros((rows, blocks, 4), dtype=np.uint64)
    index = (int(row) + np.arange(rows)).astype(np.uint64)[:, None]
    counter[..., 0], counter[..., 1] = np.arange(blocks), index & np.uint64(0xFFFFFFFF)
    counter[..., 2], counter[..., 3] = int(lane), index >> np.uint64(32)
    return block(counter, k0, k1).reshape(rows, 4 * blocks)[:, :n]


def uniform(k0, k1, row, lane, shape):
    """Uniform in [0, 1), float32, shape (rows, n): the top 24 bits of each word."""
    return (words(k0, k1, row, lane, shape) >> np.uint32(8)).astype(np.float32) * np.float32(
        2.0**-24
    )


def uniform64(k0, k1, row, lane, shape):
    """Uniform in [0, 1), float64, shape (rows, n): 27 bits of one word above 26 of the next."""
    drawn = words(k0, k1, row, lane, (shape[0], 2 * shape[1])).astype(np.int64)
    return ((drawn[:, 0::2] >> 5) * 2**26 + (drawn[:, 1::2] >> 6)) * 2.0**-53


def words_row(k0, k1, row, lane, n):
    """One row of `words`: uint32, shape (n,)."""
    return words(k0, k1, row, lane, (1, n))[0]


def normal_pair(word0, word1):
    """Two standard normals of two words, float64, of the words' shape (...): Box-Muller, the angle
    turned by an eighth of a circle.
    """
    u = ((word0 >> np.uint32(1)).astype(np.float64) + 0.5) * 2.0**-31
    angle = (word1.astype(np.float64) - 2.0**29) * 2 * np.pi * 2.0**-32
    radius = np.sqrt(-2 * np.log(u))
    return radius * np.cos(angle), radius * np.sin(angle)


def normals_of(drawn):
    """Standard normals of words (..., 4 b): words (0, 1) and (2, 3) of each block are a pair."""
    return np.stack(normal_pair(drawn[..., 0::2], drawn[..., 1::2]), axis=-1).reshape(drawn.shape)


def normal(k0, k1, row, lane, shape):
    """Standard normals, float64, shape (rows, n)."""
    return normals_of(words(k0, k1, row, lane, (shape[0], 4 * -(-shape[1] // 4))))[:, : shape[1]]


def normal_row(k0, k1, row, lane, n):
    """One row of `normal`: float64, shape (n,)."""
    return normal(k0, k1, row, lane, (1, n))[0]


def normal_alone(k0, k1, row, lane, shape):
    """As `normal`: standard normals, float64, shape (rows, n)."""
    return normal(k0, k1, row, lane, shape)


def uniform_alone(k0, k1, row, lane, shape):
    """As `uniform`: float32, shape (rows, n), in [0, 1)."""
    return uniform(k0, k1, row, lane, shape)
