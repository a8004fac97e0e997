"""What do real converters make of their codes? Gain, offset, uneven steps and a bow, drawn once for
each of them.

`dnl` is the spread of single steps, `inl` that of a bow over the whole range, both in codes. Ends
stay where gain and offset put them: what uneven steps add up to is taken off in proportion: the
end-point definition.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pimlab.analog.converters import ADC, DAC
from pimlab.analog.draws import normals
from pimlab.keys import Key


@dataclass(frozen=True)
class Drivers:
    """Input drivers of k lines.

    gain, shift : float32 (k,), relative, and in codes;  levels : float32 (k, codes), what each code
    drives, or None where even;
    lowest, step : the first code and the distance of codes;  signed : negative codes drive the
    negative of their magnitude's level.
    """

    gain: np.ndarray
    shift: np.ndarray
    levels: np.ndarray | None
    lowest: int
    step: int
    signed: bool

    def driven(self, told: np.ndarray) -> np.ndarray:
        """float32 (batch, k): what the lines carry, in codes, when told `told`, float32 (batch,
        k).
        """
        return self._level(told) * self.gain + self.shift

    def _level(self, told: np.ndarray) -> np.ndarray:
        if self.levels is None:
            return told
        magnitude = np.abs(told) if self.signed else told
        index = ((magnitude - np.float32(self.lowest)) / np.float32(self.step)).astype(np.intp)
        found = self.levels[np.arange(told.shape[1]), index]
        return np.sign(told) * found if self.signed else found


@dataclass(frozen=True)
class Errors:
    """What one converter a column (or a few columns) does wrong: see
    `kernels.converter.adc_table`.
    """

    shift: np.ndarray
    gain: np.ndarray
    thresholds: np.ndarray


def drivers(dac: DAC | None, key: Key, k: int) -> Drivers | None:
    """The k input drivers; None where they all do as told."""
    if dac is None or not dac.uneven:
        return None
    gain, shift = normals(key, (2, k)) * np.array([[dac.gain_error], [dac.offset_error]])
    binary = dac.codes == "offset binary"
    lowest, step = (-dac.top, 2) if binary else (0, 1)
    levels = None
    if dac.dnl or dac.inl:
        ideal = np.arange(lowest, dac.drive + 1, step, dtype=np.float64)
        levels = _bent(ideal, step, k, dac.dnl, dac.inl, key).astype(np.float32)
    return Drivers(
        (1 + gain).astype(np.float32), shift.astype(np.float32), levels, lowest, step, not binary
    )


def converters(adc: ADC | None, key: Key, columns: int) -> Errors | None:
    """Gain, offset and code edges of the converters of `columns` columns; None where they have no
    errors.
    """
    if adc is None or not adc.uneven:
        return None
    count = -(-columns // adc.columns)
    gain, shift = np.repeat(
        normals(key, (2, count)) * [[adc.gain_error], [adc.offset_error]], adc.columns, axis=1
    )[:, :columns]
    ideal = np.arange(adc.high - adc.low) + adc.low + 0.5
    edges = _bent(ideal, 1, count, adc.dnl, adc.inl, key)
    return Errors(
        shift.astype(np.float32),
        (1 + gain).astype(np.float32),
        np.maximum.accumulate(edges, axis=1).astype(np.float32),
    )


def _bent(ideal: np.ndarray, step: int, count: int, dnl: float, inl: float, key: Key) -> np.ndarray:
    """float64 (count, levels): `ideal` levels, `step` apart, with uneven steps and a bow, first and
    last where they were.
    """
    if ideal.size < 2:
        return np.tile(ideal, (count, 1))
    steps = np.maximum(step * (1 + dnl * normals(key.child("dnl"), (count, ideal.size - 1))), 0.0)
    walked = np.cumsum(np.hstack([np.zeros((count, 1)), steps]), axis=1)
    walked *= (ideal[-1] - ideal[0]) / np.maximum(walked[:, -1:], 1e-9)
    place = np.linspace(-1, 1, ideal.size)
    bow = inl * normals(key.child("inl"), (count, 1)) * (1 - place**2)
    return ideal[0] + walked + step * bow
