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


def add_row_noise(current, sigma, k0, k1, row, tile):
    """current + sigma z, one sigma a row."""
    return current + sigma[:, None] * philox.normal(k0, k1, row, tile, current.shape)


def activity(codes):
    """Participation number of the squared inputs of each row."""
    squares = codes.astype(np.float64) ** 2
    fourth = np.square(squares).sum(axis=1)
    return np.divide(squares.sum(axis=1) ** 2, fourth, out=np.zeros(len(codes)), where=fourth > 0)


def cell_draws(k, n, k0, k1, row, lane):
    """Standard normals (k, n) of the cells of one read: counter (cell // 4, row, column, lane), Box-Muller pairs of its words."""
    counter = np.zeros((n, -(-k // 4), 4), np.uint64)
    counter[..., 0], counter[..., 1] = np.arange(counter.shape[1]), int(row) % 2**32
    counter[..., 2], counter[..., 3] = np.arange(n)[:, None], ((int(row) >> 32) << 16) + lane
    drawn = philox.block(counter, k0, k1).reshape(n, -1)
    u = ((drawn[:, 0::2] >> np.uint32(1)).astype(np.float64) + 0.5) * 2.0**-31
    angle = (drawn[:, 1::2].astype(np.float64) - 2.0**29) * 2 * np.pi * 2.0**-32
    pair = np.sqrt(-2 * np.log(u))[..., None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    return pair.reshape(n, -1)[:, :k].T


def add_cell_noise(current, codes, active, needed, plus, plus_sigma, minus, minus_sigma, flip, k0, k1, row, tile):
    """Brute force where `active < needed`: every cell drawn, cut at zero and summed."""
    out = np.array(current, np.float64)
    for i, x in enumerate(codes.astype(np.float64)):
        if active[i] > 0:
            seen = np.zeros(out.shape[1])
            for sign, g, sigma, lane in ((1, plus, plus_sigma, 2 * tile), (-1, minus, minus_sigma, 2 * tile + 1)):
                z = cell_draws(*g.shape, k0, k1, row + i, lane)
                g, sigma = g.astype(np.float64), sigma.astype(np.float64)
                seen += sign * (x @ (np.maximum(g + sigma * z, 0.0) if flip == np.inf else g - sigma * (z > flip)))
            few = active[i] < needed
            out[i, few] = seen[few]
    return out


def add_column_noise(current, sigma, k0, k1, row, lane):
    """current + sigma z, one sigma a column."""
    return current + sigma * philox.normal(k0, k1, row, lane, current.shape)
