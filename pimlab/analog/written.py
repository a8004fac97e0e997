"""Which cells hold a matrix of weights, and what do they conduct at a later time?"""

from __future__ import annotations

from functools import partial

import numpy as np

from pimlab import units
from pimlab.analog.cells import CellArray
from pimlab.analog.design import ArrayDesign
from pimlab.analog.energy import programming_energy
from pimlab.analog.faults import CellFaults
from pimlab.analog.mapping import Plane, code_scale, planes, weight_scale
from pimlab.analog.recent import recent
from pimlab.constants import Constant
from pimlab.keys import Key
from pimlab.machine.stored import StoredWeights

Signed = list[tuple[float, CellArray]]
"""(sign, cells) of each polarity of a plane."""


class _Targets:
    """What the cells of a matrix of weights are to be programmed to, some rows at a time. Cells
    hold this, and not the `WrittenCells` that keep them.
    """

    def __init__(self, design: ArrayDesign, weights: np.ndarray, scale: np.ndarray):
        self.design, self.weights, self.scale = design, weights, scale
        self.recent = recent(self.planes, 4)

    def planes(self, first: int, last: int) -> list[Plane]:
        design, rows = self.design, slice(first, last)
        scale = self.scale[rows] if len(self.scale) > 1 else self.scale
        return planes(
            self.weights[rows] / scale,
            design.coding,
            design.slices,
            design.subtract,
            design.cols,
            design.pair_cell,
            design.pairs,
        )

    def of(self, index: int, polarity: str, rows: slice) -> np.ndarray:
        """Relative targets of some rows of one polarity of a plane, float64, shape (rows, n)."""
        first, last, _ = rows.indices(len(self.weights))
        few = last - first < len(self.weights)  # what is kept for the next question is a chunk
        plane = (self.recent if few else self.planes)(first, last)[index]
        return plane.plus if polarity == "plus" else np.asarray(plane.minus)


class WrittenCells:
    """Weights laid out in planes, and the cells they were written to.

    Only the weights are held, 4 bytes each: what cells conduct is computed from them and the key,
    some rows at a time, when a read at another time asks for it.

    layout : the planes without their cells (those of the first row only);  scale : float64,
    (k, n)-broadcastable, the weight that a full difference of conductances stands for.  kept :
    whether slices hold the codes `held` of the model's file.
    """

    def __init__(
        self, design: ArrayDesign, w: np.ndarray, key: Key, held: StoredWeights | None = None
    ):
        self.design, self.key = design, key
        self.k, self.n = w.shape
        own = code_scale(held, w, design.scaling, design.slices)
        self.kept = own is not None
        self.scale = (
            weight_scale(w, design.scaling, design.rows, design.coverage) if own is None else own
        )
        self._targets = _Targets(design, np.array(w, np.float32), self.scale)
        self.layout = self._targets.planes(0, 1)
        self._recent = recent(self._write, 2)

    def polarities(self, cycle: int) -> list[Signed]:
        """The cells of every plane after they have been written again `cycle` times."""
        return self._recent(cycle)  # type: ignore[no-any-return]

    @property
    def planes(self) -> list[Plane]:
        """The planes with the targets of all cells."""
        return self._targets.planes(0, self.k)

    def rows(self, rows: slice) -> list[Plane]:
        """The planes with the targets of some rows."""
        return self._targets.planes(*rows.indices(self.k)[:2])

    def forget(self) -> None:
        """Drops the rows last asked for."""
        self._targets.recent.cache_clear()

    def age(self, seconds: float) -> tuple[int, float]:
        """(how often the weights have been written again, seconds [s] since the last time)."""
        refresh = self.design.refresh
        return (0, seconds) if refresh is None else refresh.age(seconds)

    def conductances(self, at: str | float = 0.0) -> list[tuple[float, np.ndarray]]:
        """(sign times weight in the sum, conductances without read noise, S, float64, shape
        (devices, k, n)) of every polarity of every plane.
        """
        cycle, age = self.age(units.seconds(at))
        return [
            (plane.weight * sign, cells.at(age))
            for plane, signed in zip(self.layout, self.polarities(cycle), strict=True)
            for sign, cells in signed
        ]

    @property
    def cells(self) -> int:
        """How many cells hold these weights (unit: cells)."""
        return sum(
            cells.devices * cells.shape[0] * cells.shape[1]
            for signed in self.polarities(0)
            for _, cells in signed
        )

    def programming(self) -> dict[str, Constant]:
        """ "energy" [J] of writing all cells once, and "power" (W) of refreshing them; KeyError for
        a cell without a write energy.
        """
        once = programming_energy(self.design.pair_cell, self.cells)
        if self.design.refresh is None:
            return {"energy": once}
        rate = 1 / self.design.refresh.period
        power = once.but(
            unit="W", value=once.value * rate, low=once.low * rate, high=once.high * rate
        )
        return {"energy": once, "power": power}

    def _write(self, cycle: int) -> list[Signed]:
        key = self.key if cycle == 0 else self.key.child("refresh", cycle)
        return [self._plane(index, plane, key) for index, plane in enumerate(self.layout)]

    def _plane(self, index: int, plane: Plane, key: Key) -> Signed:
        signs = [(1.0, "plus")] if plane.minus is None else [(1.0, "plus"), (-1.0, "minus")]
        return [
            (
                sign,
                CellArray(
                    self.design.pair_cell,
                    partial(self._targets.of, index, name),
                    (self.k, plane.plus.shape[1]),
                    key.child(name, index),
                    self.key.child(name, index),
                    self.design.devices,
                    self._faults(index, name, plane.plus.shape[1]),
                ),
            )
            for sign, name in signs
        ]

    def _faults(self, index: int, polarity: str, n: int) -> CellFaults | None:
        """Faults of the cells of one polarity of a plane of n columns: they stay when the weights
        are written again.
        """
        design, wires = self.design, self.design.wires
        if design.faults is None:
            return None
        shared = wires is not None and wires.differential
        return CellFaults(
            design.faults,
            (self.k, n),
            self.key.child("faults", index),
            polarity,
            "both" if shared else polarity,
            design.place,
            "last" if wires is None else wires.sense,
        )
