"""How does a compiled kernel round to binary16 and bfloat16? Through LLVM's `fptrunc` and `fpext`,
or the bits of the float.

The values stay float32 in arrays and registers; `round_half` puts one on the binary16 grid. The
product of two binary16 numbers is exact in float32 (22 bits), and rounding their float32 sum once
more is innocuous (24 >= 2 * 11 + 2; Figueroa 1995), so `round_half(a * b)` and `round_half(a + b)`
are the correctly rounded binary16 operations, subnormals included.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from pimlab.kernels.jit import PURE, kernel


@intrinsic
def _round_half(typingctx, value):
    if value != types.float32:
        return None

    def codegen(context, builder, signature, arguments):
        return builder.fpext(builder.fptrunc(arguments[0], ir.HalfType()), ir.FloatType())

    return types.float32(types.float32), codegen


def _round_half_plain(value):
    """`value` rounded to the nearest binary16, ties to even, as float32."""
    return np.float32(np.float16(value))


round_half = _round_half_plain if PURE else _round_half


@intrinsic
def _bits(typingctx, value):
    if value != types.float32:
        return None
    return types.int32(
        types.float32
    ), lambda context, builder, signature, arguments: builder.bitcast(arguments[0], ir.IntType(32))


@intrinsic
def _float(typingctx, value):
    if value != types.int32:
        return None
    return types.float32(
        types.int32
    ), lambda context, builder, signature, arguments: builder.bitcast(arguments[0], ir.FloatType())


def _bits_plain(value):
    """The bits of a float32 as a signed integer."""
    return np.float32(value).view(np.int32)


def _float_plain(bits):
    """The float32 that a signed integer's bits are."""
    return np.int32(bits).view(np.float32)


_bits_of = _bits_plain if PURE else _bits
_float_of = _float_plain if PURE else _float


@kernel
def _round_bf16(value):
    """`value` rounded to the nearest bfloat16, ties to even, as float32; a NaN keeps its upper bits
    and is quiet.
    """
    bits = _bits(np.float32(value))
    rounded = np.int32(
        (bits + np.int32(0x7FFF) + ((bits >> np.int32(16)) & np.int32(1))) & np.int32(-65536)
    )
    # the rounding addition could carry a NaN's mantissa over into an infinity
    quiet = np.int32((bits & np.int32(-65536)) | np.int32(0x400000))
    return _float(quiet if value != value else rounded)


def _round_bf16_plain(value):
    bits = np.float32(value).view(np.uint32)
    if value != value:
        return np.uint32((bits & 0xFFFF0000) | 0x400000).view(np.float32)
    return np.uint32((int(bits) + 0x7FFF + ((int(bits) >> 16) & 1)) & 0xFFFF0000).view(np.float32)


round_bf16 = _round_bf16_plain if PURE else _round_bf16
