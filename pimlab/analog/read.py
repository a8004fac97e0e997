"""What does a read of programmed arrays return? Codes in, one product a tile, noise, codes out,
partial sums added in order.

Order of the digital sums: input steps, lowest first; within a step the weight planes; within a
plane the tiles by rows (where cells' noise is common to the steps of a read: planes, then steps,
then tiles). Rows are read in blocks whose size follows from the layer and whose position in the
whole batch is fixed, padded with zero rows, each by one BLAS thread: so every product has the same
shape and the same bits for any thread count and chunking.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numba
import numpy as np

from pimlab.analog.cells import CellDraws
from pimlab.analog.circuit.wired import Solved
from pimlab.analog.converter_errors import ConverterErrors, DriverErrors
from pimlab.analog.converters import ADC, DAC
from pimlab.analog.steps import StepNoise, least_active
from pimlab.kernels import converter, crossbar
from pimlab.kernels.blas import one_thread
from pimlab.keys import Key

_BLOCK_VALUES = 2**17
"""Values of a block's widest row set: half a megabyte, so that a block stays in a core's cache."""
_ADC_LANE = 1 << 20
"""Where the counters of converter noise start, above those of any tile."""
Words = tuple[np.uint32, np.uint32]


@dataclass(frozen=True)
class Tile:
    """One array (and its copies along n): what its cells do to an input code, in digits of integer
    weights or full conductances.

    rows : which inputs;  mean : float32 (k, n);  variance : float32 (k, n), or the one value all
    cells have, or None.
    lsb : float32 (n,), size of an ADC code, or None;  value : float32 (n,), what a code (without
    ADC: a unit) stands for.
    nonlinear : (power, float32 (k, n)) of each term of a nonlinear I-V beyond the linear one.
    third : float32 (k, n), third cumulants of the cells, where noise is drawn with its skewness.
    """

    rows: slice
    mean: np.ndarray
    variance: np.ndarray | float | None
    cells: CellDraws | None
    nonlinear: list[tuple[int, np.ndarray]]
    solved: Solved | None
    third: np.ndarray | None
    value: np.ndarray
    lsb: np.ndarray | None = None
    errors: ConverterErrors | None = None


@dataclass(frozen=True)
class PlaneTiles:
    """Tiles of one plane, its weight in the sum, and the offset that is taken off digitally (0.0:
    none is).
    """

    weight: float
    offset: float
    tiles: list[Tile]


@dataclass(frozen=True)
class Block:
    """Rows that are read together: the index of the first in the whole batch, the key, and how many
    sums of each row an ADC cut.
    """

    start: int
    words: Words
    clipped: np.ndarray


@dataclass(frozen=True)
class Reader:
    """Programmed planes at one time, with their converters.

    scale : float32 (n,), weight of code 1 (or of a full cell)
    references : column of each output, and of its reference, int (n,) each, or None.
    divisor : what sums are divided by at the very end, so that integer weights and inputs give
    exact integers until then.
    """

    planes: list[PlaneTiles]
    scale: np.ndarray
    references: tuple[np.ndarray, np.ndarray] | None
    divisor: int
    dac: DAC | None
    adc: ADC | None
    drivers: DriverErrors | None = None
    """None: drivers without errors."""
    noise_spans_steps: bool = False
    """Whether the noise of the cells is common to the steps of a read."""

    @property
    def drive(self) -> np.float32:
        """Code of a full input in one step."""
        return np.float32(1 if self.dac is None else self.dac.drive)

    @property
    def block(self) -> int:
        """Rows of a block: 128 for 1024 columns, more for narrow layers, whose blocks would be all
        overhead.
        """
        width = max(self.planes[0].tiles[0].mean.shape[1], self.planes[0].tiles[-1].rows.stop)
        return min(max(_BLOCK_VALUES // (1 << (width - 1).bit_length()), 64), 4096)

    def read(self, x: np.ndarray, full_scale: np.ndarray, key: Key) -> tuple[np.ndarray, int]:
        """y float32 (batch, n) of x float32 (batch, k) at one full scale a row, float32 (batch,), >
        0; and how many sums were cut.

        A sum is cut where an ADC's first or last code is not the nearest to what it sees.
        """
        y = np.empty((x.shape[0], self.scale.size), np.float32)
        words, block = key.words, self.block
        unit = full_scale / np.float32(self.divisor)
        starts = range(key.row - key.row % block, key.row + x.shape[0], block)

        def one(start: int) -> int:
            low, high = max(start, key.row), min(start + block, key.row + x.shape[0])
            inside, held = slice(low - key.row, high - key.row), slice(low - start, high - start)
            codes, at = (
                np.zeros((block, x.shape[1]), np.float32),
                Block(start, words, np.zeros(block, np.int64)),
            )
            encode(self.dac, x[inside], full_scale[inside], codes[held])
            out = self._block(codes, at)[held]
            y[inside] = out * unit[inside, None] * self.scale
            return int(at.clipped[held].sum())

        with one_thread():
            return y, sum(_each(one, starts))

    def _block(self, codes: np.ndarray, at: Block) -> np.ndarray:
        out = np.zeros((len(codes), self.scale.size), np.float32)
        current = np.empty((len(codes), self.planes[0].tiles[0].mean.shape[1]), np.float32)
        steps = [(1.0, codes)] if self.dac is None else self.dac.phases(codes)
        if self.noise_spans_steps:
            self._block_of_common_noise(steps, current, out, at)
            return out
        lane = 0
        for weight, step_codes in steps:
            step = self._driven(step_codes)
            squares = self._squares(step)
            for plane in self.planes:
                read = np.zeros_like(current)
                for tile in plane.tiles:
                    self._tile(tile, lane, step[:, tile.rows], squares, current, at)
                    self._finish(tile, lane, plane.offset, step_codes, current, read, at)
                    lane += 1
                _gather(read, self.references, weight * plane.weight, out)
        return out

    def _block_of_common_noise(
        self, steps: list[tuple[float, np.ndarray]], current: np.ndarray, out: np.ndarray, at: Block
    ) -> None:
        """As `_block`, for cells whose noise is the same in all steps; lanes are numbered as
        there.
        """
        count = sum(len(plane.tiles) for plane in self.planes)
        first = 0
        for plane in self.planes:
            reads = [np.zeros_like(current) for _ in steps]
            pairs = [(codes, read) for (_, codes), read in zip(steps, reads, strict=True)]
            for tile in plane.tiles:
                self._tile_of_common_noise(
                    tile, plane.offset, pairs, range(first, first + count * len(steps), count), at
                )
                first += 1
            for (weight, _), read in zip(steps, reads, strict=True):
                _gather(read, self.references, weight * plane.weight, out)

    def _tile_of_common_noise(
        self,
        tile: Tile,
        offset: float,
        pairs: list[tuple[np.ndarray, np.ndarray]],
        lanes: range,
        at: Block,
    ) -> None:
        """All steps of one tile, (codes, what their reads add up in) each, with their lanes."""
        own = [np.ascontiguousarray(self._driven(codes)[:, tile.rows]) for codes, _ in pairs]
        noise = (
            None
            if tile.variance is None
            else StepNoise(tile.variance, tile.third, at.words, at.start)
        )
        active, current = least_active(own), np.empty_like(pairs[0][1])
        for step, (codes, read), lane in zip(own, pairs, lanes, strict=True):
            if tile.solved is not None:
                current[:], spread = tile.solved.read(step)
                if noise is not None and spread is not None:
                    noise.add(step, current, lane, spread)
            else:
                self._mean(tile, step, current)
                if noise is not None:
                    noise.add(step, current, lane)
                if tile.cells is not None:
                    _few(tile.cells, lanes[0], step, active, current, at)
            self._finish(tile, lane, offset, codes, current, read, at)

    def _driven(self, codes: np.ndarray) -> np.ndarray:
        return codes if self.drivers is None else self.drivers.driven(codes)

    def _finish(
        self,
        tile: Tile,
        lane: int,
        offset: float,
        codes: np.ndarray,
        current: np.ndarray,
        read: np.ndarray,
        at: Block,
    ) -> None:
        """Converts a tile's currents and takes off digitally what its cells hold besides their
        digits.
        """
        self._convert(tile, lane, current, read, at)
        if offset and self.references is None:
            self._remove(tile, offset * codes[:, tile.rows].sum(axis=1, dtype=np.float64), read)

    def _mean(self, tile: Tile, codes: np.ndarray, current: np.ndarray) -> None:
        np.matmul(codes, tile.mean, out=current)
        for power, matrix in tile.nonlinear:
            current += (codes * np.abs(codes / self.drive) ** (power - 1)) @ matrix

    def _squares(self, step: np.ndarray) -> np.ndarray | None:
        if all(tile.variance is None for plane in self.planes for tile in plane.tiles):
            return None
        squares = np.empty_like(step)
        crossbar.square(step, squares)
        return squares

    def _tile(
        self,
        tile: Tile,
        lane: int,
        codes: np.ndarray,
        squares: np.ndarray | None,
        current: np.ndarray,
        at: Block,
    ) -> None:
        if tile.solved is not None:
            current[:], noise = tile.solved.read(codes)
            if noise is not None:
                crossbar.add_noise(current, noise, *at.words, at.start, lane)
            return
        self._mean(tile, codes, current)
        if tile.variance is None or squares is None:
            return
        own = squares[:, tile.rows]
        if isinstance(tile.variance, float):
            sigma = np.sqrt(own.sum(axis=1, dtype=np.float64) * tile.variance).astype(np.float32)
            crossbar.add_row_noise(current, sigma, *at.words, at.start, lane)
        elif tile.third is not None:
            crossbar.add_skewed_noise(
                current, own @ tile.variance, (own * codes) @ tile.third, *at.words, at.start, lane
            )
        else:
            crossbar.add_noise(current, own @ tile.variance, *at.words, at.start, lane)
        if tile.cells is not None:
            active = np.empty(len(codes), np.float32)
            crossbar.activity(codes, active)
            _few(tile.cells, lane, codes, active, current, at)

    def _convert(
        self, tile: Tile, lane: int, current: np.ndarray, read: np.ndarray, at: Block
    ) -> None:
        if tile.lsb is None or self.adc is None:
            converter.add_scaled(current, tile.value, read)
            return
        low, high = np.float32(self.adc.low), np.float32(self.adc.high)
        if self.adc.noise > 0:
            crossbar.add_column_noise(
                current,
                tile.lsb * np.float32(self.adc.noise),
                *at.words,
                at.start,
                _ADC_LANE + lane,
            )
        converter.adc_clipped(current, tile.lsb, low, high, at.clipped)
        if tile.errors is None:
            converter.adc(current, tile.lsb, low, high, tile.value, read)
        else:
            e = tile.errors
            converter.adc_table(
                current,
                tile.lsb,
                e.shift,
                e.gain,
                e.thresholds,
                self.adc.columns,
                low,
                tile.value,
                read,
            )

    def _remove(self, tile: Tile, offset: np.ndarray, read: np.ndarray) -> None:
        """Takes `offset` (a row) off the plane's sum.

        A lossless ADC gives whole sums of digits to which the nearest whole offset belongs: taking
        that off leaves exact integers. Any other ADC's codes are no sums of digits, and a rounded
        offset would add an error of up to half a code to all outputs of a row.
        """
        if tile.lsb is None or self.adc is None:
            read -= offset[:, None].astype(np.float32) * tile.value
            return
        codes = offset[:, None] / tile.lsb
        if self.adc.range == "lossless":
            codes = np.rint(codes)
        read -= codes.astype(np.float32) * tile.value


def encode(dac: DAC | None, x: np.ndarray, full_scale: np.ndarray, codes: np.ndarray) -> None:
    """Writes the codes of the input drivers, or x relative to full scale without a DAC."""
    if dac is None:
        converter.scaled(x, full_scale, codes)
    elif dac.codes == "offset binary":
        converter.dac_offset(x, full_scale, np.float32(dac.top), codes)
    else:
        if dac.codes == "unsigned" and x.size and x.min() < 0:
            raise ValueError(
                f"DAC codes='unsigned' cannot drive x={x.min()}; allowed: 0 or more, or "
                "codes='symmetric'"
            )
        converter.dac(x, full_scale, np.float32(dac.top), codes)


def _few(
    cells: CellDraws,
    lane: int,
    codes: np.ndarray,
    active: np.ndarray,
    current: np.ndarray,
    at: Block,
) -> None:
    shared = np.tile(codes, (1, cells.devices)) / np.float32(cells.devices)
    crossbar.add_cell_noise(
        current,
        shared,
        active,
        cells.needed,
        cells.plus,
        cells.plus_sigma,
        cells.minus,
        cells.minus_sigma,
        np.float32(cells.flip),
        at.words[0],
        at.words[1] ^ np.uint32(0x80000000),
        at.start,
        lane,
    )


def _gather(
    read: np.ndarray,
    references: tuple[np.ndarray, np.ndarray] | None,
    weight: float,
    out: np.ndarray,
) -> None:
    if references is not None:
        read = read[:, references[0]] - read[:, references[1]]
    out += np.float32(weight) * read


def _each(work: Callable[[int], int], items: Iterable[int]) -> list[int]:
    """`work` of every item, on as many threads as kernels may use; exceptions reach the caller."""
    items = list(items)
    threads = min(numba.get_num_threads(), len(items))
    if threads <= 1:
        return [work(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, items))
