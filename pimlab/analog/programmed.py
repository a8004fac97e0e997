"""What stands in the arrays after programming, and what does it answer at a later time?"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from pimlab import units
from pimlab.analog.cells import Bank, Reading, Seen, seen
from pimlab.analog.circuit.wired import gated_power, power
from pimlab.analog.compensation import Correction, StatisticsCompensation
from pimlab.analog.draws import uniforms
from pimlab.analog.energy import programming_energy
from pimlab.analog.mapping import Plane, planes, reference_columns, tiles, weight_scale
from pimlab.analog.read import PlaneTiles, Reader, Tile, encode
from pimlab.analog.uneven import Drivers, converters, drivers
from pimlab.constants import Constant
from pimlab.kernels.blas import one_thread
from pimlab.keys import Key, as_key
from pimlab.machine.protocol import Calibration, Programmed, checked_operands

if TYPE_CHECKING:
    from pimlab.analog.crossbar import Crossbar


class ProgrammedCrossbar(Programmed):
    """Weights in cells.

    planes : how the weights are laid out;  sample : float32 (rows, k), calibration rows, or None;
    scale : float64, (k, n)-broadcastable, weight a full conductance difference stands for.
    """

    def __init__(
        self,
        machine: Crossbar,
        w: np.ndarray,
        key: Key,
        bias: np.ndarray | None,
        calibration: Calibration | None,
    ):
        self.machine, self.key, self.bias = machine, key, bias
        self.k, self.n = w.shape
        self.input_scale = _input_scale(calibration)
        self.positive = not machine.signed_inputs or (
            calibration is not None and calibration.x.low >= 0
        )
        self.scale = weight_scale(w, machine.scaling, machine.rows, machine.coverage)
        self.planes = planes(
            w / self.scale,
            machine.coding,
            machine.slices,
            machine.subtract,
            machine.cols,
            machine.pair_cell,
        )
        self.weights = w if isinstance(machine.compensation, StatisticsCompensation) else None
        self.sample = (
            None
            if calibration is None
            else checked_operands(calibration.sample, self.k, "calibration sample")
        )
        self._written = lru_cache(maxsize=2)(self._write)
        self.steps = self._steps()
        self._watts: tuple[np.ndarray, np.ndarray] | None = None
        self._reader = lru_cache(maxsize=4)(self._built)
        self._correction = lru_cache(maxsize=16)(self._compensation)

    def matmul(self, x: np.ndarray, key: int | Key = 0, at: str | float = 0.0) -> np.ndarray:
        """y float32 (batch, n) of x float32 (batch, k), `at` seconds (or text) after programming.

        Read noise is keyed by `key`, which tells layers and trials apart, by row, output and tile.
        """
        return self.counted(x, key, at)[0]

    def counted(
        self, x: np.ndarray, key: int | Key = 0, at: str | float = 0.0
    ) -> tuple[np.ndarray, Mapping[str, int]]:
        """`matmul(x, key, at)`, and how many inputs a DAC and how many sums an ADC cut: "inputs
        clipped", "sums clipped".
        """
        seconds = units.seconds(at)
        x = checked_operands(x, self.k, self.machine.name)
        full_scale = self._full_scale(x)
        y, cut = self._reader(seconds).read(x, full_scale, as_key(key).child("read noise"))
        correction = self._correction(seconds)
        if correction is not None:
            y = y * correction[0] + correction[1]
        return y if self.bias is None else y + self.bias, self._clipped(x, full_scale, cut)

    def _clipped(self, x: np.ndarray, full_scale: np.ndarray, sums: int) -> Mapping[str, int]:
        counts = {}
        if self.machine.dac is not None:
            highest = full_scale * np.float32(1 + 0.5 / self._top)
            cut = (x.max(axis=1) > highest) | (
                x.min(axis=1) < -highest
            )  # few rows are: without them no temporary of x's size
            counts["inputs clipped"] = int(np.count_nonzero(np.abs(x[cut]) > highest[cut, None]))
        if self.machine.adc is not None:
            counts["sums clipped"] = sums
        return counts

    def conductances(self, at: str | float = 0.0) -> list[tuple[float, np.ndarray]]:
        """(sign times weight in the sum, conductances without read noise, S, float64 (devices, k,
        n)) of every bank.
        """
        cycle, age = self.age(units.seconds(at))
        held = zip(self.planes, self._written(cycle), strict=True)
        return [
            (plane.weight * sign, bank.at(age)) for plane, banks in held for sign, bank in banks
        ]

    @property
    def banks(self) -> list[list[tuple[float, Bank]]]:
        """For each plane the signed cells that hold it, as first written."""
        return self._written(0)

    def programming(self) -> dict[str, Constant]:
        """ "energy" (J) of writing all cells once, and "power" (W) of refreshing them; KeyError for
        a cell without a write energy.
        """
        once = programming_energy(self.machine.pair_cell, self.cells)
        if self.machine.refresh is None:
            return {"energy": once}
        rate = 1 / self.machine.refresh.period
        return {
            "energy": once,
            "power": once.but(
                unit="W", value=once.value * rate, low=once.low * rate, high=once.high * rate
            ),
        }

    @property
    def cells(self) -> int:
        """How many cells hold these weights."""
        return sum(bank.programmed.size for banks in self.banks for _, bank in banks)

    def integrals(self, x: np.ndarray) -> Mapping[str, float]:
        """V I t by actual inputs and conductances, joules, summed over rows: "cell read", and with
        wires "wire read".

        Amplitude-coded inputs give V^2, pulse widths give t. With wires both follow from the solved
        circuit, of the straight part of the cells' I-V curves; without, bent curves count as they
        are.
        """
        costs = self.machine.costs
        x = checked_operands(x, self.k, self.machine.name)
        codes = np.empty_like(x)
        encode(self.machine.dac, x, self._full_scale(x), codes)
        steps = [step / np.float32(self._drive) for _, step in self._phases(codes)]
        energy = costs.read_voltage**2 * costs.integration_time
        if self.machine.wires is not None and self.machine.wires.linear:
            cells, lines = self._power()
            outer = sum(self._outer(step) for step in steps)
            return {
                "cell read": float(energy * (outer * cells).sum()),
                "wire read": float(energy * (outer * lines).sum()),
            }
        if self.machine.wires is not None:
            cell, line = self._gated_power(steps)
            return {"cell read": energy * cell, "wire read": energy * line}
        total = 0.0
        for order, coefficient in self._conducts():
            duty = sum(self._duty(step, order).sum(axis=0, dtype=np.float64) for step in steps)
            total += float(duty @ coefficient)
        return {"cell read": energy * total}

    def _conducts(self) -> list[tuple[int, np.ndarray]]:
        """(power of the input, S at full input, (k,)) of each term of the cells' current."""
        banks = [bank.programmed for plane in self.banks for _, bank in plane]
        found = [(1, sum(g.sum(axis=(0, 2)) for g in banks))]
        curve = self.machine.pair_cell.current
        if curve is not None:
            volts = self.machine.read_voltage
            found += [
                (order, term.sum(axis=(0, 2)) * volts ** (order - 1))
                for g in banks
                for order, term in curve.terms(g)
            ]
        return found

    def _gated_power(self, steps: list[np.ndarray]) -> tuple[float, float]:
        """(cells, wires), W at 1 V, of all reads of inputs that switch cells."""
        assert self.machine.wires is not None
        cells = lines = 0.0
        for part in tiles(self.k, self.machine.rows):
            for banks in self.banks:
                polarities = [(sign, bank.programmed[:, part].sum(axis=0)) for sign, bank in banks]
                for step in steps:
                    found = gated_power(
                        self.machine.wires, self.machine.array_columns, polarities, step[:, part]
                    )
                    cells, lines = cells + found[0], lines + found[1]
        return cells, lines

    def _power(self) -> tuple[np.ndarray, np.ndarray]:
        """(cells, wires), S, (k, k): power of a read by the outer product of its inputs; inputs of
        other tiles do not meet.
        """
        if self._watts is None:
            assert self.machine.wires is not None
            cells, lines = np.zeros((self.k, self.k)), np.zeros((self.k, self.k))
            for part in tiles(self.k, self.machine.rows):
                for banks in self.banks:
                    polarities = [
                        (sign, bank.programmed[:, part].sum(axis=0)) for sign, bank in banks
                    ]
                    found = power(self.machine.wires, self.machine.array_columns, polarities)
                    cells[part, part] += found[0]
                    lines[part, part] += found[1]
            self._watts = cells, lines
        return self._watts

    def _outer(self, relative: np.ndarray) -> np.ndarray:
        """Sum over rows of products of inputs; of pulses, of the time during which both are on."""
        x = relative.astype(np.float64)
        if not self._width:
            return x.T @ x
        return sum(
            (np.sign(np.outer(row, row)) * np.minimum.outer(np.abs(row), np.abs(row)) for row in x),
            np.zeros((self.k, self.k)),
        )

    def _duty(self, relative: np.ndarray, order: int) -> np.ndarray:
        """Input times current of a cell whose current goes with a power of the voltage; a pulse
        lasts as long as it is wide.
        """
        magnitude = np.abs(relative)
        return magnitude if self._width else magnitude ** (order + 1)

    @property
    def _width(self) -> bool:
        return self.machine.dac is not None and self.machine.dac.encoding == "pulse width"

    @property
    def _drive(self) -> int:
        return 1 if self.machine.dac is None else self.machine.dac.drive

    @property
    def _top(self) -> int:
        return 1 if self.machine.dac is None else self.machine.dac.top

    @property
    def _codes(self) -> int:
        """What sums are divided by at the end of a read; analog weights have no integers to keep
        until then.
        """
        return 1 if self.machine.slices is None else self._top

    @property
    def _weight_top(self) -> int:
        return 1 if self.machine.slices is None else self.machine.slices.top

    def _phases(self, codes: np.ndarray) -> list[tuple[float, np.ndarray]]:
        return [(1.0, codes)] if self.machine.dac is None else self.machine.dac.phases(codes)

    def age(self, seconds: float) -> tuple[int, float]:
        """(how often the weights have been written again, seconds since)."""
        return (0, seconds) if self.machine.refresh is None else self.machine.refresh.age(seconds)

    def _write(self, cycle: int) -> list[list[tuple[float, Bank]]]:
        key = self.key if cycle == 0 else self.key.child("refresh", cycle)
        return [self._banks(index, plane, key) for index, plane in enumerate(self.planes)]

    def _banks(self, index: int, plane: Plane, key: Key) -> list[tuple[float, Bank]]:
        cell, devices = self.machine.pair_cell, self.machine.devices
        halves = (
            [(1.0, "plus", plane.plus)]
            if plane.minus is None
            else [(1.0, "plus", plane.plus), (-1.0, "minus", plane.minus)]
        )
        return [
            (sign, Bank(cell, held, key.child(name, index), self.key.child(name, index), devices))
            for sign, name, held in halves
        ]

    def _full_scale(self, x: np.ndarray) -> np.ndarray:
        """Full scale of every row: the calibrated one, or the row's own largest magnitude."""
        if self.input_scale is not None:
            return np.full(len(x), self.input_scale, np.float32)
        own = np.abs(x).max(axis=1, initial=0.0)
        return np.where(own > 0, own, np.float32(1)).astype(np.float32)

    def _steps(self) -> list[list[np.ndarray]] | None:
        """ADC step of every plane, tile and column in cells at full drive, float64 (n,); None
        without ADC.
        """
        machine, adc = self.machine, self.machine.adc
        if adc is None:
            return None
        driven = [step / np.float32(self._drive) for _, step in self._phases(self._range_codes())]
        found = []
        for plane in self.planes:
            relative = plane.plus + (machine.background if plane.minus is None else -plane.minus)
            parts = tiles(self.k, machine.rows)
            with one_thread():
                sums = [np.vstack([step[:, p] @ relative[p] for step in driven]) for p in parts]
            unit = (
                1.0 / (self._drive * plane.digit)
                if machine.dac is not None and machine.slices is not None
                else None
            )
            found.append(adc.step(sums, [np.abs(relative[p]).sum(axis=0) for p in parts], unit))
        return found

    def _range_codes(self) -> np.ndarray:
        """Codes of the rows that choose ADC ranges: calibration rows, or inputs spread evenly over
        the range, half of them positive.
        """
        if self.sample is None or self.input_scale is None:
            x = uniforms(Key(seed=0).child("range"), (256, self.k))
            if self.machine.dac is None or self.machine.dac.codes != "unsigned":
                x[:128] = 2.0 * x[:128] - 1.0
        else:
            x = self.sample / self.input_scale
        codes = np.empty_like(x)
        encode(self.machine.dac, x, np.ones(len(x), np.float32), codes)
        return codes

    def _compensation(self, seconds: float) -> Correction | None:
        rule = self.machine.compensation
        return None if rule is None else rule.correction(self, seconds)

    def reference_read(self, seconds: float, x: np.ndarray) -> np.ndarray:
        """A read of reference inputs at full scale 1 (float32 (rows, k), within -1..1), with its
        own noise and conversion.
        """
        age = round(seconds * 1e9)
        key = self.key.child("compensation", age if age or self.unmoved else "in use")
        return self._reader(seconds).read(x, np.ones(len(x), np.float32), key)[0]

    def baseline_read(self, x: np.ndarray) -> np.ndarray:
        """As `reference_read`, right after programming and at the temperature of programming."""
        return self._reader(0.0, True).read(
            x, np.ones(len(x), np.float32), self.key.child("compensation", 0)
        )[0]

    @property
    def unmoved(self) -> bool:
        """Whether cells are used at the temperature at which they were programmed."""
        return self.machine.pair_cell.temperature is None

    def _built(self, seconds: float, cool: bool = False) -> Reader:
        made = [self._plane(index, seconds, cool) for index in range(len(self.planes))]
        references = None
        if self.machine.coding == "offset column":
            references = reference_columns(self.n, self.machine.cols)
        return Reader(
            made,
            self._shared_scale(),
            references,
            self._codes,
            self.machine.dac,
            self.machine.adc,
            self._drivers(),
            self._slow,
        )

    @property
    def _slow(self) -> bool:
        noise = self.machine.pair_cell.read_noise
        return noise is not None and noise.slow and self.machine.steps > 1

    def _drivers(self) -> Drivers | None:
        """None where inputs switch cells: a switch is open or closed."""
        return (
            None if self.machine.gated else drivers(self.machine.dac, self.key.child("dac"), self.k)
        )

    def _shared_scale(self) -> np.ndarray:
        """Weight of code 1 of each output where all tiles have the same; ones where each tile
        brings its own.
        """
        shared = (
            np.ones(self.n)
            if self.machine.scaling == "tile"
            else np.broadcast_to(self.scale, (1, self.n))[0] / self._weight_top
        )
        return shared.astype(np.float32)

    def _plane(self, index: int, seconds: float, cool: bool) -> PlaneTiles:
        cycle, age = self.age(seconds)
        plane, banks = self.planes[index], self._written(cycle)[index]
        nows = [bank.at(age, cool) for _, bank in banks]
        parts = tiles(self.k, self.machine.rows)
        cell = self.machine.pair_cell
        unit = (cell.g_max - cell.g_min) / plane.digit
        how = Reading(
            age,
            self.machine.read_voltage,
            self.machine.wires,
            self.machine.array_columns,
            self.positive,
            self._drive,
            self._width,
            unit,
        )
        made = [
            self._tile(index, t, part, seen(banks, nows, part, how)) for t, part in enumerate(parts)
        ]
        return PlaneTiles(
            plane.weight * self._weight_top / plane.digit, plane.offset * plane.digit, made
        )

    def _tile(self, plane: int, index: int, part: slice, found: Seen) -> Tile:
        third = None if found.third is None else found.third.astype(np.float32)
        variance = (
            None
            if found.variance is None
            else _single(found.variance)
            if third is None
            else found.variance.astype(np.float32)
        )
        full = (self.machine.dac is not None and self._drive == 1) or self._width
        linear = found.mean + sum(term for _, term in found.bent) if full else found.mean
        mean, bent = (
            linear.astype(np.float32),
            [] if full else [(power, term.astype(np.float32)) for power, term in found.bent],
        )
        own = self.scale[part][0, 0] / self._weight_top if self.machine.scaling == "tile" else 1.0
        own = own * self._codes / self._top
        tile = Tile(
            rows=part,
            mean=mean,
            variance=variance,
            cells=found.cells,
            bent=bent,
            solved=found.solved,
            third=third,
            value=np.full(mean.shape[1], own, np.float32),
        )
        if self.steps is None:
            return tile
        lsb = self.steps[plane][index] * (self._drive * self.planes[plane].digit)
        errors = converters(self.machine.adc, self.key.child("adc", plane, index), lsb.size)
        return dataclasses.replace(
            tile, lsb=lsb.astype(np.float32), value=(lsb * own).astype(np.float32), errors=errors
        )


