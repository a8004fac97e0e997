"""What does a read of programmed arrays return? Codes in, one product a tile, noise, codes out, partial sums added in order.

Rows are read in blocks of 128 whose position in the whole batch is fixed, padded with zero rows, each by one BLAS
thread: so every product has the same shape and the same bits for any thread count and any chunking of the batch.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numba
import numpy as np

from pimlab.analog.converters import ADC, DAC
from pimlab.kernels import converter, crossbar
from pimlab.kernels.blas import one_thread
from pimlab.keys import Key

BLOCK = 128
"""Rows of a block: large enough that BLAS repacks the weights 8 times, not 1024 times, for a batch of 1024."""


@dataclass(frozen=True)
class CellSpread:
    """Cells of a tile as a single draw sees them, for outputs whose noise is not Gaussian: float32 (k, n), relative."""

    needed: np.ndarray
    plus: np.ndarray
    plus_sigma: np.ndarray
    minus: np.ndarray
    minus_sigma: np.ndarray


@dataclass(frozen=True)
class Tile:
    """One array (and its copies along n): what its cells do to an input, relative to full conductance.

    rows : which inputs;  mean : float32 (k, n);  variance : float32 (k, n), or the one value all cells have, or None.
    lsb : float32 (n,), size of an ADC code, or None;  value : float32 (n,), what a code (without ADC: a unit) stands for.
    """

    rows: slice
    mean: np.ndarray
    variance: np.ndarray | float | None
    cells: CellSpread | None
    lsb: np.ndarray | None
    value: np.ndarray


@dataclass(frozen=True)
class Reader:
    """Programmed tiles at one time, with their converters. scale : float32 (n,), weight of a full cell."""

    tiles: list[Tile]
    scale: np.ndarray
    dac: DAC | None
    adc: ADC | None

    def read(self, x: np.ndarray, full_scale: np.ndarray, key: Key) -> np.ndarray:
        """y float32 (batch, n) of x float32 (batch, k) at one full scale a row, float32 (batch,), > 0."""
        y = np.empty((x.shape[0], self.tiles[0].mean.shape[1]), np.float32)
        first = key.row - key.row % BLOCK
        starts = range(first, key.row + x.shape[0], BLOCK)
        words = key.words

        def one(start: int) -> None:
            low, high = max(start, key.row), min(start + BLOCK, key.row + x.shape[0])
            inside, held = slice(low - key.row, high - key.row), slice(low - start, high - start)
            y[inside] = self._block(x[inside], full_scale[inside], held, start, words)[held]

        with one_thread():
            _each(one, starts)
        return y

    def _block(self, x: np.ndarray, full_scale: np.ndarray, held: slice, start: int, words: tuple) -> np.ndarray:
        codes = np.zeros((BLOCK, x.shape[1]), np.float32)
        if self.dac is None:
            converter.scaled(x, full_scale, codes[held])
        else:
            converter.dac(x, full_scale, np.float32(self.dac.top), codes[held])
        out = np.zeros((BLOCK, self.tiles[0].mean.shape[1]), np.float32)
        current = np.empty_like(out)
        for index, tile in enumerate(self.tiles):
            self._tile(tile, index, codes[:, tile.rows], current, start, words)
            self._convert(tile, current, out)
        out[held] *= full_scale[:, None]
        out *= self.scale
        return out

    def _tile(self, tile: Tile, index: int, codes: np.ndarray, current: np.ndarray, start: int, words: tuple) -> None:
        np.matmul(codes, tile.mean, out=current)
        if tile.variance is None:
            return
        squares = np.empty(codes.shape, np.float32)
        crossbar.square(codes, squares)
        if isinstance(tile.variance, float):
            sigma = np.sqrt(squares.sum(axis=1, dtype=np.float64) * tile.variance).astype(np.float32)
            crossbar.add_row_noise(current, sigma, *words, start, index)
        else:
            crossbar.add_noise(current, squares @ tile.variance, *words, start, index)
        if tile.cells is not None:
            self._few(tile.cells, index, codes, current, start, words)

    def _few(self, cells: CellSpread, index: int, codes: np.ndarray, current: np.ndarray, start: int, words: tuple) -> None:
        active = np.empty(BLOCK, np.float32)
        crossbar.activity(codes, active)
        crossbar.add_cell_noise(current, codes, active, cells.needed, cells.plus, cells.plus_sigma, cells.minus, cells.minus_sigma,
                                words[0], words[1] ^ np.uint32(0x80000000), start, index)  # fmt: skip

    def _convert(self, tile: Tile, current: np.ndarray, out: np.ndarray) -> None:
        if tile.lsb is None or self.adc is None:
            converter.add_scaled(current, tile.value, out)
        else:
            converter.adc(current, tile.lsb, np.float32(self.adc.low), np.float32(self.adc.high), tile.value, out)


def _each(work, items) -> None:
    """`work` of every item, on as many threads as kernels may use; errors come out as they went in."""
    threads = min(numba.get_num_threads(), len(items))
    if threads <= 1:
        for item in items:
            work(item)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, items))
