"""Twin of `pimlab.kernels.half`: rounding by NumPy's own casts, and on the bits of the float."""

from __future__ import annotations

import numpy as np

from pimlab.reference.bf16_tree import to_bf16


def round_half(value):
    """value rounded to the nearest binary16, ties to even: float32, shape () or that of the
    array.
    """
    with np.errstate(over="ignore"):
        return np.float32(value).astype(np.float16).astype(np.float32)


def round_bf16(value):
    """value rounded to the nearest bfloat16, ties to even: float32, shape () or that of the
    array.
    """
    return to_bf16(np.asarray(value, np.float32))
