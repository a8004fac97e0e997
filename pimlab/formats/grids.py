"""Which numbers can a format hold? Integers, floats of any exponent and mantissa split, and blocks
that share a scale.

A format is a value; `pimlab.formats.format(name)` finds the named ones. Names: `int2`..`int16`,
`uint2`..`uint16`; `fp16`, `bf16`, `tf32`, `fp32`, `fp8_e4m3`,
`fp8_e5m2`, `fp6_e2m3`, `fp6_e3m2`, `fp4_e2m1`, and
`fp<width>_e<exponent>m<mantissa>` for any other split (with infinities, as IEEE 754 has them);
`fp8_e4m3fnuz`, `fp8_e5m2fnuz`; `e8m0`; `ternary`; `mxfp8_e4m3`, `mxfp8_e5m2`, `mxfp6_e2m3`,
`mxfp6_e3m2`, `mxfp4`, `mxint8`, `mxint4`; the weight-only blocks `q4_0`, `q4_1`, `q8_0`; and those
of `shared_scales`: `nvfp4`, `nf4`, `<float>_<rows>x<block>`, `int<width>_g<group>`,
`uint<width>_g<group>`.

OCP, "OFP8 Specification", rev. 1.0, 2023; OCP, "Microscaling Formats (MX) Specification", v1.0,
2023.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from pimlab.values import Value, choice, integer, part, truth


class NumberFormat(Value):
    """Base of every format; `format(name)` returns one of its kinds."""

    @property
    def name(self) -> str:
        """The name `format` finds it under."""
        raise NotImplementedError

    @property
    def bits(self) -> float:
        """Stored bits a number, the share of a block's scale included (unit: bits)."""
        raise NotImplementedError


class IntegerFormat(NumberFormat):
    """Two's-complement or unsigned integers of `width` bits."""

    width: int = integer(2, 16)
    signed: bool = True

    def check(self) -> None:
        """`signed` is True or False."""
        truth("IntegerFormat signed", self.signed)

    @property
    def name(self) -> str:
        """`int8`, `uint4`, ..."""
        return f"{'' if self.signed else 'u'}int{self.width}"

    @property
    def bits(self) -> float:
        """The width (unit: bits)."""
        return float(self.width)

    @property
    def lowest(self) -> int:
        """Smallest code (unit: codes)."""
        return -(2 ** (self.width - 1)) if self.signed else 0

    @property
    def highest(self) -> int:
        """Largest code (unit: codes)."""
        return 2 ** (self.width - 1) - 1 if self.signed else 2**self.width - 1

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest NumPy integer that holds every code."""
        return np.dtype(f"{'i' if self.signed else 'u'}{1 if self.width <= 8 else 2}")


class TernaryFormat(IntegerFormat):
    """The weights -1, 0 and 1 of BitNet b1.58, with the mean magnitude of what shares a scale as
    its value (Ma et al., arXiv:2402.17764, eqs. 1 to 3).
    """

    width: int = integer(2, 2, default=2)

    @property
    def name(self) -> str:
        """`ternary`."""
        return "ternary"

    @property
    def bits(self) -> float:
        """1.6: five weights fit a byte, since 3**5 = 243 (unit: bits)."""
        return 1.6

    @property
    def lowest(self) -> int:
        """-1 (unit: codes)."""
        return -1


class PowerFormat(NumberFormat):
    """E8M0, the scale of OCP's blocks: 2**-127 to 2**127 and NaN, without zero or sign."""

    @property
    def name(self) -> str:
        """`e8m0`."""
        return "e8m0"

    @property
    def bits(self) -> float:
        """Eight (unit: bits)."""
        return 8.0

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """float32 values of the bytes `codes`; 255 is NaN. Of the shape (...) of the codes."""
        codes = np.asarray(codes).astype(np.int32)
        powers = np.ldexp(np.float32(1), np.minimum(codes, 254) - 127)
        return np.where(codes == 255, np.float32(np.nan), powers)

    def encode(self, values: np.ndarray) -> np.ndarray:
        """uint8 codes of `values`, each a number of this format (see `cast`), or NaN. Of the
        shape (...) of the values.
        """
        values = np.asarray(values, dtype=np.float32)
        codes = np.where(np.isnan(values), 255, np.frexp(np.nan_to_num(values))[1] + 126)
        wrong = (self.decode(codes) != values) & ~np.isnan(values)
        if wrong.any():
            raise ValueError(
                f"e8m0 does not hold {values[wrong].flat[0]!r}; write cast(values, 'e8m0') first"
            )
        return codes.astype(np.uint8)


