"""Which cells hold a matrix of weights, and what do they conduct at a later time?"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from pimlab import units
from pimlab.analog.cells import CellArray
from pimlab.analog.design import ArrayDesign
from pimlab.analog.energy import programming_energy
from pimlab.analog.mapping import Plane, planes, weight_scale
from pimlab.constants import Constant
from pimlab.keys import Key

Signed = list[tuple[float, CellArray]]
"""(sign, cells) of each polarity of a plane."""


class WrittenCells:
    """Weights laid out in planes, and the cells they were written to.

    planes : the layout;  scale : float64, (k, n)-broadcastable, the weight that a full difference
    of conductances stands for.
    """

    def __init__(self, design: ArrayDesign, w: np.ndarray, key: Key):
        self.design, self.key = design, key
        self.k, self.n = w.shape
        self.scale = weight_scale(w, design.scaling, design.rows, design.coverage)
        self.planes = planes(
            w / self.scale,
            design.coding,
            design.slices,
            design.subtract,
            design.cols,
            design.pair_cell,
        )
        self.polarities = lru_cache(maxsize=2)(self._write)

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
            for plane, signed in zip(self.planes, self.polarities(cycle), strict=True)
            for sign, cells in signed
        ]

    @property
    def cells(self) -> int:
        """How many cells hold these weights (unit: cells)."""
        return sum(cells.programmed.size for signed in self.polarities(0) for _, cells in signed)

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
        """The cells of every plane after they have been written again `cycle` times."""
        key = self.key if cycle == 0 else self.key.child("refresh", cycle)
        return [self._plane(index, plane, key) for index, plane in enumerate(self.planes)]

    def _plane(self, index: int, plane: Plane, key: Key) -> Signed:
        halves = [(1.0, "plus", plane.plus)]
        if plane.minus is not None:
            halves.append((-1.0, "minus", plane.minus))
        return [
            (
                sign,
                CellArray(
                    self.design.pair_cell,
                    relative,
                    key.child(name, index),
                    self.key.child(name, index),
                    self.design.devices,
                ),
            )
            for sign, name, relative in halves
        ]
