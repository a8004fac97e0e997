"""What do converters with gain, offset, DNL and INL errors make of their codes? Errors are drawn
once for each converter.

`dnl` is the standard deviation of single steps. `inl` is that of a parabola over the whole range
that is largest in the middle. Both are in codes. The ends of the range stay where gain and offset
put them (end-point definition): the sum of the drawn steps is scaled to the range. What unequal
elements of an ADC's circuit do (`mismatch`) comes on top, from `converter_circuits`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pimlab.analog.converter_circuits import circuit_edges
from pimlab.analog.converters import ADC, DAC
from pimlab.analog.draws import normals
from pimlab.keys import Key


@dataclass(frozen=True)
class DriverErrors:
    """Errors of the input drivers of k lines.

    gain, shift : float32, shape (k,), relative, and in codes;  levels : float32, shape (k, codes),
    what each code drives, or None where steps are equal;
    lowest, step : the first code and the distance of codes;  signed : negative codes drive the
    negative of their magnitude's level.
    """

    gain: np.ndarray
    shift: np.ndarray
    levels: np.ndarray | None
    lowest: int
    step: int
    signed: bool

    def driven(self, codes: np.ndarray) -> np.ndarray:
        """float32, shape (batch, k): what the lines carry for `codes`, float32, shape (batch, k);
        both in codes.
        """
        return self._level(codes) * self.gain + self.shift

    def _level(self, codes: np.ndarray) -> np.ndarray:
        if self.levels is None:
            return codes
        magnitude = np.abs(codes) if self.signed else codes
        index = ((magnitude - np.float32(self.lowest)) / np.float32(self.step)).astype(np.intp)
        level = self.levels[np.arange(codes.shape[1]), index]
        return np.sign(codes) * level if self.signed else level


@dataclass(frozen=True)
class ConverterErrors:
    """Errors of the converters of a tile's columns, as `kernels.converter.adc_table` takes them.

    shift, gain : float32, shape (columns,), in codes, and relative;  thresholds : float32, shape
    (converters, codes - 1), upper edge of each code but the last, in codes.
    """

    shift: np.ndarray
    gain: np.ndarray
    thresholds: np.ndarray


def driver_errors(dac: DAC | None, key: Key, k: int) -> DriverErrors | None:
    """Errors of k input drivers; None where they have none. Arrays of shape (k,)."""
    if dac is None or not dac.varies:
        return None
    gain, shift = normals(key, (2, k)) * np.array([[dac.gain_error], [dac.offset_error]])
    binary = dac.codes == "offset binary"
    lowest, step = (-dac.top, 2) if binary else (0, 1)
    levels = None
    if dac.dnl or dac.inl:
        ideal = np.arange(lowest, dac.drive + 1, step, dtype=np.float64)
        levels = _levels(ideal, step, k, dac.dnl, dac.inl, key).astype(np.float32)
    return DriverErrors(
        (1 + gain).astype(np.float32), shift.astype(np.float32), levels, lowest, step, not binary
    )


def converter_errors(adc: ADC | None, key: Key, columns: int) -> ConverterErrors | None:
    """Gain, offset and code edges of the converters of `columns` columns; None where they have no
    errors. Arrays of shape (columns,), offsets in the unit of codes.
    """
    if adc is None or not adc.mismatched:
        return None
    count = -(-columns // adc.columns)
    gain, shift = np.repeat(
        normals(key, (2, count)) * [[adc.gain_error], [adc.offset_error]], adc.columns, axis=1
    )[:, :columns]
    ideal = np.arange(adc.high - adc.low) + adc.low + 0.5
    edges = _levels(ideal, 1, count, adc.dnl, adc.inl, key)
    if adc.mismatch:
        edges += circuit_edges(adc, key.child("circuit"), count) - ideal
    return ConverterErrors(
        shift.astype(np.float32),
        (1 + gain).astype(np.float32),
        np.maximum.accumulate(edges, axis=1).astype(np.float32),
    )


def _levels(
    ideal: np.ndarray, step: int, count: int, dnl: float, inl: float, key: Key
) -> np.ndarray:
    """float64, shape (count, levels): `ideal` levels, `step` apart, with DNL and INL, first and
    last in place.
    """
    if ideal.size < 2:
        return np.tile(ideal, (count, 1))
    steps = np.maximum(step * (1 + dnl * normals(key.child("dnl"), (count, ideal.size - 1))), 0.0)
    summed = np.cumsum(np.hstack([np.zeros((count, 1)), steps]), axis=1)
    summed *= (ideal[-1] - ideal[0]) / np.maximum(summed[:, -1:], 1e-9)
    place = np.linspace(-1, 1, ideal.size)
    parabola = inl * normals(key.child("inl"), (count, 1)) * (1 - place**2)
    return ideal[0] + summed + step * parabola