def _input_scale(calibration: Calibration | None) -> np.float32 | None:
    """Full scale of the inputs by calibration; None: each row has its own."""
    return (
        None
        if calibration is None
        else np.float32(max(abs(calibration.x.low), abs(calibration.x.high)) or 1.0)
    )


def _single(variance: np.ndarray) -> np.ndarray | float:
    """The one value of all cells where there is only one (a product less), else float32."""
    first = variance.flat[0]
    return float(first) if (variance == first).all() else variance.astype(np.float32)


class BiasInRows(Programmed):
    """Weights whose last `rows` word lines hold the bias and are driven at `full_scale` in every
    read.
    """

    def __init__(self, inner: ProgrammedCrossbar, rows: int, full_scale: float):
        self.inner, self.rows, self.full_scale = inner, rows, full_scale

    def matmul(self, x: np.ndarray, key: int | Key = 0, at: str | float = 0.0) -> np.ndarray:
        """As `ProgrammedCrossbar.matmul`, of x float32 (batch, k) without the bias rows."""
        return self.inner.matmul(self._driven(x), key, at)

    def counted(
        self, x: np.ndarray, key: int | Key = 0, at: str | float = 0.0
    ) -> tuple[np.ndarray, Mapping[str, int]]:
        """As `ProgrammedCrossbar.counted`."""
        return self.inner.counted(self._driven(x), key, at)

    def integrals(self, x: np.ndarray) -> Mapping[str, float]:
        """As `ProgrammedCrossbar.integrals`."""
        return self.inner.integrals(self._driven(x))

    def _driven(self, x: np.ndarray) -> np.ndarray:
        x = checked_operands(x, self.inner.k - self.rows, self.inner.machine.name)
        return bias_inputs(x, self.rows, self.full_scale)


def bias_inputs(x: np.ndarray, rows: int, full_scale: float) -> np.ndarray:
    """x float32 (batch, k) beside `rows` inputs at full scale."""
    return np.hstack([x, np.full((len(x), rows), full_scale, np.float32)])
