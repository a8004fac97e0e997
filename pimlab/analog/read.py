"""What does a read of programmed arrays return? Codes in, one product a tile, noise, codes out,
partial sums added in order.

Order of the digital sums: weight planes; within a plane the input steps, lowest first; within a
step
the tiles by rows. All steps of an input are read together, as further rows of one product: noise
that
outlasts a read is then common to them. Rows are read in blocks. A product's bits do not depend on
its block (`kernels.panels`), so threads, chunks and batches change nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import numba
import numpy as np

from pimlab.analog.cells import CellDraws, Load
from pimlab.analog.circuit.wired import Solved
from pimlab.analog.converter_errors import ConverterErrors, DriverErrors
from pimlab.analog.converters import ADC, DAC
from pimlab.analog.draws import normals
from pimlab.analog.process import History, Part
from pimlab.analog.variances import CoarseVariance
from pimlab.kernels import converter, crossbar, panels
from pimlab.kernels.threads import each
from pimlab.keys import Key

_ROWS = 96
"""Rows of a block, all steps together: inputs and sums of a tile stay in a core's cache."""
_JOINED = 256
"""Rows of a block that see more than one draw of the shortest part of the noise: cells and the
other parts are then fetched and drawn once for all of them.
"""
_FEW = 8
"""Rows of a block below which noise that is held for a short time is added to the conductances
once and kept: drawing it again for each row of a decoding step took 1.1 of its 1.7 ms.
"""
_ADC_LANE = 1 << 20
"""Where the counters of converter noise start, above those of any tile."""
_NOTHING = np.zeros((0, 0), np.float32)
Words = tuple[np.uint32, np.uint32]


@dataclass(frozen=True)
class Tile:
    """One array (and its copies along n): what its cells do to an input code, in digits of integer
    weights or full conductances.

    rows : which inputs;  columns : n;  mean : float32 panels of (k, n);  variance : panels, or the
    one value all cells have, or None.
    lsb : float32, shape (n,), size of an ADC code, or None;  value : float32, shape (n,), what a
    code (without ADC: a unit) stands for.
    nonlinear : (power, panels) of each term of a nonlinear I-V beyond the linear one.
    third : panels, third cumulants of the cells, where noise is drawn with its skewness.
    load : what the input lines conduct, where wires are ideal.
    """

    rows: slice
    columns: int
    mean: np.ndarray
    variance: np.ndarray | float | None
    cells: CellDraws | None
    nonlinear: list[tuple[int, np.ndarray]]
    solved: Solved | None
    third: np.ndarray | None
    value: np.ndarray
    load: Load
    lsb: np.ndarray | None = None
    errors: ConverterErrors | None = None
    coarse: CoarseVariance | None = None
    """`variance` in steps, where inputs are whole codes."""


@dataclass(frozen=True)
class PlaneTiles:
    """Tiles of one plane, its weight in the sum, and the offset that is taken off digitally (0.0:
    none is).
    """

    weight: float
    offset: float
    tiles: list[Tile]
    limit: float | None = None
    """Largest sum before conversion, in the unit of the sums; None: no limit."""


@dataclass(frozen=True)
class Block:
    """Rows that are read together.

    codes : float32, shape (steps rows, k), of all steps, one after the other;  driven : the same
    with the drivers' errors;  squares : of `driven`, or None;  rows, steps : how many;  row : index
    of the first in the whole batch;  words : of the key;  history : of the noise;  starts : int64,
    shape (draws + 1,), rows that see one draw of each part end at the next of these;  segments :
    uint32, shape (draws, parts), which draws: only those of the first part differ;  clipped :
    int64, shape (steps rows,), sums an ADC cut.
    """

    codes: np.ndarray
    driven: np.ndarray
    squares: np.ndarray | None
    rows: int
    steps: int
    row: int
    words: Words
    history: History
    starts: np.ndarray
    segments: np.ndarray
    clipped: np.ndarray


