"""Which numbers does an in-bank FP16 unit produce? The layout of a matrix in lanes and tiles, and
its exact product.
"""

from __future__ import annotations

import numpy as np

from pimlab.dram_pim.geometry import BankPairs
from pimlab.kernels import bf16_tree, fp16


def lane_order(inputs: int, org: BankPairs) -> np.ndarray:
    """int64, shape (lanes, steps): the input that each lane multiplies at each step; `inputs` and
    above are zero padding.

    Even tiles come first, then odd tiles; within a tile, column j of `lanes` inputs after column j
    - 1.
    """
    tiles = np.arange(-(-inputs // org.inputs_per_tile))
    tiles = np.concatenate([tiles[::2], tiles[1::2]])
    first = tiles[:, None] * org.inputs_per_tile + np.arange(org.registers) * org.lanes
    return first.reshape(1, -1) + np.arange(org.lanes)[:, None]


def laid_out(a: np.ndarray, order: np.ndarray, axis: int) -> np.ndarray:
    """a float32 with its input `axis` split into (lanes, steps) by `order`, zero where there is no
    such input. Its `axis` of shape (k,) becomes shape (lanes, steps).
    """
    padded = np.concatenate(
        [a, np.zeros_like(a, shape=(*a.shape[:axis], 1, *a.shape[axis + 1 :]))], axis=axis
    )
    return np.ascontiguousarray(np.take(padded, np.minimum(order, a.shape[axis]), axis=axis))


def to_half(a: np.ndarray) -> np.ndarray:
    """a float32 rounded to the nearest binary16 (ties to even), as float32. Of the shape (...) of
    a.
    """
    flat = np.ascontiguousarray(a, dtype=np.float32).reshape(-1)
    out = np.empty_like(flat)
    fp16.to_half(flat, out)
    return out.reshape(a.shape)


def to_bf16(a: np.ndarray) -> np.ndarray:
    """a float32 rounded to the nearest bfloat16 (ties to even), as float32. Of the shape (...) of
    a.
    """
    flat = np.ascontiguousarray(a, dtype=np.float32).reshape(-1)
    out = np.empty_like(flat)
    bf16_tree.to_bf16(flat, out)
    return out.reshape(a.shape)


def product(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """float32, shape (batch, n) of x (batch, lanes, steps) and w (lanes, steps, n): lane sums, then
    lanes added in order, in binary16.
    """
    out = np.empty((x.shape[0], w.shape[2]), np.float32)
    fp16.matmul(x, w, out)
    return out


def lane_partials(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """float32, shape (batch, lanes, n): what each lane holds before the lanes are added."""
    out = np.empty((x.shape[0], w.shape[0], w.shape[2]), np.float32)
    fp16.lane_partials(x, w, out)
    return out
