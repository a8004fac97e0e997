"""What do weights in cells answer? Products at a given time, compensated for drift, with counts of
what converters cut and the energy of a read.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pimlab import units
from pimlab.analog.activity import activity
from pimlab.analog.compensation import Correction, StatisticsCompensation
from pimlab.analog.converters import DAC
from pimlab.analog.design import ArrayDesign
from pimlab.analog.devices import Device
from pimlab.analog.ranges import code_sizes
from pimlab.analog.read import encode
from pimlab.analog.read_energy import ReadEnergy
from pimlab.analog.readers import Readers
from pimlab.analog.recent import recent
from pimlab.analog.written import Signed, WrittenCells
from pimlab.constants import Constant
from pimlab.keys import Key, as_key
from pimlab.machine.protocol import MODEL_CODES, Calibration, Programmed, checked_operands
from pimlab.machine.stored import Affine


class ProgrammedCrossbar(Programmed):
    """Weights in the cells of a crossbar, ready to be read.

    machine : the `Crossbar`;  written : layout and cells;  sample : float32, shape (rows, k),
    calibration rows, or None;  weights : float32, shape (k, n), kept only for a compensation that
    compares with them.
    """

    def __init__(
        self,
        machine: ArrayDesign,
        w: np.ndarray,
        key: Key,
        bias: np.ndarray | None,
        calibration: Calibration | None,
    ):
        self.machine, self.key, self.bias = machine, key, bias
        self.k, self.n = w.shape
        self.input_scale = _input_scale(calibration, w, machine)
        held = None if calibration is None else calibration.held
        self.written = WrittenCells(machine, w, key, held)
        self.weights_as = MODEL_CODES if self.written.kept else _cells(machine)
        self.weights = w if isinstance(machine.compensation, StatisticsCompensation) else None
        self.sample = None
        if calibration is not None:
            self.sample = checked_operands(calibration.sample, self.k, "calibration sample")
        relative = None
        if self.sample is not None and self.input_scale is not None:
            relative = self.sample / self.input_scale
        positive = not machine.signed_inputs or (calibration is not None and calibration.x.low >= 0)
        sizes = code_sizes(machine, self.written.rows, self.k, relative)
        self.readers = Readers(machine, self.written, sizes, positive)
        self.energy = ReadEnergy(machine, self.written, self.readers)
        self._correction = recent(self._compensation, 16)

    def matmul(self, x: np.ndarray, key: int | Key = 0, at: str | float = 0.0) -> np.ndarray:
        """y float32, shape (batch, n) of x float32, shape (batch, k), `at` seconds (or text) after
        programming.

        Read noise is keyed by `key`, which tells layers and trials apart, by row, output and tile.
        """
        return self.counted(x, key, at)[0]

    def counted(
        self, x: np.ndarray, key: int | Key = 0, at: str | float = 0.0
    ) -> tuple[np.ndarray, Mapping[str, int]]:
        """`matmul(x, key, at)`, and how many inputs a DAC and how many sums an ADC or the current
        limit of a column cut: "inputs clipped", "sums clipped". x : float32, shape (batch, k);
        y : float32, shape (batch, n);  counts are summed over rows.
        """
        seconds = units.seconds(at)
        x = checked_operands(x, self.k, self.machine.name)
        full_scale = self._full_scale(x)
        key = as_key(key).child("read noise")
        y, cut = self.readers.at(seconds).read(x, full_scale, key)
        correction = self._correction(seconds, key.rows(0))
        if correction is not None:
            y = y * correction[0] + correction[1]
        return y if self.bias is None else y + self.bias, self._clipped(x, full_scale, cut)

    def _clipped(self, x: np.ndarray, full_scale: np.ndarray, sums: int) -> Mapping[str, int]:
        counts = {}
        if self.machine.dac is not None:
            highest = full_scale * np.float32(1 + 0.5 / self.machine.input_top)
            cut = (x.max(axis=1) > highest) | (
                x.min(axis=1) < -highest
            )  # few rows are: without them no temporary of x's size
            counts["inputs clipped"] = int(np.count_nonzero(np.abs(x[cut]) > highest[cut, None]))
        if self.machine.adc is not None or self.machine.current_limit is not None:
            counts["sums clipped"] = sums
        return counts

    def integrals(self, x: np.ndarray, at: str | float = 0.0) -> Mapping[str, float]:
        """Joules in cells and wires of reading x float32, shape (batch, k), `at` seconds [s] (or
        text) after programming, summed over rows: "cell read", and with wires "wire read"
        (`ReadEnergy`), where the macro prices cells that conduct; "discharge" and "active read"
        (`activity`), where it prices those.
        """
        x = checked_operands(x, self.k, self.machine.name)
        codes = np.empty_like(x)
        encode(self.machine.dac, x, self._full_scale(x), codes)
        full = np.float32(self.machine.drive)
        steps = [step / full for _, step in self.machine.phases(codes)]
        seconds = units.seconds(at)
        joules = self.energy.integrals(steps, seconds) if self.machine.conducts else {}
        return {**joules, **activity(self.machine, self.written, steps)}

    def _full_scale(self, x: np.ndarray) -> np.ndarray:
        """Full scale of every row: the calibrated one, or the row's own largest magnitude."""
        if self.input_scale is not None:
            return np.full(len(x), self.input_scale, np.float32)
        own = np.abs(x).max(axis=1, initial=0.0)
        return np.where(own > 0, own, np.float32(1)).astype(np.float32)

    def conductances(self, at: str | float = 0.0) -> list[tuple[float, np.ndarray]]:
        """As `WrittenCells.conductances`. Arrays of shape (devices, k, n) [S]."""
        return self.written.conductances(at)

    def programming(self) -> dict[str, Constant]:
        """As `WrittenCells.programming`. Units: J and W."""
        return self.written.programming()

    @property
    def polarities(self) -> list[Signed]:
        """For each plane the signed cells that hold it, as first written. Cells :
        shape (devices, k, n).
        """
        return self.written.polarities(0)

    @property
    def name(self) -> str:
        """The machine's name."""
        return self.machine.name

    @property
    def cell(self) -> Device:
        """The memory cell."""
        return self.machine.pair_cell

    @property
    def signed_inputs(self) -> bool:
        """Whether the drivers can give negative inputs."""
        return self.machine.signed_inputs

    def age(self, seconds: float) -> tuple[int, float]:
        """As `WrittenCells.age` (unit: s)."""
        return self.written.age(seconds)

    @property
    def unmoved(self) -> bool:
        """Whether cells are used at the temperature at which they were programmed."""
        return self.cell.temperature is None

    def _compensation(self, seconds: float, process: Key) -> Correction | None:
        rule = self.machine.compensation
        return None if rule is None else rule.correction(self, seconds, process)

    def reference_read(self, seconds: float, x: np.ndarray, process: Key) -> np.ndarray:
        """A read of reference inputs at full scale 1 (float32, shape (rows, k), within -1..1), with
        its own conversion and white noise. Noise that outlasts a read is that of `process`, the key
        of the reads that are compensated: they see the same cells at the same time.
        """
        age = round(seconds * 1e9)
        key = self.key.child("compensation", age if age or self.unmoved else "in use")
        return self.readers.at(seconds).read(x, np.ones(len(x), np.float32), key, process)[0]

    def baseline_read(self, x: np.ndarray, process: Key) -> np.ndarray:
        """As `reference_read`, right after programming and at the temperature of programming.
        Float32, shape (rows, n).
        """
        key, full = self.key.child("compensation", 0), np.ones(len(x), np.float32)
        return self.readers.at(0.0, True).read(x, full, key, process)[0]