@dataclass(frozen=True)
class Reader:
    """Programmed planes at one time, with their converters.

    scale : float32, shape (n,), weight of code 1 (or of a full cell)
    references : column of each output, and of its reference, int, shape (n,) each, or None.
    divisor : what sums are divided by at the very end, so that integer weights and inputs give
    exact integers until then.
    parts : of the noise, in time;  first : index of the read with row 0 since programming.
    """

    planes: list[PlaneTiles]
    scale: np.ndarray
    references: tuple[np.ndarray, np.ndarray] | None
    divisor: int
    dac: DAC | None
    adc: ADC | None
    drivers: DriverErrors | None = None
    """None: drivers without errors."""
    parts: tuple[Part, ...] = ()
    first: int = 0
    effective_input: Callable[[np.ndarray], np.ndarray] | None = None
    """What drives steep cells, of inputs relative to full scale; None: the inputs themselves."""
    combined: bool = False
    """Whether planes are added up, by their weights, before the one conversion they have."""
    _kept: dict[tuple[int, bool], tuple[object, np.ndarray]] = field(
        default_factory=dict, repr=False
    )
    """(lane, held long) -> (what it holds for, panels) of conductances with the noise of the parts
    that are held long; and with that of all parts, where reads come one by one.
    """

    @property
    def drive(self) -> np.float32:
        """Code of a full input in one step (unit: codes)."""
        return np.float32(1 if self.dac is None else self.dac.drive)

    def read(
        self, x: np.ndarray, full_scale: np.ndarray, key: Key, process: Key | None = None
    ) -> tuple[np.ndarray, int]:
        """y float32, shape (batch, n) of x float32, shape (batch, k) at one full scale a row,
        float32, shape (batch,), > 0; and how many sums were cut.

        A sum is cut where an ADC's first or last code is not the nearest to what it sees. process :
        the key of the noise that outlasts a read, if it is not `key`.
        """
        history = History(self.parts, process or key, self.first)
        y = np.empty((x.shape[0], self.scale.size), np.float32)
        words, unit = key.words, full_scale / np.float32(self.divisor)
        past = history.key.child("lasting").words

        def one(part: slice) -> int:
            codes = np.empty((part.stop - part.start, x.shape[1]), np.float32)
            encode(self.dac, x[part], full_scale[part], codes)
            out, cut = self._block(codes, key.row + part.start, words, history, past)
            np.multiply(out, unit[part, None], out=out)
            np.multiply(out, self.scale, out=y[part])
            return cut

        return y, sum(each(one, self._blocks(x.shape[0], key.row, history)))

    def _blocks(self, batch: int, row: int, history: History) -> list[slice]:
        """Rows of each block: all see the same draws of what outlasts a read, or, where an input is
        one step, draws that differ in the shortest part only.
        """
        steps = 1 if self.dac is None else self.dac.steps
        joined = steps == 1 and history.lasting > 0
        most = max(_ROWS // steps, 1)
        if joined:
            most = min(max(batch // numba.get_num_threads(), most), _JOINED)
        first, blocks = 0, list[slice]()
        while first < batch:
            last = min(first + most, batch, history.until(row + first, int(joined)) - row)
            blocks.append(slice(first, last))
            first = last
        return blocks

    def _block(
        self, codes: np.ndarray, row: int, words: Words, history: History, past: Words
    ) -> tuple[np.ndarray, int]:
        steps = [(1.0, codes)] if self.dac is None else self.dac.phases(codes)
        stacked = np.concatenate([one for _, one in steps]) if len(steps) > 1 else codes
        stacked = np.ascontiguousarray(stacked, np.float32)
        driven = stacked if self.drivers is None else self.drivers.driven(stacked)
        if self.effective_input is not None:
            relative = self.effective_input(driven / self.drive)
            driven = np.ascontiguousarray(relative * self.drive, np.float32)
        starts = _starts(history, row, len(codes))
        at = Block(
            stacked,
            driven,
            self._squares(driven),
            len(codes),
            len(steps),
            row,
            words,
            history,
            np.array([*starts, len(stacked)], np.int64),
            np.array([history.segments(row + start) for start in starts]),
            np.zeros(len(stacked), np.int64),
        )
        out, lane = np.zeros((len(codes), self.scale.size), np.float32), 0
        for planes in [self.planes] if self.combined else [[plane] for plane in self.planes]:
            tiles = len(planes[0].tiles)
            read = np.zeros((len(stacked), planes[0].tiles[0].columns), np.float32)
            for number in range(tiles):
                self._tile(planes, number, lane, read, at, past)
            lane += tiles
            own = 1.0 if self.combined else planes[0].weight
            for (weight, _), part in zip(steps, np.split(read, len(steps)), strict=True):
                _gather(part, self.references, weight * own, out)
        return out, int(at.clipped.sum())

    def _squares(self, driven: np.ndarray) -> np.ndarray | None:
        if all(tile.variance is None for plane in self.planes for tile in plane.tiles):
            return None
        squares = np.empty_like(driven)
        crossbar.square(driven, squares)
        return squares

    def _tile(
        self,
        planes: list[PlaneTiles],
        number: int,
        lane: int,
        read: np.ndarray,
        at: Block,
        past: Words,
    ) -> None:
        """Reads tile `number` of one plane, or of all planes that have one conversion: `lane` is
        that of the first tile of the first of them.
        """
        first, offset, tiles = planes[0].tiles[number], 0.0, len(planes[0].tiles)
        for index, plane in enumerate(planes):
            one = self._sums(plane, number, lane + number + index * tiles, at, past)
            if not self.combined:
                current, offset = one, plane.offset
            else:
                one *= np.float32(plane.weight)
                current = one if index == 0 else current + one
                offset += plane.weight * plane.offset
        self._convert(first, lane + number, current, read, at)
        # without a column that measures the offset, it is known and taken away after the conversion
        if offset and self.references is None:
            own = at.codes[:, first.rows].sum(axis=1, dtype=np.float64)
            self._remove(first, offset * own, read)

    def _sums(
        self, plane: PlaneTiles, number: int, lane: int, at: Block, past: Words
    ) -> np.ndarray:
        """Currents of a tile of a plane before their conversion, float32, shape (rows, n)."""
        tile = plane.tiles[number]
        current = np.empty((len(at.codes), tile.columns), np.float32)
        if tile.solved is not None:
            self._solved(tile, lane, current, at, past)
        else:
            self._currents(tile, lane, current, at, past)
        if plane.limit is not None:
            self._limit(tile, np.float32(plane.limit), current, at)
        return current

    def _limit(self, tile: Tile, most: np.float32, current: np.ndarray, at: Block) -> None:
        """Cuts sums at `most`, and counts those that an ADC would not have cut anyway."""
        cut = np.abs(current) > most
        np.clip(current, -most, most, out=current)
        # what the converter would have cut too is counted there, and once is enough
        if tile.lsb is not None and self.adc is not None:
            cut &= np.rint(most / tile.lsb) <= self.adc.high
        at.clipped[:] += cut.sum(axis=1)

    def _currents(self, tile: Tile, lane: int, current: np.ndarray, at: Block, past: Words) -> None:
        """Currents of a tile with their noise."""
        lasting = at.history.parts and isinstance(tile.variance, np.ndarray)
        if lasting and tile.third is None:
            self._disturbed(tile.mean, tile, lane, current, at, past)
        else:
            panels.product(at.driven, tile.rows.start, tile.mean, current)
        for power, matrix in tile.nonlinear:
            term = np.empty_like(current)
            driven = at.driven * np.abs(at.driven / self.drive) ** (power - 1)
            panels.product(driven, tile.rows.start, matrix, term)
            current += term
        if tile.variance is None or at.squares is None:
            return
        if isinstance(tile.variance, float):
            own = at.squares[:, tile.rows].sum(axis=1, dtype=np.float64)
            sigma = np.sqrt(own * tile.variance).astype(np.float32)
            crossbar.add_row_noise(current, sigma, *self._address(lane, at))
        else:
            self._add_noise(tile, lane, current, at, past)
        if tile.cells is not None:
            self._few(tile, tile.cells, lane, current, at)

    def _add_noise(
        self, tile: Tile, lane: int, current: np.ndarray, at: Block, past: Words
    ) -> None:
        """What every read draws anew; and, of skewed sums, what outlasts it as well."""
        assert at.squares is not None
        variance = np.empty_like(current)
        if tile.coarse is None:
            panels.product(at.squares, tile.rows.start, tile.variance, variance)
        else:
            tile.coarse.product(at.driven, variance)
        if tile.third is None:
            crossbar.add_noise(current, variance, at.history.white, *self._address(lane, at))
            return
        third, lasting = np.empty_like(current), np.zeros_like(current)
        panels.product(at.squares * at.driven, tile.rows.start, tile.third, third)
        if at.history.parts:
            self._disturbed(np.zeros_like(tile.mean), tile, lane, lasting, at, past)
        crossbar.add_skewed_noise(
            current, variance, third, lasting, at.history.white, *self._address(lane, at)
        )

    def _disturbed(
        self, mean: np.ndarray, tile: Tile, lane: int, out: np.ndarray, at: Block, past: Words
    ) -> None:
        """Product with `mean` and the noise of its cells that outlasts a read."""
        short = slice(at.history.lasting)
        mean = self._standing(mean, tile, lane, at, past, long=True)
        if self._keeps(lane, at, past, short):
            mean = self._standing(mean, tile, lane, at, past, long=False)
        elif short.stop:
            crossbar.disturbed_product(
                at.driven,
                tile.rows.start,
                mean,
                tile.variance,
                *past,
                at.history.counters(lane)[short],
                at.starts,
                np.ascontiguousarray(at.segments[:, short]),
                at.history.amplitudes[short],
                out,
            )
            return
        panels.product(at.driven, tile.rows.start, mean, out)

    def _keeps(self, lane: int, at: Block, past: Words, short: slice) -> bool:
        """Whether conductances with the noise held for a short time are worth keeping: the same
        cells are read row by row, or have been.
        """
        if not short.stop or len(at.segments) > 1:
            return False
        kept = self._kept.get((lane, False))
        same = kept is not None and kept[0] == (past, at.segments.tobytes())
        return same or len(at.driven) <= _FEW

    def _standing(
        self, mean: np.ndarray, tile: Tile, lane: int, at: Block, past: Words, long: bool
    ) -> np.ndarray:
        """`mean` with the noise of the parts that are held long (or short), kept until it changes.
        Those held for a short time are added to the others, so they depend on all segments.
        """
        parts = slice(at.history.lasting, None) if long else slice(at.history.lasting)
        segments = at.segments[0]
        if not segments[parts].size:
            return mean
        token = (past, (segments[parts] if long else segments).tobytes())
        kept = self._kept.get((lane, long))
        if kept is not None and kept[0] == token:
            return kept[1]
        out = np.empty_like(mean)
        crossbar.disturbed(
            mean,
            tile.variance,
            *past,
            at.history.counters(lane)[parts],
            segments[parts],
            at.history.amplitudes[parts],
            out,
        )
        self._kept[lane, long] = (token, out)
        return out

    def _solved(self, tile: Tile, lane: int, current: np.ndarray, at: Block, past: Words) -> None:
        """Currents of a circuit solved input by input. Noise that outlasts a read is related from
        read to read as with ideal wires, and as large as the circuit makes it.
        """
        assert tile.solved is not None
        own = np.ascontiguousarray(at.driven[:, tile.rows])
        current[:], spread = tile.solved.read(own)
        if spread is None:
            return
        if at.history.parts and isinstance(tile.variance, np.ndarray):
            ideal, lasting = np.empty_like(current), np.empty_like(current)
            panels.product(at.squares, tile.rows.start, tile.variance, ideal)
            self._disturbed(tile.mean, tile, lane, lasting, at, past)  # the mean of solved is zero
            current += lasting * np.sqrt(spread / np.maximum(ideal, np.float32(1e-30)))
        crossbar.add_noise(current, spread, at.history.white, *self._address(lane, at))

    def _address(self, lane: int, at: Block) -> tuple[np.uint32, np.uint32, int, int, int, int]:
        """Key, first row counted from programming (so that other times see other draws), lane, rows
        of a step, and lanes from step to step.
        """
        tiles = sum(len(plane.tiles) for plane in self.planes)
        return (*at.words, self.first + at.row, lane, at.rows, tiles)

    def _few(self, tile: Tile, cells: CellDraws, lane: int, current: np.ndarray, at: Block) -> None:
        """Outputs with few active inputs, drawn cell by cell."""
        own = np.ascontiguousarray(at.driven[:, tile.rows])
        active = np.empty(len(own), np.float32)
        crossbar.activity(own, active)
        if not (active[active > 0].min(initial=np.inf) < cells.needed.max()):
            return
        shared = np.tile(own, (1, cells.devices)) / np.float32(cells.devices)
        for number, (start, stop) in enumerate(pairwise(at.starts)):
            rows = slice(start, stop)
            self._by_cell(cells, lane, current[rows], (shared[rows], active[rows]), at, number)

    def _by_cell(
        self,
        cells: CellDraws,
        lane: int,
        current: np.ndarray,
        inputs: tuple[np.ndarray, np.ndarray],
        at: Block,
        number: int,
    ) -> None:
        """`_few` of the rows that see draw `number` of what outlasts a read. inputs : what drives
        the cells, and how many of them are active.
        """
        plus, plus_sigma, minus, minus_sigma = cells.cells
        lasting = [
            self._lasting(lane, polarity, held.shape, at.history, at.segments[number])
            for polarity, held in enumerate((plus, minus))
        ]
        key0, key1, row, *rest = self._address(lane, at)
        crossbar.add_cell_noise(
            current,
            *inputs,
            cells.needed,
            plus,
            plus_sigma,
            lasting[0],
            minus,
            minus_sigma,
            lasting[1],
            at.history.white,
            cells.ends,
            np.float32(cells.flip),
            key0,
            # other random words than those that `add_noise` takes of the same rows and outputs
            key1 ^ np.uint32(0x80000000),
            row + int(at.starts[number]),
            *rest,
        )

    def _lasting(
        self,
        lane: int,
        polarity: int,
        shape: tuple[int, int],
        history: History,
        segments: np.ndarray,
    ) -> np.ndarray:
        """float32 of `shape`: standard normals times the share that outlasts a read, cell by
        cell.
        """
        if not history.parts or not shape[0]:
            return _NOTHING
        key, amplitudes = history.key.child("cells", lane, polarity), history.amplitudes
        drawn = (
            amplitude * normals(key.child(part, int(segment)).rows(0), shape)
            for part, (amplitude, segment) in enumerate(zip(amplitudes, segments, strict=True))
        )
        return sum(drawn, np.zeros(shape, np.float32))

    def _convert(
        self, tile: Tile, lane: int, current: np.ndarray, read: np.ndarray, at: Block
    ) -> None:
        if tile.lsb is None or self.adc is None:
            converter.add_scaled(current, tile.value, read)
            return
        low, high = np.float32(self.adc.low), np.float32(self.adc.high)
        if self.adc.noise > 0:
            sigma = tile.lsb * np.float32(self.adc.noise)
            crossbar.add_column_noise(current, sigma, *self._address(_ADC_LANE + lane, at))
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


def _starts(history: History, row: int, rows: int) -> list[int]:
    """Rows, of `rows` from `row` on, where another draw of some part of the noise begins."""
    starts, until = [0], history.until(row) - row
    while until < rows:
        starts.append(until)
        until = history.until(row + until) - row
    return starts


def encode(dac: DAC | None, x: np.ndarray, full_scale: np.ndarray, codes: np.ndarray) -> None:
    """Writes the codes of the input drivers, or x relative to full scale without a DAC. x, codes :
    float32, shape (batch, k);  full_scale : float32, shape (batch,), unit of x.
    """
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


def packed(matrix: np.ndarray) -> np.ndarray:
    """float32 panels of a matrix, shape (k, n), as `kernels.panels` takes them."""
    k, n = matrix.shape
    out = np.empty((-(-n // panels.WIDTH), k, panels.WIDTH), np.float32)
    panels.pack(np.ascontiguousarray(matrix, np.float32), out)
    return out


def _gather(
    read: np.ndarray,
    references: tuple[np.ndarray, np.ndarray] | None,
    weight: float,
    out: np.ndarray,
) -> None:
    if references is not None:
        read = read[:, references[0]] - read[:, references[1]]
    out += read if weight == 1 else np.float32(weight) * read
