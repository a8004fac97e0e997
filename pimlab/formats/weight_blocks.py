"""How do weight-only formats scale a block of 32? The rules llama.cpp named q4_0, q4_1 and q8_0, in
float32.

Each takes blocks float32 (..., blocks, 32) and gives codes int8 alike, scale and offset float32
(..., blocks) on the binary16 grid. The reciprocal of the scale is taken before it is rounded to
binary16, as those rules have it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

_Codes = tuple[np.ndarray, np.ndarray, np.ndarray]


def _half(values: np.ndarray, rule: str) -> np.ndarray:
    with np.errstate(over="ignore"):
        halves = values.astype(np.float16).astype(np.float32)
    if not np.isfinite(halves).all():
        raise ValueError(
            f"quantize to {rule}: a block's scale of {np.abs(values).max():g} is beyond binary16 "
            "(65504), which holds it"
        )
    return halves


def _inverse(d: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        inverse = np.divide(np.float32(1.0), d, out=np.zeros_like(d), where=d != 0)
    # A step so small that its reciprocal overflows is 0 in binary16: the block is all zeros either
    # way.
    return np.where(np.isfinite(inverse), inverse, np.float32(0.0))[..., None]


def _q4_0(blocks: np.ndarray) -> _Codes:
    at = np.abs(blocks).argmax(axis=-1)[..., None]
    d = np.take_along_axis(blocks, at, axis=-1)[..., 0] / np.float32(-8)
    codes = np.trunc(blocks * _inverse(d) + np.float32(8.5))
    scale = _half(d, "q4_0")
    return (np.clip(codes, 0, 15) - 8).astype(np.int8), scale, np.zeros_like(scale)


def _q4_1(blocks: np.ndarray) -> _Codes:
    low = blocks.min(axis=-1)
    with np.errstate(over="ignore"):  # `_half` refuses what overflows
        d = (blocks.max(axis=-1) - low) / np.float32(15)
    scale, offset = _half(d, "q4_1"), _half(low, "q4_1")
    codes = np.trunc((blocks - low[..., None]) * _inverse(d) + np.float32(0.5))
    return np.clip(codes, 0, 15).astype(np.int8), scale, offset


def _q8_0(blocks: np.ndarray) -> _Codes:
    d = np.abs(blocks).max(axis=-1) / np.float32(127)
    steps = blocks * _inverse(d)
    whole = np.trunc(steps)
    codes = whole + np.where(
        np.abs(steps - whole) >= np.float32(0.5), np.sign(steps), np.float32(0)
    )
    scale = _half(d, "q8_0")
    return codes.astype(np.int8), scale, np.zeros_like(scale)


RULES: dict[str, Callable[[np.ndarray], _Codes]] = {"q4_0": _q4_0, "q4_1": _q4_1, "q8_0": _q8_0}
