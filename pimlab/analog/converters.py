"""What stands between digital codes and analog values? DAC and ADC, their resolution and how their range is chosen."""

from __future__ import annotations

import numpy as np

from pimlab.values import Value, choice, integer, number


class DAC(Value):
    """Input driver: signed codes -top..top with top = 2^(bits-1) - 1, full scale at the largest calibrated input.

    No converter is `dac=None`.
    """

    bits: int = integer(2, 16, hint="for no converter write dac=None")

    @property
    def top(self) -> int:
        """Largest code."""
        return 2 ** (self.bits - 1) - 1


class ADC(Value):
    """Column converter: mid-tread, codes clip at both ends. No converter is `adc=None`.

    `range` names the rule that finds the full scale of a column's current from calibration rows (without calibration:
    from the weights, for inputs spread evenly over the DAC's range):
    "max": the largest magnitude seen; "percentile": the 99.9th percentile of the magnitude; "sigma": |mean| plus
    `margin` standard deviations; "worst case": the sum of all magnitudes, which never clips;
    "fixed": `margin` times the current of one cell at full input and full conductance.
    """

    bits: int = integer(1, 24, hint="for no converter write adc=None")
    range: str = choice("max", "percentile", "sigma", "worst case", "fixed", default="max")
    margin: float = number(above=0, default=4.0, doc="standard deviations (sigma), or full scale in cells (fixed)")
    share: str = choice("column", "tile", "layer", default="tile", doc="which columns have one full scale")
    codes: str = choice("symmetric", "twos complement", "unsigned", default="symmetric")

    @property
    def low(self) -> int:
        """Smallest code."""
        return {"symmetric": 1 - 2 ** (self.bits - 1), "twos complement": -(2 ** (self.bits - 1)), "unsigned": 0}[self.codes]

    @property
    def high(self) -> int:
        """Largest code: what full scale stands for."""
        return 2**self.bits - 1 if self.codes == "unsigned" else 2 ** (self.bits - 1) - 1

    def check(self) -> None:
        """A symmetric converter needs two bits to have a code besides 0."""
        if self.high < 1:
            raise ValueError(f"ADC bits={self.bits} codes={self.codes!r} has no positive code; allowed: 2 or more, or codes='unsigned'")

    def lsb(self, seen: list[np.ndarray], worst: list[np.ndarray]) -> list[np.ndarray]:
        """Size of one code for every tile and column, float32 (n,) a tile.

        seen : (rows, n) a tile, column currents of calibration rows, in cells at full input and full conductance.
        worst : (n,) a tile, the largest magnitude each column can reach, same unit.
        """
        scales = [np.maximum(self._full_scale(y, w), 1e-6) for y, w in zip(seen, worst, strict=True)]
        if self.share != "column":
            scales = [np.full_like(s, s.max()) for s in scales]
        if self.share == "layer":
            scales = [np.full_like(s, max(t.max() for t in scales)) for s in scales]
        return [(s / self.high).astype(np.float32) for s in scales]

    def _full_scale(self, y: np.ndarray, worst: np.ndarray) -> np.ndarray:
        if self.range == "fixed":
            return np.full(worst.shape, self.margin)
        if self.range == "worst case":
            return worst
        if self.range == "max":
            return np.abs(y).max(axis=0)
        if self.range == "percentile":
            return np.percentile(np.abs(y), 99.9, axis=0)
        return np.abs(y.mean(axis=0)) + self.margin * y.std(axis=0)
