"""In which codes does a MatMulNBits of com.microsoft hold its weights? Codes of 2, 4 or 8 bits in
blocks along k, with scales and zero points.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def steps(
    given: dict[str, Any], bits: int, block: int, codes: Any, scales: Any, zeros: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Codes less their zero points, shape (n, blocks, block), and scales (n, blocks, 1), both in
    the type of the scales.
    """
    k, n = int(given["K"]), int(given["N"])
    count = -(-k // block)
    unsigned = _unpacked(codes.reshape(n, count, -1), bits)[..., :block].astype(np.float32)
    if zeros is None:
        middle = np.full((n, count), 2.0 ** (bits - 1), np.float32)
    elif zeros.dtype == np.uint8:
        middle = _unpacked(zeros.reshape(n, -1), bits)[:, :count].astype(np.float32)
    else:
        middle = zeros.reshape(n, count).astype(np.float32)
    scale = scales.reshape(n, count, 1)
    return (unsigned - middle[..., None]).astype(scale.dtype), scale


def nbits_codes(node: Any, known: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray] | None:
    """Codes less their zero points, int16, and float32 scales, shape (k, n) each, of the weights
    of a MatMulNBits; None where they are no constants, or their products no float32 numbers.
    """
    from onnx import helper

    given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    names = [*node.input[1:4], ""][:3]
    if any(name and name not in known for name in names):
        return None
    held = [known[name] if name else None for name in names]
    k, block = int(given["K"]), int(given["block_size"])
    less, scale = steps(given, int(given.get("bits", 4)), block, *held)
    if scale.dtype != np.float32 or not np.array_equal(less, np.rint(less)):
        return None
    wide = np.broadcast_to(scale, less.shape)
    codes, scales = (a.reshape(len(a), -1)[:, :k].T for a in (less, wide))
    return codes.astype(np.int16), scales


def _unpacked(packed: np.ndarray, bits: int) -> np.ndarray:
    """uint8 codes (..., codes), the lowest bits of a byte first."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    return (packed[..., None] >> shifts & (2**bits - 1)).reshape(*packed.shape[:-1], -1)