class FloatFormat(NumberFormat):
    """Sign, `exponent` and `mantissa` bits with subnormals; every value is also a float32.

    specials: "ieee" keeps the top exponent for infinities and NaN; "nan" keeps only the all-ones
    code, for NaN (OCP E4M3); "fnuz" keeps only the code of -0, for NaN, and has a bias larger by 1
    (Noune et al., arXiv:2206.02915; AMD's MI300); "none" keeps nothing, so that every code is a
    number (OCP FP6 and FP4).
    """

    exponent: int = integer(1, 8)
    mantissa: int = integer(0, 23)
    specials: str = choice("ieee", "nan", "fnuz", "none", default="ieee")

    def check(self) -> None:
        """The split leaves at least one normal number, tells infinity from NaN, and stays inside
        float32.
        """
        split = (
            f"FloatFormat exponent={self.exponent} mantissa={self.mantissa} "
            f"specials={self.specials!r}"
        )
        if self.specials == "ieee" and (self.exponent < 2 or self.mantissa < 1):
            raise ValueError(
                f"{split} cannot exist: infinity and NaN need exponent >= 2 and mantissa >= 1; "
                "else write specials='none'"
            )
        if self.specials == "nan" and (self.exponent < 2 or self.mantissa < 1):
            raise ValueError(
                f"{split} cannot exist: a NaN code beside numbers needs exponent >= 2 and mantissa "
                ">= 1"
            )
        if self.emax > 127:
            raise ValueError(
                f"{split} reaches 2**{self.emax}, beyond float32; allowed with 8 exponent bits: "
                "specials='ieee'"
            )

    @property
    def name(self) -> str:
        """The common name, or `fp<width>_e<exponent>m<mantissa>`; `/nan` or `/none` follows where
        that would not say it all.
        """
        known = [name for name, value in FLOATS.items() if value == self]
        plain = f"fp{self.width}_e{self.exponent}m{self.mantissa}"
        suffix = f"/{self.specials}" if self.specials != "ieee" or plain in FLOATS else ""
        return known[0] if known else plain + suffix

    @property
    def width(self) -> int:
        """Bits of one code, sign included (unit: bits)."""
        return 1 + self.exponent + self.mantissa

    @property
    def bits(self) -> float:
        """The width (unit: bits)."""
        return float(self.width)

    @property
    def is_scaled(self) -> bool:
        """Whether values are scaled to the range before they are cast: so formats of at most 8 bits
        are used, while wider ones hold values as they are.
        """
        return self.width <= 8

    @property
    def bias(self) -> int:
        """Exponent bias, 2**(exponent - 1) - 1 (unit 1); 1 more for "fnuz"."""
        return 2 ** (self.exponent - 1) - (self.specials != "fnuz")

    @property
    def emin(self) -> int:
        """Exponent of the smallest normal number (unit 1)."""
        return 1 - self.bias

    @property
    def emax(self) -> int:
        """Exponent of the largest finite number (unit 1)."""
        return 2**self.exponent - 1 - self.bias - (self.specials == "ieee")

    @property
    def largest(self) -> float:
        """The largest finite number (unit 1)."""
        return 2.0**self.emax * (2.0 - 2.0**-self.mantissa * (2 if self.specials == "nan" else 1))

    @property
    def smallest(self) -> float:
        """The smallest positive number, which is also the step between subnormals (unit 1)."""
        return 2.0 ** (self.emin - self.mantissa)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest unsigned NumPy integer that holds a code."""
        return np.dtype(
            np.uint8 if self.width <= 8 else np.uint16 if self.width <= 16 else np.uint32
        )

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """float32 values of the bit patterns `codes`, integers 0..2**width - 1. Of the shape (...)
        of the codes.
        """
        codes = np.asarray(codes).astype(np.int64)
        field = codes >> self.mantissa & 2**self.exponent - 1
        fraction = (codes & 2**self.mantissa - 1).astype(np.float64)
        lead = np.where(field > 0, 2.0**self.mantissa, 0.0)
        value = np.ldexp(lead + fraction, np.maximum(field, 1) - self.bias - self.mantissa)
        magnitude = codes & 2 ** (self.width - 1) - 1
        top = (2**self.exponent - 1) << self.mantissa
        if self.specials == "ieee":
            value = np.where(magnitude == top, np.inf, np.where(magnitude > top, np.nan, value))
        elif self.specials == "nan":
            value = np.where(magnitude == 2 ** (self.width - 1) - 1, np.nan, value)
        elif self.specials == "fnuz":
            value = np.where(codes == 2 ** (self.width - 1), np.nan, value)
        return np.where(codes >> self.width - 1 & 1, -value, value).astype(np.float32)

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Bit patterns of `values`, each a number this format holds (see `cast`); ValueError for
        one it does not hold. Of the shape (...) of the values.
        """
        values = np.asarray(values, dtype=np.float32)
        codes = self._magnitudes(values) | (values.view(np.uint32) >> np.uint32(31)) << np.uint32(
            self.width - 1
        )
        if self.specials == "fnuz":  # the code of -0 is NaN
            codes = np.where(
                values == 0, 0, np.where(np.isnan(values), 2 ** (self.width - 1), codes)
            )
        back = self.values[codes] if self.width <= 16 else self.decode(codes)
        wrong = (back != values) & ~(np.isnan(values) & np.isnan(back))
        if wrong.any():
            raise ValueError(
                f"{self.name} does not hold {values[wrong].flat[0]!r}; write cast(values, "
                f"{self.name!r}) first"
            )
        return codes.astype(self.dtype)

    def _magnitudes(self, values: np.ndarray) -> np.ndarray:
        """uint32 codes of |values|, right where this format holds them: float32's bits with another
        bias, or multiples of `smallest`.
        """
        size = values.view(np.uint32) & np.uint32(0x7FFFFFFF)
        normal = (size >> np.uint32(23 - self.mantissa)) - np.uint32(
            (127 - self.bias) << self.mantissa
        )
        small = np.minimum(np.abs(values), np.float32(2.0**self.emin)) / np.float32(self.smallest)
        codes = np.where(
            size < np.float32(2.0**self.emin).view(np.uint32),
            np.nan_to_num(small).astype(np.uint32),
            normal,
        )
        top = (2**self.exponent - 1) << self.mantissa
        codes = np.where(
            size >= 0x7F800000, np.where(size > 0x7F800000, 2 ** (self.width - 1) - 1, top), codes
        )
        return (codes & np.uint32(2 ** (self.width - 1) - 1)).astype(np.uint32)

    @cached_property
    def values(self) -> np.ndarray:
        """float32 value of every code, in code order; the format is at most 16 bits wide. Shape
        (2**width,).
        """
        if self.width > 16:
            raise ValueError(
                f"{self.name} has 2**{self.width} values; allowed: formats of at most 16 bits"
            )
        return self.decode(np.arange(2**self.width))


