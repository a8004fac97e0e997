"""Read noise of a crossbar in plain NumPy: per output, and by brute force per cell."""

from __future__ import annotations

import numpy as np

from pimlab.reference import philox


def square(codes):
    """codes squared: float32, shape (batch, k)."""
    return codes * codes


def _addressed(blocks, panel, part, segment, k0, k1):
    """uint32, shape (blocks, 4): random words of counters (block, panel, part, segment)."""
    counter = np.zeros((blocks, 4), np.uint64)
    counter[:, 0], counter[:, 1] = np.arange(blocks), panel
    counter[:, 2], counter[:, 3] = part, segment
    return philox.block(counter, k0, k1)


def cell_parts(k0, k1, panel, counters, segments, amplitudes, k, width):
    """float32, shape (k, width): bits counted byte by byte, part by part."""
    total = np.zeros((k, width))
    for part, segment, amplitude in zip(counters, segments, amplitudes, strict=True):
        if amplitude > 0.45:
            words = _addressed(k * width // 4, panel, part, segment, k0, k1)
            total += amplitude * philox.normals_of(words.ravel()).reshape(k, width)
            continue
        words = _addressed(k, panel, part, segment, k0, k1).astype("<u4")
        ones = np.unpackbits(words.view(np.uint8).reshape(k, width, 1), axis=2).sum(axis=2)
        total += amplitude * (ones - 4.0) / np.sqrt(2.0)
    return total.astype(np.float32)


def disturbed(mean, variance, k0, k1, counters, segments, amplitudes):
    """float32, shape (panels, k, width): mean + sqrt(variance) z."""
    _, k, width = mean.shape
    z = [
        cell_parts(k0, k1, p, counters, segments, amplitudes, k, width).astype(np.float64)
        for p in range(len(mean))
    ]
    return (mean + np.sqrt(variance) * np.array(z)).astype(np.float32)


def disturbed_product(x, first, mean, variance, k0, k1, counters, starts, segments, amplitudes, n):
    """The product with `disturbed`, block of rows by block of rows: x float32,
    shape (rows, inputs), gives float64, shape (rows, n).
    """
    found = []
    for start, stop, own in zip(starts[:-1], starts[1:], segments, strict=True):
        w = disturbed(mean, variance, k0, k1, counters, own, amplitudes)
        whole = np.concatenate(list(w), axis=1)[:, :n].astype(np.float64)
        found.append(x[start:stop, first : first + len(whole)].astype(np.float64) @ whole)
    return np.concatenate(found)


def _normals(shape, k0, k1, row, lane, batch, lanes):
    """Standard normals of the rows of all steps, step by step."""
    rows, n = shape
    steps = -(-rows // batch)
    drawn = [philox.normal(k0, k1, row, lane + step * lanes, (batch, n)) for step in range(steps)]
    return np.concatenate(drawn)[:rows]


def add_noise(current, variance, share, *address):
    """current + sqrt(share variance) z. current, variance : float32, shape (rows, n), unit and
    unit^2.
    """
    return current + np.sqrt(share * variance) * _normals(current.shape, *address)


def add_skewed_noise(current, variance, third, lasting, share, *address):
    """current + noise of the given variance and third cumulant: float32, shape (rows, n), in the
    current's unit to the power 1, 2 and 3.
    """
    sigma = np.sqrt(variance)
    skew = np.clip(third / np.maximum(variance * sigma, 1e-30), -2, 2)
    z = lasting / np.maximum(sigma, 1e-30) + np.sqrt(share) * _normals(current.shape, *address)
    return current + sigma * (z + skew * (z * z - 1) / 6) / np.sqrt(1 + skew * skew / 18)


def add_row_noise(current, sigma, *address):
    """current + sigma z, one sigma a row: current float32, shape (rows, n), sigma shape (rows,),
    one unit.
    """
    return current + sigma[:, None] * _normals(current.shape, *address)


def activity(codes):
    """Participation number (sum x^2)^2 / sum x^4 of each row of codes float32, shape (batch, k); 0
    for zeros.
    """
    squares = codes.astype(np.float64) ** 2
    fourth = np.square(squares).sum(axis=1)
    return np.divide(squares.sum(axis=1) ** 2, fourth, out=np.zeros(len(codes)), where=fourth > 0)


def cell_draws(k, column, k0, k1, row, lane):
    """Standard normals, float64, shape (k,), of one column's cells in one read: counter (cell // 4,
    row, column, lane).
    """
    counter = np.zeros((-(-k // 4), 4), np.uint64)
    counter[:, 0], counter[:, 1], counter[:, 2], counter[:, 3] = (
        np.arange(len(counter)),
        int(row) % 2**32,
        column,
        ((int(row) >> 32) << 16) + lane,
    )
    return philox.normals_of(philox.block(counter, k0, k1).ravel())[:k]


def cell_sum(x, g, sigma, lasting, share, ends, flip, column, k0, k1, row, lane):
    """Sum over one column of x_i times what one draw sees of each cell, float64. x : shape (k,);
    g, sigma : shape (k, n).
    """
    z = np.sqrt(share) * cell_draws(len(x), column, k0, k1, row, lane)
    if len(lasting):
        z = z + lasting[:, column]
    g, sigma = g[:, column].astype(np.float64), sigma[:, column].astype(np.float64)
    return x @ (np.clip(g + sigma * z, *ends) if flip == np.inf else g - sigma * (z > flip))


def add_cell_noise(current, codes, active, needed, *cells):
    """Brute force where `active < needed`: every cell drawn, cut at its ends and summed. current :
    float32, shape (rows, n); the rest as for the kernel.
    """
    plus, plus_sigma, plus_lasting, minus, minus_sigma, minus_lasting, *rest = cells
    share, ends, flip, k0, k1, row, lane, batch, lanes = rest
    out = np.array(current, np.float64)
    for i, x in enumerate(codes.astype(np.float64)):
        at, there = row + i % batch, 2 * (lane + i // batch * lanes)
        for j in np.flatnonzero((active[i] > 0) & (active[i] < needed)):
            how = (share, ends, flip, j, k0, k1, at)
            out[i, j] = cell_sum(x, plus, plus_sigma, plus_lasting, *how, there)
            if len(minus):
                out[i, j] -= cell_sum(x, minus, minus_sigma, minus_lasting, *how, there + 1)
    return out


def add_column_noise(current, sigma, *address):
    """current + sigma z, one sigma a column: current float32, shape (rows, n), sigma shape (n,),
    one unit.
    """
    return current + sigma * _normals(current.shape, *address)
