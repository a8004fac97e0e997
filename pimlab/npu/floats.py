"""How does a float32 product give the same bits for every batch size and number of threads?

Float32 BLAS does not: a row's bits depend on its place in the block it is multiplied in. Sums in float64, rounded
once, do but for sums that lie within 1e-16 of a rounding boundary.
"""

from __future__ import annotations

import numpy as np


def product(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """x (batch, k) @ w (k, n), float32, from float64 sums."""
    return (x.astype(np.float64) @ w.astype(np.float64)).astype(np.float32)