class MicroscalingFormat(NumberFormat):
    """OCP MX: `block` elements share a power of two, 2**(floor(log2 max) - emax of the element);
    nearest even, saturating.

    An integer element of width b counts in steps of 2**-(b - 2) and stays within +-(2**(b-1) - 1)
    steps, so its emax is 0.
    """

    element: FloatFormat | IntegerFormat = part(FloatFormat, IntegerFormat)
    block: int = integer(1, 2**20, default=32)

    def check(self) -> None:
        """An integer element is signed."""
        if isinstance(self.element, IntegerFormat) and not self.element.signed:
            raise ValueError(
                f"MicroscalingFormat element={self.element.name} is unsigned; allowed: signed "
                "integers and floats"
            )

    @property
    def name(self) -> str:
        """`mxfp8_e4m3`, ...; `mxfp4` for E2M1."""
        known = [name for name, value in BLOCKS.items() if value == self]
        return known[0] if known else f"mx{self.element.name}/{self.block}"

    @property
    def bits(self) -> float:
        """Element bits and the share of the 8-bit scale (unit: bits)."""
        return self.element.bits + 8 / self.block

    @property
    def emax(self) -> int:
        """Exponent of the element's largest number (unit 1)."""
        return self.element.emax if isinstance(self.element, FloatFormat) else 0

    @property
    def step(self) -> float:
        """Smallest positive element before scaling (unit 1)."""
        return (
            self.element.smallest
            if isinstance(self.element, FloatFormat)
            else 2.0 ** (2 - self.element.width)
        )

    @property
    def largest(self) -> float:
        """Largest element before scaling (unit 1)."""
        if isinstance(self.element, FloatFormat):
            return self.element.largest
        return self.element.highest / 2 ** (self.element.width - 2)


