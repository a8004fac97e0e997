"""What does read noise add to a column current? One draw an output, or one a cell where few inputs
are active.

A block of rows is read at a time, all steps of an input one after the other: row i of a block is
row i mod `batch` of the inputs in step i // batch. Noise is addressed by (row of the whole batch,
output column, lane), where the lane tells tiles and steps apart, so that neither threads nor chunks
of the batch change it. Noise that outlasts a read is addressed by (cell, lane, part, draw) instead.
"""

from __future__ import annotations

import numpy as np

from pimlab.kernels.jit import kernel
from pimlab.kernels.panels import WIDTH, panel_product, strip
from pimlab.kernels.philox import block, normal_pair, normal_row, words_row

_MASK, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
_PAIRS, _FOURS = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333)
_EIGHTS = np.uint64(0x0F0F0F0F0F0F0F0F)
_ONE, _TWO, _FOUR = np.uint64(1), np.uint64(2), np.uint64(4)
_UNIT = np.float32(0.5**0.5)
"""One over the standard deviation of how many of eight random bits are ones."""
LARGE = np.float32(0.45)
"""Parts of an amplitude above this are drawn from the normal distribution itself."""


@kernel
def square(codes, out):
    """out = codes**2, float32, shape (batch, k)."""
    batch, k = codes.shape
    for i in range(batch):
        for j in range(k):
            out[i, j] = codes[i, j] * codes[i, j]


@kernel
def _counted(bits):
    """How many bits of each byte are ones, in its place. bits : uint64, replaced. Eight bytes at
    once: a table look-up would not be vectorised.
    """
    for i in range(bits.size):
        ones = bits[i] - ((bits[i] >> _ONE) & _PAIRS)
        ones = (ones & _FOURS) + ((ones >> _TWO) & _FOURS)
        bits[i] = (ones + (ones >> _FOUR)) & _EIGHTS


@kernel
def _middle(amplitudes):
    """Mean of the sum of the parts that are counted in ones."""
    total = np.float32(0)
    for part in range(amplitudes.size):
        if amplitudes[part] <= LARGE:
            total += np.float32(4) * (amplitudes[part] * _UNIT)
    return total


@kernel
def _count(k0, k1, panel, counter, segment, words):
    """Ones of every cell, one a byte of `words` : uint32, shape (4 k,), written."""
    row = np.uint64(panel) | (np.uint64(segment) << _HALF)
    words_row(k0, k1, row, counter, words)
    _counted(words.view(np.uint64))


@kernel
def _add_ones(each, ones, out):
    """out += each times the ones of each cell, flat."""
    for i in range(out.size):
        out[i] += each * np.float32(ones[i])


@kernel
def _draw_normals(k0, k1, panel, counter, segment, out):
    """A standard normal of every cell, flat."""
    row = np.uint64(panel) | (np.uint64(segment) << _HALF)
    normal_row(k0, k1, row, counter, out)


