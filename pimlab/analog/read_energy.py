"""How much energy do cells and wires dissipate in a read? V I t by actual inputs and
conductances.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from pimlab.analog.circuit.wired import Polarities, gated_power, power
from pimlab.analog.design import ArrayDesign
from pimlab.analog.devices import SelectedCurrent
from pimlab.analog.mapping import tiles
from pimlab.analog.readers import Readers
from pimlab.analog.recent import recent
from pimlab.analog.written import WrittenCells


class ReadEnergy:
    """Joules [J] of reads of written cells.

    Amplitude-coded inputs give V^2, pulse widths give t. With wires, cells and lines follow from
    the solved circuit of the cells' linear conductances (behind selectors: at the read voltage);
    without, nonlinear I-V curves count as they are, and cells behind selectors as a full one.
    """

    def __init__(self, design: ArrayDesign, written: WrittenCells, readers: Readers):
        self.design, self.written, self.readers = design, written, readers
        self._matrices = recent(self._power_matrices, 2)

    def integrals(self, steps: list[np.ndarray], seconds: float) -> Mapping[str, float]:
        """Joules of "cell read" (and, with wires, "wire read") `seconds` after programming, summed
        over the rows of `steps`: inputs of each step of a read relative to full drive, float32,
        shape (batch, k).
        """
        wires = self.design.wires
        energy = self.design.read_voltage**2 * self.design.integration_time
        if wires is None:
            return {"cell read": energy * self._cells(steps, seconds)}
        solved = self._linear if wires.linear else self._gated
        cells, lines = solved(steps, seconds)
        return {"cell read": energy * cells, "wire read": energy * lines}

    def _cells(self, steps: list[np.ndarray], seconds: float) -> float:
        """Siemens [S] of all cells, weighted by how much of the voltage and time each input
        takes.
        """
        total = 0.0
        for plane in self.readers.at(seconds).planes:
            for tile in plane.tiles:
                for order, conductance in tile.load:
                    duties = (self._duty(step[:, tile.rows], order) for step in steps)
                    duty = sum(one.sum(axis=0, dtype=np.float64) for one in duties)
                    total += float(duty @ conductance)
        return total

    def _duty(self, relative: np.ndarray, order: int) -> np.ndarray:
        """Input times current of a cell whose current goes with a power of the voltage; a pulse
        lasts as long as it is wide.
        """
        magnitude = np.abs(relative)
        through = self.design.effective_input(magnitude)
        return through if self.design.pulse_width else through * magnitude**order

    def _linear(self, steps: list[np.ndarray], seconds: float) -> tuple[float, float]:
        """(cells, wires), W at 1 V, of wires whose input lines carry the current."""
        cells, lines = self._matrices(seconds)
        outer = sum((self._outer(step) for step in steps), np.zeros(cells.shape))
        return float((outer * cells).sum()), float((outer * lines).sum())

    def _power_matrices(self, seconds: float) -> tuple[np.ndarray, np.ndarray]:
        """(cells, wires) [S], (k, k): power of a read by the outer product of its inputs; inputs of
        other tiles do not meet.
        """
        assert self.design.wires is not None
        k = self.written.k
        cells, lines = np.zeros((k, k)), np.zeros((k, k))
        for part, polarities in self._circuits(seconds):
            in_cells, in_lines = power(self.design.wires, self.design.place, polarities)
            cells[part, part] += in_cells
            lines[part, part] += in_lines
        return cells, lines

    def _circuits(self, seconds: float) -> Iterator[tuple[slice, Polarities]]:
        """(rows, (sign, conductances of the devices side by side, S) of each polarity) of every
        tile of every plane.
        """
        cycle, age = self.written.age(seconds)
        for part in tiles(self.written.k, self.design.rows):
            for signed in self.written.polarities(cycle):
                yield (
                    part,
                    [
                        (sign, self._seen(cells.at(age, rows=part)).sum(axis=0))
                        for sign, cells in signed
                    ],
                )

    def _seen(self, g: np.ndarray) -> np.ndarray:
        """g [S], or what is left of it at the read voltage behind a selector; shape of g."""
        curve, volts = self.design.pair_cell.current, self.design.read_voltage
        if not isinstance(curve, SelectedCurrent):
            return g
        return curve.current(g, np.array(volts)) / volts

    def _outer(self, relative: np.ndarray) -> np.ndarray:
        """Sum over rows of products of inputs; of pulses, of the time during which both are on."""
        x = relative.astype(np.float64)
        if not self.design.pulse_width:
            return x.T @ x
        return sum(
            (np.sign(np.outer(row, row)) * np.minimum.outer(np.abs(row), np.abs(row)) for row in x),
            np.zeros((x.shape[1], x.shape[1])),
        )

    def _gated(self, steps: list[np.ndarray], seconds: float) -> tuple[float, float]:
        """(cells, wires), W at 1 V, of inputs that switch cells."""
        assert self.design.wires is not None
        cells = lines = 0.0
        for part, polarities in self._circuits(seconds):
            for step in steps:
                in_cells, in_lines = gated_power(
                    self.design.wires, self.design.place, polarities, step[:, part]
                )
                cells, lines = cells + in_cells, lines + in_lines
        return cells, lines
