"""How is the matrix of a large crossbar computed? By joining blocks of cells two by two, and
eliminating the nodes at which they meet.

A block of cells has terminals where its lines leave it: input lines left and right, output lines
at the top and at the bottom. What it does to the rest of the circuit is one conductance between any
two of them. Joining two blocks makes inner nodes of the terminals they share, and eliminating those
costs a product of dense matrices (nested dissection: George, SIAM J. Numer. Anal. 10, 345, 1973).
The largest blocks take almost all of the time: N^3 multiplications for N x N cells, where
eliminating row by row (`elimination`) takes N^4. All that is added, multiplied or divided is a
conductance, none is subtracted: diagonals are sums of what meets in a node (Grassmann, Taksar,
Heyman, Oper. Res. 33, 1107, 1985), so that small conductances keep their digits.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import blas, lapack

from pimlab.analog.circuit.elimination import Ohms
from pimlab.kernels import wires as kernels

_LEAF = 8
"""Least cells along each side of the blocks that are eliminated node by node."""
_DENSE = 48
"""Shared nodes from which a block is worth calls of LAPACK of its own."""
_STRIPE = 64
"""Rows of a symmetric matrix that are mirrored at a time."""
FROM = 160
"""Cells along the shorter side, a line of a pair each, from which this is faster than eliminating
row by row: 0.29 against 0.64 s at 256 x 256, and as fast at 128 x 128.
"""
_Side = tuple[np.ndarray, slice, list[tuple[slice, slice]]]


def dissected(g: np.ndarray, signs: np.ndarray, ohms: Ohms) -> np.ndarray:
    """As `elimination.Grid.conductance`: float64, shape (M, N), S, of cells g, float64,
    shape (lines, M, N), S. Segments must have a resistance above 0 ohm.
    """
    lines, rows, columns = g.shape
    along = np.full((lines, rows, columns), 1 / ohms.r_in)
    along[:, :, 0] = 1 / ohms.r_first
    across = np.full((rows, columns), 1 / ohms.r_out)
    across[-1] = 1 / ohms.r_last
    return segmented(g, signs, along, across)


def segmented(
    g: np.ndarray, signs: np.ndarray, along: np.ndarray, across: np.ndarray
) -> np.ndarray:
    """float64, shape (M, N), S: sense current of each output line per volt at each input, with a
    conductance for every segment.

    g : float64, shape (lines, M, N), S;  signs : float64, shape (lines,);  along : float64,
    shape (lines, M, N), S, of the segment that ends at each cell, coming from the driver;  across :
    float64, shape (M, N), S, of the segment that leaves each cell's output node for the sense. 0 S
    is a broken line.
    """
    lines, rows, columns = g.shape
    blocks, inputs = _leaves(g, along, across), lines * _cut(rows)[0]
    while blocks.shape[0] * blocks.shape[1] > 1:
        wide = blocks.shape[2] > 4 * inputs  # more output lines than input lines
        if blocks.shape[1] == 1 or (wide and blocks.shape[0] > 1):
            blocks, inputs = _below(blocks, inputs), 2 * inputs
        else:
            blocks = _beside(blocks, inputs)
    matrix = _ends(blocks[0, 0], inputs)[-rows * lines :, :columns]
    return np.einsum("p,ipj->ij", signs, matrix.reshape(rows, lines, columns))


def _cut(length: int) -> tuple[int, int]:
    """(cells of a leaf, leaves) along a side of `length` cells; leaves are a power of two."""
    leaves = 2 ** max(int(math.log2(max(length / _LEAF, 1))), 0)
    return -(-length // leaves), leaves


def _leaves(g: np.ndarray, along: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Conductances between the terminals of every leaf, float64, shape (down, right, terminals,
    terminals): left, right (input lines, row by row), top, bottom.

    Further rows at the open end of the output lines, and further columns at that of the input
    lines, fill the last leaves: lines without cells, through which no current flows.
    """
    lines, rows, columns = g.shape
    (tall, down), (wide, right) = _cut(rows), _cut(columns)
    more = ((tall * down - rows, 0), (0, wide * right - columns))
    g, along = (np.pad(a, ((0, 0), *more), constant_values=c) for a, c in ((g, 0.0), (along, 1.0)))
    across = np.pad(across, more, constant_values=1.0)
    out = np.empty((down * right, *[2 * (lines * tall + wide)] * 2))

    def cells(a: np.ndarray) -> np.ndarray:
        parts = a.reshape(-1, down, tall, right, wide).transpose(1, 3, 0, 2, 4)
        return np.ascontiguousarray(parts.reshape(down * right, -1, tall, wide))

    kernels.leaf_blocks(cells(g), cells(along), cells(across)[:, 0], out)
    return out.reshape(down, right, *out.shape[1:])


def _beside(blocks: np.ndarray, inputs: int) -> np.ndarray:
    """Blocks joined with their neighbours to the right: input lines go on from one to the other."""
    left, right, top, bottom = _groups(blocks, inputs)
    n = top.stop - top.start
    far = slice(left.start, left.stop), slice(right.start, right.stop)
    upper, lower = slice(2 * inputs, 2 * inputs + 2 * n), slice(2 * inputs + 2 * n, None)
    first = [(left, far[0]), (top, _half(upper, n, 0)), (bottom, _half(lower, n, 0))]
    second = [(right, far[1]), (top, _half(upper, n, 1)), (bottom, _half(lower, n, 1))]
    pairs = (blocks[:, 0::2], right, first), (blocks[:, 1::2], left, second)
    return _joined(pairs, 2 * inputs + 4 * n)


