"""Which formats hold short codes whose scale is a number of its own? NVFP4, NF4, FP8 in blocks,
groups of integers.

`ScaledBlockFormat`: a block of `rows` x `block` neighbours shares a float scale. "nvfp4" has blocks
of 16 with E4M3 scales, and one float32 scale for the tensor (NVIDIA, arXiv:2509.25149, appendix B);
"nf4" has blocks of 64 and the sixteen values of `NF4` (Dettmers et al., QLoRA, arXiv:2305.14314,
appendix E); "fp8_e4m3_1x128" and "fp8_e4m3_128x128" are what DeepSeek-V3 multiplies (arXiv:
2412.19437, section 3.3.2). `GroupFormat`: `group` neighbours share a binary16 scale and, where
codes are unsigned, a zero point of as many bits as a code ("uint4_g128": how GPTQ and AWQ files
hold weights).
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from pimlab.formats.grids import FLOATS, FloatFormat, IntegerFormat, NumberFormat
from pimlab.values import choice, integer, part

NF4 = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
    -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
    0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip
"""Values of the codes 0..15: quantiles of a normal distribution, with 0 and both ends exact."""


class TableFormat(NumberFormat):
    """Codes that stand for listed values: `NF4`."""

    table: str = choice("nf4")

    @property
    def name(self) -> str:
        """The table's name, with its block "nf4" among the formats."""
        return self.table

    @property
    def bits(self) -> float:
        """Four (unit: bits)."""
        return 4.0

    @property
    def largest(self) -> float:
        """The largest value (unit 1)."""
        return 1.0

    @cached_property
    def values(self) -> np.ndarray:
        """float32 value of every code, rising. Shape (codes,), unit 1."""
        return np.array(NF4, np.float32)

    def encode(self, numbers: np.ndarray) -> np.ndarray:
        """uint8 codes of the values nearest to `numbers`; in the middle the lower one. Of the
        shape (...) of the numbers.
        """
        middles = (self.values[1:].astype(np.float64) + self.values[:-1]) / 2
        return np.searchsorted(middles, numbers, side="left").astype(np.uint8)


class ScaledBlockFormat(NumberFormat):
    """Floats or listed values, `rows` x `block` of which share a scale: max / largest element.

    scale : "fp32", or "fp8_e4m3" relative to one float32 scale of the tensor, which sends the
    tensor's largest magnitude to the largest element times 448.
    """

    element: FloatFormat | TableFormat = part(FloatFormat, TableFormat)
    block: int = integer(1, 2**20)
    rows: int = integer(1, 2**20, default=1, doc="rows of a matrix that share a scale")
    scale: str = choice("fp32", "fp8_e4m3", default="fp32")

    @property
    def name(self) -> str:
        """`nvfp4`, `nf4`, or `<element>_<rows>x<block>`."""
        known = [name for name, value in NAMED.items() if value == self]
        suffix = "" if self.scale == "fp32" else f"/{self.scale}"
        return known[0] if known else f"{self.element.name}_{self.rows}x{self.block}{suffix}"

    @property
    def bits(self) -> float:
        """Element bits and the share of the block's scale (unit: bits); the tensor's one scale is
        left out.
        """
        return self.element.bits + self._scale.bits / (self.rows * self.block)

    @property
    def _scale(self) -> FloatFormat:
        return FLOATS[self.scale]

    @property
    def has_tensor_scale(self) -> bool:
        """Whether block scales are themselves scaled by one float32 number."""
        return self._scale.is_scaled

    @property
    def reach(self) -> float:
        """The largest magnitude over the tensor's scale (unit 1)."""
        return self.element.largest * (self._scale.largest if self.has_tensor_scale else 1.0)


class GroupFormat(NumberFormat):
    """Integers of which `group` neighbours share a binary16 scale; unsigned ones a zero point too.

    The last group may be shorter. value = (code - zero point) scale.
    """

    element: IntegerFormat = part(IntegerFormat)
    group: int = integer(1, 2**20)

    @property
    def name(self) -> str:
        """`int4_g128`, `uint4_g128`, ..."""
        return f"{self.element.name}_g{self.group}"

    @property
    def bits(self) -> float:
        """Bits of a code and the share of the scale and zero point (unit: bits)."""
        zero = 0 if self.element.signed else self.element.width
        return self.element.width + (16 + zero) / self.group


NAMED: dict[str, NumberFormat] = {
    "nvfp4": ScaledBlockFormat(element=FLOATS["fp4_e2m1"], block=16, scale="fp8_e4m3"),
    "nf4": ScaledBlockFormat(element=TableFormat(table="nf4"), block=64),
    "fp8_e4m3_1x128": ScaledBlockFormat(element=FLOATS["fp8_e4m3"], block=128),
    "fp8_e4m3_128x128": ScaledBlockFormat(element=FLOATS["fp8_e4m3"], block=128, rows=128),
}
"""The formats of this module that have a name of their own."""
