"""How is drift compensated? Digital gains and offsets from reading known inputs again, or writing
the weights anew.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

import numpy as np

from pimlab.analog.devices import Device
from pimlab.analog.draws import uniforms
from pimlab.kernels.blas import one_thread
from pimlab.keys import Key
from pimlab.values import Value, choice, integer, quantity

Correction = tuple[np.ndarray, np.ndarray]
"""(gain, offset) of every output: y becomes gain y + offset; float32 () or (n,)."""


class Readable(Protocol):
    """What a rule needs of programmed weights: `ProgrammedCrossbar` has it."""

    key: Key
    k: int
    input_scale: np.float32 | None
    sample: np.ndarray | None
    """float32 (rows, k), calibration rows, or None."""
    weights: np.ndarray | None
    """float32 (k, n), for rules that compare with them."""

    @property
    def name(self) -> str:
        """The machine's name, for errors."""

    @property
    def cell(self) -> Device:
        """The memory cell."""

    @property
    def signed_inputs(self) -> bool:
        """Whether the drivers can give negative inputs."""

    @property
    def unmoved(self) -> bool:
        """Whether cells are used at the temperature at which they were programmed."""

    def age(self, seconds: float) -> tuple[int, float]:
        """(how often the weights have been written again, seconds [s] since the last time)."""

    def reference_read(self, seconds: float, x: np.ndarray, process: Key) -> np.ndarray:
        """A read of reference inputs at that time, float32, shape (rows, n), by cells whose lasting
        noise is that of `process`.
        """

    def baseline_read(self, x: np.ndarray, process: Key) -> np.ndarray:
        """The same right after programming, at the temperature of programming. Float32,
        shape (rows, n).
        """


class DriftCompensation(Value):
    """Gains from mean |y| of reference inputs right after programming over mean |y| now.

    "Right after programming" is also at the temperature of programming, so what heat does to all
    cells alike is compensated too. Both reads go through the same noisy cells and converters as any
    other read. One gain a layer is the "global drift compensation" of Joshi et al., Nat. Commun.
    11, 2473 (2020), Methods; one a column also follows the columns' own drift.
    """

    sources: ClassVar[tuple[str, ...]] = ("joshi2020",)

    per: str = choice("layer", "column", default="layer")
    vectors: int = integer(
        1, 4096, default=64, doc="reference input rows, spread evenly over the input range"
    )

    def correction(self, programmed: Readable, seconds: float, process: Key) -> Correction | None:
        """Gain `seconds` after programming, without offset; None at the time and temperature of
        programming. Shape (n,), unit 1.
        """
        if seconds == 0 and programmed.unmoved:
            return None
        x = uniforms(Key(seed=0).child("reference inputs"), (self.vectors, programmed.k))
        if programmed.signed_inputs:
            x = 2.0 * x - np.float32(1.0)
        axis = 0 if self.per == "column" else None
        reads = programmed.baseline_read(x, process), programmed.reference_read(seconds, x, process)
        before, now = (np.abs(y).mean(axis=axis, dtype=np.float64) for y in reads)
        gain = np.where(now > 0, before / np.where(now > 0, now, 1.0), 1.0).astype(np.float32)
        return gain, np.zeros_like(gain)


class StatisticsCompensation(Value):
    """Mean and spread of every output over the calibration rows brought back to what they are in
    floating point.

    For a layer that batch normalisation follows this is what renewing its statistics does: "AdaBS"
    of Joshi et al. 2020. It needs a calibration sample, and it also mends gains and offsets present
    right after programming.
    """

    sources: ClassVar[tuple[str, ...]] = ("joshi2020",)

    rows: int = integer(
        2, 4096, default=256, doc="calibration rows read, as many as there are at most"
    )

    def correction(self, programmed: Readable, seconds: float, process: Key) -> Correction:
        """Gain and offset of every output `seconds` after programming; ValueError without a
        calibration sample. Shape (n,); the gain has the unit 1, the offset that of y.
        """
        if programmed.sample is None:
            raise ValueError(
                f"{programmed.name}: StatisticsCompensation needs program(..., "
                "calibration=...) with sample rows"
            )
        x = programmed.sample[: self.rows]
        with one_thread():
            exact = x @ np.asarray(programmed.weights)
        assert programmed.input_scale is not None
        seen = (
            programmed.reference_read(seconds, x / programmed.input_scale, process)
            * programmed.input_scale
        )
        spread = seen.std(axis=0, dtype=np.float64)
        gain = np.where(
            spread > 0, exact.std(axis=0, dtype=np.float64) / np.where(spread > 0, spread, 1.0), 1.0
        )
        offset = exact.mean(axis=0, dtype=np.float64) - gain * seen.mean(axis=0, dtype=np.float64)
        return gain.astype(np.float32), offset.astype(np.float32)


class ReferenceColumns(Value):
    """One gain a layer from `count` extra columns whose cells stand at mid-range: their conductance
    at first over that now.

    "At first" is right after programming, at the temperature of programming.
    They are programmed (and refreshed), drift and are read like all others, so the gain holds for
    the part of drift that is common to the layer, and knows nothing of how drift depends on the
    weights.
    """

    sources: ClassVar[tuple[str, ...]] = ()

    count: int = integer(1, 256, default=1)

    def correction(self, programmed: Readable, seconds: float, process: Key) -> Correction | None:
        """Gain `seconds` after programming, without offset; None at the time and temperature of
        programming. Shape (n,), unit 1.
        """
        if seconds == 0 and programmed.unmoved:
            return None
        cycle, age = programmed.age(seconds)
        cell, key = programmed.cell, programmed.key.child("reference columns")
        target = np.full((programmed.k, self.count), (cell.g_min + cell.g_max) / 2)
        written = cell.program(target, key.child("refresh", cycle) if cycle else key)
        before = cell.but(temperature=None).read(written, 0.0, key.child("read", 0)).mean()
        now = cell.read(written, age, key.child("read", round(seconds * 1e9))).mean()
        gain = np.float32(before / now) if now > 0 else np.float32(1)
        return np.asarray(gain), np.asarray(np.float32(0))


class Refresh(Value):
    """Weights are written anew every `period`: drift starts over, with new programming errors and
    one more write a cell.
    """

    period: float = quantity("s", above=0)

    def age(self, seconds: float) -> tuple[int, float]:
        """(how many times the weights have been written again, seconds [s] since the last time)."""
        cycle = int(seconds // self.period)
        return cycle, seconds - cycle * self.period


Compensation = DriftCompensation | StatisticsCompensation | ReferenceColumns
COMPENSATIONS = (DriftCompensation, StatisticsCompensation, ReferenceColumns)
