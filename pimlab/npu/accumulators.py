"""What does an accumulator of limited width hold? Integer sums that wrap or saturate, and how often
they did.
"""

from __future__ import annotations

import numpy as np

from pimlab.kernels import int8 as kernels
from pimlab.npu import integers
from pimlab.values import Value, choice, integer


class Accumulator(Value):
    """A two's-complement accumulator.

    bits : its width. overflow : "wrap" keeps the low bits, "saturate" clips to the ends.
    chunk : how many products are added exactly before the accumulator takes the sum (1: after each;
    None: all of k).
        A wrapping accumulator gives the same bits for every chunk.
    """

    bits: int = integer(2, 64, default=32)
    overflow: str = choice("wrap", "saturate", default="wrap")
    chunk: int | None = integer(1, default=None, hint="for all of k write chunk=None")

    @property
    def lowest(self) -> int:
        """Smallest sum it holds (unit 1)."""
        return -(2 ** (self.bits - 1))

    @property
    def highest(self) -> int:
        """Largest sum it holds (unit 1)."""
        return 2 ** (self.bits - 1) - 1


def integer_product(
    x: np.ndarray, w: np.ndarray, start: np.ndarray, accumulator: Accumulator
) -> tuple[np.ndarray, int]:
    """Sums (batch, n) of codes x (batch, k) @ w (k, n) + start (n,), and how many outputs overflow
    changed.

    x, w : integers of up to 17 bits; start : int64, shape (n,), in range. The sums are int32 where
    32 bits hold them, else int64.
    """
    signed, base = _as_signed(x, w, start)
    if _bytes_suffice(signed, w, base, accumulator):
        return integers.gemm(signed, w) + base.astype(np.int32), 0
    exact = kernels.gemm_wide(x, w) + start
    kind = np.int32 if accumulator.bits <= 32 else np.int64
    if accumulator.overflow == "saturate":
        held = _saturated(x, w, start, exact, accumulator)
    else:
        held = np.empty_like(exact)
        kernels.wrap(exact, accumulator.bits, held)
    return held.astype(kind), int(np.count_nonzero(held != exact))


def _as_signed(x: np.ndarray, w: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unsigned bytes as signed ones 128 below, and a start that makes up for it; other codes as
    they are.
    """
    if x.dtype != np.uint8:
        return x, start
    return (x ^ np.uint8(128)).view(np.int8), start + 128 * w.sum(axis=0, dtype=np.int64)


def _bytes_suffice(
    x: np.ndarray, w: np.ndarray, start: np.ndarray, accumulator: Accumulator
) -> bool:
    if x.dtype != np.int8 or w.dtype != np.int8:
        return False
    # No partial sum of bytes, in any order, exceeds k 2^14 beside the start.
    return len(w) * 2**14 + int(np.abs(start).max(initial=0)) <= min(accumulator.highest, 2**31 - 1)


def _saturated(
    x: np.ndarray, w: np.ndarray, start: np.ndarray, exact: np.ndarray, accumulator: Accumulator
) -> np.ndarray:
    low, high = accumulator.lowest, accumulator.highest
    if accumulator.chunk is None or accumulator.chunk >= len(w):
        return np.clip(exact, low, high)
    held = np.repeat(np.clip(start, low, high)[None, :], len(x), axis=0)
    kernels.saturating(x.astype(np.int32), w.astype(np.int32), accumulator.chunk, low, high, held)
    return held
