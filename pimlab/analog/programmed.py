"""What stands in the arrays after programming, and what does it answer at a later time?"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from pimlab import units
from pimlab.analog.devices.clipped import cumulants, moments
from pimlab.analog.draws import uniforms
from pimlab.analog.mapping import differential, tiles, weight_scale
from pimlab.analog.read import CellSpread, Reader, Tile
from pimlab.keys import Key, as_key
from pimlab.protocol import Calibration, Programmed, checked_operands

if TYPE_CHECKING:
    from pimlab.analog.crossbar import Crossbar

KS_TOLERANCE = 0.004
"""Largest distance between the true and the Gaussian distribution of an output that is accepted without per-cell draws."""


class ProgrammedCrossbar(Programmed):
    """Weights in differential pairs of cells.

    plus, minus : float64 (k, n), programmed conductances, S;  plus_target, minus_target : what they were to be.
    scale : float64, (k, n)-broadcastable, weight a full conductance difference stands for.
    """

    def __init__(self, machine: Crossbar, w: np.ndarray, key: Key, bias: np.ndarray | None, calibration: Calibration | None):
        self.machine, self.key, self.bias = machine, key, bias
        self.k, self.n = w.shape
        self.scale = weight_scale(w, machine.scaling, machine.rows)
        relative = w / self.scale
        self.input_scale = None if calibration is None else np.float32(max(abs(calibration.x.low), abs(calibration.x.high)) or 1.0)
        cell = machine.pair_cell
        self.plus_target, self.minus_target = differential(relative, cell)
        self.plus = cell.program(self.plus_target, key.child("plus"))
        self.minus = cell.program(self.minus_target, key.child("minus"))
        self.lsb = self._lsb(relative, calibration)
        self._reader = lru_cache(maxsize=4)(self._built)
        self._gain = lru_cache(maxsize=16)(self._compensation)

    def matmul(self, x: np.ndarray, key: int | Key = 0, at: str | float = 0.0) -> np.ndarray:
        """y float32 (batch, n) of x float32 (batch, k), `at` seconds (or text) after programming.

        Read noise is keyed by `key`, which tells layers and trials apart, by row, output and tile.
        """
        seconds = units.seconds(at)
        x = checked_operands(x, self.k, self.machine.name)
        y = self._reader(seconds).read(x, self._full_scale(x), as_key(key).child("read noise"))
        gain = self._gain(seconds)
        if gain != 1.0:
            y *= np.float32(gain)
        return y if self.bias is None else y + self.bias

    def conductances(self, at: str | float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Positive and negative cells `at` that time, without read noise, S, float64 (k, n)."""
        cell = self.machine.pair_cell
        return (cell.drifted(self.plus, at, self.key.child("plus"), self.plus_target),
                cell.drifted(self.minus, at, self.key.child("minus"), self.minus_target))  # fmt: skip

    def integrals(self, x: np.ndarray) -> Mapping[str, float]:
        """V^2 G t of the cells by actual inputs and conductances, joules, summed over rows: event "cell read"."""
        costs = self.machine.costs
        if costs is None:
            return {}
        x = checked_operands(x, self.k, self.machine.name)
        relative = np.clip(x / self._full_scale(x)[:, None], -1, 1).astype(np.float64)
        g = (self.plus + self.minus).sum(axis=1)
        return {"cell read": float(costs.read_voltage**2 * costs.integration_time * (np.square(relative).sum(axis=0) @ g))}

    def _full_scale(self, x: np.ndarray) -> np.ndarray:
        """Full scale of every row: the calibrated one, or the row's own largest magnitude."""
        if self.input_scale is not None:
            return np.full(len(x), self.input_scale, np.float32)
        own = np.abs(x).max(axis=1, initial=0.0)
        return np.where(own > 0, own, np.float32(1)).astype(np.float32)

    def _lsb(self, relative: np.ndarray, calibration: Calibration | None) -> list[np.ndarray] | None:
        """ADC step of every tile and column in cells at full input, from calibration rows or from evenly spread inputs."""
        adc = self.machine.adc
        if adc is None:
            return None
        parts = tiles(self.k, self.machine.rows)
        worst = [np.abs(relative[p]).sum(axis=0) for p in parts]
        if calibration is None:
            x = 2.0 * uniforms(self.key.child("range"), (256, self.k)) - 1.0
            x[128:] = np.abs(x[128:])
        else:
            x = np.clip(checked_operands(calibration.sample, self.k, "calibration sample") / self.input_scale, -1, 1)
        return adc.lsb([x[:, p] @ relative[p] for p in parts], worst)

    def _compensation(self, seconds: float) -> float:
        rule = self.machine.compensation
        return 1.0 if rule is None or seconds == 0 else rule.gain(self, seconds)

    def reference_read(self, seconds: float, codes: np.ndarray) -> np.ndarray:
        """A read of reference inputs at full scale 1 (float32 (rows, k), within -1..1), with its own noise and conversion."""
        key = self.key.child("compensation", round(seconds * 1e9))
        return self._reader(seconds).read(codes, np.ones(len(codes), np.float32), key)

    def _built(self, seconds: float) -> Reader:
        plus, minus = self.conductances(seconds)
        made = [self._tile(index, part, plus[part], minus[part], seconds) for index, part in enumerate(tiles(self.k, self.machine.rows))]
        return Reader(made, self._shared_scale(), self.machine.dac, self.machine.adc)

    def _shared_scale(self) -> np.ndarray:
        """Weight scale of each output where all tiles have it; ones where each tile brings its own."""
        return (np.ones(self.n) if self.machine.scaling == "tile" else np.broadcast_to(self.scale, (1, self.n))[0]).astype(np.float32)

    def _tile(self, index: int, part: slice, plus: np.ndarray, minus: np.ndarray, seconds: float) -> Tile:
        machine, cell = self.machine, self.machine.pair_cell
        span = cell.g_max - cell.g_min
        top = 1.0 if machine.dac is None else float(machine.dac.top)
        mean_p, var_p = cell.read_moments(plus, seconds, self.plus_target[part])
        mean_m, var_m = cell.read_moments(minus, seconds, self.minus_target[part])
        own = self.scale[part][0] if machine.scaling == "tile" else np.ones(self.n)
        mean = ((mean_p - mean_m) / span).astype(np.float32)
        variance, cells = None, None
        if var_p is not None and var_m is not None:
            variance = _single((var_p + var_m) / span**2)
            cells = self._spread(plus, minus, seconds, part)
        if self.lsb is None:
            return Tile(part, mean, variance, cells, None, (own / top).astype(np.float32))
        return Tile(part, mean, variance, cells, self.lsb[index] * np.float32(top), (self.lsb[index] * own).astype(np.float32))

    def _spread(self, plus: np.ndarray, minus: np.ndarray, seconds: float, part: slice) -> CellSpread | None:
        """Cells for single draws, or None where the sum over cells is Gaussian even for one active input."""
        cell = self.machine.pair_cell
        assert cell.read_noise is not None
        sigma_p = cell.read_noise.spread(plus, seconds, self.plus_target[part])
        sigma_m = cell.read_noise.spread(minus, seconds, self.minus_target[part])
        needed = active_inputs_needed([(plus, sigma_p), (minus, sigma_m)])
        if not needed.any():
            return None
        span = cell.g_max - cell.g_min
        return CellSpread(needed, *[(a / span).astype(np.float32) for a in (plus, sigma_p, minus, sigma_m)])


