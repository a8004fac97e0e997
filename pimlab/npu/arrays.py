"""Which multiply-accumulate units does a digital NPU have, and how long does a product keep them
busy?

Two organisations answer the same question, `counted(product)`: systolic arrays (`MacArray`, by
`npu.systolic`) and slices of dot products (`TensorUnit`, by `npu.contraction`).
"""

from __future__ import annotations

from functools import lru_cache

from pimlab.npu.systolic import ArrayWork, gemm_cycles
from pimlab.values import Value, choice, integer, number, quantity, truth


class Product(Value):
    """What arrays are given: `groups` products (m, k) @ (k, n) of operands of so many bits."""

    m: int = integer(1)
    n: int = integer(1)
    k: int = integer(1)
    groups: int = integer(1, default=1)
    x_bits: float = number(above=0, default=8.0)
    w_bits: float = number(above=0, default=8.0)


class MacArray(Value):
    """`count` systolic arrays of rows x cols multiply-accumulate units, `rate` MACs a unit and
    cycle.
    """

    rows: int = integer(1, 65536)
    cols: int = integer(1, 65536)
    count: int = integer(1, 65536, default=1)
    clock: float = quantity("Hz", above=0)
    dataflow: str = choice("ws", "os", "is", default="ws")
    overlap: bool = True
    """Whether an array holds a second stationary tile, so that folds follow each other without
    filling anew.
    """
    rate: float = number(
        above=0,
        default=1.0,
        doc="2 where narrow operands are paired, 0.5 where wide ones take two units",
    )

    def check(self) -> None:
        """`overlap` is True or False."""
        truth("MacArray overlap", self.overlap)

    @property
    def peak(self) -> float:
        """Operations a second, two a MAC (unit: 1/s)."""
        return 2.0 * self.rows * self.cols * self.count * self.rate * self.clock

    def counted(self, product: Product) -> ArrayWork:
        """Cycles of the whole product and words read and written on chip. Units: cycles and
        words.
        """
        return _systolic(self, product)

    def peak_of(self, product: Product) -> float:
        """Operations a second at most for a product's operands (unit: 1/s)."""
        return self.peak

    @property
    def slab(self) -> int:
        """Words along k that a buffer of streamed operands holds (unit: words)."""
        return self.rows

    def first(self, product: Product) -> int:
        """Words of the first stationary tile, without which nothing can start (unit: words)."""
        return min(self.rows, product.k) * min(self.cols, product.n)


@lru_cache(maxsize=65536)
def _systolic(array: MacArray, product: Product) -> ArrayWork:
    return gemm_cycles(
        product.m,
        product.n,
        product.k,
        groups=product.groups,
        rows=array.rows,
        cols=array.cols,
        dataflow=array.dataflow,
        arrays=array.count,
        overlap=array.overlap,
    )
