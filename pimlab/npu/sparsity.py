"""Which weights does a 2:4 array skip? At least two zeros in every four along k; an index of 2 bits
a kept weight.
"""

from __future__ import annotations

import numpy as np


def kept(k: int) -> int:
    """Weights of a column of k that are stored and multiplied: two of every four begun (unit:
    weights).
    """
    return 2 * (k // 4) + min(2, k % 4)


def check_two_of_four(w: np.ndarray, what: str) -> None:
    """ValueError naming `what`, the row and the column where w, shape (k, n) has more than two
    non-zeros in a group of four.
    """
    if w.ndim != 2:
        return
    padded = np.concatenate([w, np.zeros((-len(w) % 4, w.shape[1]), w.dtype)])
    count = np.count_nonzero(padded.reshape(-1, 4, w.shape[1]), axis=1)
    if (count > 2).any():
        group, column = np.argwhere(count > 2)[0]
        raise ValueError(
            f"{what}: weights are not 2:4 sparse: rows {4 * group}..{4 * group + 3} of column "
            f"{column} hold "
            f"{count[group, column]} non-zeros, allowed 2; prune them first, or write sparsity=None"
        )
