"""What is a float32 product whose bits depend on nothing but its operands? Fused multiply-adds in
the order of the inputs.

BLAS sums in an order that depends on the processor, on how many rows are multiplied at once and on
where a row stands among them. Here y[j] = fma(x[k-1], w[k-1, j], ... fma(x[0], w[0, j], 0)): each
output is one chain of fused multiply-adds in the order of the inputs, whatever the batch, the
threads and the processor. The right operand is kept in panels of `WIDTH` columns, float32
(panels, k, WIDTH), so that one row of a panel is two vector registers and a chain reads memory in
order. Written so, a product of 64 rows is as fast as OpenBLAS on AVX2, and one of 1 to 8 rows
faster (44 G multiply-adds a second on one core of an EPYC 7003).
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from pimlab.kernels.jit import PURE, kernel

WIDTH = 16
"""Columns of a panel: two vectors of 8 float32."""
_LANES = 8
_PAGES = 64
"""Pages whose addresses the first table of a core holds (EPYC 7003, and others)."""
_VECTOR = ir.VectorType(ir.FloatType(), _LANES)
_INDEX, _INT = ir.IntType(64), ir.IntType(32)


def _plain_fma(a, b, c):
    """round(a b + c) of float32 numbers: the product is exact in float64, and the sum is rounded to
    odd there, so that rounding it once more to float32 is correct (Boldo and Melquiond, IEEE Trans.
    Comput. 57, 462, 2008).
    """
    product, c = float(a) * float(b), float(c)
    total = product + c
    back = total - product
    error = (product - (total - back)) + (c - back)
    # odd rounding: an inexact sum takes the neighbour with the last bit set
    if error and np.isfinite(total) and not np.float64(total).view(np.int64) & 1:
        total = float(np.nextafter(total, np.inf if error > 0 else -np.inf))
    return np.float32(total)


def _plain_block(rows):
    def block(x, row, first, w, out, column):
        for r in range(rows):
            for j in range(WIDTH):
                total = np.float32(0)
                for i in range(w.shape[0]):
                    total = _plain_fma(x[row + r, first + i], w[i, j], total)
                out[row + r, column + j] = total

    return block


def _vectors(builder, base, offset):
    """Pointers to the two vectors of a panel row that starts `offset` numbers after `base`."""
    return [
        builder.bitcast(
            builder.gep(base, [builder.add(offset, ir.Constant(_INDEX, _LANES * half))]),
            _VECTOR.as_pointer(),
        )
        for half in range(WIDTH // _LANES)
    ]


def _splat(builder, scalar):
    """A vector of eight times one number."""
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    one = builder.insert_element(undefined, scalar, ir.Constant(_INT, 0))
    zeros = ir.Constant(ir.VectorType(_INT, _LANES), [0] * _LANES)
    return builder.shuffle_vector(one, undefined, zeros)


def _compiled_block(rows):
    """out[row + r, column:] = sum over i of x[row + r, first + i] w[i, :] for r < `rows`, in
    registers.
    """

    @intrinsic
    def block(typingctx, x, row, first, w, out, column):
        signature = types.void(x, types.int64, types.int64, w, out, types.int64)

        def codegen(context, builder, signature, arguments):
            x, w, out = (
                context.make_array(signature.args[place])(context, builder, arguments[place])
                for place in (0, 3, 4)
            )
            row, first, column = arguments[1], arguments[2], arguments[5]
            x_width, k, out_width = (
                cgutils.unpack_tuple(builder, array.shape, 2)[axis]
                for array, axis in ((x, 1), (w, 0), (out, 1))
            )
            fma = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(_VECTOR, [_VECTOR] * 3), f"llvm.fma.v{_LANES}f32"
            )
            lines = [builder.add(row, ir.Constant(_INDEX, r)) for r in range(rows)]
            inputs = [
                builder.gep(x.data, [builder.add(builder.mul(line, x_width), first)])
                for line in lines
            ]
            # stack slots that LLVM keeps in registers: no sum passes through memory in the loop
            zero = ir.Constant(_VECTOR, [0.0] * _LANES)
            sums = [
                [cgutils.alloca_once_value(builder, zero) for _ in range(WIDTH // _LANES)]
                for _ in range(rows)
            ]
            with cgutils.for_range(builder, k) as loop:
                start = builder.mul(loop.index, ir.Constant(_INDEX, WIDTH))
                weights = [builder.load(p, align=4) for p in _vectors(builder, w.data, start)]
                for pointer, totals in zip(inputs, sums, strict=True):
                    value = _splat(builder, builder.load(builder.gep(pointer, [loop.index])))
                    for weight, total in zip(weights, totals, strict=True):
                        added = builder.call(fma, [value, weight, builder.load(total)])
                        builder.store(added, total)
            for line, totals in zip(lines, sums, strict=True):
                place = builder.add(builder.mul(line, out_width), column)
                pointers = _vectors(builder, out.data, place)
                for total, pointer in zip(totals, pointers, strict=True):
                    builder.store(builder.load(total), pointer, align=4)
            return context.get_dummy_value()

        return signature, codegen

    return block


_six, _four, _two, _one = (
    (_plain_block if PURE else _compiled_block)(rows) for rows in (6, 4, 2, 1)
)
"""Rows whose sums fit in the registers of AVX2 at once (12 of 16 for six rows), and what is
left.
"""


@kernel
def panel_product(x, first, w, out, column):
    """out[:, column : column + WIDTH] = x[:, first : first + k] @ w, of one panel. x : float32,
    shape (rows, inputs);  w : float32, shape (k, WIDTH);  out : float32, shape (rows, n), replaced
    in the columns that it has: of the last panel, those beyond n are left out.
    """
    if column + WIDTH > out.shape[1]:
        panel = np.empty((x.shape[0], WIDTH), np.float32)
        _rows_product(x, first, w, panel, 0)
        for i in range(x.shape[0]):
            for j in range(out.shape[1] - column):
                out[i, column + j] = panel[i, j]
    else:
        _rows_product(x, first, w, out, column)


@kernel
def _rows_product(x, first, w, out, column):
    """`panel_product` of a panel that has all its columns."""
    row, rows = 0, x.shape[0]
    while row + 6 <= rows:
        _six(x, row, first, w, out, column)
        row += 6
    if row + 4 <= rows:
        _four(x, row, first, w, out, column)
        row += 4
    if row + 2 <= rows:
        _two(x, row, first, w, out, column)
        row += 2
    if row < rows:
        _one(x, row, first, w, out, column)


@kernel
def strip(x, first, k):
    """(x[:, first : first + k], 0) copied, or (x, first) where few rows are read: rows that lie 4
    KB apart are a page of memory each, and more pages than a core remembers cost 5 % of a product.
    x : float32, shape (rows, inputs).
    """
    if x.shape[0] <= _PAGES or x.shape[1] == k:
        return x, first
    near = np.empty((x.shape[0], k), np.float32)
    for i in range(x.shape[0]):
        for p in range(k):
            near[i, p] = x[i, first + p]
    return near, 0


@kernel
def product(x, first, w, out):
    """out = x[:, first : first + k] @ w, each output a chain of fused multiply-adds in the order of
    the inputs.

    x : float32, shape (rows, inputs);  w : float32, shape (panels, k, WIDTH), from `pack`;  out :
    float32, shape (rows, n), replaced, n at most panels WIDTH.
    """
    x, first = strip(x, first, w.shape[1])
    for p in range(w.shape[0]):
        panel_product(x, first, w[p], out, p * WIDTH)


@kernel
def pack(w, out):
    """w in panels, the columns beyond the last filled with zeros. w : float32, shape (k, n);  out :
    float32, shape (panels, k, WIDTH), replaced.
    """
    k, n = w.shape
    for p in range(out.shape[0]):
        for i in range(k):
            for j in range(WIDTH):
                column = p * WIDTH + j
                out[p, i, j] = w[i, column] if column < n else np.float32(0)