class BlockedFormat(NumberFormat):
    """Weight-only blocks of 32 with a binary16 scale, by the rules llama.cpp named.

    q4_0: d = (signed value of the largest magnitude) / -8, code = min(15, floor(x / d + 8.5)) - 8,
    value = code d. q4_1: d = (max - min) / 15, code = min(15, floor((x - min) / d + 0.5)), value =
    code d + min, min in binary16 too. q8_0: d = max|x| / 127, code = round(x / d) with halves away
    from zero, value = code d. 1/d is taken in float32 before d is rounded to binary16, as those
    rules have it.
    """

    rule: str = choice("q4_0", "q4_1", "q8_0")

    @property
    def name(self) -> str:
        """The rule's name."""
        return self.rule

    @property
    def block(self) -> int:
        """Numbers that share a scale (unit: numbers)."""
        return 32

    @property
    def bits(self) -> float:
        """4.5, 5 or 8.5 bits a weight. Unit: bits."""
        return {"q4_0": 4.5, "q4_1": 5.0, "q8_0": 8.5}[self.rule]


def _float(exponent: int, mantissa: int, specials: str = "ieee") -> FloatFormat:
    return FloatFormat(exponent=exponent, mantissa=mantissa, specials=specials)


FLOATS: dict[str, FloatFormat] = {
    "fp32": _float(8, 23),
    "tf32": _float(8, 10),
    "bf16": _float(8, 7),
    "fp16": _float(5, 10),
    "fp8_e5m2": _float(5, 2),
    "fp8_e4m3": _float(4, 3, "nan"),
    "fp8_e5m2fnuz": _float(5, 2, "fnuz"),
    "fp8_e4m3fnuz": _float(4, 3, "fnuz"),
    "fp6_e3m2": _float(3, 2, "none"),
    "fp6_e2m3": _float(2, 3, "none"),
    "fp4_e2m1": _float(2, 1, "none"),
}
INTEGERS: dict[str, IntegerFormat] = {
    value.name: value
    for width in range(2, 17)
    for signed in (True, False)
    for value in (IntegerFormat(width=width, signed=signed),)
}
BLOCKS: dict[str, NumberFormat] = {
    "mxfp8_e4m3": MicroscalingFormat(element=FLOATS["fp8_e4m3"]),
    "mxfp8_e5m2": MicroscalingFormat(element=FLOATS["fp8_e5m2"]),
    "mxfp6_e3m2": MicroscalingFormat(element=FLOATS["fp6_e3m2"]),
    "mxfp6_e2m3": MicroscalingFormat(element=FLOATS["fp6_e2m3"]),
    "mxfp4": MicroscalingFormat(element=FLOATS["fp4_e2m1"]),
    "mxint8": MicroscalingFormat(element=INTEGERS["int8"]),
    "mxint4": MicroscalingFormat(element=INTEGERS["int4"]),
    "ternary": TernaryFormat(),
    "e8m0": PowerFormat(),
    "q4_0": BlockedFormat(rule="q4_0"),
    "q4_1": BlockedFormat(rule="q4_1"),
    "q8_0": BlockedFormat(rule="q8_0"),
}