def _below(blocks: np.ndarray, inputs: int) -> np.ndarray:
    """Blocks joined with those below: output lines go on from one to the other."""
    left, right, top, bottom = _groups(blocks, inputs)
    n = top.stop - top.start
    lefts, rights = slice(2 * inputs), slice(2 * inputs, None)
    upper, lower = slice(4 * inputs, 4 * inputs + n), slice(4 * inputs + n, 4 * inputs + 2 * n)
    first = [(left, _half(lefts, inputs, 0)), (right, _half(rights, inputs, 0)), (top, upper)]
    second = [(left, _half(lefts, inputs, 1)), (right, _half(rights, inputs, 1)), (bottom, lower)]
    pairs = (blocks[0::2], bottom, first), (blocks[1::2], top, second)
    return _joined(pairs, 4 * inputs + 2 * n)


def _groups(blocks: np.ndarray, inputs: int) -> tuple[slice, slice, slice, slice]:
    """Where the left, right, top and bottom terminals of a block stand."""
    n = (blocks.shape[2] - 2 * inputs) // 2
    ends = (0, inputs, 2 * inputs, 2 * inputs + n, 2 * inputs + 2 * n)
    left, right, top, bottom = map(slice, ends[:-1], ends[1:])
    return left, right, top, bottom


def _half(group: slice, size: int, number: int) -> slice:
    """The first (0) or second (1) `size` terminals of a group."""
    start = (group.start or 0) + number * size
    return slice(start, start + size)


def _joined(pairs: tuple[_Side, _Side], size: int) -> np.ndarray:
    """Pairs of blocks without the nodes they share, float64, shape (down, right, size, size).

    pairs : of each side the blocks, their shared terminals, and (where the kept ones stand, where
    they stand afterwards).
    """
    (blocks, own, _), _ = pairs
    shape, count = blocks.shape[:2], own.stop - own.start
    inner = np.zeros((*shape, count, count))
    outer = np.zeros((*shape, size, count))
    out = np.zeros((*shape, size, size))
    for blocks, own, kept in pairs:
        inner += blocks[:, :, own, own]
        for now, then in kept:
            outer[:, :, then] = blocks[:, :, now, own]
            for other, there in kept:
                out[:, :, then, there] += blocks[:, :, now, other]
    total = inner.sum(axis=-1) + outer.sum(axis=-2)
    if count >= _DENSE:
        for at in np.ndindex(shape):
            _couple(inner[at], outer[at], total[at], out[at])
    else:
        nodal, diagonal = -inner, np.arange(count)
        nodal[..., diagonal, diagonal] += np.where(total > 0, total, 1.0)
        out += outer @ np.linalg.solve(nodal, outer.swapaxes(-1, -2))
    diagonal = np.arange(size)
    out[..., diagonal, diagonal] = 0.0
    return out


def _factor(inner: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Cholesky factor, lower, of nodes coupled by `inner` in which `total` meets [S]; a node
    without any conductance takes no part.
    """
    nodal = np.negative(inner, order="F")
    nodal.flat[:: len(total) + 1] += np.where(total > 0, total, 1.0)
    factor, info = lapack.dpotrf(nodal, lower=1, overwrite_a=1)
    if info:
        raise ValueError("the crossbar circuit is beyond double precision: its lines are floating")
    return factor


def _couple(inner: np.ndarray, outer: np.ndarray, total: np.ndarray, out: np.ndarray) -> None:
    """Adds to `out` what the terminals see of each other through the nodes that are eliminated.

    inner : float64, shape (nodes, nodes), S;  outer : float64, shape (terminals, nodes), S;  out :
    float64, shape (terminals, terminals), S.
    """
    half = blas.dtrsm(1.0, _factor(inner, total), outer.T, lower=1, overwrite_b=1)
    blas.dsyrk(1.0, half, beta=1.0, c=out.T, trans=1, lower=1, overwrite_c=1)
    for first in range(0, len(out), _STRIPE):
        stripe = slice(first, first + _STRIPE)
        out[stripe, :first] = out[:first, stripe].T
        square = out[stripe, stripe]
        square[:] = np.triu(square) + np.triu(square, 1).T


def _ends(block: np.ndarray, inputs: int) -> np.ndarray:
    """Conductances between drivers (left) and senses (bottom) of the whole array, whose other ends
    are open. float64, shape (inputs, columns), S.
    """
    n = (len(block) - 2 * inputs) // 2
    left, floating = slice(inputs), slice(inputs, 2 * inputs + n)
    bottom = slice(2 * inputs + n, None)
    factor = _factor(block[floating, floating], block[floating].sum(axis=1))
    from_left, from_bottom = (
        blas.dtrsm(1.0, factor, block[floating, end], lower=1) for end in (left, bottom)
    )
    return block[left, bottom] + from_left.T @ from_bottom
