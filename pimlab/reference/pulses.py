"""Pulse trains, their coincidences and what pulses do to cells, in plain NumPy: the specification
of `pimlab.kernels.pulses`.
"""

from __future__ import annotations

import numpy as np

from pimlab.reference.philox import block, normal_pair, words

LINEAR, EXPONENTIAL, POWER, PIECEWISE = range(4)


def trains(p, length, k0, k1, row, lane):
    """uint32, shape (updates, lines): bit t of line i is set where word t of its 32 random words is
    below p 2^32.
    """
    updates, lines = p.shape
    drawn = words(k0, k1, row, lane, (updates, 32 * lines)).reshape(updates, lines, 32)
    on = (drawn < p[..., None].astype(np.float64) * 2.0**32) & (
        np.arange(32) < np.asarray(length)[:, None, None]
    )
    return (on * (np.uint64(1) << np.arange(32, dtype=np.uint64))).sum(axis=-1).astype(np.uint32)


def coincidences(x, d, x_sign, d_sign):
    """int32, shape (k, n): minus sign times the number of bits that x[i] and d[j] share."""
    shared = x[:, None] & d[None, :]
    bits = (shared[..., None] >> np.arange(32, dtype=np.uint32)) & np.uint32(1)
    return (
        -bits.sum(axis=-1).astype(np.int32)
        * np.multiply.outer(x_sign.astype(np.int32), d_sign.astype(np.int32))
    ).astype(np.int32)


def response(w, up, shape_up, shape_down, low, high, law, curve):
    """max(size, 0), a ratio: 1 - slope w; 1 - A exp(+-gamma z) with z = 2 a w / span + b; the share
    of the range that is left, to an exponent; or a line between nodes. w : float64, shape (...), in
    the unit of the bounds.
    """
    span = high - low
    if law == LINEAR:
        size = 1 - np.where(up, shape_up, shape_down) * w
    elif law == EXPONENTIAL:
        a, b, factor_up, gamma_up, factor_down, gamma_down = curve
        z = 2 * a * w / span + b
        exponent = np.where(up, gamma_up * z, -gamma_down * z)
        size = 1 - np.where(up, factor_up, factor_down) * np.exp(exponent)
    elif law == POWER:
        left = np.where(up, high - w, w - low) / span
        size = np.maximum(left, 0) ** np.where(up, shape_up, shape_down)
    else:
        place, nodes = (w - low) / span, np.linspace(0, 1, len(curve) // 2)
        up_sizes, down_sizes = np.split(np.asarray(curve, np.float64), 2)
        size = np.where(up, np.interp(place, nodes, up_sizes), np.interp(place, nodes, down_sizes))
    return np.maximum(size, 0)


def responses(w, up, cells, law, curve):
    """The size of the next step of each cell, ratios float64, shape (k, n)."""
    _, _, low, high, shape_up, shape_down = cells.astype(np.float64)
    return response(w.astype(np.float64), up, shape_up, shape_down, low, high, law, curve)


def pulse(w, seen, counts, cells, law, curve, noise, k0, k1, row, used):
    """(w, seen, used) after |counts| pulses a cell, one after the other: float64, shape (k, n), in
    the unit of the state, and int64, shape (k, n).
    """
    w, seen, up = w.astype(np.float64), seen.astype(np.float64), counts > 0
    step_up, step_down, low, high, shape_up, shape_down = cells.astype(np.float64)
    i, j = np.indices(w.shape)
    for turn in range(int(np.abs(counts).max(initial=0))):
        counter = np.stack(
            [i, np.full_like(i, row % 2**32), j, np.full_like(i, (row >> 32) * 2**16 + turn)],
            axis=-1,
        )
        drawn = block(counter, k0, k1)
        z0, z1 = normal_pair(drawn[..., 0], drawn[..., 1])
        size = response(w, up, shape_up, shape_down, low, high, law, curve)
        moved = w + np.where(up, step_up, -step_down) * (size * (1 + noise[0] * z0) + noise[1] * z0)
        moved += np.where(up, 1, -1) * (noise[3] + noise[4] * np.abs(w)) * z0
        on = np.abs(counts) > turn
        w = np.where(on, np.clip(moved, low, high), w)
        seen = np.where(on, w + noise[2] * z1, seen)
    return w, seen, used + np.abs(counts)
