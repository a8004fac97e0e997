"""What if several cells hold one weight? It is their sum with a factor each, and a policy says
which of them an update moves.

A second cell that never moves is a reference: the weight is the difference of the two. The model is
that of the vector and reference unit cells in aihwkit's documentation (Rasch et al.,
arXiv:2104.02184).
"""

from __future__ import annotations

import math

import numpy as np

from pimlab.analog.learning.devices import UpdateDevice
from pimlab.arguments import typed
from pimlab.constants import Constant
from pimlab.values import Value, choice


class UnitCell(Value):
    """Two cells or more a weight: w = sum of factors[i] w_i.

    cells : the devices, one each, two-sided.  factors : as many; () means one over their number.
    pulses : which cells an update moves: "all" of them by the same pulses, one "in turn" or at
    "random" (another for each mini-batch), or the "first" alone, whose fellows are references.

    >>> from pimlab.analog.learning import SGD, UnitCell, update_device
    >>> cell = update_device("ecram-tang2018")
    >>> SGD(device=UnitCell(name="two", cells=(cell, cell), pulses="in turn")).name
    'SGD on two'
    """

    name: str
    cells: tuple[UpdateDevice, ...]
    factors: tuple[float, ...] = ()
    pulses: str = choice("all", "in turn", "random", "first", default="all")

    def check(self) -> None:
        """Two two-sided devices or more, a factor each, and pulses that move the weight."""
        cells = self.cells
        if not isinstance(cells, (tuple, list)) or not all(
            isinstance(one, UpdateDevice) for one in cells
        ):
            raise TypeError(f"UnitCell {self.name} cells={cells!r:.80} is no row of UpdateDevices")
        object.__setattr__(self, "cells", tuple(cells))
        if len(cells) < 2 or any(one.one_sided for one in cells):
            raise ValueError(
                f"UnitCell {self.name} cells={[one.name for one in cells]}; allowed: two devices "
                "or more, none of them one-sided"
            )
        factors = tuple(map(float, self.factors)) or (1 / len(cells),) * len(cells)
        object.__setattr__(self, "factors", factors)
        if len(factors) != len(cells) or not all(math.isfinite(f) and f for f in factors):
            raise ValueError(
                f"UnitCell {self.name} factors={factors} of {len(cells)} cells; allowed: one each, "
                "finite and not 0"
            )
        if self.pulses != "first" and sum(factors) <= 0:
            raise ValueError(
                f"UnitCell {self.name} factors={factors} with pulses={self.pulses!r}: their sum is "
                "not above 0, so pulses do not move the weight; allowed: pulses='first', or "
                "another sum"
            )

    one_sided = False

    @property
    def moving(self) -> tuple[int, ...]:
        """Indices of the cells that pulses reach at some time."""
        return (0,) if self.pulses == "first" else tuple(range(len(self.cells)))

    @property
    def _each(self) -> tuple[tuple[float, UpdateDevice], ...]:
        return tuple(zip(self.factors, self.cells, strict=True))

    @property
    def granularity(self) -> float:
        """Mean change of the weight by one pulse at state 0. In the unit of the weight."""
        steps = [self.factors[i] * self.cells[i].granularity for i in self.moving]
        return abs(sum(steps)) if self.pulses == "all" else float(np.mean(np.abs(steps)))

    @property
    def w_max(self) -> float:
        """Highest weight of mean cells. In the unit of the weight."""
        return sum(max(f * c.w_max, f * c.w_min) for f, c in self._each)

    @property
    def w_min(self) -> float:
        """Lowest weight of mean cells. In the unit of the weight."""
        return sum(min(f * c.w_max, f * c.w_min) for f, c in self._each)

    @property
    def facts(self) -> tuple[tuple[str, Constant], ...]:
        """As `UpdateDevice.facts`, where all cells have the same."""
        first = self.cells[0].facts
        return first if all(one.facts == first for one in self.cells) else ()

    @property
    def sources(self) -> tuple[str, ...]:
        """Sources of every cell."""
        return tuple(sorted({source for one in self.cells for source in one.sources}))


@typed
def reference_cell(device: UpdateDevice, reference: UpdateDevice | None = None) -> UnitCell:
    """A cell that learns less a cell that stays: w = w_1 - w_2.

    reference : the device of the second; None: of the same kind.
    """
    second = reference or device
    return UnitCell(
        name=f"{device.name} less {second.name}",
        cells=(device, second),
        factors=(1.0, -1.0),
        pulses="first",
    )