def _input_scale(
    calibration: Calibration | None, w: np.ndarray, machine: ArrayDesign
) -> np.float32 | None:
    """Full scale of the inputs by calibration, or the one at which the codes that the model's file
    gives them are those of the DAC; None: each row has its own.
    """
    if calibration is None:
        return None
    stored, dac = calibration.stored, machine.dac
    steps = 0 if stored is None or dac is None else _steps(dac, stored.x)
    if stored is not None and steps and stored.holds(w):
        return np.float32(stored.x.scale * machine.input_top / steps)
    return np.float32(max(abs(calibration.x.low), abs(calibration.x.high)) or 1.0)


def _steps(dac: DAC, codes: Affine) -> int:
    """Codes of a DAC to one code of the model's file, less its zero point; 0 where it cannot give
    them. Of the one below -top, that of 8 bits is -128, it gives -top.
    """
    least, most = codes.lowest - codes.zero_point, codes.highest - codes.zero_point
    if dac.codes == "offset binary" or (dac.codes == "unsigned" and least < 0):
        return 0
    return dac.top // max(most, -least - 1)


def _cells(machine: ArrayDesign) -> str:
    """As `Programmed.weights_as`, of values that cells hold."""
    if machine.slices is None:
        return "values in conductances"
    return f"values in codes of {machine.slices.bits} bits"
