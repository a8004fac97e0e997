"""What do the bytes of a GGML block stand for? Codes, a scale for a few of them, and where there is
one a minimum: value = code scale - minimum.

`LAYOUTS` names the types by their names in a GGUF file. Blocks of 32: Q4_0, Q4_1, Q5_0, Q5_1,
Q8_0, IQ4_NL, MXFP4. Blocks of 256, in parts of 16 or 32 with scales of 4 to 8 bits each: Q2_K,
Q3_K, Q4_K, Q5_K, Q6_K, IQ4_XS. Ternary blocks of 256: TQ1_0 (five codes a byte) and TQ2_0. The
order of bits is that of GGML's `ggml-quants`; the package gguf gives the same float32 values, to
the bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

_IQ4 = np.array([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], np.int8)
"""Values of the codes of IQ4_NL and IQ4_XS."""
_MXFP4 = np.array([0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12], np.int8)
"""Twice the E2M1 values of the codes 0..15."""


class Decoded(NamedTuple):
    """Rows of blocks: codes int8, shape (n, k), scale and minimum float32, shape (n, k / part).

    part : codes that share a scale.  value = code scale - minimum, each product rounded to float32.
    """

    codes: np.ndarray
    scale: np.ndarray
    minimum: np.ndarray

    @property
    def part(self) -> int:
        """How many neighbours along k share a scale (unit: weights)."""
        return self.codes.shape[1] // self.scale.shape[1]

    def values(self) -> np.ndarray:
        """float32, shape (n, k)."""
        parts = self.codes.reshape(*self.scale.shape, -1).astype(np.float32)
        with np.errstate(invalid="ignore", over="ignore"):  # scales of a damaged file may be NaN
            parts *= self.scale[..., None]
            parts -= self.minimum[..., None]
        return parts.reshape(self.codes.shape)


class Layout(NamedTuple):
    """A type: `block` values in `size` bytes, and what reads blocks uint8,
    shape (n, blocks, size).
    """

    block: int
    size: int
    read: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray | None]]


def decoded(kind: str, data: np.ndarray) -> Decoded:
    """The blocks of type `kind` in data uint8, shape (n, bytes a row).

    ValueError where a row is no whole number of blocks.
    """
    layout = LAYOUTS[kind]
    if data.ndim != 2 or data.shape[1] % layout.size:
        raise ValueError(
            f"rows of {data.shape[-1]} bytes are no whole number of {kind} blocks, which have "
            f"{layout.size} bytes for {layout.block} values"
        )
    with np.errstate(invalid="ignore", over="ignore"):  # as in `values`
        codes, scale, minimum = layout.read(data.reshape(len(data), -1, layout.size))
    n = len(data)
    scale = scale.reshape(n, -1).astype(np.float32)
    minimum = np.zeros_like(scale) if minimum is None else minimum.reshape(n, -1)
    return Decoded(codes.reshape(n, -1).astype(np.int8, copy=False), scale, minimum)


def _half(b: np.ndarray, at: int) -> np.ndarray:
    """float32, shape (n, blocks, 1) of the binary16 number at a byte."""
    two = np.ascontiguousarray(b[..., at : at + 2])
    return two.view(np.float16).astype(np.float32)


def _nibbles(packed: np.ndarray) -> np.ndarray:
    """Low halves of all bytes, then the high ones: uint8, shape (..., 2 bytes)."""
    return np.concatenate([packed & 15, packed >> 4], axis=-1)


def _pairs(packed: np.ndarray, groups: int) -> np.ndarray:
    """uint8, shape (n, blocks, 2 bytes): `_nibbles` of each of `groups` runs of bytes."""
    runs = packed.reshape(*packed.shape[:2], groups, -1)
    return _nibbles(runs).reshape(*packed.shape[:2], -1)


def _two_bits(packed: np.ndarray, bits: int = 2) -> np.ndarray:
    """uint8, shape (n, blocks, 4 bytes): of each run of 32 bytes first the lowest two bits of
    all.
    """
    runs = packed.reshape(*packed.shape[:2], -1, 1, 32)
    shifts = np.arange(0, 8, bits, dtype=np.uint8)[:, None]
    return (runs >> shifts & (2**bits - 1)).reshape(*packed.shape[:2], -1)


def _bits_of_32(packed: np.ndarray) -> np.ndarray:
    """uint8, shape (n, blocks, 32): the bits of four bytes, lowest first."""
    return np.unpackbits(packed, axis=-1, bitorder="little")


def _q4_0(b: np.ndarray) -> tuple[np.ndarray, np.ndarray, None]:
    return _nibbles(b[..., 2:]).view(np.int8) - np.int8(8), _half(b, 0), None


def _q4_1(b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return _nibbles(b[..., 4:]), _half(b, 0), -_half(b, 2)


def _q5_0(b: np.ndarray) -> tuple[np.ndarray, np.ndarray, None]:
    codes = _nibbles(b[..., 6:]) | _bits_of_32(b[..., 2:6]) << 4
    return codes.view(np.int8) - np.int8(16), _half(b, 0), None


def _q5_1(b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return _nibbles(b[..., 8:]) | _bits_of_32(b[..., 4:8]) << 4, _half(b, 0), -_half(b, 2)


def _q8_0(b: np.ndarray) -> tuple[np.ndarray, np.ndarray, None]:
    return np.ascontiguousarray(b[..., 2:]).view(np.int8), _half(b, 0), None


def _q2_k(b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scales = b[..., :16]
    low, high = (scales & 15).astype(np.float32), (scales >> 4).astype(np.float32)
    return _two_bits(b[..., 16:80]), _half(b, 80) * low, _half(b, 82) * high


def _q3_k(b: np.ndarray) -> tuple[np.ndarray, np.ndarray, None]:
    packed, upper = b[..., 96:104], b[..., 104:108]
    high = (upper[..., None, :] >> np.arange(0, 8, 2, dtype=np.uint8)[:, None]) & 3
    scales = _nibbles(packed) | high.reshape(*b.shape[:2], 16) << 4
    codes = _two_bits(b[..., 32:96]).view(np.int8)
    missing = _two_bits(b[..., :32], bits=1) ^ 1  # a bit that is not set takes 4 off
    scale = _half(b, 108) * (scales.view(np.int8) - np.int8(32)).astype(np.float32)
    return codes - (missing << 2).view(np.int8), scale, None


def _six_bits(packed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eight scales and eight minima of 6 bits, float32, shape (n, blocks, 8), from 12 bytes."""
    first, second, third = packed[..., :4], packed[..., 4:8], packed[..., 8:]
    scale = np.concatenate([first & 63, (third & 15) | (first >> 6 << 4)], axis=-1)
    minimum = np.concatenate([second & 63, third >> 4 | (second >> 6 << 4)], axis=-1)
    return scale.astype(np.float32), minimum.astype(np.float32)


