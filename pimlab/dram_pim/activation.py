"""What does GDDR6-AiM answer for GELU, sigmoid or tanh? A table in a reserved row of every bank,
read by a bfloat16 input.

Published (abstract of Kwon 2023): the look-up table lies in a reserved word line of the bank, and
serves GELU, sigmoid, tanh, ReLU and leaky ReLU. Not published in what could be read: the number of
entries, the range and whether neighbours are interpolated. All three are named options here, and
the defaults are assumed: as many bfloat16 entries as fill one row.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from pimlab.dram_pim import layout
from pimlab.values import Value, choice, integer, number, unknown

LEAK = 0.01
"""Slope of leaky ReLU below zero: ONNX's default."""
_erf = np.vectorize(math.erf, otypes=[float])
FUNCTIONS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float, float]] = {
    "relu": (lambda x: np.maximum(x, 0), 0, 1),
    "leakyrelu": (lambda x: np.where(x < 0, LEAK * x, x), LEAK, 1),
    "sigmoid": (lambda x: 0.5 * (1 + np.tanh(x / 2)), 0, 0),
    "tanh": (np.tanh, 0, 0),
    "gelu": (lambda x: 0.5 * x * (1 + _erf(x / math.sqrt(2))), 0, 1),
}
"""Function in double precision, and the slope beyond each end of a table: 0 holds the last entry,
others continue the line.
"""


class LookUp(Value):
    """A table of bfloat16 entries over -reach..reach, evenly spaced, with an entry at 0.

    rule : "linear" adds the part of the way to the next entry, computed in float32 and rounded to
    bfloat16 once; "nearest" answers the nearest entry.
    """

    entries: int = integer(3, 1 << 16, default=1025, doc="entries, odd so that 0 is one of them")
    reach: float = number(above=0, default=8.0, doc="largest magnitude inside the table")
    rule: str = choice("linear", "nearest", default="linear")

    def check(self) -> None:
        """An entry at 0 keeps ReLU and tanh exact there."""
        if self.entries % 2 == 0:
            raise ValueError(
                f"LookUp entries={self.entries} is even; allowed: odd numbers, so that one entry "
                "is at 0"
            )

    def table(self, kind: str) -> np.ndarray:
        """float32, shape (entries,), bfloat16 values of the function `kind`; ValueError with the
        nearest name.
        """
        return layout.to_bf16(_known(kind)[0](self.knots).astype(np.float32))

    @property
    def knots(self) -> np.ndarray:
        """float64, shape (entries,): inputs that have an entry."""
        return (
            self.reach
            * np.arange(-(self.entries // 2), self.entries // 2 + 1)
            / (self.entries // 2)
        )

    def __call__(self, kind: str, x: np.ndarray) -> np.ndarray:
        """float32 like x, bfloat16 values: the bank's answer for x rounded to bfloat16. NaN stays
        NaN.
        """
        _, below, above = _known(kind)
        x = layout.to_bf16(np.asarray(x, dtype=np.float32))
        table, half = self.table(kind), self.entries // 2
        at = np.nan_to_num(np.clip(x.astype(np.float64), -self.reach, self.reach)) * (
            half / self.reach
        )
        left = np.minimum(np.floor(at), half - 1)
        part = np.rint(at - left) if self.rule == "nearest" else at - left
        first = left.astype(np.int64) + half
        inside = table[first] + (table[first + 1] - table[first]) * part.astype(np.float32)
        # a slope of 0 times an infinite input is no number: the clip keeps such ends at their entry
        beyond = np.where(x < -self.reach, below, np.where(x > self.reach, above, 0)).astype(
            np.float32
        )
        y = np.where(beyond == 0, inside, beyond * np.where(beyond == 0, np.float32(0), x))
        return layout.to_bf16(np.where(np.isnan(x), x, y).astype(np.float32))


def _known(kind: str) -> tuple[Callable[[np.ndarray], np.ndarray], float, float]:
    if kind not in FUNCTIONS:
        raise ValueError(unknown("activation function", kind, FUNCTIONS))
    return FUNCTIONS[kind]
