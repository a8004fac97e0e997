"""Read noise of a crossbar in plain NumPy: per output, and by brute force per cell."""

from __future__ import annotations

import numpy as np

from pimlab.reference import philox


def square(codes):
    """codes squared."""
    return codes * codes


def add_noise(current, variance, k0, k1, row, tile):
    """current + sqrt(variance) z."""
    return current + np.sqrt(variance) * philox.normal(k0, k1, row, tile, current.shape)


def add_skewed_noise(current, variance, third, k0, k1, row, tile):
    """current + noise of the given variance and third cumulant."""
    sigma = np.sqrt(variance)
    skew = np.clip(third / np.maximum(variance * sigma, 1e-30), -2, 2)
    z = philox.normal(k0, k1, row, tile, current.shape)
    return current + sigma * (z + skew * (z * z - 1) / 6) / np.sqrt(1 + skew * skew / 18)


def add_row_noise(current, sigma, k0, k1, row, tile):
    """current + sigma z, one sigma a row."""
    return current + sigma[:, None] * philox.normal(k0, k1, row, tile, current.shape)


def activity(codes):
    """Participation number of the squared inputs of each row."""
    squares = codes.astype(np.float64) ** 2
    fourth = np.square(squares).sum(axis=1)
    return np.divide(squares.sum(axis=1) ** 2, fourth, out=np.zeros(len(codes)), where=fourth > 0)


def cell_draws(k, column, k0, k1, row, lane):
    """Standard normals (k,) of one column's cells in one read: counter (cell // 4, row, column,
    lane).
    """
    counter = np.zeros((-(-k // 4), 4), np.uint64)
    counter[:, 0], counter[:, 1], counter[:, 2], counter[:, 3] = (
        np.arange(len(counter)),
        int(row) % 2**32,
        column,
        ((int(row) >> 32) << 16) + lane,
    )
    return philox.normals_of(philox.block(counter, k0, k1).ravel())[:k]


def cell_sum(x, g, sigma, flip, column, k0, k1, row, lane):
    """Sum over one column of x_i times what one draw sees of each cell."""
    z = cell_draws(len(x), column, k0, k1, row, lane)
    g, sigma = g[:, column].astype(np.float64), sigma[:, column].astype(np.float64)
    return x @ (np.maximum(g + sigma * z, 0.0) if flip == np.inf else g - sigma * (z > flip))


def add_cell_noise(
    current, codes, active, needed, plus, plus_sigma, minus, minus_sigma, flip, k0, k1, row, tile
):
    """Brute force where `active < needed`: every cell drawn, cut at zero and summed."""
    out = np.array(current, np.float64)
    for i, x in enumerate(codes.astype(np.float64)):
        for j in np.flatnonzero((active[i] > 0) & (active[i] < needed)):
            out[i, j] = cell_sum(x, plus, plus_sigma, flip, j, k0, k1, row + i, 2 * tile)
            if len(minus):
                out[i, j] -= cell_sum(x, minus, minus_sigma, flip, j, k0, k1, row + i, 2 * tile + 1)
    return out


def add_column_noise(current, sigma, k0, k1, row, lane):
    """current + sigma z, one sigma a column."""
    return current + sigma * philox.normal(k0, k1, row, lane, current.shape)
