"""What is a product of squares, where a few digits are enough? Exact sums of 16-bit numbers, two
at a time.

The variance of a read needs no 24 bits: squares of 8-bit codes and variances in steps of 1/8191 of
the largest of their column multiply in half the time of float32, because one AVX2 instruction
(pmaddwd) makes 16 products and adds them in pairs. Whole numbers add exactly in any order, so bits
depend on nothing but the operands, with that instruction or without.
"""

from __future__ import annotations

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from pimlab.kernels.jit import PURE, kernel
from pimlab.kernels.panels import WIDTH

TOP = 8191
"""Largest weight."""
MOST = 128
"""Largest input whose squares may be multiplied: the sums of `DEPTH` products of a square and a
weight stay below 2^31.
"""
DEPTH = 16
"""Products that are added as whole numbers before their sum becomes a float32."""
_LANES = 8
_INDEX, _INT, _SHORT = ir.IntType(64), ir.IntType(32), ir.IntType(16)
_INTS, _SHORTS = ir.VectorType(_INT, _LANES), ir.VectorType(_SHORT, 2 * _LANES)
_FLOATS = ir.VectorType(ir.FloatType(), _LANES)
_HALVES = range(WIDTH // _LANES)


@kernel
def squared_pairs(x, first, k, out):
    """out = x[:, first : first + k]^2, two a word, the first in the lower half; zeros beyond k.

    x : float32, shape (rows, inputs), whole numbers of at most `MOST`;  out : int32, shape (rows,
    pairs), written; 2 pairs is a multiple of `DEPTH`.
    """
    rows, pairs = out.shape
    squares = np.zeros(2 * pairs, np.int32)
    both = squares.view(np.uint64)
    for i in range(rows):
        for p in range(k):
            squares[p] = np.int32(x[i, first + p] * x[i, first + p])
        for q in range(pairs):
            out[i, q] = np.int32(both[q] | (both[q] >> np.uint64(16)))


@kernel
def pack(w, scale, out):
    """w in steps of `scale`, rounded to nearest, in panels of pairs of rows.

    w : float32, shape (panels, k, WIDTH), 0 or more;  scale : float32, shape (panels, WIDTH),
    unit of w: a `TOP`-th of the largest of each column (1 where all are zero), written;  out :
    int16, shape (panels, pairs, 2 WIDTH), written: both rows of a pair column by column; 2 pairs
    is a multiple of `DEPTH`, and rows beyond k are zero.
    """
    for p in range(w.shape[0]):
        out[p] = 0
        for j in range(WIDTH):
            largest = np.float32(0)
            for i in range(w.shape[1]):
                largest = max(largest, w[p, i, j])
            scale[p, j] = largest / np.float32(TOP) if largest > 0 else np.float32(1)
        for i in range(w.shape[1]):
            for j in range(WIDTH):
                out[p, i // 2, 2 * j + i % 2] = np.int16(np.rint(w[p, i, j] / scale[p, j]))


def _plain_block(rows):
    def block(x, row, w, scale, out, column):
        for r in range(rows):
            low = (x[row + r] & 0xFFFF).astype(np.int64)
            high = (x[row + r] >> 16).astype(np.int64)
            for j in range(WIDTH):
                each = low * w[:, 2 * j] + high * w[:, 2 * j + 1]
                total = np.float32(0)
                for sums in each.reshape(-1, DEPTH // 2).sum(axis=1):
                    total += np.float32(sums)
                out[row + r, column + j] = total * scale[j]

    return block


def _pair_products(builder, a, b):
    """Eight sums of two products of 16-bit numbers."""
    if binding.get_host_cpu_features().get("avx2", False):
        of = ir.FunctionType(_INTS, [_SHORTS] * 2)
        name = "llvm.x86.avx2.pmadd.wd"
        return builder.call(cgutils.get_or_insert_function(builder.module, of, name), [a, b])
    wide = ir.VectorType(_INT, 2 * _LANES)
    products = builder.mul(builder.sext(a, wide), builder.sext(b, wide))
    even, odd = (
        builder.shuffle_vector(
            products,
            products,
            ir.Constant(_INTS, [2 * lane + half for lane in range(_LANES)]),
        )
        for half in (0, 1)
    )
    return builder.add(even, odd)


def _load(builder, data, offset, vector):
    """A vector that starts `offset` numbers after `data`, wherever that lies."""
    pointer = builder.bitcast(builder.gep(data, [offset]), vector.as_pointer())
    return builder.load(pointer, align=1)


def _splat(builder, word):
    """A pair of inputs eight times, as 16 short numbers."""
    undefined = ir.Constant(_INTS, ir.Undefined)
    one = builder.insert_element(undefined, word, ir.Constant(_INT, 0))
    zeros = ir.Constant(_INTS, [0] * _LANES)
    return builder.bitcast(builder.shuffle_vector(one, undefined, zeros), _SHORTS)


def _group(builder, inputs, w, start):
    """Exact sums of `DEPTH` products, for each row of `inputs` and each half of the panel."""
    sums = [[ir.Constant(_INTS, [0] * _LANES)] * len(_HALVES) for _ in inputs]
    for step in range(DEPTH // 2):
        place = builder.add(start, ir.Constant(_INDEX, step))
        base = builder.mul(place, ir.Constant(_INDEX, 2 * WIDTH))
        weights = [
            _load(builder, w, builder.add(base, ir.Constant(_INDEX, 2 * _LANES * half)), _SHORTS)
            for half in _HALVES
        ]
        for own, pointer in zip(sums, inputs, strict=True):
            value = _splat(builder, builder.load(builder.gep(pointer, [place])))
            for half, weight in enumerate(weights):
                own[half] = builder.add(own[half], _pair_products(builder, value, weight))
    return sums


def _compiled_block(rows):
    """out[row + r, column:] = scale times the sums of x[row + r] and w, for r < `rows`, in
    registers.
    """

    @intrinsic
    def block(typingctx, x, row, w, scale, out, column):
        signature = types.void(x, types.int64, w, scale, out, types.int64)

        def codegen(context, builder, signature, arguments):
            x, w, scale, out = (
                context.make_array(signature.args[place])(context, builder, arguments[place])
                for place in (0, 2, 3, 4)
            )
            row, column = arguments[1], arguments[5]
            pairs = cgutils.unpack_tuple(builder, x.shape, 2)[1]
            width = cgutils.unpack_tuple(builder, out.shape, 2)[1]
            lines = [builder.add(row, ir.Constant(_INDEX, r)) for r in range(rows)]
            inputs = [builder.gep(x.data, [builder.mul(line, pairs)]) for line in lines]
            # stack slots that LLVM keeps in registers
            zero = ir.Constant(_FLOATS, [0.0] * _LANES)
            totals = [[cgutils.alloca_once_value(builder, zero) for _ in _HALVES] for _ in lines]
            group = ir.Constant(_INDEX, DEPTH // 2)
            with cgutils.for_range(builder, builder.udiv(pairs, group)) as loop:
                sums = _group(builder, inputs, w.data, builder.mul(loop.index, group))
                for own, more in zip(totals, sums, strict=True):
                    for total, whole in zip(own, more, strict=True):
                        added = builder.fadd(builder.load(total), builder.sitofp(whole, _FLOATS))
                        builder.store(added, total)
            for line, own in zip(lines, totals, strict=True):
                start = builder.add(builder.mul(line, width), column)
                for half, total in enumerate(own):
                    lane = ir.Constant(_INDEX, _LANES * half)
                    each = _load(builder, scale.data, lane, _FLOATS)
                    pointer = builder.gep(out.data, [builder.add(start, lane)])
                    found = builder.fmul(builder.load(total), each)
                    builder.store(found, builder.bitcast(pointer, _FLOATS.as_pointer()), align=4)
            return context.get_dummy_value()

        return signature, codegen

    return block


_three, _one = ((_plain_block if PURE else _compiled_block)(rows) for rows in (3, 1))


@kernel
def _panel(x, w, scale, out, column):
    """`product` of one panel that has all its columns."""
    row, rows = 0, x.shape[0]
    while row + 3 <= rows:
        _three(x, row, w, scale, out, column)
        row += 3
    while row < rows:
        _one(x, row, w, scale, out, column)
        row += 1


@kernel
def product(x, w, scale, out):
    """out = x @ w times the scale of its column, of whole numbers in pairs: sums of `DEPTH`
    products are exact and are added as float32 in the order of the inputs.

    x : int32, shape (rows, pairs), from `squared_pairs`;  w : int16, shape (panels, pairs,
    2 WIDTH), and scale : float32, shape (panels, WIDTH), from `pack`;  out : float32,
    shape (rows, n), replaced, n at most panels WIDTH.
    """
    for p in range(w.shape[0]):
        column = p * WIDTH
        if column + WIDTH > out.shape[1]:
            panel = np.empty((x.shape[0], WIDTH), np.float32)
            _panel(x, w[p], scale[p], panel, 0)
            for i in range(x.shape[0]):
                for j in range(out.shape[1] - column):
                    out[i, column + j] = panel[i, j]
        else:
            _panel(x, w[p], scale[p], out, column)
