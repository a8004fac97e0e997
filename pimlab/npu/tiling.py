"""How often must a product fetch its operands when neither fits on chip? By the best rectangular
block of sums held there.

A block of m_b x n_b sums stays on chip while slabs of x (m_b, slab) and w (slab, n_b) stream
through two buffers each: x is fetched once for every block column, w once for every block row, and
no partial sum leaves the chip (Hong and Kung, STOC 1981, show that no schedule needs fewer words by
more than a constant).
"""

from __future__ import annotations

from functools import lru_cache

from pimlab.values import Value


class Operands(Value):
    """Bits of one word of x, of w and of a sum, and how many words along k a slab holds."""

    x: float
    w: float
    sum: float
    slab: int


@lru_cache(maxsize=2**12)  # layers of a network ask again and again
def fetches(m: int, n: int, k: int, bits: Operands, capacity: float) -> tuple[int, int]:
    """How many times x (m, k) and w, shape (k, n) are fetched into `capacity` bits, least bits in
    all; each at least once.

    Where not even one sum and its slabs fit, one sum is taken to fit.
    """
    choices = []
    for x_fetches in _divisions(n):
        rows = _rows(-(-n // x_fetches), bits, capacity)
        if rows >= 1 or x_fetches == n:
            w_fetches = -(-m // max(1, min(m, rows)))
            choices.append(
                (m * k * bits.x * x_fetches + k * n * bits.w * w_fetches, x_fetches, w_fetches)
            )
    return min(choices)[1:]


def _rows(columns: int, bits: Operands, capacity: float) -> int:
    """Rows of the tallest block of that many columns."""
    return int(
        (capacity - 2 * bits.slab * columns * bits.w)
        // (columns * bits.sum + 2 * bits.slab * bits.x)
    )


def _divisions(n: int) -> list[int]:
    """Numbers of block columns worth trying: every one to 16, then each a sixteenth more, to n."""
    tried = []
    count = 1
    while count < n:
        tried.append(count)
        count += max(1, count // 16)
    return [*tried, n]
