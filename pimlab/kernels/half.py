"""How does a compiled kernel round to IEEE 754 binary16? Through LLVM's `fptrunc` and `fpext`, one machine instruction each.

The values stay float32 in arrays and registers; `round_half` puts one on the binary16 grid. The product of two binary16
numbers is exact in float32 (22 bits), and rounding their float32 sum once more is innocuous (24 >= 2 * 11 + 2; Figueroa
1995), so `round_half(a * b)` and `round_half(a + b)` are the correctly rounded binary16 operations, subnormals included.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from pimlab.kernels.jit import PURE


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
