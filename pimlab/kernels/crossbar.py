"""What does read noise add to a column current? One draw an output, or one a cell where few inputs
are active.

A block of rows is read at a time. Noise is addressed by (row of the whole batch, output column,
tile), so that neither threads nor chunks of the batch change it.
"""

from __future__ import annotations

import numpy as np

from pimlab.kernels.jit import kernel
from pimlab.kernels.philox import block, normal_pair, normal_row

_MASK, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)


@kernel
def square(codes, out):
    """out = codes**2, float32 (batch, k)."""
    batch, k = codes.shape
    for i in range(batch):
        for j in range(k):
            out[i, j] = codes[i, j] * codes[i, j]


@kernel
def add_noise(current, variance, k0, k1, row, tile):
    """current += sqrt(variance) z, one standard normal z an output.

    current, variance : float32 (batch, n), unit and unit^2;  row : index of the first row in the
    whole batch. Exact in distribution where the sum over cells is Gaussian: see `add_cell_noise`
    for where it is not.
    """
    batch, n = current.shape
    z = np.empty(n, np.float32)
    for i in range(batch):
        normal_row(k0, k1, row + i, tile, z)
        for j in range(n):
            current[i, j] += np.sqrt(variance[i, j]) * z[j]


@kernel
def add_skewed_noise(current, variance, third, k0, k1, row, tile):
    """current += s (z + g (z^2 - 1) / 6) / sqrt(1 + g^2 / 18), with s^2 the variance and g = third
    / s^3 the skewness.

    The first term of Cornish and Fisher (Rev. Inst. Int. Stat. 5, 307, 1938), scaled to the right
    variance: for cells cut at zero, whose sums are skewed. third : float32 (batch, n), third
    cumulant, unit^3; the rest as in `add_noise`.
    """
    batch, n = current.shape
    z = np.empty(n, np.float32)
    for i in range(batch):
        normal_row(k0, k1, row + i, tile, z)
        for j in range(n):
            sigma = np.sqrt(variance[i, j])
            skew = third[i, j] / max(variance[i, j] * sigma, np.float32(1e-30))
            skew = min(max(skew, np.float32(-2)), np.float32(2))
            skewed = z[j] + skew * (z[j] * z[j] - np.float32(1)) * np.float32(1 / 6)
            current[i, j] += (
                sigma * skewed / np.sqrt(np.float32(1) + skew * skew * np.float32(1 / 18))
            )


@kernel
def add_row_noise(current, sigma, k0, k1, row, tile):
    """current += sigma z with one sigma a row, float32 (batch,): cells that all have the same
    spread.
    """
    batch, n = current.shape
    z = np.empty(n, np.float32)
    for i in range(batch):
        normal_row(k0, k1, row + i, tile, z)
        for j in range(n):
            current[i, j] += sigma[i] * z[j]


@kernel
def activity(codes, out):
    """out = (sum x^2)^2 / sum x^4 of each row: how many equal inputs would be as Gaussian; 0 for a
    row of zeros.
    """
    batch, k = codes.shape
    for i in range(batch):
        second, fourth = 0.0, 0.0
        for j in range(k):
            square_ = np.float64(codes[i, j]) * np.float64(codes[i, j])
            second += square_
            fourth += square_ * square_
        out[i] = np.float32(second * second / fourth) if fourth > 0 else np.float32(0)


@kernel
def cell_sum(x, g, sigma, flip, column, k0, k1, row, lane):
    """Sum over one column of x_i times what one draw sees of each cell, in float64: see
    `add_cell_noise`.
    """
    total = 0.0
    low, high = np.uint64(row) & _MASK, (np.uint64(row) >> _HALF) << np.uint64(16)
    for first in range(0, x.size, 4):
        silent = True
        for i in range(first, min(first + 4, x.size)):
            silent = silent and x[i] == 0
        if silent:
            continue
        w0, w1, w2, w3 = block(
            np.uint64(first // 4),
            low,
            np.uint64(column),
            high + np.uint64(lane),
            np.uint64(k0),
            np.uint64(k1),
        )
        z0, z1 = normal_pair(w0, w1)
        z2, z3 = normal_pair(w2, w3)
        for i in range(first, min(first + 4, x.size)):
            z = (z0 if i == first else z1) if i < first + 2 else (z2 if i == first + 2 else z3)
            if flip == np.inf:
                seen = max(g[i, column] + sigma[i, column] * z, np.float32(0))
            else:
                seen = g[i, column] - (sigma[i, column] if z > flip else np.float32(0))
            total += x[i] * seen
    return total


@kernel
def add_cell_noise(
    current, codes, active, needed, plus, plus_sigma, minus, minus_sigma, flip, k0, k1, row, tile
):
    """current = sum over the cells, one draw each, for outputs whose row has fewer active inputs
    than the column needs.

    current : float32 (batch, n), overwritten there;  codes : float32 (batch, k);  active : float32
    (batch,) from `activity`;  needed : float32 (n,);  plus, plus_sigma, minus, minus_sigma :
    float32 (k, n), relative conductances and their spread (minus of no rows: single cells). A draw
    z sees max(g + sigma z, 0) where flip is infinite, else (telegraph noise) g, or g - sigma for z
    > flip. The lane of a draw is 2 tile + polarity.
    """
    batch, n = current.shape
    for i in range(batch):
        if active[i] > 0:
            for j in range(n):
                if active[i] < needed[j]:
                    total = cell_sum(codes[i], plus, plus_sigma, flip, j, k0, k1, row + i, 2 * tile)
                    if minus.shape[0] > 0:
                        total -= cell_sum(
                            codes[i], minus, minus_sigma, flip, j, k0, k1, row + i, 2 * tile + 1
                        )
                    current[i, j] = total


@kernel
def add_column_noise(current, sigma, k0, k1, row, lane):
    """current += sigma z with one sigma a column, float32 (n,): what converters add."""
    batch, n = current.shape
    z = np.empty(n, np.float32)
    for i in range(batch):
        normal_row(k0, k1, row + i, lane, z)
        for j in range(n):
            current[i, j] += sigma[j] * z[j]
