"""How does a model with more weights than memory run on a machine? One block of columns at a time,
programmed when read.

A programmed weight can take ten times the memory of the weight itself (cells of both polarities,
their spread). A `Streamed` machine programs a block of columns when it is read and forgets it: the
same machine, the same energy and latency, numbers keyed by block, and time spent programming at
every read instead of memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from pimlab.arguments import named
from pimlab.kernels.threads import each
from pimlab.keys import Key, as_key
from pimlab.machine.protocol import Calibration, Programmed, Target
from pimlab.machine.wrapped import Wrapped
from pimlab.values import integer


class Streamed(Wrapped):
    """`machine` with the weights of at most `columns` outputs programmed at a time."""

    columns: int = integer(1, default=1024, doc="outputs whose weights are programmed at once")
    kept: int = integer(
        0, default=32, doc="first rows of a read whose value-dependent integrals are kept"
    )

    def program(
        self,
        w: np.ndarray,
        key: int | Key = 0,
        *,
        bias: np.ndarray | None = None,
        calibration: Calibration | None = None,
    ) -> StreamedWeights:
        """Weights that are programmed block by block when they are read. w : float32,
        shape (k, n).
        """
        return StreamedWeights(self, w, as_key(key), bias, calibration)


class StreamedWeights(Programmed):
    """Weights (k, n) that a machine programs block by block when they are read."""

    def __init__(
        self,
        streamed: Streamed,
        w: np.ndarray,
        key: Key,
        bias: np.ndarray | None,
        calibration: Calibration | None,
    ):
        self._streamed, self._w, self._key, self._bias, self._calibration = (
            streamed,
            w,
            key,
            bias,
            calibration,
        )
        self._known: tuple[np.ndarray, str | float, dict[str, float]] | None = None

    @property
    def weights_as(self) -> str:  # type: ignore[override]
        """As the machine holds them, asked of one output."""
        one = slice(0, 1)
        bias = None if self._bias is None else self._bias[one]
        known = self._calibration and self._calibration.columns(one)
        machine = self._streamed.machine
        return machine.program(self._w[:, one], self._key, bias=bias, calibration=known).weights_as

    @property
    def _starts(self) -> range:
        """First columns of the blocks."""
        return range(0, self._w.shape[1], self._streamed.columns)

    def _block(self, start: int) -> Programmed:
        """The block of columns from `start` on, programmed."""
        block = slice(start, start + self._streamed.columns)
        return self._streamed.machine.program(
            self._w[:, block],
            self._key.child("columns", start),
            bias=None if self._bias is None else self._bias[block],
            calibration=self._calibration and self._calibration.columns(block),
        )

    def matmul(self, x: np.ndarray, key: int | Key = 0, at: str | float = 0.0) -> np.ndarray:
        """y float32, shape (batch, n) of x float32, shape (batch, k), each block of columns read
        with a key of its own.
        """
        return self.counted(x, key, at)[0]

    def counted(
        self, x: np.ndarray, key: int | Key = 0, at: str | float = 0.0
    ) -> tuple[np.ndarray, Mapping[str, int]]:
        """`matmul(x, key, at)`, and what left its range in all blocks; inputs that every block
        reads count once a block.

        The integrals of the first rows are found on the way, so that `integrals` need not program
        the weights again. x : float32, shape (batch, k);  y : float32, shape (batch, n).
        """
        y, counts = np.empty((len(x), self._w.shape[1]), np.float32), Counter[str]()
        few, total = x[: self._streamed.kept].copy(), Counter[str]()

        def one(start: int) -> tuple[Mapping[str, int], Mapping[str, float]]:
            block = self._block(start)
            y[:, start : start + self._streamed.columns], found = block.counted(
                x, as_key(key).child("columns", start), at
            )
            return found, block.integrals(few, at)

        for found, joules in each(one, self._starts, least=2):
            counts.update(found)
            total.update(joules)
        if self._known is None:
            self._known = (few, at, dict(total))
        return y, dict(counts)

    def integrals(self, x: np.ndarray, at: str | float = 0.0) -> dict[str, float]:
        """Physical integrals of reading x at that time, summed over the blocks. SI units; x :
        float32, shape (batch, k).
        """
        if self._known is not None and self._known[1] == at and np.array_equal(self._known[0], x):
            return self._known[2]
        total = Counter[str]()
        for joules in each(lambda start: self._block(start).integrals(x, at), self._starts, 2):
            total.update(joules)
        return dict(total)


@named
def streamed(machine: Target, columns: int = 1024) -> Streamed:
    """`machine` with at most `columns` outputs' weights programmed at a time: the same costs, less
    memory, more time.

    >>> few = pim.streamed(pim.target("pcm-hermes"), columns=256)
    >>> few.name, few.columns
    ('pcm-hermes', 256)
    """
    return Streamed(machine=machine, columns=columns)