@kernel
def _longer_parts(k0, k1, panel, counters, segments, amplitudes, words, out):
    """out = the parts but the first, flat, less the mean of all: the last part comes first. The
    ones of parts of one amplitude are added up as whole numbers: a byte holds those of 31 parts.
    """
    out[:] = -_middle(amplitudes)
    ones, normals = np.zeros(words.size // 2, np.uint64), np.empty(out.size, np.float32)
    for part in range(amplitudes.size - 1, 0, -1):
        if amplitudes[part] > LARGE:
            _draw_normals(k0, k1, panel, counters[part], segments[part], normals)
            for i in range(out.size):
                out[i] += amplitudes[part] * normals[i]
            continue
        _count(k0, k1, panel, counters[part], segments[part], words)
        counted = words.view(np.uint64)
        for i in range(ones.size):
            ones[i] += counted[i]
        if part == 1 or amplitudes[part - 1] != amplitudes[part]:
            _add_ones(amplitudes[part] * _UNIT, ones.view(np.uint8), out)
            ones[:] = 0


@kernel
def _settle(mean, variance, k0, k1, panel, counters, segments, amplitudes, words, still, spread):
    """still = mean + sqrt(variance) times the parts but the first; spread = what a one (or a
    standard normal) of the first part adds to that; all flat.
    """
    _longer_parts(k0, k1, panel, counters, segments, amplitudes, words, still)
    each = amplitudes[0] * (np.float32(1) if amplitudes[0] > LARGE else _UNIT)
    for i in range(still.size):
        sigma = np.sqrt(variance[i])
        still[i] = mean[i] + sigma * still[i]
        spread[i] = sigma * each


@kernel
def _add_first_part(k0, k1, panel, counter, segment, amplitude, words, still, spread, out):
    """out = still + spread times the first part's ones, or its normals, flat, in one pass: with
    sums between passes the cells of a panel do not fit in a core's first cache.
    """
    if amplitude > LARGE:
        _draw_normals(k0, k1, panel, counter, segment, out)
        for i in range(out.size):
            out[i] = still[i] + spread[i] * out[i]
        return
    _count(k0, k1, panel, counter, segment, words)
    ones = words.view(np.uint8)
    for i in range(out.size):
        out[i] = still[i] + spread[i] * np.float32(ones[i])


@kernel
def disturbed(mean, variance, k0, k1, counters, segments, amplitudes, out):
    """out = mean + sqrt(variance) z, cell by cell, with z = sum over parts of amplitude z_part:
    conductances with noise that outlasts a read, as they stand for as long as these draws last.

    z_part counts the ones among eight random bits, less 4, over sqrt(2): mean 0, variance 1 and,
    summed over a column (or over some parts), Gaussian. The bits of a panel's row are one Philox
    block, of counter (row, panel, counter of the part, segment); column j has byte j of its 16 in
    memory order. Of parts larger than `LARGE`, it is a standard normal.

    mean, variance, out : float32, shape (panels, k, WIDTH), out is replaced;  segments : uint32,
    shape (parts,), which draw of each part, at least one;  counters : uint64, shape (parts,), which
    part of which tile;  amplitudes : float32, shape (parts,).
    """
    k = mean.shape[1]
    words = np.empty(4 * k, np.uint32)
    still, spread = np.empty(k * WIDTH, np.float32), np.empty(k * WIDTH, np.float32)
    for p in range(mean.shape[0]):
        _settle(
            mean[p].reshape(-1), variance[p].reshape(-1), k0, k1, p, counters, segments, amplitudes,
            words, still, spread,
        )  # fmt: skip
        _add_first_part(
            k0,
            k1,
            p,
            counters[0],
            segments[0],
            amplitudes[0],
            words,
            still,
            spread,
            out[p].reshape(-1),
        )


@kernel
def disturbed_product(
    x, first, mean, variance, k0, k1, counters, starts, segments, amplitudes, out
):
    """out = x[:, first : first + k] @ disturbed(mean, variance, ...), without storing that matrix;
    rows starts[b] to starts[b + 1] see the draws segments[b], which differ in the first part only.

    x : float32, shape (rows, inputs);  mean, variance : float32, shape (panels, k, WIDTH);
    starts : int64, shape (blocks + 1,);  segments : uint32, shape (blocks, parts), at least one
    part;  counters : uint64, shape (parts,);  out : float32, shape (rows, n), replaced. Each output
    is a chain of fused multiply-adds in the order of the inputs. All blocks of a panel follow each
    other: its cells and the draws they have in common are then at hand.
    """
    k = mean.shape[1]
    words, w = np.empty(4 * k, np.uint32), np.empty((k, WIDTH), np.float32)
    still, spread = np.empty(k * WIDTH, np.float32), np.empty(k * WIDTH, np.float32)
    x, first = strip(x, first, k)
    for p in range(mean.shape[0]):
        _settle(
            mean[p].reshape(-1), variance[p].reshape(-1), k0, k1, p, counters, segments[0],
            amplitudes, words, still, spread,
        )  # fmt: skip
        for b in range(starts.size - 1):
            _add_first_part(
                k0,
                k1,
                p,
                counters[0],
                segments[b, 0],
                amplitudes[0],
                words,
                still,
                spread,
                w.reshape(-1),
            )
            rows = slice(starts[b], starts[b + 1])
            panel_product(x[rows], first, w, out[rows], p * WIDTH)


@kernel
def add_noise(current, variance, share, k0, k1, row, lane, batch, lanes):
    """current += sqrt(share variance) z, one standard normal z an output.

    current, variance : float32, shape (steps batch, n), unit and unit^2;  share : float32, of the
    variance;  row : index of the first row in the whole batch;  lanes : from one step's lane to the
    next.
    Exact in distribution where the sum over cells is Gaussian: see `add_cell_noise` for where it is
    not.
    """
    rows, n = current.shape
    z = np.empty(n, np.float32)
    for i in range(rows):
        normal_row(k0, k1, row + i % batch, lane + i // batch * lanes, z)
        for j in range(n):
            current[i, j] += np.sqrt(share * variance[i, j]) * z[j]


@kernel
def add_skewed_noise(current, variance, third, lasting, share, k0, k1, row, lane, batch, lanes):
    """current += s (z + g (z^2 - 1) / 6) / sqrt(1 + g^2 / 18), with s^2 the variance, g = third /
    s^3 the skewness and z = lasting / s + sqrt(share) times a standard normal.

    The first term of Cornish and Fisher (Rev. Inst. Int. Stat. 5, 307, 1938), scaled to the right
    variance: for cells cut at zero, whose sums are skewed. third : float32, shape (batch, n), third
    cumulant, unit^3;  lasting : float32, shape (rows, n), the part of the noise that outlasts the
    read; the rest as in `add_noise`.
    """
    rows, n = current.shape
    z = np.empty(n, np.float32)
    for i in range(rows):
        normal_row(k0, k1, row + i % batch, lane + i // batch * lanes, z)
        for j in range(n):
            sigma = np.sqrt(variance[i, j])
            whole = lasting[i, j] / max(sigma, np.float32(1e-30)) + np.sqrt(share) * z[j]
            skew = third[i, j] / max(variance[i, j] * sigma, np.float32(1e-30))
            # the expansion turns back at z = -3 / skew: this bound keeps that below -1.5
            skew = min(max(skew, np.float32(-2)), np.float32(2))
            skewed = whole + skew * (whole * whole - np.float32(1)) * np.float32(1 / 6)
            current[i, j] += (
                sigma * skewed / np.sqrt(np.float32(1) + skew * skew * np.float32(1 / 18))
            )


@kernel
def add_row_noise(current, sigma, k0, k1, row, lane, batch, lanes):
    """current += sigma z with one sigma a row, float32, shape (rows,): cells that all have the same
    spread. Rows and lanes as in `add_noise`.
    """
    rows, n = current.shape
    z = np.empty(n, np.float32)
    for i in range(rows):
        normal_row(k0, k1, row + i % batch, lane + i // batch * lanes, z)
        for j in range(n):
            current[i, j] += sigma[i] * z[j]


@kernel
def activity(codes, out):
    """out = (sum x^2)^2 / sum x^4 of each row: how many equal inputs would be as Gaussian; 0 for a
    row of zeros.

    codes : float32, shape (batch, k);  out : float32, shape (batch,), written.
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
def cell_sum(x, g, sigma, lasting, share, ends, flip, column, k0, k1, row, lane):
    """Sum over one column of x_i times what one draw sees of each cell, in float64.

    x : float32, shape (k,);  g, sigma : float32, shape (k, n), relative conductances and their
    spread;  the rest as in `add_cell_noise`.
    """
    total, white = 0.0, np.sqrt(share)
    low, high = np.uint64(row) & _MASK, (np.uint64(row) >> _HALF) << np.uint64(16)
    for first in range(0, x.size, 4):
        silent = True
        for i in range(first, min(first + 4, x.size)):
            silent = silent and x[i] == 0
        # a silent input adds nothing whatever is drawn: most draws of a sparse input are saved here
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
            z *= white
            if lasting.shape[0] > 0:
                z += lasting[i, column]
            if flip == np.inf:
                seen = min(max(g[i, column] + sigma[i, column] * z, ends[0]), ends[1])
            else:
                seen = g[i, column] - (sigma[i, column] if z > flip else np.float32(0))
            total += x[i] * seen
    return total


@kernel
def add_cell_noise(
    current,
    codes,
    active,
    needed,
    plus,
    plus_sigma,
    plus_lasting,
    minus,
    minus_sigma,
    minus_lasting,
    share,
    ends,
    flip,
    k0,
    k1,
    row,
    lane,
    batch,
    lanes,
):
    """current = sum over the cells, one draw each, for outputs whose row has fewer active inputs
    than the column needs.

    current : float32, shape (rows, n), overwritten there;  codes : float32, shape (rows, k);
    active : float32, shape (rows,) from `activity`;  needed : float32, shape (n,);  plus,
    plus_sigma, minus, minus_sigma : float32, shape (k, n), relative conductances and their spread
    (minus of no rows: single cells);  plus_lasting,  minus_lasting : float32, shape (k, n), the
    part of z that outlasts the read, or of no rows;  share : float32, of z's variance that is drawn
    here;  ends : float32, shape (2,), where a read is cut. A draw z sees g + sigma z cut at the
    ends where flip is infinite, else (telegraph noise) g, or g - sigma for z > flip. The lane of a
    draw is 2 lane + polarity; rows and lanes as in `add_noise`.
    """
    rows, n = current.shape
    for i in range(rows):
        at, there = row + i % batch, 2 * (lane + i // batch * lanes)
        if active[i] > 0:
            for j in range(n):
                if active[i] < needed[j]:
                    total = cell_sum(
                        codes[i], plus, plus_sigma, plus_lasting, share, ends, flip, j, k0, k1, at,
                        there,
                    )  # fmt: skip
                    if minus.shape[0] > 0:
                        total -= cell_sum(
                            codes[i], minus, minus_sigma, minus_lasting, share, ends, flip, j, k0,
                            k1, at, there + 1,
                        )  # fmt: skip
                    current[i, j] = total


@kernel
def add_column_noise(current, sigma, k0, k1, row, lane, batch, lanes):
    """current += sigma z with one sigma a column, float32, shape (n,): what converters add. Rows
    and lanes as in `add_noise`.
    """
    rows, n = current.shape
    z = np.empty(n, np.float32)
    for i in range(rows):
        normal_row(k0, k1, row + i % batch, lane + i // batch * lanes, z)
        for j in range(n):
            current[i, j] += sigma[j] * z[j]
