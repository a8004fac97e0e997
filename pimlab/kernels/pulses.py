"""How does a cell learn? Random pulse trains meet at its word line and bit line, and each
coincidence moves it by one step.

Gokmen and Vlasov, Front. Neurosci. 10, 333 (2016). Random numbers are addressed by (update, line)
for trains and by (cell, update, pulse) for cells, so neither threads nor the order of work change
them.
"""

from __future__ import annotations

import numba
import numpy as np

from pimlab.kernels.jit import inline, kernel, parallel_from
from pimlab.kernels.philox import block, normal_pair

_MASK, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
_TWO_32 = 4294967296.0
LINEAR, EXPONENTIAL, POWER, PIECEWISE = 0, 1, 2, 3
"""How the size of a step depends on the state."""


@kernel
def trains(p, length, k0, k1, row, lane, out):
    """Bit t < length[b] of out[b, i] is set with probability p[b, i]; the bits are independent.

    p : float32, shape (updates, lines);  length : int64, shape (updates,), at most 32;  out :
    uint32, shape (updates, lines), written.
    row : index of the first update since the start of training;  lane : tells word lines from bit
    lines.
    """
    updates, lines = p.shape
    for b in range(updates):
        low, high = np.uint64(row + b) & _MASK, np.uint64(row + b) >> _HALF
        for i in range(lines):
            level, bits = np.float64(p[b, i]) * _TWO_32, np.uint64(0)
            if level > 0:
                for first in range(0, length[b], 4):
                    drawn = block(
                        np.uint64(8 * i + first // 4),
                        low,
                        np.uint64(lane),
                        high,
                        np.uint64(k0),
                        np.uint64(k1),
                    )
                    for t in range(first, min(first + 4, length[b])):
                        if np.float64(drawn[t - first]) < level:
                            bits |= np.uint64(1) << np.uint64(t)
            out[b, i] = np.uint32(bits)


@kernel
def coincidences(x, d, x_sign, d_sign, out):
    """out[i, j] = number of times at which trains x[i] and d[j] are both on, with the sign of the
    product; minus: downhill.

    x : uint32, shape (k,);  d : uint32, shape (n,);  x_sign, d_sign : int8, same shapes;  out :
    int32, shape (k, n), written.
    """
    for i in range(x.size):
        for j in range(d.size):
            bits = x[i] & d[j]
            # the ones of 32 bits, counted in parallel: by pairs, fours, eights, then over the bytes
            bits = bits - ((bits >> np.uint32(1)) & np.uint32(0x55555555))
            bits = (bits & np.uint32(0x33333333)) + ((bits >> np.uint32(2)) & np.uint32(0x33333333))
            bits = (bits + (bits >> np.uint32(4))) & np.uint32(0x0F0F0F0F)
            count = (
                bits + (bits >> np.uint32(8)) + (bits >> np.uint32(16)) + (bits >> np.uint32(24))
            ) & np.uint32(0x3F)
            out[i, j] = -np.int32(count) * np.int32(x_sign[i]) * np.int32(d_sign[j])


@inline
def response(w, up, shape_up, shape_down, low, high, law, curve):
    """Size of one step at state w, relative to the cell's dw, never negative.

    w, low, high : float32, unit of the state;  up : bool;  shape_up, shape_down : float32, what a
    cell has of its own: for LINEAR a slope by unit of the state, for POWER an exponent;  law : one
    of LINEAR, EXPONENTIAL, POWER, PIECEWISE;  curve : float32, for EXPONENTIAL shape (6,) a, b, A
    up, gamma up, A down, gamma down; for PIECEWISE shape (2 nodes,), upward sizes at nodes evenly
    spaced from low to high, then downward ones; for the others shape (0,);  returns float32, a
    ratio.
    """
    if law == LINEAR:
        size = np.float32(1) - (shape_up if up else shape_down) * w
    elif law == EXPONENTIAL:
        z = curve[0] * np.float32(2) * w / (high - low) + curve[1]
        exponent = curve[3] * z if up else -curve[5] * z
        size = np.float32(1) - (curve[2] if up else curve[4]) * np.exp(exponent)
    elif law == POWER:
        left = (high - w if up else w - low) / (high - low)
        size = max(left, np.float32(0)) ** (shape_up if up else shape_down)
    else:
        nodes = curve.size // 2
        place = max((w - low) / (high - low), np.float32(0)) * np.float32(nodes - 1)
        node = min(int(place), nodes - 2)
        share = min(place - np.float32(node), np.float32(1))
        node += 0 if up else nodes
        size = (np.float32(1) - share) * curve[node] + share * curve[node + 1]
    return max(size, np.float32(0))


@kernel
def responses(w, up, cells, law, curve, out):
    """The size of the next step of each cell, relative to its dw, all of them up or all down.

    w : float32, shape (k, n), unit of the state;  up : bool;  cells, law, curve : as for `pulse`;
    out : float32, shape (k, n), written: ratios.
    """
    for i in range(w.shape[0]):
        for j in range(w.shape[1]):
            out[i, j] = response(
                w[i, j],
                up,
                cells[4, i, j],
                cells[5, i, j],
                cells[2, i, j],
                cells[3, i, j],
                law,
                curve,
            )


@parallel_from(2**16)
def pulse(w, seen, counts, cells, law, curve, noise, k0, k1, row, used):
    """Each cell takes |counts| pulses, upwards where counts > 0; w and seen move in place.

    w, seen : float32, shape (k, n), state and what a read sees of it (state plus the last write's
    noise);  counts : int32, shape (k, n);
    cells : float32, shape (6, k, n), dw up, dw down, lowest, highest state, shape up, shape down;
    law, curve : as for `response`;  noise : float32, shape (5,), spread of a step relative to it,
    spread of a step relative to the cell's dw, spread of what a read sees, and a step's spread in
    units of w: the same at any state, and a state's unit;
    row : index of this update;  used : int64, shape (k, n), pulses so far, counted on.
    """
    for i in numba.prange(w.shape[0]):
        low, high = np.uint64(row) & _MASK, (np.uint64(row) >> _HALF) << np.uint64(16)
        # cells without noise need no draws
        random = (noise != 0).any()
        for j in range(w.shape[1]):
            up = counts[i, j] > 0
            z0, z1 = np.float32(0), np.float32(0)
            for turn in range(abs(counts[i, j])):
                if random:
                    counter = high + np.uint64(turn)
                    drawn = block(
                        np.uint64(i), low, np.uint64(j), counter, np.uint64(k0), np.uint64(k1)
                    )
                    z0, z1 = normal_pair(drawn[0], drawn[1])
                step = cells[0, i, j] if up else -cells[1, i, j]
                size = response(
                    w[i, j],
                    up,
                    cells[4, i, j],
                    cells[5, i, j],
                    cells[2, i, j],
                    cells[3, i, j],
                    law,
                    curve,
                )
                moved = w[i, j] + step * (size * (np.float32(1) + noise[0] * z0) + noise[1] * z0)
                spread = (noise[3] + noise[4] * abs(w[i, j])) * z0
                moved += spread if up else -spread
                w[i, j] = min(max(moved, cells[2, i, j]), cells[3, i, j])
                seen[i, j] = w[i, j] + noise[2] * z1
            used[i, j] += abs(counts[i, j])