def _q4_k(b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scale, minimum = _six_bits(b[..., 4:16])
    return _pairs(b[..., 16:], 4), _half(b, 0) * scale, _half(b, 2) * minimum


def _q5_k(b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scale, minimum = _six_bits(b[..., 4:16])
    high = _two_bits(b[..., 16:48], bits=1)
    return _pairs(b[..., 48:], 4) | high << 4, _half(b, 0) * scale, _half(b, 2) * minimum


def _q6_k(b: np.ndarray) -> tuple[np.ndarray, np.ndarray, None]:
    codes = _pairs(b[..., :128], 2) | _two_bits(b[..., 128:192]) << 4
    scales = np.ascontiguousarray(b[..., 192:208]).view(np.int8).astype(np.float32)
    return codes.view(np.int8) - np.int8(32), _half(b, 208) * scales, None


def _iq4_nl(b: np.ndarray) -> tuple[np.ndarray, np.ndarray, None]:
    return _IQ4[_nibbles(b[..., 2:])], _half(b, 0), None


def _iq4_xs(b: np.ndarray) -> tuple[np.ndarray, np.ndarray, None]:
    low = (b[..., 4:8, None] >> np.array([0, 4], np.uint8) & 15).reshape(*b.shape[:2], 8)
    high = (b[..., 2:4, None] >> np.arange(0, 8, 2, dtype=np.uint8) & 3).reshape(*b.shape[:2], 8)
    scale = (low | high << 4).astype(np.float32) - np.float32(32)
    return _IQ4[_pairs(b[..., 8:], 8)], _half(b, 0) * scale, None


def _mxfp4(b: np.ndarray) -> tuple[np.ndarray, np.ndarray, None]:
    exponent = b[..., :1].astype(np.int32) - 128  # one less: the codes stand for twice the values
    return _MXFP4[_nibbles(b[..., 1:])], np.ldexp(np.float32(1), exponent), None


def _tq1_0(b: np.ndarray) -> tuple[np.ndarray, np.ndarray, None]:
    """A byte b holds five codes as a fraction of 256: code i is 3 (3**i b mod 256) // 256."""
    runs = [
        (run[..., None, :] * np.array([3**i for i in range(digits)], np.uint8)[:, None])
        for run, digits in ((b[..., :32], 5), (b[..., 32:48], 5), (b[..., 48:52], 4))
    ]
    digits = [(run.astype(np.uint16) * 3 >> 8).reshape(*b.shape[:2], -1) for run in runs]
    return np.concatenate(digits, axis=-1).astype(np.int8) - np.int8(1), _half(b, 52), None


def _tq2_0(b: np.ndarray) -> tuple[np.ndarray, np.ndarray, None]:
    return _two_bits(b[..., :64]).view(np.int8) - np.int8(1), _half(b, 64), None


LAYOUTS: dict[str, Layout] = {
    "Q4_0": Layout(32, 18, _q4_0),
    "Q4_1": Layout(32, 20, _q4_1),
    "Q5_0": Layout(32, 22, _q5_0),
    "Q5_1": Layout(32, 24, _q5_1),
    "Q8_0": Layout(32, 34, _q8_0),
    "Q2_K": Layout(256, 84, _q2_k),
    "Q3_K": Layout(256, 110, _q3_k),
    "Q4_K": Layout(256, 144, _q4_k),
    "Q5_K": Layout(256, 176, _q5_k),
    "Q6_K": Layout(256, 210, _q6_k),
    "IQ4_NL": Layout(32, 18, _iq4_nl),
    "IQ4_XS": Layout(256, 136, _iq4_xs),
    "MXFP4": Layout(32, 17, _mxfp4),
    "TQ1_0": Layout(256, 54, _tq1_0),
    "TQ2_0": Layout(256, 66, _tq2_0),
}
