"""How do weights become conductances? Scales, codings, slices and the planes of cells that hold
them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pimlab.analog.devices import Device
from pimlab.machine.stored import StoredWeights
from pimlab.values import Value, choice, integer


class Slices(Value):
    """Weights as integers of `bits` bits (sign included), `per_cell` of them in each cell: radix
    2^per_cell.

    `Slices(bits=8, per_cell=2)` takes four cells a weight; `Slices(bits=8, per_cell=8)` one cell of
    256 levels. Weights held as analog values are `slices=None`. combine: where the columns of a
    weight are added up: "digital", after a conversion of each; "analog", weighted by the radix
    before the one conversion.
    """

    bits: int = integer(2, 16, hint="for analog weights write slices=None")
    per_cell: int = integer(1, 16)
    combine: str = choice("digital", "analog", default="digital")

    def check(self) -> None:
        """A cell holds no more bits than the weight has."""
        if self.per_cell > self.bits:
            raise ValueError(
                f"Slices per_cell={self.per_cell} is more than bits={self.bits}; allowed: "
                f"1..{self.bits}"
            )

    @property
    def top(self) -> int:
        """Largest weight code: what the full-scale weight becomes (unit: codes)."""
        return 2 ** (self.bits - 1) - 1

    @property
    def largest_digit(self) -> int:
        """What a cell at full conductance stands for (unit: codes)."""
        return 2**self.per_cell - 1


@dataclass(frozen=True)
class Plane:
    """Cells that are read together: y = weight * sum_i x_i (plus - minus - offset), relative to the
    conductance range.

    plus : float64, shape (k, n), targets in 0..1, with reference columns where `reference_columns`
    puts them;
    minus : the same, or None where there is one cell a weight;
    offset : what every cell holds besides the digit, taken off digitally, or by the reference
    columns where there are any;
    digit : what a cell at full conductance stands for (1: analog weights, and sign bits; else the
    largest digit, or the share of it that keeps digits evenly spaced on the cell's levels).
    """

    weight: float
    plus: np.ndarray
    minus: np.ndarray | None
    offset: float
    digit: float = 1.0


def tiles(k: int, rows: int) -> list[slice]:
    """Word-line ranges of the arrays that hold k inputs, in the order in which their partial sums
    are added. Unit: inputs.
    """
    return [slice(first, min(first + rows, k)) for first in range(0, k, rows)]


def weight_scale(w: np.ndarray, scaling: str, rows: int, coverage: float = 1.0) -> np.ndarray:
    """Weight that full conductance stands for, float64, shape (k, n)-broadcastable, > 0.

    scaling : "layer", one for all; "column", one an output; "tile", one an array of `rows` word
    lines, shape (k, 1).
    coverage : the quantile of |w| that becomes full scale; larger weights saturate (1.0: none
    does).
    """
    magnitude = np.abs(w)
    if scaling == "layer":
        scale = np.full((1, w.shape[1]), _quantile(magnitude, coverage))
    elif scaling == "column":
        scale = _quantile(magnitude, coverage, axis=0)
    else:
        scale = np.empty((len(w), 1))
        for part in tiles(w.shape[0], rows):
            scale[part] = _quantile(magnitude[part], coverage)
    return np.where(scale > 0, scale, 1.0)


def code_scale(
    held: StoredWeights | None, w: np.ndarray, scaling: str, slices: Slices | None
) -> np.ndarray | None:
    """The scale by which w float32, shape (k, n) becomes the integer codes that the model's file
    holds: as `weight_scale`, float64, shape (1, n); None where cells hold analog values, the codes
    have more bits, or scales of their own where `scaling` has one for all.
    """
    if slices is None or held is None or held.part is not None or not held.holds(w):
        return None
    scale = held.scale[0].astype(np.float64)
    same = scaling == "column" or bool(np.all(scale == scale[0, 0]))
    # as many of a cell's steps to one code as there are, so that short codes use its whole range
    steps = slices.top // max(1, int(np.abs(held.codes).max()))
    return scale * (slices.top / steps) if same and steps else None


def _quantile(magnitude: np.ndarray, share: float, axis: int | None = None) -> np.ndarray:
    """float64, with `axis` kept; the largest without sorting, where that is what is asked for."""
    if share == 1:
        return magnitude.max(axis=axis, keepdims=axis is not None).astype(np.float64)
    return np.quantile(magnitude.astype(np.float64), share, axis=axis, keepdims=axis is not None)


def planes(
    relative: np.ndarray,
    coding: str,
    slices: Slices | None,
    subtract: str,
    cols: int,
    cell: Device,
    pairs: str = "one-sided",
) -> list[Plane]:
    """The planes that hold weights `relative` to full scale, float64, shape (k, n), cut to -1..1.
    Codings and pairs are those of `Crossbar`.
    """
    relative = np.clip(relative, -1.0, 1.0)
    whole = relative if slices is None else np.rint(relative * slices.top)
    background = cell.g_min / (cell.g_max - cell.g_min)
    digit = 1.0 if slices is None else _full_digit(slices, cell)
    if coding == "differential":
        found = (
            [Plane(1.0, (1 + relative) / 2, (1 - relative) / 2, 0.0)]
            if pairs == "balanced"
            else _one_sided(whole, slices, digit)
        )
        return (
            found if subtract == "analog" else [half for plane in found for half in _halves(plane)]
        )
    if coding == "complement":
        return _complement(whole, slices, background, digit)
    return _shifted(whole, coding, slices, cols, background, digit)


def _one_sided(codes: np.ndarray, slices: Slices | None, full: float) -> list[Plane]:
    """Pairs of which one cell holds the magnitude and the other is empty."""
    positive, negative = (
        _digits(np.maximum(codes, 0), slices, full),
        _digits(np.maximum(-codes, 0), slices, full),
    )
    return [
        Plane(weight, plus, minus, 0.0, full)
        for (weight, plus), (_, minus) in zip(positive, negative, strict=True)
    ]


def _full_digit(slices: Slices, cell: Device) -> float:
    """What full conductance stands for: digits go to levels as far apart as there are enough of
    them, from the lowest on.
    """
    if cell.levels is None:
        return float(slices.largest_digit)
    return (cell.levels - 1) / ((cell.levels - 1) // slices.largest_digit)


def _digits(
    magnitude: np.ndarray, slices: Slices | None, full: float
) -> list[tuple[float, np.ndarray]]:
    """(weight, relative conductance) of each slice of non-negative codes, lowest first; weights are
    relative to full scale.
    """
    if slices is None:
        return [(1.0, magnitude)]
    count = -(-(slices.bits - 1) // slices.per_cell)
    return _split(magnitude, slices, count, full)


def _split(
    codes: np.ndarray, slices: Slices, count: int, full: float
) -> list[tuple[float, np.ndarray]]:
    radix = 2**slices.per_cell
    digits = [np.floor_divide(codes, radix**p) % radix for p in range(count)]
    return [(full * radix**p / slices.top, digit / full) for p, digit in enumerate(digits)]


def _halves(plane: Plane) -> tuple[Plane, Plane]:
    """Positive and negative cells converted one by one and subtracted digitally."""
    assert plane.minus is not None
    return Plane(plane.weight, plane.plus, None, 0.0, plane.digit), Plane(
        -plane.weight, plane.minus, None, 0.0, plane.digit
    )


def _complement(
    codes: np.ndarray, slices: Slices | None, background: float, full: float
) -> list[Plane]:
    if slices is None:
        raise ValueError(
            "coding='complement' needs integer weights; write for example slices=Slices(bits=8, "
            "per_cell=1)"
        )
    unsigned = np.where(codes < 0, codes + 2**slices.bits, codes)
    half = 2 ** (slices.bits - 1)
    low = _split(unsigned % half, slices, -(-(slices.bits - 1) // slices.per_cell), full)
    sign = Plane(-half / slices.top, np.floor_divide(unsigned, half), None, background)
    return [*(Plane(weight, digit, None, background, full) for weight, digit in low), sign]


def _shifted(
    codes: np.ndarray, coding: str, slices: Slices | None, cols: int, background: float, full: float
) -> list[Plane]:
    """Weights shifted up by half the range, so that one cell holds them; the shift is the offset of
    each plane.
    """
    if slices is None:
        parts = [(2.0, (codes + 1.0) / 2.0, 0.5)]
    else:
        half = 2 ** (slices.bits - 1)
        count = -(-slices.bits // slices.per_cell)
        shift = _split(np.array([float(half)]), slices, count, full)
        digits = _split(codes + half, slices, count, full)
        parts = [
            (weight, digit, float(zero[0]))
            for (weight, digit), (_, zero) in zip(digits, shift, strict=True)
        ]
    if coding == "offset":
        return [
            Plane(weight, digit, None, zero + background, full) for weight, digit, zero in parts
        ]
    return [
        Plane(weight, _with_references(digit, zero, cols), None, zero + background, full)
        for weight, digit, zero in parts
    ]


def _with_references(digit: np.ndarray, zero: float, cols: int) -> np.ndarray:
    """`digit` (k, n) with a column of `zero` after every `cols` columns, and after the last."""
    parts = [digit[:, first : first + cols] for first in range(0, digit.shape[1], cols)]
    column = np.full((len(digit), 1), zero)
    return np.hstack([held for part in parts for held in (part, column)])


def reference_columns(n: int, cols: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each of n outputs and its array's reference stand when references follow every `cols`
    outputs, int, shape (n,) each.
    """
    output = np.arange(n)
    array = output // cols
    return output + array, np.minimum((array + 1) * cols, n) + array
