"""How does a model with more weights than memory run on a machine? One block of columns at a time,
programmed when read.

A programmed weight can take ten times the memory of the weight itself (cells of both polarities,
their spread). A `Streamed` machine programs a block of columns when it is read and forgets it: the
same machine, the same energy and latency, numbers keyed by block, and time spent programming at
every read instead of memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import ClassVar, Self

import numpy as np

from pimlab.cost import Prices
from pimlab.keys import Key, as_key
from pimlab.machine.protocol import Calibration, MacOp, Programmed, Target, VectorOp
from pimlab.values import integer, part


class Streamed(Target):
    """`machine` with the weights of at most `columns` outputs programmed at a time."""

    stage: ClassVar[int] = 0

    name: str = "streamed"
    machine: Target = part(Target)
    columns: int = integer(1, default=1024, doc="outputs whose weights are programmed at once")
    kept: int = integer(
        0, default=32, doc="first rows of a read whose value-dependent integrals are kept"
    )

    def check(self) -> None:
        """The name and the host are those of the machine."""
        object.__setattr__(self, "name", self.machine.name)
        object.__setattr__(self, "host", self.machine.host)
        object.__setattr__(self, "stage", self.machine.stage)

    def serves(self, op: MacOp | VectorOp) -> bool:
        """What the machine serves."""
        return self.machine.serves(op)

    def program(
        self,
        w: np.ndarray,
        key: int | Key = 0,
        *,
        bias: np.ndarray | None = None,
        calibration: Calibration | None = None,
    ) -> StreamedWeights:
        """Weights that are programmed block by block when they are read."""
        return StreamedWeights(self, w, as_key(key), bias, calibration)

    def counted_product(
        self, x: np.ndarray, w: np.ndarray, key: int | Key = 0
    ) -> tuple[np.ndarray, Mapping[str, int]]:
        """As the machine multiplies two activations."""
        return self.machine.counted_product(x, w, key)

    def placed(self, ops: tuple[MacOp, ...]) -> Self:
        """The streamed machine with its data where they live."""
        return self.but(machine=self.machine.placed(ops))

    def occupancy(self, op: MacOp | VectorOp) -> float:
        """Share of the machine's memory."""
        return self.machine.occupancy(op)

    @property
    def codes(self) -> str:
        """The machine's format of activations."""
        return self.machine.codes

    def events(self, op: MacOp | VectorOp) -> Mapping[str, int]:
        """Counts of the machine."""
        return self.machine.events(op)

    def latency(self, op: MacOp | VectorOp) -> Mapping[str, float]:
        """Seconds of the machine."""
        return self.machine.latency(op)

    @property
    def prices(self) -> Prices:
        """Prices of the machine."""
        return self.machine.prices

    @property
    def static(self) -> Mapping[str, float]:
        """What the machine is charged by the second."""
        return self.machine.static

    @property
    def sources(self) -> tuple[str, ...]:
        """Keys in `sources.bib` of the machine."""
        return getattr(self.machine, "sources", ())

    @property
    def varies(self) -> bool:
        """Whether the machine's values depend on key or time."""
        return self.machine.varies

    @property
    def causes(self) -> tuple[str, ...]:
        """Non-idealities of the machine."""
        return self.machine.causes

    def with_causes(self, causes: tuple[str, ...]) -> Self:
        """The streamed machine with only the named non-idealities."""
        return self.but(machine=self.machine.with_causes(causes))


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
        self._known: tuple[np.ndarray, dict[str, float]] | None = None

    def _blocks(self) -> Iterator[tuple[int, Programmed]]:
        machine, columns = self._streamed.machine, self._streamed.columns
        for start in range(0, self._w.shape[1], columns):
            block = slice(start, start + columns)
            bias = None if self._bias is None else self._bias[block]
            yield (
                start,
                machine.program(
                    self._w[:, block],
                    self._key.child("columns", start),
                    bias=bias,
                    calibration=self._calibration,
                ),
            )

    def matmul(self, x: np.ndarray, key: int | Key = 0, at: str | float = 0.0) -> np.ndarray:
        """y float32 (batch, n) of x float32 (batch, k), each block of columns read with a key of
        its own.
        """
        return self.counted(x, key, at)[0]

    def counted(
        self, x: np.ndarray, key: int | Key = 0, at: str | float = 0.0
    ) -> tuple[np.ndarray, Mapping[str, int]]:
        """`matmul(x, key, at)`, and what left its range in all blocks; inputs that every block
        reads count once a block.

        The integrals of the first rows are found on the way, so that `integrals` need not program
        the weights again.
        """
        y, counts = np.empty((len(x), self._w.shape[1]), np.float32), Counter[str]()
        few, total = x[: self._streamed.kept].copy(), Counter[str]()
        for start, block in self._blocks():
            y[:, start : start + self._streamed.columns], found = block.counted(
                x, as_key(key).child("columns", start), at
            )
            counts.update(found)
            total.update(block.integrals(few))
        if self._known is None:
            self._known = (few, dict(total))
        return y, dict(counts)

    def integrals(self, x: np.ndarray) -> dict[str, float]:
        """Physical integrals of reading x, summed over the blocks."""
        if self._known is not None and np.array_equal(self._known[0], x):
            return self._known[1]
        total = Counter[str]()
        for _, block in self._blocks():
            total.update(block.integrals(x))
        return dict(total)


def streamed(machine: Target, columns: int = 1024) -> Streamed:
    """`machine` with at most `columns` outputs' weights programmed at a time: the same costs, less
    memory, more time.
    """
    return Streamed(machine=machine, columns=columns)