def _single(variance: np.ndarray) -> np.ndarray | float:
    """The one value of all cells where there is only one (a product less), else float32."""
    first = variance.flat[0]
    return float(first) if (variance == first).all() else variance.astype(np.float32)


def active_inputs_needed(cells: list[tuple[np.ndarray, np.ndarray]], tolerance: float = KS_TOLERANCE) -> np.ndarray:
    """How many equal active inputs make each column's noise Gaussian to within `tolerance`, float32 (n,).

    cells : (conductance, spread before the cut at zero), float64 (k, n) each, that add into one column.
    First terms of the Edgeworth series (Kolassa 2006, chapter 3): with skewness s / sqrt(n) and excess kurtosis q / n the
    distribution function is off by at most 0.0665 s / sqrt(n) + 0.0229 q / n. Sums of Gaussians that are not cut are
    Gaussian for any number of inputs (0 needed).
    """
    k = cells[0][0].shape[0]
    variance, third, fourth = (np.zeros(cells[0][0].shape[1]) for _ in range(3))
    for g, sigma in cells:
        c3, c4 = cumulants(g, sigma)
        variance += moments(g, sigma)[1].sum(axis=0)
        third += np.abs(c3).sum(axis=0)
        fourth += np.abs(c4).sum(axis=0)
    safe = np.where(variance > 0, variance, 1.0)
    skew = 0.0665 * np.sqrt(k) * third / safe**1.5
    tail = 0.0229 * k * fourth / safe**2
    root = (skew + np.sqrt(skew**2 + 4 * tolerance * tail)) / (2 * tolerance)
    needed = root**2
    return np.where((variance > 0) & (needed > 0.5), needed, 0.0).astype(np.float32)
